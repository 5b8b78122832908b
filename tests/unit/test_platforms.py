"""Platforms that are known not to survive a kexec, each by the files that it shows."""

from typing import Dict

import pytest

from kexec_initd import cli
from kexec_initd.decision.assess import assess
from kexec_initd.settings.reader import Settings
from kexec_initd.system import quirks
from kexec_initd.system.host import gather
from tests.unit.fake_host import FakeHost, with_kernel

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
