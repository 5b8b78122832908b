"""SIGKILL and failing system calls at every step of install and uninstall, and two runs at once.

strace(1) injects them into a fork of this process, so that a run costs a fork and not a new Python.
"""

import ctypes
import multiprocessing
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Callable, Dict, List, Set

import pytest

from kexec_initd.errors import Error
from kexec_initd.install.manifest import is_installed
from tests.trees import install, make_tree, snapshot, uninstall

PR_SET_PTRACER = 0x59616D61
CHANGING = "rename,unlink,mkdir,rmdir,symlink,fsync,fchmod,write,utimensat,flock"
SCRIPTS = ("etc/init.d/reboot", "etc/init.d/kexec", "etc/init.d/kexec-load", "etc/rc.local")
MOST_STEPS = 400
Verb = Callable[[Path], str]

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed here")


def run_injected(verb: Verb, root: Path, injection: str) -> int:
    """Run `verb` in a child with a fault injected; return its exit code, or minus the signal that killed it."""
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(go)
        run_child(verb, root, ready)
    os.close(ready)
    command = ["strace", "-o", "/dev/null", "-e", "trace=" + CHANGING, "-e", "inject=" + injection, "-p", str(child)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as tracer:
        assert tracer.stderr is not None
        attached = b"attached" in tracer.stderr.readline()
        os.close(go)
        status = os.waitpid(child, 0)[1]
        tracer.wait()
    if not attached:
        pytest.skip("strace cannot attach to a process here")
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def run_child(verb: Verb, root: Path, ready: int) -> None:
    """Wait until `ready` is closed at its other end, which is when strace has attached; run; never return."""
    code = 99
    try:
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)
        os.read(ready, 1)
        verb(root)
        code = 0
    except Error as error:
        code = error.exit_code
    finally:
        os._exit(code)


