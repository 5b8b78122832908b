"""Loading without Python: what the early step's shell loads, and what it refuses with its reason."""

import bz2
import lzma
import os
import shutil
import struct
import subprocess
import time
from pathlib import Path
from typing import Callable, Dict, List, Tuple

import pytest

from kexec_initd.bootloader import firmware
from kexec_initd.decision.assess import assess, with_files_read
from kexec_initd.errors import Error
from kexec_initd.history import attempts
from kexec_initd.history.attempts import format_record
from kexec_initd.history.guard import Guard, Last, Outcome, Record
from kexec_initd.install.offline import render_for
from kexec_initd.settings import for_shell, reader
from kexec_initd.stages import last_step
from kexec_initd.state import checksum
from kexec_initd.state.checksum import unseal
from kexec_initd.system.host import Family, InitSystem, gather
from tests.scripts.standalone import ALONE, ATTEMPT, CMDLINE, KEXEC, PENDING, RELEASE, UUID, StandaloneJail, gzipped
from tests.unit.images import bzimage, cpio, lz4_raw, lzop_raw, microcode, sign, zstd_raw

KERNEL = "boot/vmlinuz-" + RELEASE
INITRD = "boot/initrd.img-" + RELEASE
SETTINGS = "etc/default/kexec-initd"
STATE = "run/kexec-initd/"
RECORD = "var/lib/kexec-initd/attempts"
ADDED = "kexec_initd.panic=30 panic=30"
COLD = "kexec-initd: reboot goes through firmware: "


@pytest.fixture(params=ALONE)
def jail(request: pytest.FixtureRequest, tmp_path: Path) -> StandaloneJail:
    """The standalone host, with a record of attempts that says that this boot has been judged."""
    found = StandaloneJail(tmp_path / "jail", request.param)
    found.put(RECORD, format_record(Record(boot=UUID)), 0o600)
    return found


def assert_loaded(jail: StandaloneJail) -> None:
    """Run the early step, which has to load what is in /boot."""
    stamp = jail.stamp()
    assert jail.run("kexec-initd", "stop").said == ""
    assert jail.decision == "kexec\n"
    assert (jail.root / RECORD).read_bytes() == (jail.root / STATE / "attempt").read_bytes()
    assert jail.loaded("kernel") == (jail.root / KERNEL).read_bytes()
    if (jail.root / INITRD).exists():
        assert jail.loaded("initrd") == (jail.root / INITRD).read_bytes()
    assert (jail.root / STATE / "stamp").read_text() == stamp
    left = set(os.listdir(str(jail.root / STATE))) - {"before", "dead-man"}  # the latter when that has begun to wait
    assert left == {"attempt", "decision", "settings", "stamp", "stopping"}


def reason_in_python(jail: StandaloneJail) -> str:
    """Return why Python would reboot the same host cold; "" where it would not."""
    place = str(jail.root / "proc/1/root")
    is_chroot = not os.path.lexists(place) or os.readlink(place) != "/"
    host = gather(jail.root)._replace(init=InitSystem.SYSVINIT, machine="x86_64", chroot=is_chroot)
    settings = reader.read(jail.root, Family.DEBIAN)[0]
    decision = with_files_read(host, assess(host, settings)).decision
    return "" if decision.kexec else decision.reason.replace(str(jail.root), "")


def assert_cold(jail: StandaloneJail, reason: str) -> str:
    """Run the early step, which has to go cold for `reason` without loading anything; return the whole reason."""
    said = jail.run("kexec-initd", "stop").said
    assert said.startswith(COLD) and reason in said and said.count("\n") == 1
    assert jail.decision == "cold " + said[len(COLD) :]
    assert "-l" not in jail.kexecs()
    assert (jail.root / "sys/kernel/kexec_loaded").read_text() == "0\n"
    assert not (jail.root / STATE / "stamp").exists()
    return said[len(COLD) : -1]


def test_loads_the_running_kernel_from_the_files_that_were_checked(jail: StandaloneJail) -> None:
    assert_loaded(jail)
    text = "kexec_initd.attempt={} {} {}".format(ATTEMPT, ADDED, CMDLINE)
    options = "kexec -l -c --no-checks --command-line={} --initrd=/proc/self/fd/4 /proc/self/fd/3".format(text)
    assert jail.calls() == ["kexec --help", options, "sync /{}.new".format(RECORD)]
    assert jail.loaded("cmdline") == text.encode()
    assert (jail.root / STATE / "stamp").stat().st_mode & 0o777 == 0o600


def test_at_boot_it_loads_once(jail: StandaloneJail) -> None:
    (jail.root / STATE).rmdir()
    assert jail.run("kexec-initd", "load", runlevel="2").said == "kexec-initd: loaded kernel {}\n".format(RELEASE)
    assert jail.run("kexec-initd", "load", runlevel="2").said == "kexec-initd: already loaded\n"
    assert jail.kexecs() == ["--help", "-l"]
    assert jail.decision is None
    assert_loaded(jail)
    assert jail.kexecs() == ["--help", "-l"]


@pytest.mark.parametrize("verb", ["load", "stop"])
def test_what_was_loaded_by_hand_is_kept(jail: StandaloneJail, verb: str) -> None:
    jail.write("sys/kernel/kexec_loaded", "1\n")
    jail.run("kexec-initd", verb)
    assert jail.kexecs() == []
    assert jail.decision == ("kexec\n" if verb == "stop" else None)


