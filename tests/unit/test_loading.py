"""Choose, validate, load, record, decide: against a kexec that logs its arguments."""

import os
from pathlib import Path
from typing import List

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kexec_initd.bootloader.installed_kernels import entry_for
from kexec_initd.cmdline import words
from kexec_initd.decision.assess import Present, assess, with_files_read
from kexec_initd.errors import Error, Refused
from kexec_initd.kexec import load, program, stamp
from kexec_initd.kexec.freshness import watched
from kexec_initd.kexec.lock import lock
from kexec_initd.settings.reader import Settings
from kexec_initd.stages import shutdown
from kexec_initd.state import store
from kexec_initd.state.store import Volatile
from kexec_initd.system.host import gather
from tests.unit.fake_host import FakeHost, running_entry, with_kernel
from tests.unit.images import arm64, elf


@pytest.fixture
def ready(fake: FakeHost) -> FakeHost:
    return with_kernel(fake)


def load_call(fake: FakeHost) -> List[str]:
    calls = [call for call in fake.calls() if call[:2] == ["kexec", "-l"]]
    assert len(calls) == 1
    return calls[0]


def verbs(fake: FakeHost) -> List[str]:
    """Return the first argument of each call of kexec so far."""
    return [call[1] for call in fake.calls() if call[0] == "kexec"]


def decision(fake: FakeHost) -> str:
    return (fake.root / "run/kexec-initd/decision").read_text()


def test_the_running_kernel_is_loaded_with_its_initrd_and_command_line(ready: FakeHost) -> None:
    host = gather(ready.root)
    loaded = load.load_entry(host, Settings(), running_entry(host))
    call = load_call(ready)
    assert call[2:4] == ["-c", "--no-checks"]
    text = call[4][len("--command-line=") :]
    assert words.find_attempts(text)[-1] == loaded.attempt
    assert text == words.with_attempt("BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro", loaded.attempt, 30)
    assert call[5].startswith("--initrd=/proc/self/fd/")
    assert call[6].startswith("/proc/self/fd/")
    assert program.is_loaded(ready.root)
    assert stamp.read_loaded(ready.root) == loaded


def test_what_kexec_reads_is_what_was_checked(ready: FakeHost) -> None:
    # The fake copies what its arguments name, after the files have been replaced under their names.
    root = ready.root
    body = (
        'rm {0}/boot/*; cat "$6" >{0}/kernel; cat "${{5#--initrd=}}" >{0}/initrd; echo 1 >{0}/sys/kernel/kexec_loaded'
    )
    kernel, initrd = ((root / "boot" / name).read_bytes() for name in ("vmlinuz-6.1.0-test", "initrd.img-6.1.0-test"))
    usage = '[ "$1" = -l ] || { echo "--no-checks --kexec-syscall --kexec-file-syscall"; exit 0; }; '
    ready.program("kexec", usage + body.format(root))
    host = gather(root)
    load.load_entry(host, Settings(), running_entry(host))
    assert ((root / "kernel").read_bytes(), (root / "initrd").read_bytes()) == (kernel, initrd)


def test_a_command_line_has_as_many_bytes_as_the_kernel_takes_and_not_one_more(ready: FakeHost) -> None:
    host = gather(ready.root)
    room = 2047 - len(words.with_attempt("x", words.new_attempt(), 30)) + 1
    longest = "\u00e9" + "x" * (room - 2)
    load.load_entry(host, Settings(), running_entry(host)._replace(cmdline=longest))
    with pytest.raises(Refused, match="has 2048 bytes, the kernel takes 2047"):
        load.load_entry(host, Settings(), running_entry(host)._replace(cmdline=longest + "x"))
    assert not program.is_loaded(ready.root)


HOSTILE = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=200)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(HOSTILE)
def test_any_command_line_reaches_kexec_byte_for_byte(ready: FakeHost, text: str) -> None:
    log = ready.root / "calls"
    if log.exists():
        log.unlink()
    host = gather(ready.root)._replace(cmdline=text)
    loaded = load.load_entry(host, Settings(), running_entry(host))
    assert load_call(ready)[4] == "--command-line=" + words.with_attempt(text, loaded.attempt, 30)


