"""How the command talks: what was nearly meant, quiet or verbose, colours for a person only, a line for what takes long."""

import os
import pty
import select
import sys
from pathlib import Path
from typing import Callable, Dict, List, Tuple

import pytest

from kexec_initd import cli
from kexec_initd.errors import UsageError
from kexec_initd.install.apply import execute
from kexec_initd.install.plan_install import plan_install
from kexec_initd.settings.reader import Settings
from kexec_initd.system import colour
from kexec_initd.system.host import gather
from kexec_initd.verbs import install, status
from kexec_initd.verbs.install import describe_next
from kexec_initd.verbs.load import run_load, run_unload
from tests.trees import make_tree, put
from tests.unit.fake_host import FakeHost, with_kernel

MEANT = {
    "stauts": 'there is no verb "stauts"; did you mean status?',
    "Reboot_into 1": 'there is no verb "Reboot_into"; did you mean reboot-into?',
    "frobnicate": 'there is no verb "frobnicate"; see kexec-initd --help',
    "status --jsn": "status has no option --jsn; did you mean --json?",
    "uninstall --dry-rn=1": "uninstall has no option --dry-rn=1; did you mean --dry-run?",
    "status --frob": "status has no option --frob; see kexec-initd status --help",
    "load a b": "load has no argument b; see kexec-initd load --help",
    "--vresion": "there is no option --vresion; did you mean --version?",
    "unload -q -v": "argument -v/--verbose: not allowed with argument -q/--quiet; see kexec-initd unload --help",
}


@pytest.mark.parametrize("line", MEANT)
def test_what_was_nearly_meant_is_named(line: str, capsys: "pytest.CaptureFixture[str]") -> None:
    assert cli.main(line.split()) == cli.USAGE
    assert capsys.readouterr().err == "kexec-initd: {}\n".format(MEANT[line])


def on_terminal(action: Callable[[], object]) -> str:
    """Return what `action` has written to standard output and error, both a terminal; in a process of its own."""
    pid, master = pty.fork()
    if pid == 0:
        try:
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
            action()
        finally:
            os._exit(0)
    said = b""
    while select.select([master], [], [], 60)[0]:
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        if not data:
            break
        said += data
    os.close(master)
    os.waitpid(pid, 0)
    return said.decode()


COLOURS: Dict[str, Tuple[Dict[str, str], bool]] = {
    "terminal": ({"TERM": "xterm", "NO_COLOR": ""}, True),
    "no colour": ({"TERM": "xterm", "NO_COLOR": "1"}, False),
    "dumb": ({"TERM": "dumb", "NO_COLOR": ""}, False),
}


@pytest.mark.parametrize("case", COLOURS)
@pytest.mark.parametrize("argv", [["status", "--root"], ["status", "--json", "--root"], ["frobnicate"]], ids=" ".join)
def test_colours_are_for_a_terminal_that_shows_them(fake: FakeHost, case: str, argv: List[str]) -> None:
    environment, coloured = COLOURS[case]
    words = [*argv, str(with_kernel(fake).root)] if argv[-1] == "--root" else argv

    def show() -> None:
        os.environ.update(environment)
        cli.main(words)

    said = on_terminal(show)
    assert ("\033[3" in said) == (coloured and "--json" not in argv), said
    assert "installed" in said or "no verb" in said


def test_none_in_a_file(fake: FakeHost, capsys: "pytest.CaptureFixture[str]") -> None:
    assert cli.main(["status", "--root", str(with_kernel(fake).root)]) == 0
    assert cli.main(["frobnicate"]) == 2
    said = capsys.readouterr()
    assert "\033" not in said.out + said.err


@pytest.mark.parametrize("patience, shown", [(0.0, True), (600.0, False)])
def test_what_takes_long_says_so_on_a_terminal(monkeypatch: pytest.MonkeyPatch, patience: float, shown: bool) -> None:
    monkeypatch.setattr(colour, "PATIENCE", patience)
    monkeypatch.setenv("TERM", "xterm")
    master, slave = pty.openpty()
    with open(slave, "w") as stream, open(master, "rb", buffering=0) as screen:
        with colour.progress("validating a\033b", stream):
            said = screen.read(100) if shown else b""
        assert said == (b"kexec-initd: validating a\\x1bb ...\r" if shown else b"")
        assert screen.read(3) == b"\033[K" if shown else not select.select([screen], [], [], 0)[0]