def test_what_has_changed_is_loaded_again(jail: StandaloneJail) -> None:
    jail.run("kexec-initd", "load")
    jail.put(INITRD, gzipped(cpio([("init", 0o100755, b"another")])))
    assert_loaded(jail)


def test_what_is_no_longer_fit_is_unloaded(jail: StandaloneJail) -> None:
    jail.run("kexec-initd", "load")
    os.truncate(str(jail.root / KERNEL), 2000)
    said = jail.run("kexec-initd", "stop").said
    assert said == "{}/{}: it is cut: its header says {} bytes, but the file has 2000\n".format(
        COLD, KERNEL, len(bzimage(RELEASE))
    )
    assert (jail.root / "sys/kernel/kexec_loaded").read_text() == "0\n"
    assert not (jail.root / STATE / "stamp").exists()


def test_without_preload_nothing_is_loaded_at_boot_but_at_shutdown(jail: StandaloneJail) -> None:
    jail.write(SETTINGS, "PRELOAD=no\n")
    assert "PRELOAD=no" in jail.run("kexec-initd", "load").said
    assert jail.calls() == []
    assert_loaded(jail)


@pytest.mark.parametrize(
    "text",
    [
        "REMOVE_MODULES='a  b'\nSHUTDOWN_LIMIT=no\n",
        "REMOVE_MODULES='a Auto b'\n",
        "SHUTDOWN_LIMIT=70\nWATCHDOG=60s\n",
        "",
    ],
)
def test_what_the_last_step_needs_of_the_settings_is_written_down_as_python_does(
    jail: StandaloneJail, text: str
) -> None:
    jail.write(SETTINGS, text)
    jail.run("kexec-initd", "load")
    found = reader.read(jail.root, Family.DEBIAN)[0]
    noted = (jail.root / STATE / "settings").read_bytes()
    assert noted == checksum.double_lines(for_shell.text_for(found))


def test_the_limit_is_read_for_what_waits_before_rc(jail: StandaloneJail) -> None:
    jail.write(SETTINGS, "SHUTDOWN_LIMIT=no\n")
    jail.write("proc/uptime", "100.25 1.00\n")
    jail.write(
        "bin/sleep", '#!/bin/sh\n[ "$1" = 5 ] || exec real-sleep "$1"\n', 0o755
    )  # what it waits for before anything
    jail.run("kexec-initd", "dead-man")
    (jail.root / "proc/uptime").unlink()  # its end
    noted = (jail.root / STATE / "settings").read_bytes()
    assert noted == checksum.double_lines(for_shell.text_for(reader.read(jail.root, Family.DEBIAN)[0]))
    assert jail.calls() == [] and not (jail.root / STATE / "decision").exists(), "nothing is loaded or decided"


def test_what_waits_ends_no_shutdown_that_was_called_off(jail: StandaloneJail) -> None:
    """What the scripts without Python have more does not take the place of what asks for the runlevel."""
    jail.fake("runlevel", "echo 6 2")
    assert (
        jail.drive("bounded 4 read_runlevel\necho $result\nunset RUNLEVEL\nfind_level\necho $level").said == "102\n2\n"
    )


def test_purgatory_checks_can_be_kept(jail: StandaloneJail) -> None:
    jail.write(SETTINGS, "PURGATORY_CHECKS=yes\n")
    assert_loaded(jail)
    assert " --no-checks" not in jail.calls()[1]


def test_the_settings_change_the_command_line(jail: StandaloneJail) -> None:
    jail.write(SETTINGS, "CMDLINE_APPEND='a=\"b c\"'\nCMDLINE_REMOVE=quiet\n")
    assert_loaded(jail)
    line = 'BOOT_IMAGE=/boot/vmlinuz root=/dev/vda1 ro kexec_initd.append a="b c"'
    assert (jail.loaded("cmdline") or b"").decode() == "kexec_initd.attempt={} {} {}".format(ATTEMPT, ADDED, line)
    jail.write("proc/cmdline", (jail.loaded("cmdline") or b"").decode() + "\n")
    jail.write(SETTINGS, "# nothing is set any more\n")
    assert_loaded(jail)
    line = "BOOT_IMAGE=/boot/vmlinuz root=/dev/vda1 ro"
    assert (jail.loaded("cmdline") or b"").decode() == "kexec_initd.attempt={} {} {}".format(ATTEMPT, ADDED, line)


@pytest.mark.parametrize("words", ["single", "init=/bin/sh", '"rd.break=pre-mount"', "-- s", "3"])
def test_what_was_typed_for_one_boot_means_cold(jail: StandaloneJail, words: str) -> None:
    jail.write("proc/cmdline", "{} {}\n".format(CMDLINE, words))
    name = words.strip('"-').split("=")[0].strip()
    assert_cold(jail, 'the running command line has "{}", which is for one boot only'.format(name))


@pytest.mark.parametrize("setting", ["CMDLINE_APPEND=init=/bin/sh", "CMDLINE_REMOVE=init"])
def test_unless_the_settings_say_what_is_to_be_done_with_it(jail: StandaloneJail, setting: str) -> None:
    jail.write("proc/cmdline", CMDLINE + " init=/bin/sh\n")
    jail.write(SETTINGS, setting + "\n")
    assert_loaded(jail)


def test_an_old_kexec_gets_no_options_that_it_does_not_know(jail: StandaloneJail) -> None:
    fake = jail.root / "bin/kexec"
    fake.write_text(fake.read_text().replace("--kexec-syscall --kexec-file-syscall --no-checks", "--load"))
    assert_loaded(jail)
    assert jail.calls()[1].startswith("kexec -l --command-line=")


