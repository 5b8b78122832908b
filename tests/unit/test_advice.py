"""`check --advise`: each thing that a reboot waits for is named with its seconds and its place, and nothing on a clean host."""

import lzma
import re
import struct
import time
from pathlib import Path
from typing import Callable, Dict, List, Tuple

import pytest

from kexec_initd.check.advice import list_waits
from kexec_initd.check.findings import Gathered
from kexec_initd.check.waits import Wait
from kexec_initd.check.waits_disks import parse_superblock
from kexec_initd.cli import main
from kexec_initd.decision.verdict import judge
from kexec_initd.settings import reader
from kexec_initd.system.host import gather
from tests.unit.fake_host import FakeHost, with_kernel
from tests.unit.images import cpio

GRUB = """menuentry Linux {{
 linux /boot/vmlinuz-6.1.0-test root=/dev/vda1 ro {}
 initrd /boot/initrd.img-6.1.0-test
}}
"""
FSTAB = "/dev/vda1 / ext4 defaults 0 1\nUUID=ab /srv ext3 defaults 0 {}\n"
NOW, DAY, GB = int(time.time()), 86400, 1 << 18  # blocks of 4 kB
Put = Callable[[FakeHost], object]


@pytest.fixture(name="host")
def _host(fake: FakeHost) -> FakeHost:
    """A host with nothing to wait for: its console is not slow, its port has a link, its file systems need no check."""
    with_kernel(fake)
    fake.write("boot/grub/i386-pc/normal.mod", "")
    fake.write("proc/sys/kernel/bootloader_type", "114\n")
    fake.write("proc/meminfo", "MemTotal: 1 kB\nDirty:             50000 kB\nWriteback:             0 kB\n")
    fake.write("etc/fstab", FSTAB.format(2))
    fake.write("etc/network/interfaces", "auto lo eth0\niface lo inet loopback\niface eth0 inet dhcp\n")
    fake.write("sys/class/net/eth0/carrier", "1\n")
    fake.write("etc/initramfs-tools/initramfs.conf", "# all\nMODULES=most\n")
    fake.write("etc/rc6.d/K10hwclock.sh", "")
    for name in ("nvme0", "nvme1", "nvme2", "nvme3", "nvme-fabrics"):
        fake.write("sys/class/nvme/{}/x".format(name), "")
    device(fake, "dev/vda1", {})
    device(fake, "dev/disk/by-uuid/ab", {})
    menu("quiet")(fake)
    log(3000)(fake)
    return fake


def waits(host: FakeHost) -> List[Wait]:
    found = gather(host.root)
    read = reader.read_all(found.root, found.family)
    return list_waits(Gathered(found, *read, judge(found, read.settings)))


def menu(words: str) -> Put:
    return lambda host: host.write("boot/grub/grub.cfg", GRUB.format(words))


def log(count: int, more: str = "") -> Put:
    """Let the kernel have `count` messages of 83 bytes, 100 on the console, within two minutes."""
    line = "6,1,9000000,-;" + "a" * 83 + "\n"
    return lambda host: host.write("dev/kmsg", line * count + "7,2,9,-;debug\n6,2,999000000,-;late\n" * 3000 + more)


def device(host: FakeHost, path: str, fields: Dict[str, int]) -> None:
    """Write a file system of 10 GB, of which 4 are in use, mounted 5 times of any number and checked yesterday."""
    values = {"mounts": 5, "most": -1, "state": 1, "checked": NOW - DAY, "interval": 0, **fields}
    block = bytearray(1024)
    struct.pack_into("<IIIII", block, 0, 0, 10 * GB, 0, 6 * GB, 0)
    struct.pack_into("<I", block, 24, 2)
    struct.pack_into("<HhHH", block, 52, values["mounts"], values["most"], 0xEF53, values["state"])
    struct.pack_into("<II", block, 64, values["checked"], values["interval"])
    (host.root / path).parent.mkdir(parents=True, exist_ok=True)
    (host.root / path).write_bytes(bytes(1024) + bytes(block))


def check_due(**fields: int) -> Put:
    return lambda host: device(host, "dev/disk/by-uuid/ab", fields)


def both(*steps: Put) -> Put:
    return lambda host: [step(host) for step in steps]


def write(path: str, text: str) -> Put:
    return lambda host: host.write(path, text)


