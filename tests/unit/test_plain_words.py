"""What the command says to people: true, with advice that is right and harmless, and never half written without a word."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Tuple

import pytest

from kexec_initd import cli
from kexec_initd.bootloader import output
from kexec_initd.bootloader.find_entry import select
from kexec_initd.bootloader.menu import find_menu
from kexec_initd.errors import Error
from kexec_initd.install.apply import execute
from kexec_initd.install.plan_install import plan_install
from kexec_initd.install.plan_uninstall import plan_uninstall
from kexec_initd.install.steps import Plan, describe
from kexec_initd.settings.reader import Settings
from kexec_initd.system.files import open_trusted
from kexec_initd.system.host import Host, gather
from kexec_initd.system.sysroot import Tree
from kexec_initd.verbs.common import require_root
from kexec_initd.verbs.load import run_load
from kexec_initd.verbs.status import as_text, gather_status
from tests.trees import make_tree, put
from tests.unit.fake_host import FakeHost, with_kernel

TOP = Path(__file__).resolve().parents[2]
NOBODY = 65534
CONFIG = """menuentry first { linux /boot/vmlinuz-6.1.0-test root=/dev/vda1; initrd /boot/initrd.img-6.1.0-test }
submenu more {
menuentry second { linux /boot/vmlinuz-6.1.0-test root=/dev/vda1 2; initrd /boot/initrd.img-6.1.0-test }
menuentry third { linux /boot/vmlinuz-6.1.0-test root=/dev/vda1 3; initrd /boot/initrd.img-6.1.0-test }
}
"""


@pytest.fixture(name="host")
def _host(fake: FakeHost) -> FakeHost:
    """A host whose boot loader offers three entries."""
    with_kernel(fake).write("boot/grub/grub.cfg", CONFIG)
    fake.write("boot/grub/i386-pc/normal.mod", "")
    fake.write("proc/sys/kernel/bootloader_type", "114\n")
    return fake


def as_user(action: Callable[[], object]) -> str:
    """Return what an ordinary user is told, who may do nothing here."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            action()
            os.write(writer, b"nothing")
        except Error as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as said:
        text = said.read().decode()
    os.waitpid(pid, 0)
    return text


VERBS = [["status"], ["status", "--json"], ["entries"], ["target"], ["--help"], ["load", "--help"], ["--version"]]


@pytest.mark.slow
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "argv", VERBS + [["install", "--dry-run"], ["uninstall", "--dry-run"], ["render"]], ids=" ".join
)
def test_output_that_cannot_be_written_is_one_line_and_a_failure(
    tmp_path: Path, argv: List[str], unbuffered: str
) -> None:
    root = make_tree(tmp_path / "root")
    words = (
        argv
        if argv[-1].startswith("--") and "run" not in argv[-1] and "json" not in argv[-1]
        else [*argv, "--root", str(root)]
    )
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "kexec_initd", *words],
            stdout=full, stderr=subprocess.PIPE, universal_newlines=True, check=False, timeout=60, cwd=str(TOP),
            env=dict(os.environ, PYTHONUNBUFFERED=unbuffered),
        )  # fmt: skip
    lines = [line for line in done.stderr.splitlines() if "warning" not in line]
    assert (done.returncode, lines) == (1, ["kexec-initd: cannot write to standard output: No space left on device"])


@pytest.mark.slow
@pytest.mark.parametrize("streams", [">&- 2>&-", ">/dev/full 2>/dev/full", "2>/dev/full", "2>&-"])
@pytest.mark.parametrize("verb, code", [("status", 0), ("frobnicate", 2)])
def test_the_exit_code_is_a_documented_one_whatever_takes_the_output(
    tmp_path: Path, streams: str, verb: str, code: int
) -> None:
    root = make_tree(tmp_path / "root")
    command = "{} -m kexec_initd {} --root {} {}".format(sys.executable, verb, root, streams)
    expected = 1 if code == 0 and ">/dev/full 2" in streams else code
    done = subprocess.run(
        ["/bin/sh", "-c", command + "; echo $? >" + str(tmp_path / "code")],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, timeout=60, cwd=str(TOP),
    )  # fmt: skip
    assert ((tmp_path / "code").read_text(), done.stderr) == ("{}\n".format(expected), b"")


