"""Install and uninstall while another one runs: at every look that a plan takes, and after every change that is carried out."""

import shutil
from pathlib import Path
from typing import Any, Callable, List

import pytest

from kexec_initd.errors import Error
from kexec_initd.install import file_copy, manifest, originals, plan_install, plan_uninstall
from kexec_initd.install.manifest import is_installed
from kexec_initd.install.run_lock import LOCK, UNDER_WAY
from kexec_initd.system import files
from tests.trees import install, make_tree, snapshot, uninstall

Verb = Callable[[Path], str]
LOOKERS = (manifest, originals, plan_install, plan_uninstall)
CHANGERS = (file_copy, files)
MOST = 200

pytestmark = pytest.mark.slow


class Trees:
    """A host before and after install, and a copy of one of the two to work on."""

    def __init__(self, directory: Path) -> None:
        self.old = make_tree(directory / "old")
        self.new = make_tree(directory / "new")
        self.root = directory / "root"
        self.before = snapshot(self.old)
        install(self.new)

    def prepare(self, first: Verb) -> None:
        """Make `root` anew, so that `first` has something to do."""
        shutil.rmtree(str(self.root), ignore_errors=True)
        shutil.copytree(str(self.old if first is install else self.new), str(self.root), symlinks=True)


@pytest.fixture(name="trees")
def _trees(tmp_path: Path) -> Trees:
    return Trees(tmp_path)


class Interruption:
    """Call `act` once, after call `number` of what it is put in the place of; tell how often that was called."""

    def __init__(self, wrapped: Callable[..., Any], number: int, act: Callable[[], object]) -> None:
        self.wrapped = wrapped
        self.number = number
        self.act = act
        self.calls = 0

    def __call__(self, *args: Any) -> Any:
        result = self.wrapped(*args)
        self.calls += 1
        if self.calls == self.number:
            self.act()
        return result


def attempt(verb: Verb, root: Path) -> int:
    """Run a verb; return its exit code."""
    try:
        verb(root)
    except Error as error:
        return error.exit_code
    return 0


def run_between(monkeypatch: pytest.MonkeyPatch, trees: Trees, first: Verb, second: Verb) -> List[int]:
    """Run `first`, and all of `second` after each of its looks in turn; return the exit codes of `first`."""
    root, codes = trees.root, []
    for number in range(1, MOST):
        trees.prepare(first)
        other = Interruption(file_copy.observe, number, lambda: attempt(second, root))
        with monkeypatch.context() as patch:
            for module in LOOKERS:
                patch.setattr(module, "observe", other)
            codes.append(attempt(first, root))
        uninstall(root)
        assert snapshot(root) == trees.before
        if other.calls < number:
            return codes
    raise AssertionError("it never comes to its end")


@pytest.mark.parametrize("second", [install, uninstall])
@pytest.mark.parametrize("first", [install, uninstall])
def test_a_run_that_is_overtaken_says_so(
    monkeypatch: pytest.MonkeyPatch, trees: Trees, first: Verb, second: Verb
) -> None:
    codes = run_between(monkeypatch, trees, first, second)
    assert len(codes) > 5 and set(codes) <= {0, 1}, codes


@pytest.mark.parametrize("second", [install, uninstall])
@pytest.mark.parametrize("first", [install, uninstall])
def test_a_run_beside_another_is_told_of_it_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, trees: Trees, first: Verb, second: Verb
) -> None:
    root, texts = trees.root, set()

    def run_second() -> None:
        nothing_to_do = second is install and is_installed(root)
        if (root / LOCK.lstrip("/")).exists() and not nothing_to_do:
            with pytest.raises(Error) as caught:
                second(root)
            texts.add(str(caught.value))

    for number in range(1, MOST):
        trees.prepare(first)
        other = Interruption(files.fsync_dir, number, run_second)
        with monkeypatch.context() as patch:
            for module in CHANGERS:
                patch.setattr(module, "fsync_dir", other)
            first(root)
        assert is_installed(root) is (first is install)
        if other.calls < number:
            break
    assert number > 10 and texts == {UNDER_WAY}
    uninstall(root)
    assert snapshot(root) == trees.before
