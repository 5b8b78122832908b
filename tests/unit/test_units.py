"""The systemd integration: its files come, are looked after, and go; systemd is told, and SysV's may stand beside it."""

from pathlib import Path

import pytest

from kexec_initd.errors import Refused
from kexec_initd.install import units
from kexec_initd.install.apply import execute
from kexec_initd.install.deviations import find_deviations, find_obstacle
from kexec_initd.install.plan_install import plan_install
from kexec_initd.install.plan_uninstall import plan_uninstall
from kexec_initd.install.steps import ManageService, WriteFile, describe
from kexec_initd.system.host import gather
from tests.trees import install, make_tree, put, snapshot

HOOK = "lib/systemd/system-shutdown/kexec-initd"
UNIT = "etc/systemd/system/kexec-initd.service"
LOAD = "etc/systemd/system/kexec-initd-load@.service"
LINK = "etc/systemd/system/multi-user.target.wants/kexec-initd.service"


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    root = make_tree(tmp_path / "root")
    (root / "run/systemd/system").mkdir(parents=True)
    put(root / "lib/systemd/systemd-shutdown", b"", 0o755)
    return root


def test_what_was_installed_is_looked_after_and_removed(root: Path) -> None:
    before = snapshot(root)
    install(root)
    assert [(root / path).stat().st_mode & 0o777 for path in (HOOK, UNIT, LOAD)] == [0o755, 0o644, 0o644]
    assert (root / LINK).resolve() == Path("/" + UNIT) and b"does nothing" in (root / "etc/init.d/kexec").read_bytes()
    assert find_obstacle(find_deviations(root)) is None and plan_install(gather(root)).is_empty
    (root / LOAD).unlink()
    assert [(found.path, found.decides) for found in find_deviations(root)] == [("/" + LOAD, False)]
    (root / LINK).unlink()
    assert "the link /{} is gone".format(LINK) in str(find_obstacle(find_deviations(root)))
    install(root)
    (root / UNIT).chmod(0o600)
    assert [change.entry.path for change in plan_install(gather(root)).changes if change.steps] == ["/" + UNIT]
    execute(plan_uninstall(gather(root)))
    assert snapshot(root) == before


def test_systemd_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "_is_running", lambda root: True)
    plan = plan_install(gather(root))
    assert [step.words for step in plan.steps if isinstance(step, ManageService)] == [
        ("daemon-reload",), ("start", "kexec-initd.service"),
    ]  # fmt: skip
    assert "\ncall systemctl start kexec-initd.service\n" in describe(plan)
    put(root / "bin/systemctl", b'#!/bin/sh\necho "$*" >>"${0%/bin/systemctl}/said"\n', 0o755)
    execute(plan)
    execute(plan_uninstall(gather(root)))
    assert (root / "said").read_text().splitlines() == [
        "daemon-reload", "start kexec-initd.service", "stop kexec-initd.service", "daemon-reload",
    ]  # fmt: skip
    put(root / "run/kexec-initd/stopping", b"", 0o600)  # systemd would refuse to start anything
    assert not any(isinstance(step, ManageService) for step in plan_install(gather(root)).steps)


def test_both_may_be_installed_and_go_together(root: Path) -> None:
    before = snapshot(root)
    (root / "run/systemd/system").rmdir()
    install(root)
    assert not (root / UNIT).exists()
    (root / "run/systemd/system").mkdir()
    assert {step.path for step in plan_install(gather(root)).steps if isinstance(step, WriteFile)} == {
        "/" + HOOK,
        "/" + LOAD,
        "/" + UNIT,
    }
    install(root)
    assert (
        (root / HOOK).exists()
        and (root / "etc/init.d/kexec-initd").exists()
        and find_obstacle(find_deviations(root)) is None
    )
    execute(plan_uninstall(gather(root)))
    assert snapshot(root) == before


@pytest.mark.parametrize("distribution", ["rhel", "fedora", "arch", "opensuse-leap", "anything"])
def test_other_distributions_have_it_where_they_build_systemd(root: Path, distribution: str) -> None:
    put(root / "etc/os-release", "ID={}\n".format(distribution).encode(), 0o644)
    with pytest.raises(Refused, match="it needs systemd-shutdown, which calls it, in /usr/lib/systemd "):
        plan_install(gather(root))
    put(root / "usr/lib/systemd/systemd-shutdown", b"", 0o755)
    before = snapshot(root)
    install(root)
    unit = (root / UNIT).read_text()
    assert (
        (root / "usr" / HOOK).exists()
        and not (root / HOOK).exists()
        and "\nExecStart=/usr/" + HOOK + " start\n" in unit
    )
    assert find_obstacle(find_deviations(root)) is None and (root / LINK).resolve() == Path("/" + UNIT)
    execute(plan_uninstall(gather(root)))
    assert snapshot(root) == before