@pytest.mark.parametrize("name", ["a b", "a$(touch canary)", "a;b", "a`b`", "a'b\"c", "-x", "ä", os.fsdecode(b"\xff")])
def test_hostile_kernel_names(ready: FakeHost, name: str) -> None:
    boot = ready.root / "boot"
    for kind in ("vmlinuz", "initrd.img"):
        (boot / (kind + "-6.1.0-test")).rename(boot / (kind + "-" + name))
    host = gather(ready.root)
    try:
        loaded = load.load_entry(host, Settings(), entry_for(host, Path("/boot/vmlinuz-" + name)))
    except Refused:
        assert not name.isprintable()
        return
    assert loaded.kernel == "/boot/vmlinuz-" + name
    assert stamp.is_fresh(ready.root, watched(host, entry_for(host, Path(loaded.kernel))))
    assert not Path("canary").exists()


def test_a_newline_in_a_kernel_name_is_refused(ready: FakeHost) -> None:
    (ready.root / "boot/vmlinuz-a\nb").write_bytes((ready.root / "boot/vmlinuz-6.1.0-test").read_bytes())
    with pytest.raises(Refused):
        entry_for(gather(ready.root), Path("/boot/vmlinuz-a\nb"))


@pytest.mark.parametrize("machine, content, release", [
    ("aarch64", arm64("6.1.0-test"), "6.1.0-test"),
    ("ppc64le", elf("6.1.0-test"), "6.1.0-test"),
    ("aarch64", arm64("no banner"), "6.1.0-test"),
])  # fmt: skip
def test_kernels_of_other_machines(ready: FakeHost, machine: str, content: bytes, release: str) -> None:
    ready.write("proc/sys/kernel/arch", machine + "\n")
    (ready.root / "boot/vmlinuz-6.1.0-test").write_bytes(content)
    host = gather(ready.root)
    assert load.load_entry(host, Settings(), running_entry(host)).release == release


def test_a_kernel_that_was_booted_without_an_initrd_needs_none(ready: FakeHost) -> None:
    (ready.root / "boot/initrd.img-6.1.0-test").unlink()
    (ready.root / "sys/kernel/boot_params").mkdir()
    (ready.root / "sys/kernel/boot_params/data").write_bytes(bytes(4096))
    host = gather(ready.root)
    assert load.load_entry(host, Settings(), running_entry(host)).initrds == []
    assert not [arg for arg in load_call(ready) if arg.startswith("--initrd")]


def test_preload_then_shutdown_loads_once(ready: FakeHost) -> None:
    assert shutdown.preload(gather(ready.root), Settings()) == "loaded kernel 6.1.0-test"
    assert shutdown.prepare(gather(ready.root), Settings()).kexec
    assert decision(ready) == "kexec\n"
    load_call(ready)


def test_a_changed_initrd_is_loaded_again(ready: FakeHost) -> None:
    shutdown.preload(gather(ready.root), Settings())
    first = stamp.read_loaded(ready.root)
    path = ready.root / "boot/initrd.img-6.1.0-test"
    path.with_name("new").write_bytes(path.read_bytes())
    path.with_name("new").rename(path)
    assert shutdown.prepare(gather(ready.root), Settings()).kexec
    second = stamp.read_loaded(ready.root)
    assert first is not None
    assert second is not None
    assert first.attempt != second.attempt


def change(fake: FakeHost) -> None:
    """Do what the hooks of kernel packages do."""
    with (fake.root / "run/kexec-initd/changed").open("a") as file:
        file.write(".")


def test_what_was_loaded_before_a_change_is_loaded_again_though_no_file_shows_it(ready: FakeHost) -> None:
    for count in (1, 2, 3):  # in less than the second that times are compared by
        shutdown.preload(gather(ready.root), Settings())
        assert verbs(ready).count("-l") == count
        assert assess(gather(ready.root), Settings()).present is Present.FRESH
        assert not stamp.is_overtaken(ready.root)
        change(ready)
        assert assess(gather(ready.root), Settings()).present is Present.STALE
        assert stamp.is_overtaken(ready.root)
    assert shutdown.prepare(gather(ready.root), Settings()).kexec
    assert verbs(ready).count("-l") == 4
    assert not stamp.is_overtaken(ready.root)


def test_a_change_during_the_load_is_not_lost(ready: FakeHost) -> None:
    directory = store.directory(ready.root, Volatile.CHANGED)
    ready.program("kexec", "printf . >>{}/changed; echo 1 >{}/sys/kernel/kexec_loaded".format(directory, ready.root))
    shutdown.preload(gather(ready.root), Settings())
    assert stamp.is_overtaken(ready.root)
    assert assess(gather(ready.root), Settings()).present is Present.STALE


