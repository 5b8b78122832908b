"""OpenRC: on Gentoo its own services, on Debian the scripts of SysV init in one more runlevel; elsewhere nothing, and why."""

from pathlib import Path

import pytest

from kexec_initd.errors import Refused
from kexec_initd.install import units
from kexec_initd.install.deviations import find_deviations, find_obstacle, is_in_openrc
from kexec_initd.install.plan_install import plan_install
from kexec_initd.system.host import find_unhooked, gather
from tests.trees import install, make_tree, put, snapshot, uninstall

LAST, OFF = "etc/runlevels/shutdown/kexec-initd-last", "etc/runlevels/off/kexec-initd"
UNHOOKED = "the running init system is openrc, in which kexec-initd is not hooked"


def make(root: Path, distribution: str, process_1: str) -> Path:
    make_tree(root)
    for path, text in {
        "etc/os-release": "ID=" + distribution, "proc/1/comm": process_1, "sbin/openrc": "", "run/openrc/softlevel": "",
        "sbin/openrc-run": "",
        "sbin/rc-service": '#!/bin/sh\necho "$*" >>"${0%/sbin/rc-service}/run/said"\n', "run/said": "",
    }.items():  # fmt: skip
        put(root / path, text.encode())
    return root


@pytest.mark.parametrize("distribution, process_1, link", [
    ("gentoo", "init", LAST), ("artix", "openrc-init", LAST), ("debian", "init", OFF), ("devuan", "init", OFF),
])  # fmt: skip
def test_what_is_installed_is_looked_after_started_and_removed(
    tmp_path: Path, distribution: str, process_1: str, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make(tmp_path / "root", distribution, process_1)
    before = snapshot(root)
    monkeypatch.setattr(units, "_is_running", lambda root, mark: mark == "run/openrc")
    assert find_unhooked(gather(root)) == UNHOOKED
    install(root)
    assert find_unhooked(gather(root)) is find_obstacle(find_deviations(root)) is None
    (root / link).unlink()
    assert find_unhooked(gather(root)) == UNHOOKED and not (link is OFF and is_in_openrc(root))
    assert "/" + link + " is gone" in str(find_obstacle(find_deviations(root)))
    install(root)
    assert plan_install(gather(root)).is_empty
    assert (root / "etc/inittab").read_bytes().count(b"kexec-initd dead-man") == (link is OFF)
    uninstall(root)
    assert (root / "run/said").read_text() == "kexec-initd start\nkexec-initd stop\n" * (link is LAST)
    put(root / "run/said", b"")
    assert snapshot(root) == before


@pytest.mark.parametrize("distribution, process_1", [("alpine", "init"), ("debian", "openrc-init"), ("rhel", "init")])
def test_elsewhere_nothing_is_installed(tmp_path: Path, distribution: str, process_1: str) -> None:
    root = make(tmp_path / "root", distribution, process_1)
    put(root / OFF, b"")
    assert find_unhooked(gather(root)) == UNHOOKED or process_1 == "init"
    with pytest.raises(Refused, match="with OpenRC") as refused:
        plan_install(gather(root))
    assert "calls it alike for a reboot and a poweroff" in str(refused.value.hint)


@pytest.mark.parametrize("distribution", ["gentoo", "artix"])
def test_an_openrc_that_knows_no_openrc_run_is_refused_with_the_reason(tmp_path: Path, distribution: str) -> None:
    root = make(tmp_path / "root", distribution, "init")
    (root / "sbin/openrc-run").unlink()
    with pytest.raises(Refused, match="there is no /sbin/openrc-run: this OpenRC is older than 0.13"):
        plan_install(gather(root))
