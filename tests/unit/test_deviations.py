"""An installation that was changed behind our back: `status` tells each thing, and no reboot through kexec is counted on."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Callable, Dict, Tuple

import pytest

from kexec_initd.cli import main
from kexec_initd.codes import Code
from kexec_initd.decision.assess import assess
from kexec_initd.install.apply import execute
from kexec_initd.install.conffiles import is_diverted
from kexec_initd.install.deviations import find_deviations, find_obstacle, is_ordered, watched
from kexec_initd.install.manifest import ManifestEntry, read_manifest, write_manifest
from kexec_initd.install.plan_install import plan_install
from kexec_initd.install.plan_uninstall import plan_uninstall
from kexec_initd.install.steps import describe
from kexec_initd.kexec import stamp
from kexec_initd.settings.reader import Settings
from kexec_initd.stages import shutdown
from kexec_initd.system.files import digest
from kexec_initd.system.host import gather
from tests.trees import RC_LOCAL, REBOOT, dpkg_status, make_tree, put
from tests.unit.fake_host import FakeHost, with_kernel

pytestmark = pytest.mark.ends

KEPT = "etc/kexec-initd/originals"
OURS = "etc/init.d/kexec-initd"


@pytest.fixture(name="installed", scope="module")
def _installed(tmp_path_factory: "pytest.TempPathFactory") -> Path:
    root = make_tree(tmp_path_factory.mktemp("installed") / "root")
    execute(plan_install(gather(root)))
    return root


@pytest.fixture(name="host")
def _host(installed: Path, tmp_path: Path) -> FakeHost:
    """A host where it is installed, and where a reboot would go through kexec."""
    fake = with_kernel(FakeHost(tmp_path / "root"))
    shutil.rmtree(str(fake.root / "run"))
    subprocess.run(["cp", "-a", str(installed) + "/.", str(fake.root)], check=True)
    return fake


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def as_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def as_link(path: Path) -> None:
    path.rename(path.with_name("aside"))
    path.symlink_to("aside")


def depend(root: Path, line: str) -> None:
    for name in ("boot", "start", "stop"):
        put(root / "etc/init.d" / (".depend." + name), (line + "\nINTERACTIVE =\n").encode())
    put(root / "sbin/startpar", b"")


DECIDING: Dict[str, Tuple[Callable[[Path], object], str]] = {
    "copied back": (lambda root: put(root / "etc/init.d/reboot", REBOOT.encode()), "/etc/init.d/reboot is not our script"),
    "kexec-tools' copied back": (lambda root: put(root / "etc/init.d/kexec", b"#!/bin/sh\nkexec -e\n"), "kexec is not our"),
    "gone": (lambda root: (root / "etc/init.d/reboot").unlink(), "/etc/init.d/reboot is gone"),
    "early step gone": (lambda root: (root / OURS).unlink(), "/etc/init.d/kexec-initd is gone"),
    "early step cut": (lambda root: cut(root / OURS, 20000), "/etc/init.d/kexec-initd, ours, was changed"),
    "early step emptied": (lambda root: put(root / OURS, b""), "/etc/init.d/kexec-initd is not our script"),
    "not executable": (lambda root: (root / OURS).chmod(0o644), "/etc/init.d/kexec-initd is not executable"),
    "last step not executable": (lambda root: (root / "etc/init.d/reboot").chmod(0o644), "/etc/init.d/reboot is not executable"),
    "emptied": (lambda root: put(root / "etc/init.d/reboot", b""), "/etc/init.d/reboot is not our script"),
    "cut": (lambda root: cut(root / "etc/init.d/reboot", 900), "/etc/init.d/reboot, ours, was changed"),
    "a directory": (lambda root: as_directory(root / OURS), "kexec-initd is not a regular file"),
    "a link": (lambda root: as_link(root / OURS), "is a symbolic link"),
    "link gone": (lambda root: (root / "etc/rc6.d/K01kexec-initd").unlink(), "the link /etc/rc6.d/K01kexec-initd is gone"),
    "link of reboot gone": (lambda root: (root / "etc/rc6.d/K08reboot").unlink(), "no link to /etc/init.d/reboot"),
    "original gone": (lambda root: (root / KEPT / "reboot").unlink(), "originals/reboot is missing"),
    "originals gone": (lambda root: shutil.rmtree(str(root / KEPT)), "originals/kexec is missing"),
    "original emptied": (lambda root: put(root / KEPT / "reboot", b""), "originals/reboot is empty"),
    "original of ours": (lambda root: shutil.copy(str(root / "etc/init.d/reboot"), str(root / KEPT)), "one of our own scripts"),
    "left out by startpar": (lambda root: depend(root, "TARGETS = umountfs reboot"), ".depend.stop does not name kexec-initd"),
}  # fmt: skip
OTHERS: Dict[str, Tuple[Callable[[Path], object], str]] = {
    "block gone": (lambda root: put(root / "etc/rc.local", RC_LOCAL.encode()), "/etc/rc.local has no block"),
    "block changed": (
        lambda root: put(root / "etc/rc.local", (root / "etc/rc.local").read_bytes().replace(b"preload", b"no")),
        "our block in /etc/rc.local was changed",
    ),
    "original changed": (lambda root: cut(root / KEPT / "kexec", 200), "originals/kexec is not what was kept"),
    "hook gone": (lambda root: (root / "etc/kernel/postinst.d/zzz-kexec-initd").unlink(), "postinst.d/zzz-kexec-initd is gone"),
}  # fmt: skip


def ask(root: Path, capsys: "pytest.CaptureFixture[str]") -> Tuple[Dict[str, Any], str]:
    """Return what status says, as JSON and as text."""
    capsys.readouterr()
    assert main(["status", "--json", "--root", str(root)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main(["status", "--root", str(root)]) == 0
    return found, capsys.readouterr().out


def test_what_is_as_it_was_installed_has_no_deviation(host: FakeHost, capsys: "pytest.CaptureFixture[str]") -> None:
    found, text = ask(host.root, capsys)
    assert (found["installed"], found["deviations"], found["reboot"]) == (True, [], "kexec")
    assert text.startswith("installed:  yes\n")
    assert find_obstacle(find_deviations(host.root)) is None


@pytest.mark.once
@pytest.mark.parametrize("case", DECIDING)
def test_what_takes_part_in_the_jump_is_told_and_no_kexec_is_claimed(
    host: FakeHost, case: str, capsys: "pytest.CaptureFixture[str]"
) -> None:
    harm, said = DECIDING[case]
    harm(host.root)
    found, text = ask(host.root, capsys)
    assert (found["installed"], found["reboot"], found["code"]) == (False, "cold", "not-installed")
    assert any(said in deviation for deviation in found["deviations"])
    assert said in str(found["reason"]) and said in text
    assert "installed:  yes" not in text and "through kexec" not in text
    assert assess(gather(host.root), Settings()).decision.code is Code.NOT_INSTALLED, "what is told is what is done"


@pytest.mark.parametrize("case", OTHERS)
def test_what_takes_no_part_is_told_and_the_reboot_stays_what_it_is(
    host: FakeHost, case: str, capsys: "pytest.CaptureFixture[str]"
) -> None:
    harm, said = OTHERS[case]
    harm(host.root)
    found, text = ask(host.root, capsys)
    assert (found["installed"], found["reboot"]) == (True, "kexec")
    assert any(said in deviation for deviation in found["deviations"])
    assert said in text and not text.startswith("installed:  yes\n")


@pytest.mark.once
@pytest.mark.parametrize("case", ["copied back", "not executable", "link gone", "gone", "block gone", "emptied"])
def test_install_puts_it_right(host: FakeHost, case: str, capsys: "pytest.CaptureFixture[str]") -> None:
    harm = {**DECIDING, **OTHERS}[case][0]
    harm(host.root)
    execute(plan_install(gather(host.root)))
    assert ask(host.root, capsys)[0]["deviations"] == []
    execute(plan_uninstall(gather(host.root)))
    assert (host.root / "etc/init.d/reboot").read_text() == REBOOT


def test_status_sees_what_install_would_do(host: FakeHost, capsys: "pytest.CaptureFixture[str]") -> None:
    (host.root / "etc/init.d/kexec").chmod(0o700)
    found, text = ask(host.root, capsys)
    assert found["deviations"] == ["/etc/init.d/kexec is not as this version would write it"]
    (host.root / "run/systemd/system").mkdir(parents=True)
    assert "with the init system systemd" in ask(host.root, capsys)[1]


def test_status_sees_what_another_version_would_write(host: FakeHost, capsys: "pytest.CaptureFixture[str]") -> None:
    """Ours is as it was installed, by the manifest, but by other templates than these."""
    (host.root / OURS).write_bytes((host.root / OURS).read_bytes() + b"# older\n")
    rewrite(
        host.root, lambda entry: entry._replace(ours=(digest((host.root / entry.path[1:]).read_bytes()),)), "/" + OURS
    )
    assert ask(host.root, capsys)[0]["deviations"] == [], "by this recipe that would be made"
    rewrite(host.root, lambda entry: entry._replace(recipe="another"), "/" + OURS)
    assert ask(host.root, capsys)[0]["deviations"] == ["/{} is not as this version would write it".format(OURS)]
    assert plan_install(gather(host.root)).steps != []


def test_where_an_earlier_version_has_left_no_recipes_they_are_kept_by_the_next_install(
    host: FakeHost, capsys: "pytest.CaptureFixture[str]"
) -> None:
    before = read_manifest(host.root)
    rewrite(host.root, lambda entry: entry._replace(recipe=""))
    assert ask(host.root, capsys)[0]["deviations"] == []
    plan = plan_install(gather(host.root))
    assert (plan.steps, describe(plan)) == ([], "every file is as it should be; only the record of it is made anew")
    execute(plan)
    assert read_manifest(host.root) == before
    assert plan_install(gather(host.root)).is_empty


def rewrite(root: Path, change: Callable[[ManifestEntry], ManifestEntry], path: str = "") -> None:
    """Change the entries of the manifest, or the one of `path`."""
    found = read_manifest(root)
    assert found is not None
    entries = [change(entry) if path in ("", entry.path) else entry for entry in found.entries]
    write_manifest(root, found._replace(entries=tuple(entries)))


@pytest.mark.parametrize("case", ["copied back", "gone", "original emptied"])
def test_a_change_after_the_load_has_the_shutdown_ask_again(host: FakeHost, case: str) -> None:
    shutdown.preload(gather(host.root), Settings())
    stamped = [line.rpartition(" ")[2] for line in stamp._read_lines(host.root)]
    assert {str(path) for path in watched(host.root)} <= set(stamped)
    before = stamp.lines_for(host.root, watched(host.root))
    DECIDING[case][0](host.root)
    assert stamp.lines_for(host.root, watched(host.root)) != before
    decision = shutdown.prepare(gather(host.root), Settings())
    assert (decision.kexec, decision.code) == (False, Code.NOT_INSTALLED)
    assert (
        not (host.root / "var/lib/kexec-initd/attempts").exists()
        or b"last under-way" not in (host.root / "var/lib/kexec-initd/attempts").read_bytes()
    ), "no attempt that could never arrive"


def test_a_lost_diversion_is_told(host: FakeHost) -> None:
    rewrite(host.root, lambda entry: entry._replace(diverted=entry.path == "/etc/init.d/reboot"))
    target = "/etc/kexec-initd/originals/reboot"
    for text, lost in (
        ("/etc/x\n/etc/y\nz\n/etc/init.d/reboot\n{}\nkexec-initd\n".format(target), False),
        ("/etc/init.d/reboot\n{}\n:\n".format(target), True),
        ("/etc/init.d/reboot\n/etc/elsewhere\nkexec-initd\n", True),
        ("", True),
    ):
        host.write("var/lib/dpkg/diversions", text)
        assert is_diverted(host.root, "/etc/init.d/reboot", target, "kexec-initd") is not lost
        assert any("no diversion of /etc/init.d/reboot" in found.text for found in find_deviations(host.root)) is lost


@pytest.mark.parametrize(
    "line, ordered",
    [
        ("TARGETS = kexec-initd umountfs reboot", True),
        ("TARGETS = umountfs kexec-initd", True),
        ("TARGETS = kexec-initd.old umountfs", False),
        ("umountfs: kexec-initd", False),
    ],
)
def test_the_order_of_insserv_counts_where_startpar_follows_it(host: FakeHost, line: str, ordered: bool) -> None:
    depend(host.root, line)
    assert is_ordered(host.root, "kexec-initd") is ordered
    put(host.root / "etc/init.d/.depend.boot", b"")
    assert is_ordered(host.root, "kexec-initd"), "as /etc/init.d/rc decides"
    depend(host.root, line)
    put(host.root / "etc/init.d/.legacy-bootordering", b"")
    assert is_ordered(host.root, "kexec-initd")


def test_a_script_whose_package_was_purged_is_not_missed(host: FakeHost) -> None:
    (host.root / KEPT / "kexec").unlink()
    assert find_obstacle(find_deviations(host.root)) is not None
    dpkg_status(host.root, {"initscripts": ("installed", {"/etc/init.d/reboot": REBOOT.encode()})})
    assert find_obstacle(find_deviations(host.root)) is None
    assert os.path.exists(str(host.root / "etc/init.d/kexec"))