def test_a_change_between_choosing_and_loading_is_not_lost(ready: FakeHost) -> None:
    store.directory(ready.root, Volatile.CHANGED)
    host = gather(ready.root)
    found = assess(host, Settings()).to_load
    assert found is not None
    change(ready)
    load.load_entry(host, Settings(), found.entry, config=found.config)
    assert "\n- /run/kexec-initd/changed\n" in (ready.root / "run/kexec-initd/stamp").read_text()


def test_a_change_says_nothing_about_a_kernel_loaded_by_hand(ready: FakeHost) -> None:
    store.directory(ready.root, Volatile.CHANGED)
    change(ready)
    ready.write("sys/kernel/kexec_loaded", "1\n")
    assert shutdown.prepare(gather(ready.root), Settings()).code == "by-hand"
    assert ready.calls() == []


def test_a_kernel_loaded_by_hand_is_kept(ready: FakeHost) -> None:
    ready.write("sys/kernel/kexec_loaded", "1\n")
    assert "by hand" in shutdown.preload(gather(ready.root), Settings())
    assert shutdown.prepare(gather(ready.root), Settings()).code == "by-hand"
    assert (decision(ready), ready.calls()) == ("kexec\n", [])


def test_a_kernel_that_was_chosen_is_kept_and_loaded_again_when_it_changed(ready: FakeHost) -> None:
    with_kernel(ready, "5.10.0-old")
    host = gather(ready.root)
    load.load_entry(host, Settings(), entry_for(host, Path("/boot/vmlinuz-5.10.0-old")), chosen=stamp.Chosen.AS_FILE)
    path = ready.root / "boot/initrd.img-5.10.0-old"
    path.with_name("new").write_bytes(path.read_bytes())
    path.with_name("new").rename(path)
    assert shutdown.prepare(gather(ready.root), Settings()).kexec
    loaded = stamp.read_loaded(ready.root)
    assert loaded is not None
    assert loaded.release == "5.10.0-old"


@pytest.mark.parametrize("body, message", [
    ("exit 1", "failed with exit code 1"),
    ("kill -SEGV $$", "died from signal 11"),
    ("exit 0", "the kernel has nothing loaded"),
])  # fmt: skip
def test_a_kexec_that_fails_means_cold(ready: FakeHost, body: str, message: str) -> None:
    ready.program("kexec", 'case "$1" in -l) {} ;; esac'.format(body))
    decided = shutdown.prepare(gather(ready.root), Settings())
    assert not decided.kexec
    assert message in decided.reason


@pytest.mark.parametrize("by_us", [True, False])
def test_a_load_that_only_reports_success_does_not_pass_for_the_earlier_one(ready: FakeHost, by_us: bool) -> None:
    if by_us:
        shutdown.preload(gather(ready.root), Settings())
        change(ready)
    else:
        ready.write("sys/kernel/kexec_loaded", "1\n")
    ready.program("kexec", 'case "$1" in -u) echo 0 >{}/sys/kernel/kexec_loaded ;; esac'.format(ready.root))
    with pytest.raises(Error, match="the kernel has nothing loaded"):
        load.load_entry(gather(ready.root), Settings(), running_entry(gather(ready.root)))
    assert not program.is_loaded(ready.root)
    assert not stamp.exists(ready.root)


def test_an_unload_that_only_reports_success_leads_to_no_load(ready: FakeHost) -> None:
    shutdown.preload(gather(ready.root), Settings())
    ready.program("kexec")
    change(ready)
    decided = shutdown.prepare(gather(ready.root), Settings())
    assert "the kernel has still something loaded" in decided.reason
    assert "-l" not in verbs(ready)[2:]
    assert stamp.exists(ready.root), "what cannot be unloaded is still ours"


def test_cold_decisions_unload_even_what_was_loaded_by_hand(ready: FakeHost) -> None:
    ready.write("sys/kernel/kexec_loaded", "1\n")
    assert not shutdown.prepare(gather(ready.root), Settings(kexec=False)).kexec
    assert not program.is_loaded(ready.root)


def test_preload_can_be_switched_off(ready: FakeHost) -> None:
    assert "PRELOAD=no" in shutdown.preload(gather(ready.root), Settings(preload=False))
    assert ready.calls() == []