class Stage:
    """A tree before and after install, to make fresh copies of and to compare with."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.old = make_tree(directory / "old")
        self.new = self.copy(self.old, "new")
        install(self.new)
        self.before = snapshot(self.old)
        self.whole: Dict[str, Set[bytes]] = {
            name: {(tree / name).read_bytes() for tree in (self.old, self.new)} for name in SCRIPTS
        }

    def copy(self, tree: Path, name: str) -> Path:
        """Return a fresh copy of `tree`, times included."""
        copy = self.directory / name
        shutil.rmtree(str(copy), ignore_errors=True)
        shutil.copytree(str(tree), str(copy), symlinks=True)
        return copy

    def check_whole(self, root: Path) -> None:
        """Every script is the old one or the new one, executable, and none is missing."""
        for name, contents in self.whole.items():
            assert (root / name).read_bytes() in contents, name
            assert (root / name).stat().st_mode & 0o777 == 0o755, name
        names = {"kexec", "kexec-load", "reboot"}
        assert names <= set(os.listdir(str(root / "etc/init.d"))) <= names | {"kexec-initd"}

    def check_new(self, root: Path) -> None:
        """The installation is complete, and nothing else is there."""
        assert is_installed(root)
        assert untimed(root) == untimed(self.new)

    def check_old(self, root: Path) -> None:
        """The tree is what it was before install."""
        assert snapshot(root) == self.before


def untimed(root: Path) -> List[str]:
    """Return what a tree holds; the manifest only by its presence, since it holds time stamps."""
    return [
        "{} {!r}".format(path.relative_to(root), b"" if path.name == "manifest.json" else path.read_bytes())
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink()
    ]


@pytest.fixture(name="stage", scope="module")
def _stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(tmp_path_factory.mktemp("stage"))


@pytest.mark.parametrize("stride", [4, pytest.param(1, marks=pytest.mark.full)])
@pytest.mark.parametrize("verb", [install, uninstall])
@pytest.mark.parametrize("finish", [install, uninstall])
def test_killed_at_every_step_leaves_whole_files_and_the_next_run_finishes(
    stage: Stage, verb: Verb, finish: Verb, stride: int
) -> None:
    killed = code = 0
    for call, step in [(call, step) for call in CHANGING.split(",") for step in range(1, MOST_STEPS, stride)]:
        if step > 1 and code == 0:
            continue
        root = stage.copy(stage.old if verb is install else stage.new, "root")
        code = run_injected(verb, root, "{}:signal=KILL:when={}".format(call, step))
        stage.check_whole(root)
        killed += code == -signal.SIGKILL
        if code != 0:
            assert code == -signal.SIGKILL
            finish(root)
            (stage.check_new if finish is install else stage.check_old)(root)
    assert killed > 40 // stride


@pytest.mark.parametrize("first", [2, 7, 20, 33])
def test_killed_again_while_finishing(stage: Stage, first: int) -> None:
    for second in range(1, MOST_STEPS, 3):
        root = stage.copy(stage.old, "root")
        assert run_injected(install, root, "fsync:signal=KILL:when={}".format(first)) == -signal.SIGKILL
        code = run_injected(uninstall, root, "fsync:signal=KILL:when={}".format(second))
        stage.check_whole(root)
        uninstall(root)
        stage.check_old(root)
        if code == 0:
            break
    assert second > 1


@pytest.mark.parametrize(
    "call, name",
    [
        ("write", "ENOSPC"),
        ("write", "EDQUOT"),
        ("fsync", "EIO"),
        ("rename", "EROFS"),
        ("rename", "EIO"),
        ("mkdir", "ENOSPC"),
        ("fchmod", "EPERM"),
        ("symlink", "ENOSPC"),
        ("unlink", "EIO"),
    ],
)
def test_an_install_that_fails_takes_everything_back(stage: Stage, call: str, name: str) -> None:
    failed = 0
    for step in range(1, MOST_STEPS):
        root = stage.copy(stage.old, "root")
        code = run_injected(install, root, "{}:error={}:when={}".format(call, name, step))
        if code == 0:
            break
        assert code in (1, 3)
        failed += 1
        stage.check_old(root)
    assert failed > 0
    stage.check_new(root)


@pytest.mark.parametrize("call, name", [("write", "ENOSPC"), ("fsync", "EIO"), ("rename", "EROFS"), ("unlink", "EIO")])
@pytest.mark.parametrize("verb", [install, uninstall])
def test_a_disk_that_stays_broken_leaves_whole_files(stage: Stage, verb: Verb, call: str, name: str) -> None:
    failed = 0
    for step in range(1, MOST_STEPS):
        root = stage.copy(stage.old if verb is install else stage.new, "root")
        code = run_injected(verb, root, "{}:error={}:when={}+".format(call, name, step))
        stage.check_whole(root)
        if code == 0:
            break
        assert code in (1, 3)
        failed += 1
        uninstall(root)
        stage.check_old(root)
    assert failed > 0


def attempt(
    verb: Verb, root: Path, start: "multiprocessing.synchronize.Event", codes: "multiprocessing.Queue[int]"
) -> None:
    start.wait()
    try:
        verb(root)
        codes.put(0)
    except Error as error:
        codes.put(error.exit_code)


@pytest.mark.parametrize("verb", [install, uninstall])
def test_two_runs_at_once_do_not_mix(stage: Stage, verb: Verb) -> None:
    context = multiprocessing.get_context("fork")
    for _ in range(50):
        root = stage.copy(stage.old if verb is install else stage.new, "root")
        start, codes = context.Event(), context.Queue()
        runs = [context.Process(target=attempt, args=(verb, root, start, codes)) for _ in range(2)]
        for run in runs:
            run.start()
        start.set()
        results = sorted(codes.get(timeout=60) for _ in runs)
        for run in runs:
            run.join()
        assert results in ([0, 0], [0, 1])
        (stage.check_new if verb is install else stage.check_old)(root)
