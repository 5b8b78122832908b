"""Carry a plan out, so that at any moment each file is whole, either the old one or the new.

The manifest is on the disk before the first change. Whoever is killed leaves INSTALLING or REMOVING behind; the next
plan starts from the disk as it is then. An install that fails undoes itself.
"""

import contextlib
import os
from pathlib import Path
from typing import Iterator

from kexec_initd.errors import Error, Refused, describe_error
from kexec_initd.history import attempts, last_cold
from kexec_initd.install.file_copy import content_of, make_directory, observe, remove, remove_directory, stage
from kexec_initd.install.layout import CONFIG_DIR, ORIGINALS_DIR, STAGING_DIR, STATE_DIR, UNIT_SUFFIX
from kexec_initd.install.manifest import PATH as MANIFEST
from kexec_initd.install.manifest import InstallState, Manifest, find_unfinished, read_manifest, write_manifest
from kexec_initd.install.originals import is_ours
from kexec_initd.install.plan_uninstall import plan_removal
from kexec_initd.install.run_lock import LOCK, describe_overtaken, take_lock
from kexec_initd.install.steps import OF_LINKS, Plan, WriteFile
from kexec_initd.state import store
from kexec_initd.state.store import Lasting
from kexec_initd.system import process
from kexec_initd.system.files import is_directory
from kexec_initd.system.safe_path import locate

SHELL = "/bin/sh"
SYNTAX_TIMEOUT = 20.0
UNINSTALL = "{}/standalone/uninstall.sh".format(STATE_DIR)  # a program of the kit, and no file of the state
# Of the state, what nothing else removes.
LEFT = (
    *(Lasting.WATCHDOG, Lasting.STARTER, Lasting.KEXEC_LOADER),
    *(Lasting.LEAVING, Lasting.HISTORY, Lasting.HISTORY_DAMAGED),
)
UNINSTALL_TIMEOUT = 300.0  # it waits a minute for a load that is under way


def execute(plan: Plan) -> None:
    """Carry out `plan`. Raises Error when another run is under way, when the disk is no longer what the plan was made
    from, or when a step fails; Refused when nothing was changed.
    """
    if plan.is_empty:
        return
    try:
        with _lock(plan):
            _check_unchanged(plan)
            if plan.is_removal:
                _remove(plan)
            else:
                _install(plan)
    except OSError as error:
        raise Error(describe_error(error))


def uninstall_standalone(root: Path) -> None:
    """Have install.sh's own uninstaller restore the host by its own record. Raises CommandError."""
    process.run([SHELL, str(locate(root, UNINSTALL))], UNINSTALL_TIMEOUT)


def _install(plan: Plan) -> None:
    """Install; where it was not installed before, a failure takes everything back."""
    fresh = plan.found is None or plan.found.state is not InstallState.INSTALLED
    try:
        write_manifest(plan.root, plan.wanted)
        _make_directories(plan)
        _check_syntax(plan)
        _run_steps(plan)
        _clear_staging(plan.root)
        write_manifest(plan.root, _completed(plan.wanted))
    except (OSError, Error) as error:
        if not fresh:
            hint = "each file is whole; run install again"
            raise Error("{}; {}".format(describe_error(error), hint))
        _roll_back(plan, error)
        raise


def _roll_back(plan: Plan, cause: Exception) -> None:
    """Undo what a failed install did. Raises Error where that fails too."""
    try:
        _remove(plan_removal(plan.root, plan.wanted), announce=False)
    except (OSError, Error) as error:
        hint = "run `kexec-initd uninstall` to undo the rest"
        raise Error(
            "{}; undoing the install failed as well: {}".format(describe_error(cause), describe_error(error)), hint
        )


