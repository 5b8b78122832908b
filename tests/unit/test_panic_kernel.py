"""PANIC_KERNEL: what is loaded for a panic, with which parameters, where nothing is, and what a capture kernel leaves alone."""

from typing import Dict, List

import pytest

from kexec_initd import sentences
from kexec_initd.cmdline.edit import for_panic
from kexec_initd.decision.assess import assess
from kexec_initd.history import attempts
from kexec_initd.kexec import panic
from kexec_initd.settings.reader import Settings
from kexec_initd.stages import panic_kernel, shutdown
from kexec_initd.system.host import gather
from tests.unit.fake_host import FakeHost, with_kernel
from tests.unit.test_platforms import put

WANTED = Settings(panic_kernel="yes")
PUT_ASIDE = {"sys/kernel/kexec_crash_size": "268435456\n"}
# Of kernels that have no such file.
OLD = {"proc/cmdline": "root=/dev/vda1 crashkernel=256M\n", "proc/iomem": "  03000000-12ffffff : Crash kernel\n"}
SWITCH, LINK = "etc/default/kdump-tools", "etc/rc2.d/S01kdump-tools"
WORDS = "maxcpus=1 nr_cpus=1 irqpoll reset_devices "


def loads(fake: FakeHost) -> List[List[str]]:
    return [call for call in fake.calls() if call[1] == "-p"]


def preload(fake: FakeHost, settings: Settings = WANTED) -> str:
    """Load the panic kernel; return what `status` says of it then."""
    panic_kernel.preload(gather(fake.root), settings)
    return panic.describe(gather(fake.root), settings) or ""


@pytest.fixture
def ready(fake: FakeHost) -> FakeHost:
    return put(with_kernel(fake), PUT_ASIDE)


@pytest.mark.parametrize("name", ["yes", "/boot/vmlinuz-6.1.0-test", "kernel 6.1.0-test"])
def test_the_target_or_what_is_named_is_loaded_once_and_nothing_for_a_reboot(ready: FakeHost, name: str) -> None:
    settings = Settings(panic_kernel=name)
    assert [preload(ready, settings) for _ in range(2)] == ["loaded: kernel 6.1.0-test"] * 2
    (call,) = loads(ready)
    assert call[:3] == ["kexec", "-p", "-c"] and "--no-checks" not in call
    assert "--command-line={}panic=30 BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro".format(WORDS) in call
    assert (ready.root / "sys/kernel/kexec_loaded").read_text() == "0\n"
    ready.write("sys/kernel/kexec_crash_loaded", "0\n")
    assert panic.describe(gather(ready.root), settings) == "not loaded: somebody has unloaded it"


OBSTACLES = {
    "nothing-reserved": ({"sys/kernel/kexec_crash_size": "0\n"}, panic.NOT_RESERVED),
    "asked-for-in-vain": ({**OLD, "sys/kernel/kexec_crash_size": "0\n"}, panic.NOT_RESERVED),
    "loaded": ({"sys/kernel/kexec_crash_loaded": "1\n"}, "another one is loaded already, and stays"),
    "debian": ({SWITCH: "USE_KDUMP=0\nUSE_KDUMP=1\n", LINK: ""}, "kdump-tools is enabled, and loads its own"),
    "rhel": ({"etc/rc.d/rc3.d/S20kdump": ""}, "kdump is enabled, and loads its own"),
    "systemd": (
        {"etc/systemd/system/multi-user.target.wants/kdump.service": ""},
        "kdump is enabled, and loads its own",
    ),
    "openrc": ({"etc/runlevels/default/kdump": ""}, "kdump is enabled, and loads its own"),
    "disabled": ({"proc/sys/kernel/kexec_load_disabled": "1\n"}, sentences.DISABLED),
    # It would fit, but for what kexec adds.
    "no-room": (
        {"proc/cmdline": "root=/dev/vda1 ".ljust(1900, "x") + "\n"},
        "the command line has 2079 bytes, the kernel takes ",
    ),
    "no-kernel": ({"boot/vmlinuz-6.1.0-test": "cut"}, "/boot/vmlinuz-6.1.0-test: "),
}


@pytest.mark.parametrize("name", OBSTACLES)
def test_what_stands_in_the_way_is_said_and_nothing_is_loaded(ready: FakeHost, name: str) -> None:
    files, reason = OBSTACLES[name]
    assert preload(put(ready, files)).startswith("not loaded: " + reason)
    assert loads(ready) == []


@pytest.mark.parametrize("files", [OLD, {SWITCH: "USE_KDUMP=1\n"}, {SWITCH: "#USE_KDUMP=1\nUSE_KDUMP=0\n", LINK: ""}])
def test_old_kernels_and_a_kdump_that_is_off_are_no_obstacle(ready: FakeHost, files: Dict[str, str]) -> None:
    if files is OLD:
        (ready.root / "sys/kernel/kexec_crash_size").unlink()
    assert preload(put(ready, files)).startswith("loaded: ")


def test_it_is_left_alone_unless_asked_for(ready: FakeHost) -> None:
    assert (preload(ready, Settings()), loads(ready)) == ("", [])
    assert panic.describe(gather(ready.root), WANTED) == "not loaded: that is done at the end of a boot"


def test_a_load_that_fails_is_no_matter_for_a_reboot(ready: FakeHost) -> None:
    ready.program("kexec", "case $1 in -p) exit 3 ;; -l) echo 1 >{}/sys/kernel/kexec_loaded ;; esac".format(ready.root))
    assert "loaded kernel" in shutdown.preload(gather(ready.root), WANTED)
    assert preload(ready).startswith("not loaded: kexec: the load failed with exit code 3")
    assert assess(gather(ready.root), WANTED).decision.kexec


@pytest.mark.parametrize(
    "before, options, after",
    [
        ("ro crashkernel=256M quiet -- crashkernel=1", (30, False), WORDS + "panic=30 ro quiet -- crashkernel=1"),
        ("ro panic=5 nr_cpus=4 maxcpus=2 hugepages=9", (30, False), WORDS + "ro panic=5"),
        ("kexec_initd.attempt=1 kexec_initd.panic=7 panic=7 ro", (0, False), WORDS + "ro"),
        ("ro systemd.unit=graphical.target", (0, True), WORDS + "systemd.unit=multi-user.target ro"),
        ("", (0, False), WORDS[:-1]),
    ],
)
def test_its_command_line(before: str, options: "tuple[int, bool]", after: str) -> None:
    assert for_panic(before, *options) == after


@pytest.mark.parametrize("sign", [{"proc/vmcore": ""}, {"proc/cmdline": "root=/dev/vda1 ro elfcorehdr=867236K\n"}])
def test_what_a_panic_has_started_goes_cold_and_judges_nothing(ready: FakeHost, sign: Dict[str, str]) -> None:
    host = gather(put(ready, sign).root)
    decision = shutdown.prepare(host, WANTED)
    assert (decision.code, decision.reason) == ("unsupported", sentences.CAPTURE)
    assert panic.describe(host, WANTED) == "not loaded: " + sentences.CAPTURE
    shutdown.record_boot(host, WANTED)
    assert not (ready.root / str(attempts.PATH).lstrip("/")).exists()
    assert loads(ready) == []