def initrd(data: bytes) -> Put:
    return lambda host: (host.root / "boot/initrd.img-6.1.0-test").write_bytes(data)


def on_rhel(text: str, carrier: str) -> Put:
    path = "etc/sysconfig/network-scripts/ifcfg-eth1"
    return both(write(path, text), write("sys/class/net/eth1/carrier", carrier + "\n"))


def drives(count: int) -> Put:
    return lambda host: [host.write("sys/class/nvme/nvme{}/x".format(number), "") for number in range(count)]


XZ = lzma.compress(cpio(), format=lzma.FORMAT_XZ) + bytes(10 << 20)
EARLY = cpio((("kernel/x86/microcode/AuthenticAMD.bin", 0o100644, b"x" * 5000),))
# What is there, and what is named of it: wait, seconds, words of the fact or the advice, file and line.
CASES: Dict[str, Tuple[Put, Tuple[str, float, str, str]]] = {
    "console": (menu("console=ttyS0,115200n8 console=tty0"), ("console", 26.0, "115200 baud", "/boot/grub/grub.cfg:1")),
    "console without a speed": (menu("console=ttyS1"), ("console", 312.5, "9600 baud", "/boot/grub/grub.cfg:1")),
    "dirty pages": (
        write("proc/meminfo", "Dirty:  1024000 kB\nWriteback: 204800 kB\nWritebackTmp: 9999999 kB\n"),
        ("dirty-pages", 12.0, "1200 MB", "/proc/meminfo"),
    ),
    "mounts": (check_due(mounts=30, most=30), ("fsck", 4.0, "/srv: it was mounted 30 times", "/etc/fstab:2")),
    "interval": (check_due(interval=3600), ("fsck", 4.0, "the last check is 1 days ago", "/etc/fstab:2")),
    "errors": (check_due(state=3), ("fsck", 4.0, "found errors", "/etc/fstab:2")),
    "drives": (drives(8), ("nvme", 40.0, "8 NVMe drives", "/sys/class/nvme")),
    "port": (
        both(
            write("sys/class/net/eth0/carrier", "0\n"), write("etc/dhcp/dhclient.conf", "#timeout 60;\ntimeout 20;\n")
        ),
        ("dhcp", 20.0, "eth0 has no carrier", "/etc/network/interfaces:3"),
    ),
    "port of its own file": (
        both(
            write("etc/network/interfaces.d/eth2", "auto eth2\niface eth2 inet dhcp\n"),
            write("sys/class/net/eth2/carrier", "0\n"),
        ),
        ("dhcp", 60.0, "eth2 has no carrier", "/etc/network/interfaces.d/eth2:2"),
    ),
    "port on RHEL": (
        on_rhel("DEVICE=eth1\nONBOOT=yes\nBOOTPROTO='dhcp'\n", "0"),
        ("dhcp", 5.0, "eth1 has no carrier", "/etc/sysconfig/network-scripts/ifcfg-eth1:3"),
    ),
    "LINKDELAY": (
        on_rhel("ONBOOT=yes\nBOOTPROTO=none\nLINKDELAY=30 # long\n", "1"),
        ("linkdelay", 30.0, "LINKDELAY=30 lets eth1", "/etc/sysconfig/network-scripts/ifcfg-eth1:3"),
    ),
    "rootdelay": (menu("quiet rootdelay=10"), ("cmdline", 10.0, "rootdelay=10", "/boot/grub/grub.cfg:1")),
    "scan": (menu("quiet scsi_wait_scan"), ("cmdline", -1, "scsi_wait_scan", "/boot/grub/grub.cfg:1")),
    "xz": (initrd(XZ), ("initrd", 0.7, "10 MB of xz", "/boot/initrd.img-6.1.0-test")),
    "xz behind microcode": (initrd(EARLY + XZ), ("initrd", 0.7, "10 MB of xz", "/boot/initrd.img-6.1.0-test")),
    "all modules": (
        initrd(b"\x1f\x8b\x08" + bytes(60 << 20)),
        ("initrd", 1.1, "modules for every machine", "/etc/initramfs-tools/initramfs.conf:2"),
    ),
    "checks": (
        both(initrd(b"\x1f\x8b\x08" + bytes(20 << 20)), write("etc/default/kexec-initd", "#\nPURGATORY_CHECKS=yes\n")),
        ("purgatory", 3.2, "PURGATORY_CHECKS=no", "/etc/default/kexec-initd:2"),
    ),
    "clock": (
        both(write("sys/class/rtc/rtc0/hctosys", "1\n"), write("etc/rc2.d/S02ntpsec", "")),
        ("hwclock", 1.0, "K10hwclock.sh", "/etc/rc6.d/K10hwclock.sh"),
    ),
}
NOTHING: Dict[str, Put] = {
    "as it is": lambda host: None,
    "a console that is quiet": menu("console=ttyS0,9600 quiet"),
    "one with a level": menu("console=ttyS0,9600 loglevel=5"),
    "no check by fstab": both(check_due(mounts=30, most=30), write("etc/fstab", FSTAB.format(0))),
    "checks are skipped": both(check_due(mounts=30, most=30), menu("quiet fastboot")),
    "a check of the other year": check_due(interval=366 * DAY),
    "a port that is not brought up": both(
        write("etc/network/interfaces", "allow-hotplug eth0\niface eth0 inet dhcp\n"), write("sys/class/net/eth0/carrier", "0\n")
    ),
    "one that RHEL does not": on_rhel("ONBOOT=no\nBOOTPROTO=dhcp\nLINKDELAY=9\n", "0"),
    "a clock that nothing keeps": write("sys/class/rtc/rtc0/hctosys", "1\n"),
    "xz that is unpacked before": both(initrd(XZ), write("etc/default/kexec-initd", "UNPACK_INITRD=auto\n")),
    "rootdelay=0": menu("quiet rootdelay=0"),
    "what says nothing": both(
        write("etc/fstab", "\x00"), write("proc/meminfo", "Dirty: many kB\n"), write("dev/kmsg", ";;\n,;\n")
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_a_reboot_waits_for_is_named(case: str, host: FakeHost) -> None:
    harm, (name, seconds, words, place) = CASES[case]
    harm(host)
    (found,) = waits(host)
    assert (found.name, -1 if found.seconds is None else round(found.seconds, 1)) == (name, seconds)
    assert words in found.fact + "; " + found.advice
    assert ":".join(str(part) for part in found.origin if part is not None) == place


@pytest.mark.parametrize("case", NOTHING)
def test_what_costs_nothing_is_not_named(case: str, host: FakeHost) -> None:
    NOTHING[case](host)
    assert waits(host) == []


def test_what_turns_safety_off_is_never_advised() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8")
        for path in Path(parse_superblock.__code__.co_filename).parent.glob("waits_*.py")
    )
    assert re.findall(r"nokaslr|tsc=|lpj=|nosmp|driver_async|initcall_blacklist|rd\.timeout|nvme_core", sources) == []


@pytest.mark.parametrize("size", [0, 57, 1023])
def test_what_is_no_superblock_says_nothing(size: int) -> None:
    assert parse_superblock(bytes(size)) is None
    assert parse_superblock(bytes(1024)) is None


LINE = re.compile(r'kexec_initd_[a-z_]+(\{[a-z]+="(?:[^"\\\n]|\\[\\"n])*"\})? (\d+(?:\.\d+)?)')


@pytest.mark.parametrize("options, waited", [([], None), (["--advise"], "10")])
def test_metrics_are_of_the_form_that_prometheus_reads(
    options: List[str], waited: object, host: FakeHost, capsys: "pytest.CaptureFixture[str]"
) -> None:
    menu("quiet rootdelay=10")(host)
    assert main(["check", "--prometheus", *options, "--root", str(host.root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    samples, types = {}, []  # type: Dict[str, str], List[str]
    for line in lines:
        if line.startswith("# "):
            assert re.fullmatch(r"# (HELP kexec_initd_[a-z_]+ [^\\]+|TYPE kexec_initd_[a-z_]+ (gauge|counter))", line)
            types += [line.split()[2]] if line.startswith("# TYPE") else []
            continue
        found = LINE.fullmatch(line)
        assert found is not None and line.startswith(types[-1]), line
        samples[line.rpartition(" ")[0]] = found.group(2)
    assert len(types) == len(set(types))
    assert samples["kexec_initd_reboot_kexec"] == "0" and samples['kexec_initd_decision{code="not-installed"}'] == "1"
    assert samples["kexec_initd_kexecs_total"] == "0" and samples["kexec_initd_healthy"] == "0"
    assert samples.get('kexec_initd_wait_seconds{wait="cmdline"}') == waited