def _remove(plan: Plan, announce: bool = True) -> None:
    """Take the installation away. What fails is completed by the next run, as the manifest stays."""
    if announce and plan.changes:
        write_manifest(plan.root, plan.wanted)
    if any(isinstance(step, WriteFile) for step in plan.steps):
        make_directory(plan.root, STAGING_DIR, 0o700)
    _run_steps(plan)
    _clear_staging(plan.root)
    remove_directory(plan.root, ORIGINALS_DIR)
    for path in reversed(plan.wanted.directories):
        if not (STATE_DIR + "/").startswith(path + "/"):
            remove_directory(plan.root, path)
    remove(locate(plan.root, MANIFEST))


def _completed(manifest: Manifest) -> Manifest:
    """Return the manifest of a finished install: only the newest digest of each file of ours counts from now on."""
    entries = tuple(entry._replace(ours=entry.ours[:1]) for entry in manifest.entries)
    return manifest._replace(state=InstallState.INSTALLED, entries=entries)


def _check_unchanged(plan: Plan) -> None:
    """Make sure, under the lock, that the plan still fits."""
    same = read_manifest(plan.root) == plan.found
    for change in plan.changes:
        if same and change.steps and not isinstance(change.steps[0], OF_LINKS):
            same = _data(plan.root, change.entry.path, change.before) == change.before
    if not same:
        raise describe_overtaken()


def _data(root: Path, path: str, expected: object) -> object:
    place = locate(root, path)
    if place.is_symlink():
        return expected  # a link of ours, which has no content
    return content_of(observe(root, path))


def _make_directories(plan: Plan) -> None:
    for path in plan.wanted.directories:
        if not (STATE_DIR + "/").startswith(path + "/"):
            make_directory(plan.root, path, 0o755)
    make_directory(plan.root, ORIGINALS_DIR, 0o755)
    make_directory(plan.root, STAGING_DIR, 0o700)


def _check_syntax(plan: Plan) -> None:
    """Have the shell that will run our scripts read them before the first of them is put in place."""
    for step in plan.steps:
        if isinstance(step, WriteFile) and is_ours(step.content) and not step.path.endswith(UNIT_SUFFIX):
            staged = stage(locate(plan.root, STAGING_DIR), step.content)
            try:
                process.run([SHELL, "-n", str(staged)], SYNTAX_TIMEOUT)
            except process.CommandError as error:
                raise Refused("the script rendered for {} is not valid shell: {}".format(step.path, error))
            remove(staged)


def _run_steps(plan: Plan) -> None:
    for step in plan.steps:
        try:
            step.apply(plan.root)
        except OSError as error:
            raise Error("cannot {}: {}".format(step, error.strerror))


def _clear_staging(root: Path) -> None:
    """Remove the staging directory with whatever a killed run left in it."""
    directory = locate(root, STAGING_DIR)
    if is_directory(directory):
        for path in directory.iterdir():
            remove(path)
        remove_directory(root, STAGING_DIR)
    for path in find_unfinished(root):
        remove(path)


@contextlib.contextmanager
def _lock(plan: Plan) -> Iterator[None]:
    """Hold the lock. Afterwards, where no manifest is left, the state directory goes, the lock file with it."""
    fd = take_lock(plan.root)
    try:
        yield
    finally:
        if not locate(plan.root, MANIFEST).exists():
            _remove_state(plan)
        os.close(fd)


def _remove_state(plan: Plan) -> None:
    """Remove what is left of the state directory; the lock file comes last, so that no second run gets in between."""
    _clear_staging(plan.root)
    for path in (ORIGINALS_DIR, CONFIG_DIR):
        if path in plan.wanted.directories:
            remove_directory(plan.root, path)
    with contextlib.suppress(Error):
        attempts.forget(plan.root)
    for file in LEFT:
        with contextlib.suppress(OSError):
            store.remove(plan.root, file)
    last_cold.forget(plan.root)
    remove(locate(plan.root, LOCK))
    for path in sorted(set(plan.wanted.directories) | {STATE_DIR}, reverse=True):
        if (STATE_DIR + "/").startswith(path + "/"):
            remove_directory(plan.root, path)