def test_under_lockdown_the_kernel_checks_the_signature(jail: StandaloneJail) -> None:
    jail.write("sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
    assert_loaded(jail)
    assert jail.calls()[1].startswith("kexec -l -s --command-line=")


# Fails as kexec does: the classic load with the first line of /classic as long as there is one, the file load with /file.
FAILING = """
case "$1 $2" in
"-l -c") said=/classic ;;
"-l -s") said=/file ;;
*) said=/none ;;
esac
if [ -s $said ]; then
    head -n 1 $said >&2
    echo 'segment[0].memsz = 0x5000' >&2
    tail -n +2 $said >/rest
    cat /rest >$said
    exit 1
fi
"""
DENIED = "kexec_load failed: Operation not permitted"
UNSIGNED = "kexec_file_load failed: Required key not available"
SMALL = "Could not find a free area of memory of 0x4b2000 bytes..."


def loads(jail: StandaloneJail) -> List[str]:
    return [call.split()[2] for call in jail.calls() if call.startswith("kexec -l")]


@pytest.fixture
def failing(jail: StandaloneJail) -> StandaloneJail:
    fake = jail.root / "bin/kexec"
    fake.write_text(fake.read_text().replace(KEXEC, FAILING + KEXEC))
    assert FAILING in fake.read_text()
    return jail


def test_a_classic_load_that_is_rejected_is_followed_by_a_file_load(failing: StandaloneJail) -> None:
    failing.write("classic", DENIED + "\n")
    assert_loaded(failing)
    assert loads(failing) == ["-c", "-s"]


def test_when_both_are_rejected_both_are_told(failing: StandaloneJail) -> None:
    failing.write("classic", DENIED + "\n")
    failing.write("file", UNSIGNED + "\n")
    said = failing.run("kexec-initd", "stop").said
    assert said == COLD + "; ".join("kexec -l failed with code 1: " + text for text in (DENIED, UNSIGNED)) + "\n"


@pytest.mark.parametrize("path, data, why", [
    ("sys/kernel/security/lockdown", b"none [integrity] confidentiality\n", "the kernel is locked down"),
    ("boot/config-" + RELEASE, b"CONFIG_KEXEC=y\nCONFIG_KEXEC_SIG_FORCE=y\n",
     "the kernel takes signed kernels only (CONFIG_KEXEC_SIG_FORCE)"),
    ("sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", b"\6\0\0\0\1", "Secure Boot is on"),
])  # fmt: skip
def test_a_signature_that_is_demanded_is_never_gone_around(
    failing: StandaloneJail, path: str, data: bytes, why: str
) -> None:
    failing.put(path, data)
    failing.write("file", UNSIGNED + "\n")
    said = failing.run("kexec-initd", "stop").said
    assert said == "{}kexec -l failed with code 1: {} ({})\n".format(COLD, UNSIGNED, why)
    assert loads(failing) == ["-s"]


def test_without_secure_boot_its_variable_changes_nothing(failing: StandaloneJail) -> None:
    failing.put("sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", b"\6\0\0\0\0")
    assert_loaded(failing)
    assert loads(failing) == ["-c"]


def test_memory_is_gathered_once(failing: StandaloneJail) -> None:
    for name in ("drop_caches", "compact_memory"):
        failing.write("proc/sys/vm/" + name, "")
    failing.write("classic", SMALL + "\n")
    assert_loaded(failing)
    assert loads(failing) == ["-c", "-c"]
    assert [(failing.root / "proc/sys/vm" / name).read_text() for name in ("drop_caches", "compact_memory")] == [
        "3\n", "1\n",
    ]  # fmt: skip


def test_no_more_loads_allowed(jail: StandaloneJail) -> None:
    jail.write("proc/sys/kernel/kexec_load_limit_reboot", "0\n")
    assert_cold(jail, "no more loads are allowed until the next boot (sysctl kernel.kexec_load_limit_reboot)")


def test_what_is_loaded_is_unloaded_by_the_other_call_under_lockdown(jail: StandaloneJail) -> None:
    jail.write("sys/kernel/kexec_loaded", "1\n")
    fake = jail.root / "bin/kexec"
    fake.write_text(fake.read_text().replace("-u) echo", '-u) [ "$2" = -s ] || exit 1; echo'))
    jail.write("no-kexec-reboot", "")
    jail.run("kexec-initd", "stop")
    assert jail.calls() == ["kexec -u", "kexec -u -s"]
    assert (jail.root / "sys/kernel/kexec_loaded").read_text() == "0\n"


def without(name: str) -> Callable[[StandaloneJail], object]:
    return lambda jail: (jail.root / name).unlink()


def text_in(name: str, text: str) -> Callable[[StandaloneJail], object]:
    return lambda jail: jail.write(name, text)


def mode_of(name: str, mode: int) -> Callable[[StandaloneJail], object]:
    return lambda jail: (jail.root / name).chmod(mode)


def owner_of(name: str) -> Callable[[StandaloneJail], object]:
    return lambda jail: os.chown(str(jail.root / name), 1000, 1000)


def body_of(name: str, data: bytes) -> Callable[[StandaloneJail], object]:
    return lambda jail: jail.put(name, data)


def settings_as_pipe(jail: StandaloneJail) -> None:
    os.mkfifo(str(jail.root / SETTINGS))


def settings_in_open_directory(jail: StandaloneJail) -> None:
    jail.write(SETTINGS, "KEXEC=yes\n")
    (jail.root / "etc/default").chmod(0o777)


def kernel_as_pipe(jail: StandaloneJail) -> None:
    (jail.root / KERNEL).unlink()
    os.mkfifo(str(jail.root / KERNEL))


def other_root(jail: StandaloneJail) -> None:
    (jail.root / "proc/1/root").unlink()
    (jail.root / "proc/1/root").symlink_to("/boot")


def no_process(jail: StandaloneJail) -> None:
    (jail.root / "proc/1").rename(jail.root / "proc/gone")


def namespace(jail: StandaloneJail) -> None:
    jail.write("proc/self/ns/pid", "")


def failing_kexec(jail: StandaloneJail) -> None:
    jail.fake("kexec", "[ $1 != -l ] || { echo 'Cannot\001 load'; exit 255; }")


def initrd_with_modules(*releases: str) -> bytes:
    names = ["usr/lib/modules/{}/kernel/x.ko".format(release) for release in releases]
    return cpio([("init", 0o100755, b"")] + [(name, 0o100644, b"module") for name in names])


def kernel_of_another_name(jail: StandaloneJail) -> None:
    (jail.root / KERNEL).rename(jail.root / "boot/vmlinuz-6.1.0-51-amd64")
    (jail.root / KERNEL).symlink_to("vmlinuz-6.1.0-51-amd64")


def kernel_of_odd_name(jail: StandaloneJail) -> None:
    (jail.root / "boot/$(touch canary)").mkdir(mode=0o777)
    (jail.root / KERNEL).rename(jail.root / "boot/$(touch canary)/vmlinuz-x")
    (jail.root / KERNEL).symlink_to("$(touch canary)/vmlinuz-x")


def settings_through_a_link(jail: StandaloneJail) -> None:
    jail.write("tmp/settings", "KEXEC=yes\n")
    (jail.root / "tmp").chmod(0o1777)
    (jail.root / SETTINGS).symlink_to("/tmp/settings")


def no_processes(jail: StandaloneJail) -> None:
    (jail.root / "proc/self/stat").unlink()


def closed_guard(jail: StandaloneJail) -> None:
    """Have the kernel loaded, and its attempt be the one that never arrived."""
    jail.run("kexec-initd", "stop")
    last = attempts.read(jail.root).last
    assert last is not None
    jail.put(
        RECORD,
        format_record(Record(boot=UUID, last=Last(Outcome.LOST, last.attempt), guard=Guard(0, last.attempt))),
        0o600,
    )
    jail.write("sys/kernel/kexec_loaded", "0\n")
    shutil.rmtree(str(jail.root / STATE))
    (jail.root / "calls").unlink()


def too_many_kexecs(jail: StandaloneJail) -> None:
    jail.write(SETTINGS, "MAX_KEXECS=3\n")
    jail.put(RECORD, format_record(Record(boot=UUID, kexecs=5)), 0o600)


def newer_kernel(jail: StandaloneJail) -> None:
    jail.write("proc/sys/kernel/osrelease", "6.15.1\n")
    jail.put("boot/initrd.img-6.15.1", gzipped(cpio()))
    jail.put("boot/vmlinuz-6.15.1", bzimage("6.15.1", crc=False))


REFUSED: Dict[str, Tuple[Callable[[StandaloneJail], object], str]] = {
    "off": (text_in(SETTINGS, "KEXEC=no\n"), "KEXEC=no in the settings"),
    "doubt": (text_in(SETTINGS, "KEXEC=yes $(touch /canary)\n"), "line 1: 'KEXEC=yes $(touch /canary)' is not understood"),
    "near": (text_in(SETTINGS, "# x\nkexec=no\n"), "kexec-initd, line 2: the setting kexec is unknown, it may mean KEXEC"),
    "hook": (text_in("etc/kexec-initd/pre-jump.d/10-a.sh", "#!/bin/sh\n"), "pre-jump.d/10-a.sh is left out: its name"),
    "settings-mode": (lambda jail: jail.write(SETTINGS, "", 0o666), "kexec-initd can be written by others"),
    "settings-pipe": (settings_as_pipe, "settings ignored: /etc/default/kexec-initd is not a regular file"),
    "settings-size": (text_in(SETTINGS, "#" * 65537), "is larger than 65536 bytes"),
    "settings-nul": (text_in(SETTINGS, "KEXEC=yes\n\0"), "holds a NUL byte"),
    "settings-directory": (settings_in_open_directory, "is in a directory that can be changed by others"),
    "container": (text_in("proc/1/environ", "A=B\0container=lxc\0"), "this is a container (lxc)"),
    "docker": (text_in(".dockerenv", ""), "this is a container (docker)"),
    "namespace": (namespace, "this is a container (a process namespace of its own)"),
    "chroot": (other_root, "this is a chroot"),
    "no-proc": (no_process, "this is a chroot, or /proc is not mounted"),
    "cold-once": (text_in("no-kexec-reboot", ""), "asked for by /no-kexec-reboot"),
    "kexec-gone": (without("bin/kexec"), "the program kexec is missing (package kexec-tools)"),
    "never-arrived": (closed_guard, "never arrived; kexec again after 3 more good boots, with another target"),
    "limit": (too_many_kexecs, "5 kexecs since the last firmware boot (MAX_KEXECS=3)"),
    "trial": (text_in(SETTINGS, "TRIAL=2\n"), "on trial, 0 of 2 kexecs have arrived"),
    "xen": (text_in("sys/hypervisor/type", "xen\n"), "this is Xen: "),
    "fwupd": (body_of(firmware.BOOT_NEXT[1:], b"\7\0\0\0\3\0"), "(BootNext)"),
    "no-config": (text_in("boot/config-" + RELEASE, "# CONFIG_KEXEC is not set\n"), "built without CONFIG_KEXEC"),
    "disabled": (text_in("proc/sys/kernel/kexec_load_disabled", "1\n"), "loading is disabled until the next boot"),
    "odd-release": (text_in("proc/sys/kernel/osrelease", "6.1 $(touch /canary)\n"), "cannot be one of a file"),
    "no-kernel": (without(KERNEL), "the kernel /{} is missing".format(KERNEL)),
    "kernel-pipe": (kernel_as_pipe, "the kernel /{} is missing".format(KERNEL)),
    "kernel-mode": (mode_of(KERNEL, 0o664), "/{} can be written by others than its owner (mode 0664)".format(KERNEL)),
    "kernel-owner": (owner_of(KERNEL), "/{} belongs to user 1000, not to root".format(KERNEL)),
    "boot-mode": (mode_of("boot", 0o1777), "is in a directory that can be changed by others than root"),
    "boot-owner": (owner_of("boot"), "is in a directory that can be changed by others than root"),
    "kernel-text": (text_in(KERNEL, "text\n"), "not an x86 kernel"),
    "kernel-empty": (text_in(KERNEL, ""), "not an x86 kernel"),
    "kernel-header": (body_of(KERNEL, bzimage(RELEASE)[:600]), "it is cut: the file has 600 bytes"),
    "kernel-cut": (body_of(KERNEL, bzimage(RELEASE)[:-1]), "it is cut: its header says"),
    "kernel-other": (body_of(KERNEL, bzimage("6.1.0-51-amd64")), "the kernel 6.1.0-51-amd64, and not " + RELEASE),
    "kernel-longer": (body_of(KERNEL, bzimage(RELEASE + "x")), "the kernel {0}x, and not {0} as".format(RELEASE)),
    "kernel-flip": (body_of(KERNEL, bzimage(RELEASE)[:-20] + b"x" + bzimage(RELEASE)[-19:]), "it is damaged"),
    "kernel-signature-cut": (body_of(KERNEL, sign(bzimage(RELEASE))[:-1]), "it is cut: its signature is not there"),
    "kernel-without-crc": (body_of(KERNEL, bzimage(RELEASE, crc=False)), "it is damaged"),
    "kernel-too-new": (newer_kernel, "it is newer than 6.14"),
    "kernel-old-protocol": (body_of(KERNEL, bzimage(RELEASE, 0x0207)), "cannot have boot protocol"),
    "no-initrd": (without(INITRD), "the initrd /{} is missing".format(INITRD)),
    "initrd-mode": (mode_of(INITRD, 0o646), "/{} can be written by others".format(INITRD)),
    "initrd-empty": (body_of(INITRD, b""), "/{}: the file is empty".format(INITRD)),
    "initrd-text": (body_of(INITRD, b"no initrd"), "byte 0 starts neither"),
    "initrd-cut": (body_of(INITRD, gzipped(cpio())[:-3]), "the gzip archive at byte 0 is damaged"),
    "initrd-microcode": (body_of(INITRD, microcode()), "no program /init is there"),
    "initrd-no-init": (body_of(INITRD, gzipped(microcode())), "no program /init is there"),
    "initrd-of-another": (body_of(INITRD, gzipped(initrd_with_modules("6.1.0-51-amd64"))), "of kernel 6.1.0-51-amd64, not of "),
    "initrd-no-cpio": (body_of(INITRD, gzipped(b"text" * 200)), "is no whole cpio archive"),
    "initrd-xz-check": (body_of(INITRD, lzma.compress(cpio(), check=lzma.CHECK_CRC64)), "has a check that the kernel"),
    "kernel-of-another-name": (kernel_of_another_name, "is not named vmlinuz-VERSION, or for another kernel"),
    "kernel-of-odd-name": (kernel_of_odd_name, "is not named vmlinuz-VERSION, or for another kernel"),
    "settings-link": (settings_through_a_link, "is in a directory that can be changed by others than root"),
    "no-proc-at-all": (no_processes, "/proc is not mounted"),
    "uuid": (text_in("proc/sys/kernel/random/uuid", "\n"), "no random number"),
    "cmdline-long": (text_in("proc/cmdline", "x" * 2030 + "\n"), "the command line has 2097 bytes, the kernel takes 2047"),
}  # fmt: skip


# What an admin does in place of a verb, which there is none of without Python.
LIFTED = {
    "after kexec-initd trust": "when /{} is removed".format(RECORD),
    "kexec-initd trial": "the first word of /proc/uptime in /{}attended".format(STATE),
}
# Where plain shell sees less than Python, or something else: what is loaded is the running kernel, and no other.
ITS_OWN = {
    *("settings-directory", "settings-link", "boot-mode", "boot-owner", "no-proc-at-all", "namespace", "uuid"),
    *("odd-release", "no-kernel", "kernel-pipe", "kernel-of-another-name", "kernel-of-odd-name", "cmdline-long"),
    *("kernel-text", "kernel-empty", "kernel-header", "kernel-too-new"),
    *("initrd-empty", "initrd-text", "initrd-cut", "initrd-no-cpio", "initrd-xz-check"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_sentence_that_python_says(jail: StandaloneJail, name: str) -> None:
    harm, reason = REFUSED[name]
    harm(jail)
    expected = reason_in_python(jail)
    said = assert_cold(jail, reason)
    assert not (jail.root / "canary").exists()
    for verb, instead in LIFTED.items():
        expected = expected.replace(verb, instead)
    assert (said == expected) == (name not in ITS_OWN), (said, expected)


def test_a_cut_archive_in_whole_compression(jail: StandaloneJail) -> None:
    (jail.root / "bin/cpio").unlink()
    jail.copy("/usr/bin/cpio")  # that of busybox does not see it
    jail.put(INITRD, gzipped(cpio(trailer=False)))
    assert_cold(jail, "is no whole cpio archive")


def test_no_program_to_unpack_with(jail: StandaloneJail) -> None:
    jail.put(INITRD, zstd_raw(cpio()))
    (jail.root / "bin/zstd").unlink()
    assert_cold(jail, "there is no program zstd to check it")


@pytest.mark.parametrize("body", ["echo 'Cannot\001 load'; exit 255", "exit 0"])
def test_a_load_that_fails_leaves_nothing_behind(jail: StandaloneJail, body: str) -> None:
    jail.fake("kexec", '[ "$1" != -l ] || {{ {}; }}'.format(body))
    said = jail.run("kexec-initd", "stop").said
    reason = "kexec -l failed with code 255: Cannot load" if "255" in body else "kexec reported success, but"
    assert said.startswith(COLD + reason)
    assert not (jail.root / STATE / "stamp").exists()


@pytest.mark.slow
def test_a_load_that_hangs_has_a_limit(jail: StandaloneJail) -> None:
    script = jail.root / "etc/init.d/kexec-initd"
    script.write_text(script.read_text().replace("bounded 40 kexec", "bounded 2 kexec"))
    jail.fake("kexec", '[ "$1" != -l ] || exec real-sleep 100')
    said = jail.run("kexec-initd", "stop").said
    # The limit of the whole step would not say so. On a busy host bash may tell first that it saw the process killed.
    assert COLD + "kexec -l failed with code " in said
    assert jail.decision is not None and jail.decision.startswith("cold ")


GOOD: Dict[str, bytes] = {
    "microcode": microcode() + gzipped(cpio()),
    "microcode-padded": microcode() + bytes(4096) + gzipped(cpio()),
    "modules": gzipped(initrd_with_modules(RELEASE, "6.1.0-51-amd64")),
    "two-archives": microcode() + microcode() + gzipped(cpio()),
    "plain": cpio(),
    "plain-dot": cpio([("./init", 0o120777, b"bin/busybox")]),
    "init-outside": cpio() + bytes(100) + gzipped(microcode()),
    "bzip2": bz2.compress(cpio()),
    "xz": lzma.compress(cpio(), check=lzma.CHECK_CRC32),
    "lzma": lzma.compress(cpio(), format=lzma.FORMAT_ALONE),
    "zstd": zstd_raw(cpio()),
    "lz4": lz4_raw(cpio()),
    "lzop": lzop_raw(cpio()),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_initrds(jail: StandaloneJail, name: str) -> None:
    jail.put(INITRD, GOOD[name])
    assert_loaded(jail)


@pytest.mark.parametrize("magic", [None, 0x10B, 0x20B])
def test_good_kernels(jail: StandaloneJail, magic: int) -> None:
    image = bzimage(RELEASE, magic=magic, payload=os.urandom(70000))
    jail.put(KERNEL, image if magic is None else sign(image, magic))
    assert_loaded(jail)


@pytest.mark.parametrize("release", ["2.6.9-89.EL", "2.6.18-398.el5", "2.6.29"])
def test_kernels_before_the_crc_are_judged_by_their_size(jail: StandaloneJail, release: str) -> None:
    jail.write("proc/sys/kernel/osrelease", release + "\n")
    (jail.root / INITRD).rename(jail.root / ("boot/initrd.img-" + release))
    jail.put("boot/vmlinuz-" + release, bzimage(release, 0x0206, crc=False))
    assert jail.run("kexec-initd", "stop").said == ""
    assert jail.decision == "kexec\n"


def test_booted_without_initrd(jail: StandaloneJail) -> None:
    (jail.root / INITRD).unlink()
    jail.put("sys/kernel/boot_params/data", bytes(4096))
    jail.run("kexec-initd", "stop")
    assert jail.decision == "kexec\n"
    assert "--initrd" not in jail.calls()[1]


def test_booted_with_an_initrd_that_is_gone(jail: StandaloneJail) -> None:
    jail.put("sys/kernel/boot_params/data", bytes(540) + struct.pack("<I", 0x37000000) + bytes(3000))
    (jail.root / INITRD).unlink()
    assert_cold(jail, "is missing")


def test_a_link_is_followed_to_the_file_whose_name_tells_the_initrd(jail: StandaloneJail) -> None:
    (jail.root / KERNEL).rename(jail.root / "boot/vmlinuz-image")
    (jail.root / INITRD).rename(jail.root / "boot/initrd.img-image")
    (jail.root / KERNEL).symlink_to("vmlinuz-image")
    jail.run("kexec-initd", "stop")
    assert jail.decision == "kexec\n"
    assert " /boot/initrd.img-image\n" in (jail.root / STATE / "stamp").read_text()


def test_what_is_replaced_while_it_is_checked_is_not_loaded_and_noticed(jail: StandaloneJail) -> None:
    """The kernel, open as 3, is swapped when gzip has read it: loaded is what was checked, the stamp is for that file."""
    good = (jail.root / KERNEL).read_bytes()
    jail.put("boot/other", b"something else")
    (jail.root / "bin/gzip").rename(jail.root / "bin/real-gzip")
    jail.write(
        "bin/gzip",
        '#!/bin/sh\n/bin/real-gzip "$@"\n[ ! -e /proc/self/fd/3 ] || mv /boot/other /{} 2>/dev/null\nexit 0\n'.format(
            KERNEL
        ),
        0o755,
    )
    if (jail.root / "bin/real-gzip").is_symlink():
        jail.write("bin/gzip", (jail.root / "bin/gzip").read_text().replace("/bin/real-gzip", "busybox gzip"), 0o755)
    assert jail.run("kexec-initd", "load").said == "kexec-initd: loaded kernel {}\n".format(RELEASE)
    assert jail.loaded("kernel") == good
    jail.run("kexec-initd", "stop")
    assert jail.decision is not None and "not an x86 kernel" in jail.decision


@pytest.mark.slow
def test_a_load_under_way_is_waited_for(jail: StandaloneJail) -> None:
    (jail.root / "proc/4711").mkdir()
    (jail.root / STATE / "loading").symlink_to("4711")
    with subprocess.Popen(["sh", "-c", "sleep 3; rm {0}/proc/4711 -r".format(jail.root)]):
        jail.write("bin/sleep", '#!/bin/sh\nexec real-sleep "$@"\n', 0o755)
        assert_loaded(jail)


def test_a_load_that_never_ends_means_cold(jail: StandaloneJail) -> None:
    (jail.root / "proc/4711").mkdir()
    (jail.root / STATE / "loading").symlink_to("4711")
    assert_cold(jail, "another load is still under way")


def test_on_a_rhel(jail: StandaloneJail) -> None:
    (jail.root / "etc/init.d/kexec-initd").unlink()
    (jail.root / "etc/rc.d").mkdir()
    (jail.root / "etc/rc.d/init.d").symlink_to("../init.d")  # the other way round there
    for file in render_for("rhel:5", None, True).files:
        jail.write("etc/init.d/" + Path(file.path).name, file.content.decode(), 0o755)
    (jail.root / "etc/init.d/halt.local").rename(jail.root / "bin/halt.local")
    (jail.root / "sbin").symlink_to("bin")
    (jail.root / "var/lock/subsys").mkdir(parents=True)
    (jail.root / INITRD).rename(jail.root / "boot/initrd-{}.img".format(RELEASE))
    assert jail.run("kexec-initd", "load", runlevel="3").said == "kexec-initd: loaded kernel {}\n".format(RELEASE)
    stamp = unseal((jail.root / "dev/.kexec-initd/stamp").read_bytes()).decode()
    assert [line.split(" ")[-1] for line in stamp.splitlines()] == [
        "/" + KERNEL, "/boot/initrd-{}.img".format(RELEASE), "/etc/sysconfig/kexec-initd",
        "/etc/sysconfig/kexec-initd.d", "/dev/.kexec-initd/changed", "/" + RECORD,
        "/etc/rc.d/init.d/kexec-initd", "/sbin/halt.local", *PENDING,
    ]  # fmt: skip
    jail.write("etc/sysconfig/kexec-initd", "KEXEC=no\n")
    assert jail.run("kexec-initd", "stop").said == COLD + "KEXEC=no in the settings\n"
    assert (
        jail.run("kexec-initd", "jump").said == "kexec-initd: reboot goes through firmware: KEXEC=no in the settings\n"
    )


def test_after_a_change_of_a_kernel_package_it_loads_again(jail: StandaloneJail) -> None:
    for file in render_for("debian:7", None, True).files:
        jail.write(file.path[1:], file.content.decode(), 0o755)
    for hook in ("etc/kernel/postinst.d", "etc/kernel/postrm.d", "etc/initramfs/post-update.d"):
        jail.run("kexec-initd", "load")
        assert jail.run("kexec-initd", "load").said == "kexec-initd: already loaded\n"
        assert jail.run_file("/{}/zzz-kexec-initd".format(hook), RELEASE) == ("", 0, 0.0)
    stamp = jail.stamp()
    assert jail.run("kexec-initd", "stop").said == ""
    assert (jail.decision, jail.kexecs().count("-l")) == ("kexec\n", 4)
    assert (jail.root / STATE / "stamp").read_text() == stamp


STOCK = "#!/bin/sh\nkexec -e\n"
REBOOT = "etc/init.d/reboot"
SERVICE = "etc/init.d/kexec-initd"
KIT = "var/lib/kexec-initd/standalone/files/"


def edited(script: str) -> Callable[[StandaloneJail], None]:
    def harm(jail: StandaloneJail) -> None:
        ours = (jail.root / script).read_text()
        jail.write(KIT + script, ours)
        jail.write(script, ours + "# mine\n", 0o755)

    return harm


def not_executable(jail: StandaloneJail) -> None:
    time.sleep(1.1)  # a stamp has whole seconds, and the file was only just written
    (jail.root / REBOOT).chmod(0o644)


def test_what_the_early_step_has_loaded_the_last_one_starts(jail: StandaloneJail) -> None:
    jail.fake("reboot")
    jail.write("etc/kexec-initd/pre-jump.d/10-card", "#!/bin/sh\necho card down\n", 0o755)
    jail.run("kexec-initd", "stop")
    said = jail.run("reboot", "stop").said
    assert said.startswith("Will now restart.\nkexec-initd: starting the loaded kernel\ncard down\n")
    assert [call.split()[0] for call in jail.calls()][-4:] == ["sync", "umount", "kexec", "reboot"]
    assert jail.calls()[-2] == "kexec -e"


def test_a_hook_that_fails_in_the_last_step_means_cold(jail: StandaloneJail, monkeypatch: pytest.MonkeyPatch) -> None:
    jail.write("etc/kexec-initd/pre-jump.d/10-card", "#!/bin/sh\nexit 4\n", 0o755)
    jail.run("kexec-initd", "stop")
    monkeypatch.setattr(last_step, "refuse_outside_shutdown", lambda root: None)
    with pytest.raises(Error) as caught:
        last_step.LastStep(str(jail.root), False, print).run()
    reason = str(caught.value).replace(str(jail.root), "")
    assert reason == "/etc/kexec-initd/pre-jump.d/10-card failed with exit code 4"
    assert COLD + reason + "\n" in jail.run("reboot", "stop").said
    assert "-e" not in jail.kexecs() and jail.calls()[-1] == "reboot -d -f -i"


DEVIATIONS: Dict[str, Tuple[Callable[[StandaloneJail], object], str]] = {
    "copied-back": (lambda jail: jail.write(REBOOT, STOCK, 0o755), "/{} is not our script".format(REBOOT)),
    "gone": (without(REBOOT), "/{} is gone".format(REBOOT)),
    "mode": (not_executable, "/{} is not executable".format(REBOOT)),
    "edited": (edited(REBOOT), "/{}, ours, was changed".format(REBOOT)),
    "the-script-that-jumps": (edited(SERVICE), "/{}, ours, was changed".format(SERVICE)),
    "kexec-tools": (lambda jail: jail.write("etc/init.d/kexec", STOCK, 0o755), "/etc/init.d/kexec is not our script"),
}


@pytest.mark.parametrize("name", DEVIATIONS)
@pytest.mark.parametrize("loaded", ["by-us", "by-hand", "nothing"])
def test_where_a_script_that_ends_the_shutdown_is_not_ours_nothing_stays_loaded(
    jail: StandaloneJail, loaded: str, name: str
) -> None:
    if loaded == "by-us":
        jail.run("kexec-initd", "load")
    elif loaded == "by-hand":
        jail.write("sys/kernel/kexec_loaded", "1\n")
    before = (jail.root / RECORD).read_bytes()
    harm, reason = DEVIATIONS[name]
    harm(jail)
    said = jail.run("kexec-initd", "stop").said
    assert said.startswith(COLD + reason) and said.endswith("standalone/install.sh puts it right\n")
    assert jail.decision == "cold " + said[len(COLD) :]
    assert (jail.root / "sys/kernel/kexec_loaded").read_text() == "0\n"
    assert (jail.root / RECORD).read_bytes() == before
    assert (jail.root / "var/lib/kexec-initd/last-cold").read_text() == "not-installed " + said[len(COLD) :]


@pytest.mark.parametrize("release, step", [("rhel:6", "sbin/halt.local"), ("rhel:4", "etc/rc.d/init.d/halt")])
def test_on_a_rhel_the_last_step_has_to_be_ours_as_well(jail: StandaloneJail, release: str, step: str) -> None:
    rendition = render_for(release, None, True)
    (jail.root / "etc/init.d/reboot").unlink()
    for file in rendition.files + rendition.blocks:
        jail.write(file.path[1:], file.content.decode(), 0o755)
    script = "/etc/rc.d/init.d/kexec-initd"
    (jail.root / "var/lock/subsys").mkdir(parents=True)
    (jail.root / INITRD).rename(jail.root / "boot/initrd-{}.img".format(RELEASE))
    assert jail.run_file(script, "load", runlevel="3").said == "kexec-initd: loaded kernel {}\n".format(RELEASE)
    jail.write(step, STOCK, 0o755)
    said = jail.run_file(script, "stop").said
    assert said.startswith("{}/{} is not our script; ".format(COLD, step))
    assert (jail.root / "sys/kernel/kexec_loaded").read_text() == "0\n"


@pytest.mark.slow
def test_a_load_that_was_killed_does_not_look_like_one_by_hand(jail: StandaloneJail) -> None:
    whole = (jail.root / "bin/kexec").read_text()
    # The timer of the call outlives its shell here, so it gets a short time.
    script = jail.root / "etc/init.d/kexec-initd"
    script.write_text(script.read_text().replace("bounded 40 kexec", "bounded 3 kexec"))
    jail.fake("kexec", '[ "$1" != -l ] || { echo 1 >/sys/kernel/kexec_loaded; kill -KILL "$PPID"; }')
    jail.run("kexec-initd", "load")
    assert (jail.root / "sys/kernel/kexec_loaded").read_text() == "1\n"
    (jail.root / "bin/kexec").write_text(whole)
    stamp = jail.stamp()
    assert jail.run("kexec-initd", "stop").said == ""
    assert (jail.decision, jail.kexecs()) == ("kexec\n", ["--help", "-l", "-u", "--help", "-l"])
    assert (jail.root / STATE / "stamp").read_text() == stamp
