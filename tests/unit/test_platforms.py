"""Platforms that are known not to survive a kexec, each by the files that it shows."""

import re
from pathlib import Path
from typing import Dict, List, Tuple

import pytest

from kexec_initd import cli
from kexec_initd.decision.assess import assess
from kexec_initd.settings.reader import Settings
from kexec_initd.system import drivers, quirks
from kexec_initd.system.host import gather
from kexec_initd.verbs.status import gather_status
from tests.unit.fake_host import FakeHost, with_kernel
from tests.unit.loaded_host import make_loaded_host

DMI = "sys/class/dmi/id/"
SHOWN = {
    "Xen, as its control domain": {"proc/xen/capabilities": "control_d\n", "sys/hypervisor/type": "xen\n"},
    "Xen": {"sys/hypervisor/type": "xen\n", "sys/hypervisor/guest_type": "PV\n"},
    "Microsoft Hyper-V or Azure": {
        DMI + "sys_vendor": "Microsoft Corporation\n",
        DMI + "product_name": "Virtual Machine\n",
    },
    "Google Compute Engine": {DMI + "product_name": "Google Compute Engine\n"},
    "an Intel TDX guest": {"proc/cpuinfo": "processor : 0\nflags\t\t: fpu hypervisor tdx_guest\n\nprocessor : 1\n"},
    "an AMD SEV-SNP guest": {"sys/devices/platform/sev-guest/uevent": "DRIVER=sev-guest\n"},
}
GOOD = [
    {DMI + "sys_vendor": "QEMU\n", DMI + "product_name": "Standard PC\n", "proc/cpuinfo": "flags\t: fpu hypervisor\n"},
    {DMI + "sys_vendor": "Microsoft Corporation\n", DMI + "product_name": "Surface\n"},
    {"proc/cpuinfo": "model name : tdx_guest\nflags : fpu\n"},
    {"sys/hypervisor/type": "kvm\n"},
    {"sys/hypervisor/type": "no xen\n"},
]


def put(fake: FakeHost, files: Dict[str, str]) -> FakeHost:
    for path, text in files.items():
        fake.write(path, text)
    return fake


@pytest.mark.parametrize("name", SHOWN)
def test_a_known_platform_is_named_and_a_reboot_goes_cold_unless_forced(fake: FakeHost, name: str) -> None:
    put(with_kernel(fake), SHOWN[name])
    assert (quirks.find_unfit(fake.root, "x86_64") or "").startswith("this is {}: ".format(name))
    assert assess(gather(fake.root), Settings()).decision.code == "platform"
    assert assess(gather(fake.root), Settings(force_platform=True)).decision.kexec


# What is loaded under which kernel, and of which drivers that is told by what stands in REMOVE_MODULES.
LOADED = [
    ("nvidia_drm nvidia", "6.1.0-test", (), ["nvidia (auto)"]),
    ("i915 amdgpu", "6.1.0-test", ("i915",), ["amdgpu (auto)"]),
    ("nvidia_drm nvidia i915", "6.1.0-test", ("mine", "auto"), []),
    ("nouveau ena", "5.6.19", (), ["nouveau (auto)", "ena (ena)"]),
    ("ena", "5.6.19", ("auto",), ["ena (ena)"]),
    ("nouveau ena", "5.7.0-rc1", (), ["nouveau (auto)"]),
    ("nouveau ena", "7.1.2-1-amd64", (), []),
    ("nouveau", "odd", (), ["nouveau (auto)"]),
    ("ast mgag200 qxl bochs virtio_gpu nvidiafb", "6.1.0-test", (), []),
]


@pytest.mark.parametrize("modules, release, removed, told", LOADED)
def test_a_loaded_driver_is_told_where_it_is_known_to_fail_and_is_not_removed(
    fake: FakeHost, modules: str, release: str, removed: Tuple[str, ...], told: List[str]
) -> None:
    fake.write("proc/modules", "".join("{} 16384 1 - Live 0x0\n".format(name) for name in modules.split()))
    said = drivers.list_faulty(fake.root, release, removed)
    assert [re.sub(r"the driver (\S+) may .*=(.*) removes.*", r"\1 (\2)", text) for text in said] == told


def test_status_tells_of_a_driver_only_where_a_reboot_is_a_kexec(tmp_path: Path) -> None:
    host = make_loaded_host(tmp_path / "root")
    host.write("proc/modules", "amdgpu 16384 1 - Live 0x0\n")
    for settings, told in ((Settings(), True), (Settings(kexec=False), False)):
        warnings = gather_status(gather(host.root), settings, []).warnings
        assert any("amdgpu may not survive a kexec (the screen" in text for text in warnings) is told


def test_every_fault_has_its_source_and_the_family_of_nvidia_goes_in_its_order() -> None:
    assert all(bool(driver.fault) is bool(driver.source) for driver in drivers.DRIVERS)
    order = [name for name in drivers.GRAPHICS if name.startswith("nvidia")]
    assert order == ["nvidia_drm", "nvidia_modeset", "nvidia_uvm", "nvidia_peermem", "nvidia"]
    assert drivers.expand(("a", "auto", "b")) == ["a", "auto", *drivers.GRAPHICS, "b"]


@pytest.mark.parametrize("machine, cold", [("aarch64", True), ("ppc64le", True), ("i686", False)])
def test_an_architecture_that_nobody_has_tried_is_cold_unless_forced(
    fake: FakeHost, machine: str, cold: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with_kernel(fake).write("proc/sys/kernel/arch", machine + "\n")
    decision = assess(gather(fake.root), Settings()).decision
    assert (decision.code == "platform", decision.reason.startswith("this is {}: ".format(machine))) == (cold, cold)
    assert assess(gather(fake.root), Settings(force_platform=True)).decision.kexec
    cli.main(["install", "--dry-run", "--root", str(fake.root)])
    assert ("this is " + machine in capsys.readouterr().err) is cold


@pytest.mark.parametrize("files", GOOD)
def test_any_other_platform_is_tried(fake: FakeHost, files: Dict[str, str]) -> None:
    assert quirks.find_unfit(put(fake, files).root, "x86_64") is None


def test_an_old_kernel_shows_xen_in_proc_only(fake: FakeHost) -> None:
    put(fake, {"proc/xen/capabilities": ""})
    assert (quirks.find_unfit(fake.root, "x86_64") or "").startswith("this is Xen: ")


def test_install_is_refused_there_unless_forced(fake: FakeHost, capsys: pytest.CaptureFixture[str]) -> None:
    put(fake, SHOWN["Xen"])
    argv = ["install", "--dry-run", "--root", str(fake.root)]
    assert cli.main(argv) == cli.REFUSED
    assert "this is Xen" in capsys.readouterr().err
    cli.main([*argv, "--force"])
    assert "this is Xen" not in capsys.readouterr().err
    fake.write("etc/default/kexec-initd", "FORCE_PLATFORM=yes\n")
    cli.main(argv)
    assert "this is Xen" not in capsys.readouterr().err


def test_every_row_has_a_source() -> None:
    assert all(platform.source and platform.signs for platform in quirks.PLATFORMS)
