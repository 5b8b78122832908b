"""The block in rc.local is run, whatever the rest of the script does: each shape is run for real, by every shell that is here."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Dict, List, NamedTuple

import pytest
from hypothesis import given, settings, strategies

from kexec_initd.install.managed_block import add_block, find_block, remove_block
from kexec_initd.install.plan_install import plan_install
from kexec_initd.install.rc_local import find_unfitness
from kexec_initd.system.host import gather
from tests.trees import make_tree, put

pytestmark = pytest.mark.once

BUSYBOX = shutil.which("busybox") or "busybox"
SHELLS = {"dash": "/bin/dash", "bash": "/bin/bash", "busybox": BUSYBOX + " sh"}
CALL = "echo block-was-run"
BLOCK = "# BEGIN kexec-initd: x\nif [ -x /bin/sh ]; then\n    {} || :\nfi\n# END kexec-initd\n".format(CALL).encode()

# How a script may end before its last line, how it may go on beyond it, and what only looks like either.
SHAPES: Dict[str, str] = {
    "Debian's own": "# rc.local\n#\n# By default this script does nothing.\n\nexit 0\n",
    "RHEL's own": "touch /dev/null\n",
    "empty": "",
    "comments only": "# nothing\n\n# here",
    "an exit in its midst": "foo\nexit 0\nbar\n",
    "an unterminated heredoc": "cat >/dev/null <<END\nsome text\nexit 0\n",
    "an unterminated heredoc of tabs": "cat >/dev/null <<-'END'\n\tsome text\n\tEND of it\n",
    "a heredoc that holds the words": "cat >/dev/null <<END\nexit 0\nexec x\n# END kexec-initds\nEND\nexit 0\n",
    "two heredocs in one line": "cat <<A - <<B >/dev/null\na\nA\nexit\nB\n",
    "main; exit 0": "main() { :; }\nmain; exit 0\n",
    "main && exit": "main() { :; }\nmain && exit\n:\n",
    "a function that exits": "leave() {\n  exit 0\n}\nleave\n:\n",
    "a function that is not called": "leave() {\n  exit 0\n}\n:\n",
    "exec in an if": "if [ -x /bin/true ]; then\n    exec /bin/true\nfi\n:\n",
    "exec at the end": "exec /bin/true\n",
    "exec of a log": "exec >/dev/null 2>&1\n:\n",
    "an if on one line": "if true; then exit 0; fi\n:\n",
    "a case": "case x in\nx) exit 0 ;;\nesac\n:\n",
    "a loop": "while :; do exit 0; done\n:\n",
    "a group": "{ exit 0; }\n:\n",
    "a return": "return 0\n:\n",
    "a test before an exit": "[ -f /nonexistent ] || exit 0\n:\n",
    "an eval": "eval 'exit 0'\n:\n",
    "a dot script": ". /dev/null\nexit\n",
    "a dot script that is missing": ". /nonexistent/file\n:\n",
    "set -e and a failing line": "set -e\nfalse\n:\n",
    "set -u and an unset variable": "set -u\necho $nothing_such\n:\n",
    "a trap": "trap 'exit 0' EXIT\nfalse\n",
    "a kill": "kill -9 $$\n:\n",
    "a subshell's exit": "(exit 1)\n:\n",
    "a command substitution's exit": "x=$(exit 1)\n:\n",
    "a string of several lines": "x='\nexit 0\n'\n:\n",
    "an unterminated string": "echo 'a b\nexit 0\n",
    "an unterminated if": "if true; then\n:\n",
    "a syntax error": ":\n)\n:\n",
    "a line that goes on": "echo \\\nexit 0",
    "an or that goes on": "false ||\nexit 0\n",
    "a background job": "(exit 1) &\nexit 0\n",
    "a set -n": "set -n\n:\n",
    "an exit with a comment": "exit 0 # done\n",
    "an exit with a semicolon": "exit 0;\n",
    "bytes of no encoding": "echo '\udcff\udce9' >/dev/null\nexit 0\n",
}
OPTIONS = ("", " -e", " -eu", " -x", " -", " --")


def run(path: Path, text: bytes) -> str:
    """Run `text` as a boot runs rc.local, and return all that it said."""
    path.write_bytes(text)
    path.chmod(0o755)
    # By fork and exec of this process, which closes the file first: else it might still be open for writing in a fork.
    done = subprocess.run(
        ["/bin/sh", "-c", '"$0" start', str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=20,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    return done.stdout.decode("utf-8", "replace")


@pytest.fixture(name="host", scope="module")
def _host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the root of a host, with a program in it that our block is made to call in these tests."""
    root = make_tree(tmp_path_factory.mktemp("rc-local") / "root")
    put(root / "called", "#!/bin/sh\n{}\n".format(CALL).encode(), 0o755)
    return root