@pytest.mark.parametrize("name", ["1/1", "1>1"])
def test_an_entry_of_a_submenu_has_a_name_that_no_shell_takes_for_something_else(host: FakeHost, name: str) -> None:
    menu = find_menu(Tree(host.root))
    found = select(menu, name)
    assert found is not None and found.title == "third"
    assert "  1/1  third (" in output.as_text(menu)
    assert select(menu, "1/9") is None
    assert (
        "1/1\tthird" in output.as_names(menu).splitlines() and "6.1.0-test\tfirst" in output.as_names(menu).splitlines()
    )
    assert all(select(menu, line.partition("\t")[0]) for line in output.as_names(menu).splitlines() if "/" in line)


def test_what_is_loaded_is_named_and_a_cold_reboot_all_the_same_is_told(
    host: FakeHost, capsys: "pytest.CaptureFixture[str]", monkeypatch: "pytest.MonkeyPatch"
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    args = cli.make_parser().parse_args(["load", "1/1"])
    run_load(args, gather(host.root))
    said = capsys.readouterr()
    assert said.out.endswith(': the entry "third"\n') and said.out.startswith("loaded kernel 6.1.0-test (/boot/")
    assert said.err == (
        "kexec-initd: warning: a reboot goes through firmware all the same: kexec-initd is not installed; kexec-initd install\n"
    )


REASONS: Dict[str, Tuple[Callable[[FakeHost], object], str]] = {
    "cold once": (lambda host: host.write("no-kexec-reboot", ""), "/no-kexec-reboot"),
    "switched off": (lambda host: host.write("etc/default/kexec-initd", "KEXEC=no\n"), "KEXEC=no"),
    "limit": (lambda host: host.write("etc/default/kexec-initd", "TRIAL=3\n"), "trial"),
    "copied back": (
        lambda host: put(host.root / "etc/init.d/reboot", b"#!/bin/sh\n"),
        "reboot is not our script",
    ),
    "nothing": (lambda host: None, ""),
}


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize("case", REASONS)
def test_load_says_why_the_reboot_will_be_cold(
    host: FakeHost, tmp_path: Path, case: str, dry: bool, capsys: "pytest.CaptureFixture[str]"
) -> None:
    harm, words = REASONS[case]
    put(host.root / "etc/init.d/reboot", (make_tree(tmp_path / "tree") / "etc/init.d/reboot").read_bytes())
    (host.root / "etc/rc6.d").mkdir()
    (host.root / "etc/rc6.d/K08reboot").symlink_to("../init.d/reboot")
    (host.root / "sbin/init").write_text("")
    execute(plan_install(gather(host.root)))
    harm(host)
    run_load(cli.make_parser().parse_args(["load", "0"] + ["--dry-run"] * dry), gather(host.root))
    said = capsys.readouterr()
    assert 'the entry "first"' in said.out
    assert words in said.err and bool(words) == ("a reboot goes through firmware all the same" in said.err)


def test_a_kernel_that_nobody_knows_is_unknown(tmp_path: Path) -> None:
    text = as_text(gather_status(gather(make_tree(tmp_path / "root")), Settings(), []))
    assert "running kernel unknown" in text and "None" not in text


@pytest.mark.parametrize("directory", [True, False])
def test_no_interrupted_run_is_spoken_of_where_there_was_none(tmp_path: Path, directory: bool) -> None:
    root = make_tree(tmp_path / "root")
    if directory:
        (root / "var/lib/kexec-initd").mkdir(mode=0o700)
    assert describe(plan_uninstall(gather(root))) == "nothing to do: kexec-initd is not installed"
    execute(plan_install(gather(root)))
    (root / "var/lib/kexec-initd/manifest.json").unlink()
    assert "interrupted" not in describe(plan_install(gather(root)))


@pytest.fixture(name="reachable")
def _reachable() -> Iterator[Path]:
    """A directory that every user may enter, as none of pytest's own is."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.mark.parametrize("closed", ["var/lib/kexec-initd", "etc/init.d/reboot", "etc/kexec-initd/originals"])
@pytest.mark.parametrize("plan", [plan_install, plan_uninstall])
def test_an_ordinary_user_is_told_to_be_root(reachable: Path, plan: Callable[[Host], Plan], closed: str) -> None:
    root = make_tree(reachable / "root")
    execute(plan_install(gather(root)))
    (root / "var/lib/kexec-initd").chmod(0o755)
    (root / "var/lib/kexec-initd/manifest.json").chmod(0o644)
    (root / closed).chmod(0o700)
    said = as_user(lambda: plan(gather(root)))
    assert said.endswith("; run this as root, as with sudo") and "remove" not in said, said


def test_whoever_may_not_read_a_file_of_the_boot_is_told_to_be_root(reachable: Path) -> None:
    for name in ("grub.cfg", "vmlinuz-1"):
        put(reachable / "boot" / name, b"", 0o600)
    said = as_user(lambda: Tree(reachable).read_text("/boot/grub.cfg"))
    assert said == "cannot read /boot/grub.cfg: Permission denied; run this as root, as with sudo"
    assert as_user(lambda: open_trusted(reachable, Path("/boot/vmlinuz-1"))).endswith("as with sudo")
    assert as_user(require_root) == "only root can do this; run this as root, as with sudo"


@pytest.mark.parametrize("path", ["var", "var/lib", "var/lib/kexec-initd", "etc", "etc/init.d"])
def test_a_directory_that_others_may_change_is_not_to_be_removed(tmp_path: Path, path: str) -> None:
    root = make_tree(tmp_path / "root")
    execute(plan_install(gather(root)))
    (root / path).chmod(0o777)
    for plan in (plan_install, plan_uninstall):
        with pytest.raises(Error) as caught:
            plan(gather(root))
        assert str(caught.value).endswith("; chmod go-w {}".format(root / path)), str(caught.value)


@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_warnings_are_on_standard_error_where_packages_show_them(
    tmp_path: Path, verb: str, capsys: "pytest.CaptureFixture[str]"
) -> None:
    root = make_tree(tmp_path / "root")
    put(root / "etc/rc.local", b"#!/usr/bin/perl\nexit 0;\n" if verb == "install" else b"#!/bin/sh\nexit 0\n")
    if verb == "uninstall":
        execute(plan_install(gather(root)))
        put(root / "etc/rc.local", b"#!/bin/sh\n# BEGIN kexec-initd\n")
    assert cli.main([verb, "--root", str(root)]) == 0
    said = capsys.readouterr()
    assert "warning" not in said.out
    assert said.err.startswith("kexec-initd: warning: ") and "/etc/rc.local" in said.err


@pytest.mark.parametrize("script", ["debian/postinst", "rpm/activate"])
def test_the_scripts_of_both_packages_pass_on_warnings_and_one_line(tmp_path: Path, script: str) -> None:
    program = tmp_path / "kexec-initd"
    last = "kexec-initd is installed: `load` does it now"
    program.write_text("#!/bin/sh\necho new: /a\necho 'kexec-initd: warning: never runs' >&2\necho '{}'\n".format(last))
    program.chmod(0o755)
    text = (TOP / script).read_text().replace("/usr/sbin/kexec-initd", str(program))
    done = subprocess.run(
        ["/bin/sh", "-s", "configure" if "debian" in script else "1"], input=text, universal_newlines=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=60, env={"PATH": "{}:/bin".format(tmp_path)},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, last + "\n", "kexec-initd: warning: never runs\n")


def test_help_offers_only_what_is_not_always_refused() -> None:
    with pytest.raises(Error, match="invalid choice: 'unknown'"):
        cli.make_parser().parse_args(["render", "--for", "debian", "--init", "unknown"])
    for init in ("sysvinit", "upstart", "systemd", "openrc"):
        assert cli.make_parser().parse_args(["render", "--init", init]).init == init


def test_the_documents_say_what_is_no_cold_reboot() -> None:
    for name in ("README.md", "docs/kexec-initd.8"):
        assert "kexec -u; shutdown -r 0" in (TOP / name).read_text()