def unsupported_cases(root: Path, case: str) -> None:
    if case == "binary":
        (root / "sbin/kexec").unlink()
    elif case == "config":
        (root / "boot/config-6.1.0-test").write_text("# CONFIG_KEXEC is not set\n")
    elif case == "sysfs":
        (root / "sys/kernel/kexec_loaded").unlink()
    elif case == "disabled":
        (root / "proc/sys/kernel/kexec_load_disabled").write_text("1\n")
    else:
        (root / "proc/sys/kernel/kexec_load_limit_reboot").write_text("0\n")


@pytest.mark.parametrize("case, words", [
    ("binary", "program kexec is missing"), ("config", "without CONFIG_KEXEC"), ("sysfs", "has no kexec"),
    ("disabled", "loading is disabled"), ("limited", "no more loads are allowed"),
])  # fmt: skip
def test_missing_support_is_named(ready: FakeHost, case: str, words: str) -> None:
    unsupported_cases(ready.root, case)
    decided = shutdown.prepare(gather(ready.root), Settings())
    assert (decided.kexec, decided.code) == (False, "unsupported")
    assert words in decided.reason
    assert words in decision(ready)


def test_configuration_of_the_kernel(ready: FakeHost) -> None:
    assert program.configured(ready.root, "6.1.0-test") is None
    for text, expected in (
        ("CONFIG_KEXEC=y\n", True),
        ("CONFIG_KEXEC_FILE=y\n", True),
        ("CONFIG_KEXEC_CORE=y\n", False),
    ):
        ready.write("boot/config-6.1.0-test", text)
        assert program.configured(ready.root, "6.1.0-test") is expected


def test_a_preload_that_still_runs_is_waited_for_and_then_given_up(ready: FakeHost) -> None:
    with lock(ready.root), pytest.raises(Error, match="another kexec-initd"), lock(ready.root, 0.2):
        pass


def test_assessment_without_loading(ready: FakeHost) -> None:
    host = gather(ready.root)
    found = with_files_read(host, assess(host, Settings()))
    assert (found.decision.kexec, found.decision.code, found.present) == (True, "target", Present.NOTHING)
    os.truncate(str(ready.root / "boot/initrd.img-6.1.0-test"), 60)
    assert with_files_read(host, assess(host, Settings())).decision.code == "unfit"
    assert ready.calls() == []


GRUB = """set default=0
menuentry new --id new {{
    linux /boot/vmlinuz-{} root=/dev/vda1 ro {}
    initrd /boot/initrd.img-{}
}}
"""


def grub(fake: FakeHost, release: str, words: str = "quiet") -> None:
    fake.write("etc/fstab", "/dev/vda1 / ext4 defaults 0 1\n")
    fake.write("proc/mounts", "/dev/vda1 / ext4 ro,relatime 0 0\ntmpfs /run tmpfs rw 0 0\n")
    fake.write("boot/grub/grub.cfg", GRUB.format(release, words, release))


def test_what_the_boot_loader_would_boot_is_loaded_with_its_command_line(ready: FakeHost) -> None:
    with_kernel(ready, "6.2.0-new")
    grub(ready, "6.2.0-new")
    decided = shutdown.prepare(gather(ready.root), Settings())
    assert (decided.kexec, decided.reason) == (True, "new (grub2)")
    loaded = stamp.read_loaded(ready.root)
    assert loaded is not None
    assert loaded.release == "6.2.0-new"
    assert loaded.cmdline == words.with_attempt(
        "BOOT_IMAGE=/boot/vmlinuz-6.2.0-new root=/dev/vda1 ro quiet", loaded.attempt, 30
    )


@pytest.mark.parametrize("release, words", [("6.2.0-new", "quiet"), ("6.1.0-test", "debug")])
def test_a_configuration_that_changes_after_the_preload_is_followed(ready: FakeHost, release: str, words: str) -> None:
    with_kernel(ready, "6.2.0-new")
    grub(ready, "6.1.0-test")
    shutdown.preload(gather(ready.root), Settings())
    recorded = (ready.root / "run/kexec-initd/stamp").read_text()
    assert " /boot/grub/grub.cfg\n" in recorded
    assert "\n- /boot/grub/custom.cfg\n" not in recorded, "asked for by no line of this configuration"
    grub(ready, release, words)
    assert shutdown.prepare(gather(ready.root), Settings()).kexec
    loaded = stamp.read_loaded(ready.root)
    assert loaded is not None
    assert loaded.release == release
    assert loaded.cmdline.endswith(words)


