"""Our unit on the running host: systemd is told when it comes and before it goes, by systemctl(1); OpenRC likewise."""

from pathlib import Path
from typing import List

from kexec_initd.install.layout import NAME, OPENRC_SERVICE
from kexec_initd.install.steps import ManageService, Step
from kexec_initd.state import store
from kexec_initd.state.store import Volatile
from kexec_initd.system.files import is_directory
from kexec_initd.system.host import OPENRC_RUNS
from kexec_initd.system.machine import SYSTEMD_RUNS


def plan_start(root: Path, path: str) -> List[Step]:
    """Return the steps after which the unit at `path` runs; only what runs is stopped, and so called, in a shutdown."""
    if path == OPENRC_SERVICE:
        return _plan_service(root, "start")
    if not _is_running(root) or store.is_there(root, Volatile.STOPPING):
        return []
    return [_systemctl(path, "daemon-reload"), _systemctl(path, "start", _name(path))]


def plan_stop(root: Path, path: str) -> List[Step]:
    """Return the steps after which the unit at `path`, which is still there, does not run."""
    if path == OPENRC_SERVICE:
        return _plan_service(root, "stop")
    return [_systemctl(path, "stop", _name(path))] if _is_running(root) else []


def plan_forget(root: Path, path: str) -> List[Step]:
    """Return the steps after which systemd knows the unit no more, once `path` is gone."""
    return [_systemctl(path, "daemon-reload")] if _is_running(root) else []


def _systemctl(path: str, *words: str) -> Step:
    return ManageService(path, "systemctl", words)


def _plan_service(root: Path, word: str) -> List[Step]:
    service = ManageService(OPENRC_SERVICE, "rc-service", (NAME, word))
    return [service] if _is_running(root, OPENRC_RUNS) else []


def _is_running(root: Path, mark: str = SYSTEMD_RUNS) -> bool:
    return root == Path("/") and is_directory(root / mark)


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]
