"""A Debian that has only systemd: whoever reboots it goes through kexec into the loader's entry, or cold, and says why."""

from pathlib import Path
from typing import Tuple

import pytest

from tests.faults.shutdown import FULL
from tests.vm import uefi
from tests.vm.callers import FORCED
from tests.vm.conftest import WAIT_LOADED, StartMachine
from tests.vm.debian_systemd import RECIPE, build_dracut, build_systemd, reboot_cold
from tests.vm.evidence import assert_came_by_kexec, assert_came_cold, assert_clean, gather
from tests.vm.image import MIB
from tests.vm.kernels import find_kernels
from tests.vm.packages import find_rpm
from tests.vm.qemu import EndReason
from tests.vm.reboots import COLD, reboot_by_kexec, reboot_quietly_cold
from tests.vm.rhel_systemd import build_rhel
from tests.vm.snapshot import Snapshot, install_line, take, write_payload
from tests.vm.test_hung_mounts import AFTER, lvm_on_luks

LOADED = f"({WAIT_LOADED})"
FILES = "{ find /etc /lib/systemd/ -printf '%p %y %m %U %G %l\\n'; find /etc /lib/systemd/ -type f -exec sha256sum {} +; } | sort"
NAMED = "kexec-initd-load@$(uname -r).service"  # by its unit the boot loader's entry is loaded by name
BY_NAME = """grep '"chosen": *\\[' /run/kexec-initd/loaded.json"""


def test_a_host_of_systemd_alone(
    systemd_alone: Snapshot, debs: Tuple[Path, ...], start: StartMachine, tmp_path: Path
) -> None:
    """Installed, it reboots by kexec, whichever target systemd itself takes; removed, all is as before."""
    payload = write_payload(tmp_path / "payload.tar", debs)
    machine = start(systemd_alone.setup(payload))
    machine.check(f"{FILES} >/root/before")
    machine.unpack()
    machine.check(install_line(debs), 300)
    machine.check(LOADED, 180)  # the unit runs at once
    reboot_by_kexec(machine)  # by kexec.target
    machine.check(f"{LOADED}; touch /no-kexec-reboot", 180)
    reboot_cold(machine, "asked for by /no-kexec-reboot")
    machine.check(LOADED, 180)
    machine.check(f"systemctl enable --now {NAMED} && {BY_NAME}", 180)
    reboot_by_kexec(machine, "systemctl reboot")  # by reboot.target
    machine.check(f"for i in $(seq 120); do systemctl is-active {NAMED} && break; sleep 1; done; {BY_NAME}", 180)
    machine.check(f"systemctl disable --now {NAMED}")
    machine.check("dpkg --purge kexec-initd", 300)
    assert machine.run(f"{FILES} | diff /root/before -").output == ""
    reboot_quietly_cold(machine)


@pytest.mark.full
def test_a_poweroff_is_one(under_systemd: Snapshot, start: StartMachine) -> None:
    machine = start(under_systemd.setup())
    machine.send("poweroff")
    assert machine.wait_end() is EndReason.POWEROFF


@pytest.mark.full
def test_the_dead_man_ends_a_shutdown_that_a_unit_holds_up(under_systemd: Snapshot, start: StartMachine) -> None:
    machine = start(under_systemd.setup())
    machine.check("echo SHUTDOWN_LIMIT=120 >>/etc/default/kexec-initd")
    machine.check(
        "systemd-run --unit=deaf -p RemainAfterExit=yes -p TimeoutStopSec=infinity -p 'ExecStop=/bin/sleep infinity' /bin/true"
    )
    old = len(machine.log_text())
    machine.send("reboot")
    assert machine.wait_end(600) is EndReason.RESET
    assert "the shutdown did not lead to a reboot, it takes longer than 120 s" in machine.log_text()[old:]


# As Arch's wiki has it, and as somebody would carry it over to any host with systemd.
RIVAL = """\
[Unit]
DefaultDependencies=no
Before=shutdown.target umount.target final.target
[Service]
Type=oneshot
ExecStart=/sbin/kexec -l /boot/vmlinuz-%i --initrd=/boot/initrd.img-%i --reuse-cmdline
[Install]
WantedBy=kexec.target
"""


@pytest.mark.full
def test_like_rhel(start: StartMachine, tmp_path: Path) -> None:
    """The .rpm, the reason in the journal of the boot before, and another's unit that loads as well."""
    machine = start(take(build_rhel()).setup(write_payload(tmp_path / "payload.tar", [find_rpm()])))
    machine.check(f"mkdir -p /var/log/journal; systemctl restart systemd-journald; {FILES} >/root/before")
    machine.unpack("/root")
    assert "warning" not in machine.check(install_line([find_rpm()]), 300)
    machine.check(LOADED, 180)
    reboot_by_kexec(machine)
    machine.put("/etc/systemd/system/kexec-load@.service", RIVAL.encode())
    unit = "kexec-load@" + machine.check("uname -r") + ".service"
    machine.check(f"{LOADED}; systemctl enable {unit}", 180)
    reboot_cold(machine, f"the unit {unit} loads a kernel of its own")
    machine.check("journalctl --sync; journalctl -b -1 -o cat KEXEC_INITD_CODE=init | grep 'loads a kernel of its own'", 60)
    machine.check(f"systemctl disable {unit}; rm /etc/systemd/system/kexec-load@.service")
    reboot_by_kexec(machine, "systemctl reboot")
    machine.check("rpm -e kexec-initd", 300)
    assert machine.run(f"{FILES} | diff /root/before -").output == ""
    reboot_quietly_cold(machine)