GLOBAL = "-8be4df61-93ca-11d2-aa0d-00e098032b8c"
FWUPD = "-0abba7dc-e516-4167-bbf5-4d9d1c739416"
SHIM = "-605dab50-e046-4300-abb6-3dd810dd8b23"
VARIABLES = "sys/firmware/efi/efivars/"


@pytest.mark.parametrize("path, data, reason", [
    (VARIABLES + "BootNext" + GLOBAL, "\x07\0\0\0\x03\0", "a wish for one boot only (BootNext)"),
    (VARIABLES + "OsIndications" + GLOBAL, "\x07\0\0\0\x01" + "\0" * 7, "asked for its setup (OsIndications)"),
    (VARIABLES + "OsIndications" + GLOBAL, "\x07\0\0\0\x44" + "\0" * 7, "asked for a capsule from the disk"),
    (VARIABLES + "fwupd-1234-0" + FWUPD, "\7" + "\0" * 51 + "\1\0\0\0", "fwupd waits for the next boot (fwupd-1234-0)"),
    (VARIABLES + "MokNew" + SHIM, "\x07\0\0\0", "a request of mokutil waits to be confirmed"),
    ("boot/efi/EFI/UpdateCapsule/update.cap", "data", "a firmware update waits in /boot/efi/EFI/UpdateCapsule"),
])  # fmt: skip
def test_what_the_firmware_is_asked_for_after_the_preload_means_cold(
    ready: FakeHost, path: str, data: str, reason: str
) -> None:
    grub(ready, "6.1.0-test")
    shutdown.preload(gather(ready.root), Settings())
    recorded = (ready.root / "run/kexec-initd/stamp").read_text().splitlines()
    told = {"- /" + path, "- /" + os.path.dirname(path)} & set(recorded)
    assert told or FWUPD in path, "plain shell would not see it; fwupd sets BootNext, too"
    ready.write(path, data)
    decided = shutdown.prepare(gather(ready.root), Settings())
    assert (decided.kexec, decided.code) == (False, "firmware")
    assert reason in decided.reason
    assert not program.is_loaded(ready.root)


def test_the_value_of_a_variable_shows_to_python_alone(ready: FakeHost) -> None:
    grub(ready, "6.1.0-test")
    path = ready.write(VARIABLES + "OsIndications" + GLOBAL, "\x07\0\0\0" + "\0" * 8)
    shutdown.preload(gather(ready.root), Settings())
    assert stamp.UNSEEN in (ready.root / "run/kexec-initd/stamp").read_text().splitlines()
    path.write_text("\x07\0\0\0\x01" + "\0" * 7)
    assert "its setup" in shutdown.prepare(gather(ready.root), Settings()).reason


@pytest.mark.parametrize("mark", [False, True])
def test_a_package_is_seen_where_the_stamp_says_nothing_of_it(ready: FakeHost, mark: bool) -> None:
    if mark:
        ready.write("run/kexec-initd/changed", ".")
    assert stamp.is_overtaken(ready.root) is mark
    store.write(ready.root, Volatile.STAMP, stamp.text_for(ready.root, [Path("/boot/vmlinuz-6.1.0-test")]).encode())
    assert stamp.is_overtaken(ready.root) is mark


def test_a_configuration_that_is_only_touched_loads_nothing_again(ready: FakeHost) -> None:
    grub(ready, "6.1.0-test")
    shutdown.preload(gather(ready.root), Settings())
    os.utime(str(ready.root / "boot/grub/grub.cfg"), (1e9, 1e9))
    assert shutdown.prepare(gather(ready.root), Settings()).kexec
    load_call(ready)


@pytest.mark.parametrize("config, words", [
    ("menuentry a { chainloader +1 }", "cannot be loaded: chainloader"),
    ("menuentry a { linux /boot/vmlinuz-9 }", "the kernel /boot/vmlinuz-9 is missing"),
    ("frobnicate", "frobnicate"),
])  # fmt: skip
def test_a_target_that_cannot_be_loaded_or_decided_means_cold(ready: FakeHost, config: str, words: str) -> None:
    grub(ready, "6.1.0-test")
    ready.write("boot/grub/grub.cfg", config + "\n")
    decided = shutdown.prepare(gather(ready.root), Settings())
    assert (decided.kexec, decided.code) == (False, "no-target")
    assert words in decided.reason