@pytest.mark.parametrize("shape", SHAPES)
def test_the_block_is_run_or_install_has_warned(host: Path, tmp_path: Path, shape: str) -> None:
    body = SHAPES[shape].encode("utf-8", "surrogateescape")
    for number, shell in enumerate(SHELLS.values()):
        option = "" if " " in shell else OPTIONS[(len(shape) + number) % len(OPTIONS)]
        text = "#!{}{}\n".format(shell, option).encode() + body
        put(host / "etc/rc.local", text, 0o755)
        plan = plan_install(gather(host))
        (added,) = [change.after for change in plan.changes if change.entry.path == "/etc/rc.local"]
        assert added is not None and remove_block(added) == text
        said = run(tmp_path / "rc.local", added.replace(b"/etc/init.d/kexec-initd", str(host / "called").encode()))
        assert ("block-was-run" in said.splitlines()) == (not plan.warnings), (shell, said)


LINES = [
    "exit 0",
    "exec true",
    "cat <<E >/dev/null",
    "E",
    "set -e",
    "false",
    "(",
    ")",
    "if true; then",
    "fi",
    "x='",
    "'",
    "# c",
    "",
]


@settings(max_examples=15)
@given(lines=strategies.lists(strategies.sampled_from(LINES), max_size=5), end=strategies.sampled_from(["", "\n"]))
def test_the_block_is_run_before_any_lines(
    tmp_path_factory: pytest.TempPathFactory, lines: List[str], end: str
) -> None:
    text = ("#!/bin/sh\n" + "\n".join(lines) + end).encode()
    assert "block-was-run\n" in run(tmp_path_factory.getbasetemp() / "rc.local", add_block(text, BLOCK))


class Started(NamedTuple):
    """A #! line, and whether the kernel starts a shell by it that reads the file."""

    line: str
    is_shell: bool


STARTS = [
    *(Started("#!/bin/{}{}".format(shell, option), True) for shell in ("dash", "bash") for option in OPTIONS),
    Started("#! /bin/sh", True),
    Started("#!\t/bin/sh \t-e ", True),
    Started("#!{} sh".format(BUSYBOX), True),
    Started("#!{} ash".format(BUSYBOX), True),
    Started("#!{} sh -e".format(BUSYBOX), False),
    Started("#!{} cat".format(BUSYBOX), False),
    Started("#!{}".format(BUSYBOX), False),
    Started("#!/usr/bin/env sh", True),
    Started("#!/usr/bin/env bash", True),
    Started("#!/usr/bin/env sh -e", False),
    Started("#!/usr/bin/env -S sh -e", True),
    Started("#!/usr/bin/env -Ssh -e", True),
    Started("#!/usr/bin/env --split-string=bash --norc -e", True),
    Started("#!/usr/bin/env -S LANG=C PATH=/bin:/usr/bin sh", True),
    Started("#!/usr/bin/env -S -i {} sh -e".format(BUSYBOX), True),
    Started("#!/usr/bin/env -S python3", False),
    Started("#!/usr/bin/env -S", False),
    Started("#!/usr/bin/env", False),
    Started("#!/bin/bash --login", True),
    Started("#!/bin/sh -n", False),
    Started("#!/bin/sh -en", False),
    Started("#!/bin/sh -e -x", False),
    Started("#!/bin/sh start", False),
    Started("#!/bin/true", False),
    Started("#!/bin/cat", False),
    Started("#!/usr/bin/python3", False),
    Started("#!/usr/bin/awk -f", False),
    Started("#!/usr/bin/perl", False),
]
# env(1) starts the script itself again.
ENDLESS = ("#!/usr/bin/env", "#!/usr/bin/env -S")


@pytest.mark.parametrize("started", STARTS, ids=lambda started: started.line)
def test_who_is_a_shell(tmp_path: Path, started: Started) -> None:
    text = "{}\nexit 0\n".format(started.line).encode()
    assert (find_unfitness(text, 0o755) is None) is started.is_shell
    if started.line not in ENDLESS:
        said = run(tmp_path / "rc.local", add_block(text, BLOCK))
        assert ("block-was-run" in said.splitlines()) is started.is_shell


def test_an_older_block_at_the_end_comes_to_the_beginning() -> None:
    text = b"#!/bin/sh\n# mine\n\ncat <<END\nexit 0\n"
    old = text + BLOCK.replace(b"echo", b"printf")
    assert add_block(old, BLOCK) == b"#!/bin/sh\n# mine\n\n" + BLOCK + b"cat <<END\nexit 0\n"
    span = find_block(add_block(old, BLOCK))
    assert span is not None and span.start == len(b"#!/bin/sh\n# mine\n\n")