HOOK = "printf '%s\\n' '#!/bin/sh' '{}' >/etc/kexec-initd/pre-jump.d/odd; chmod 755 /etc/kexec-initd/pre-jump.d/odd"
# What is done to the guest, and the reason of the cold reboot; without one it is by kexec all the same.
FAULTS = {
    "kexec-gone": ("rm /sbin/kexec", "the program kexec is missing"),
    "kernel-cut": ("truncate -s 3M /boot/vmlinuz-$(uname -r)", "it is cut"),
    "hook-fails": (HOOK.format("exit 7"), "odd failed with exit code 7"),
    "hook-hangs": (HOOK.format("exec sleep 10000"), "odd"),
    "no-python": ("rm /usr/bin/python3*", ""),
    "disk-full": (FULL, "attempts: No space left on device"),
    "no-decision": ("systemctl stop kexec-initd", FORCED),
}
# What is known before the journal ends, and has room in it.
EARLY = ("kernel-cut",)


@pytest.mark.full
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_costs_no_reboot(under_systemd: Snapshot, start: StartMachine, name: str) -> None:
    """It comes back, and the reason is on the console and, as far as it was known by then, in the journal."""
    harm, reason = FAULTS[name]
    machine = start(under_systemd.setup())
    machine.check("mkdir -p /var/log/journal; systemctl restart systemd-journald; journalctl --flush")
    machine.check(f"({harm}) && sync", 200)
    if not reason:
        reboot_by_kexec(machine)
        return
    reboot_cold(machine, reason)
    if name in EARLY:
        machine.check(f"journalctl -b -1 -o cat SYSLOG_IDENTIFIER=kexec-initd | grep -F {reason!r}", 60)


@pytest.mark.full
def test_a_dead_server_does_not_hold_it_up(debs: Tuple[Path, ...], start: StartMachine) -> None:
    """The server of a hard mount is gone, with a file open on it; systemd itself gives up on it."""
    recipe = RECIPE._replace(packages=RECIPE.packages + " nfs-kernel-server nfs-common rpcbind")
    machine = start(take(take(build_systemd(recipe)), debs, (LOADED,)).setup())
    machine.check("mkdir -p /srv/nfs /mnt/nfs; echo '/srv/nfs *(rw,no_root_squash,insecure,fsid=0)' >/etc/exports")
    machine.check("systemctl restart rpcbind nfs-server; mount -t nfs4 -o hard 127.0.0.1:/ /mnt/nfs", 120)
    machine.check("setsid sh -c 'exec 9>>/mnt/nfs/open; sleep 100000' >/dev/null 2>&1 </dev/null & sleep 3; rpc.nfsd 0")
    before = gather(machine)
    machine.send("reboot")
    end = machine.wait_end(900)
    if end is EndReason.RESET:
        assert COLD in machine.log_text()
        machine.restart()
        machine.wait_login()
        assert_came_cold(before, gather(machine))
    else:
        assert end is EndReason.LOGIN
        machine.talk().greet(60.0)
        assert_came_by_kexec(before, gather(machine))


@pytest.mark.full
def test_an_automounted_partition_of_the_firmware(debs: Tuple[Path, ...], start: StartMachine) -> None:
    """systemd-boot's entries are read, and its kernels loaded, from /efi, which is only mounted while somebody looks."""
    machine = start(take(uefi.build(uefi.AUTOMOUNTED), debs, (LOADED,), variables=uefi.VARIABLES).setup())
    here, other = find_kernels(machine)
    assert "autofs" in machine.check("findmnt -no FSTYPE /efi")
    machine.check("echo 'default *-%s.conf' >>/efi/loader/loader.conf; systemctl stop efi.mount" % other)
    assert "vfat" not in machine.check("findmnt -no FSTYPE --mountpoint /efi -t autofs,vfat")
    assert reboot_by_kexec(machine).release == other
    machine.check(LOADED, 180)
    once = f"systemctl reboot --boot-loader-entry={uefi.TOKEN}-{here}.conf"
    assert reboot_by_kexec(machine, once).release == here
    machine.check(LOADED, 180)
    old = len(machine.log_text())
    machine.send("systemctl reboot --firmware-setup")
    assert machine.wait_end() is EndReason.RESET
    assert COLD + "the firmware is asked for its setup" in machine.log_text()[old:]


@pytest.mark.full
def test_a_stack_of_devices_and_a_shutdown_ramdisk(debs: Tuple[Path, ...], start: StartMachine, tmp_path: Path) -> None:
    """LVM on an encrypted disk is in use to the end; the kernel is executed before systemd would go back to dracut's ramdisk."""
    disk = tmp_path / "second.raw"
    with open(disk, "wb") as stream:
        stream.truncate(512 * MIB)
    machine = start(take(build_dracut(), debs, (LOADED,)).cold_setup()._replace(extra_disks=(disk,)))
    lvm_on_luks(machine)
    machine.check(f"{LOADED}; systemctl is-active dracut-shutdown", 300)
    reboot_by_kexec(machine)
    machine.check(AFTER["lvm-on-luks"], 120)
    assert_clean(gather(machine))