def test_and_says_nothing_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(colour, "PATIENCE", 0.0)
    with open(str(tmp_path / "file"), "w", encoding="utf-8") as stream, colour.progress("validating", stream):
        pass
    with colour.progress("validating", None):
        pass
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize("words, said", [(["-q"], 0), ([], 1), (["-v"], 3)])
@pytest.mark.parametrize("dry", [["--dry-run"], []])
def test_a_load_says_as_much_as_is_asked_for(
    fake: FakeHost, capsys: "pytest.CaptureFixture[str]", monkeypatch: pytest.MonkeyPatch, words: List[str], said: int,
    dry: List[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with_kernel(fake)
    run_load(cli.make_parser().parse_args(["load", *dry, *words]), gather(fake.root))
    found = capsys.readouterr()
    assert len(found.out.splitlines()) == said
    assert found.err.startswith(
        "kexec-initd: warning: a reboot goes through firmware all the same: kexec-initd is not installed"
    )
    run_unload(cli.make_parser().parse_args(["unload", *words]), gather(fake.root))
    lines = capsys.readouterr().out.splitlines()
    if said == 3:
        assert lines.pop(0) == "was loaded: " + ("nothing of kexec-initd's" if dry else "kernel 6.1.0-test")
    assert lines == ([] if said == 0 else ["nothing was loaded" if dry else "unloaded"])


@pytest.mark.parametrize("words", [[], ["-q"], ["-v"], ["--dry-run"]], ids=" ".join)
def test_install_and_uninstall_say_what_was_done_and_what_is_next(
    tmp_path: Path, capsys: "pytest.CaptureFixture[str]", words: List[str]
) -> None:
    root = make_tree(tmp_path / "root")
    ends = {"install": "kexec-initd is installed: once this ", "uninstall": "kexec-initd is uninstalled: "}
    parts = {"install": "which is kept: /etc/init.d/", "uninstall": "own again: /etc/init.d/"}
    for verb in ("install", "uninstall"):
        if "--dry-run" in words and verb == "uninstall":
            execute(plan_install(gather(root)))
        assert cli.main([verb, *words, "--root", str(root)]) == 0
        out = capsys.readouterr().out
        lines = out.splitlines()
        assert ("+++ " in out) == ("--dry-run" in words) and bool(lines) == ("-q" not in words)
        if words in ([], ["-v"]):
            assert lines[-1].startswith(ends[verb]) and parts[verb] in out and "/etc/rc.local" in out
            assert ("write /etc/init.d/reboot" in lines or "restore /etc/init.d/reboot from" in out) == bool(words)
            assert cli.main([verb, "--root", str(root)]) == 0
            assert capsys.readouterr().out.startswith("nothing to do: ")


def test_the_last_line_of_an_installation_is_true(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host = gather(with_kernel(fake).root)
    monkeypatch.setattr(install, "Path", lambda text: fake.root)
    known = (
        "kexec-initd is installed: reboot goes through kexec; the kernel is loaded {}, `kexec-initd load` does it now"
    )
    assert describe_next(host, Settings()) == known.format("at the end of the next boot")
    assert describe_next(host, Settings(preload=False)) == known.format("early in the shutdown")
    put(fake.root / "no-kexec-reboot", b"")
    cold = "kexec-initd is installed, but a reboot goes through firmware: asked for by /no-kexec-reboot"
    assert describe_next(host, Settings()) == cold


@pytest.mark.parametrize(
    "init, ways", [("sysvinit", "shutdown -r, init 6"), ("systemd", "systemctl reboot, "), ("unknown", "")]
)
def test_status_tells_every_way_to_reboot(fake: FakeHost, init: str, ways: str) -> None:
    found = status.gather_status(gather(with_kernel(fake).root), Settings(), [])
    shown = found._replace(installed=True, init=init, reboot="kexec", reason="Linux (grub2)", next_kernel="6.1.0-test")
    lines = status.as_text(shown._replace(next_entry="Linux (grub2)", deviations=["a"])).splitlines()
    assert lines[3:5] == ["reboot:     through kexec: Linux (grub2)", "starts:     kernel 6.1.0-test"]
    assert any(line.startswith("likewise:   " + ways) for line in lines) == bool(ways)
    assert ("unchanged:  reboot -f, poweroff, halt" in lines) == bool(ways)
    assert lines[0].startswith("installed:  yes, with the problems below; ") and "problem:    a" in lines
    cold = status.as_text(shown._replace(reboot="cold", reason="KEXEC=no", next_entry="Linux", next_kernel=None))
    assert 'starts:     the entry "Linux"' in cold.splitlines()


def test_every_name_in_a_hint_is_one_of_the_program() -> None:
    with pytest.raises(UsageError, match="did you mean --take-over"):
        cli.make_parser("install").parse_args(["install", "--takeover"])
