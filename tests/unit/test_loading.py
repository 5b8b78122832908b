"""Choose, validate, load, record, decide: against a kexec that logs its arguments."""

import os
from pathlib import Path
from typing import List

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kexec_initd import cmdline, kexec, loading, shutdown, stamp
from kexec_initd.assessment import assess, with_files_read
from kexec_initd.bootloader.naming import entry_for, find_running
from kexec_initd.errors import Error, Refused
from kexec_initd.host import gather
from kexec_initd.settings import Settings
from tests.unit.fake_host import FakeHost, with_kernel


@pytest.fixture
def ready(fake: FakeHost) -> FakeHost:
    return with_kernel(fake)


def load_call(fake: FakeHost) -> List[str]:
    calls = [call for call in fake.calls() if call[:2] == ["kexec", "-l"]]
    assert len(calls) == 1
    return calls[0]


def decision(fake: FakeHost) -> str:
    return (fake.root / "run/kexec-initd/decision").read_text()


def test_the_running_kernel_is_loaded_with_its_initrd_and_command_line(ready: FakeHost) -> None:
    host = gather(ready.root)
    loaded = loading.load_entry(host, Settings(), find_running(host))
    call = load_call(ready)
    assert call[2:4] == ["-c", "--no-checks"]
    text = call[4][len("--command-line=") :]
    assert cmdline.find_attempt(text) == loaded.attempt
    assert text == cmdline.with_attempt("BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro", loaded.attempt)
    assert call[5].startswith("--initrd=/proc/self/fd/")
    assert call[6].startswith("/proc/self/fd/")
    assert kexec.is_loaded(ready.root)
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
    loading.load_entry(host, Settings(), find_running(host))
    assert ((root / "kernel").read_bytes(), (root / "initrd").read_bytes()) == (kernel, initrd)


@pytest.mark.parametrize("help_text, checks, expected", [
    ("--no-checks --kexec-syscall --kexec-file-syscall", False, ["-c", "--no-checks"]),
    ("--no-checks --kexec-syscall --kexec-file-syscall", True, ["-c"]),
    ("--no-checks", False, ["--no-checks"]),
    ("an old one", False, []),
])  # fmt: skip
def test_options_are_those_that_this_kexec_has(
    ready: FakeHost, help_text: str, checks: bool, expected: List[str]
) -> None:
    image = kexec.Image(3, None, "a b", checks)
    assert kexec.load_cmd(ready.root, image, help_text)[2:] == [*expected, "--command-line=a b", "/proc/self/fd/3"]


def test_lockdown_takes_the_file_load(ready: FakeHost) -> None:
    ready.write("sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
    assert kexec.load_cmd(ready.root, kexec.Image(3, None, "a", False), "--no-checks")[2] == "-s"
    ready.write("sys/kernel/security/lockdown", "[none] integrity confidentiality\n")
    assert "-s" not in kexec.load_cmd(ready.root, kexec.Image(3, None, "a", False), "--no-checks")


HOSTILE = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=200)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(HOSTILE)
def test_any_command_line_reaches_kexec_byte_for_byte(ready: FakeHost, text: str) -> None:
    log = ready.root / "calls"
    if log.exists():
        log.unlink()
    host = gather(ready.root)._replace(cmdline=text)
    loaded = loading.load_entry(host, Settings(), find_running(host))
    assert load_call(ready)[4] == "--command-line=" + cmdline.with_attempt(text, loaded.attempt)


@pytest.mark.parametrize("name", ["a b", "a$(touch canary)", "a;b", "a`b`", "a'b\"c", "-x", "ä", os.fsdecode(b"\xff")])
def test_hostile_kernel_names(ready: FakeHost, name: str) -> None:
    boot = ready.root / "boot"
    for kind in ("vmlinuz", "initrd.img"):
        (boot / (kind + "-6.1.0-test")).rename(boot / (kind + "-" + name))
    host = gather(ready.root)
    try:
        loaded = loading.load_entry(host, Settings(), entry_for(host, Path("/boot/vmlinuz-" + name)))
    except Refused:
        assert not name.isprintable()
        return
    assert loaded.kernel == "/boot/vmlinuz-" + name
    assert stamp.is_fresh(ready.root, loading.watched(host, entry_for(host, Path(loaded.kernel))))
    assert not Path("canary").exists()


def test_a_newline_in_a_kernel_name_is_refused(ready: FakeHost) -> None:
    (ready.root / "boot/vmlinuz-a\nb").write_bytes((ready.root / "boot/vmlinuz-6.1.0-test").read_bytes())
    with pytest.raises(Refused):
        entry_for(gather(ready.root), Path("/boot/vmlinuz-a\nb"))


def cut_kernel(root: Path) -> None:
    path = root / "boot/vmlinuz-6.1.0-test"
    os.truncate(str(path), path.stat().st_size // 2)


def flipped_kernel(root: Path) -> None:
    path = root / "boot/vmlinuz-6.1.0-test"
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)


def empty_initrd(root: Path) -> None:
    (root / "boot/initrd.img-6.1.0-test").write_bytes(b"")


def cut_initrd(root: Path) -> None:
    os.truncate(str(root / "boot/initrd.img-6.1.0-test"), 60)


def no_initrd(root: Path) -> None:
    (root / "boot/initrd.img-6.1.0-test").unlink()


def no_kernel(root: Path) -> None:
    (root / "boot/vmlinuz-6.1.0-test").unlink()


def kernel_is_fifo(root: Path) -> None:
    no_kernel(root)
    os.mkfifo(str(root / "boot/vmlinuz-6.1.0-test"))


def kernel_is_directory(root: Path) -> None:
    no_kernel(root)
    (root / "boot/vmlinuz-6.1.0-test").mkdir()


def kernel_for_all(root: Path) -> None:
    (root / "boot/vmlinuz-6.1.0-test").chmod(0o666)


def kernel_dangling(root: Path) -> None:
    no_kernel(root)
    (root / "boot/vmlinuz-6.1.0-test").symlink_to("nowhere")


def long_cmdline(root: Path) -> None:
    (root / "proc/cmdline").write_text("x" * 3000)


SPOILS = [cut_kernel, flipped_kernel, empty_initrd, cut_initrd, no_initrd, no_kernel, kernel_is_fifo]
SPOILS += [kernel_is_directory, kernel_for_all, kernel_dangling, long_cmdline]


@pytest.mark.parametrize("spoil", SPOILS)
def test_what_is_not_fit_is_never_given_to_kexec_and_means_cold(ready: FakeHost, spoil) -> None:  # type: ignore[no-untyped-def]
    spoil(ready.root)
    decided = shutdown.prepare(gather(ready.root), Settings())
    assert not decided.kexec
    assert decision(ready) == "cold {}\n".format(decided.reason)
    assert ["kexec", "-l"] not in [call[:2] for call in ready.calls()]
    assert not kexec.is_loaded(ready.root)


@pytest.mark.parametrize("spoil", [spoil for spoil in SPOILS if spoil not in (long_cmdline, kernel_for_all)])
def test_what_was_loaded_before_it_was_spoilt_is_unloaded(ready: FakeHost, spoil) -> None:  # type: ignore[no-untyped-def]
    shutdown.preload(gather(ready.root), Settings())
    assert kexec.is_loaded(ready.root)
    spoil(ready.root)
    assert not shutdown.prepare(gather(ready.root), Settings()).kexec
    assert not kexec.is_loaded(ready.root)
    assert not stamp.exists(ready.root)


def test_a_kernel_that_was_booted_without_an_initrd_needs_none(ready: FakeHost) -> None:
    no_initrd(ready.root)
    (ready.root / "sys/kernel/boot_params").mkdir()
    (ready.root / "sys/kernel/boot_params/data").write_bytes(bytes(4096))
    host = gather(ready.root)
    assert loading.load_entry(host, Settings(), find_running(host)).initrd is None
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


def test_a_kernel_loaded_by_hand_is_kept(ready: FakeHost) -> None:
    ready.write("sys/kernel/kexec_loaded", "1\n")
    assert "by hand" in shutdown.preload(gather(ready.root), Settings())
    assert shutdown.prepare(gather(ready.root), Settings()).code == "by-hand"
    assert (decision(ready), ready.calls()) == ("kexec\n", [])


def test_a_kernel_that_was_chosen_is_kept_and_loaded_again_when_it_changed(ready: FakeHost) -> None:
    with_kernel(ready, "5.10.0-old")
    host = gather(ready.root)
    loading.load_entry(host, Settings(), entry_for(host, Path("/boot/vmlinuz-5.10.0-old")), chosen=True)
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


def test_cold_decisions_unload_even_what_was_loaded_by_hand(ready: FakeHost) -> None:
    ready.write("sys/kernel/kexec_loaded", "1\n")
    assert not shutdown.prepare(gather(ready.root), Settings(kexec=False)).kexec
    assert not kexec.is_loaded(ready.root)


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
    else:
        (root / "proc/sys/kernel/kexec_load_disabled").write_text("1\n")


@pytest.mark.parametrize("case, words", [
    ("binary", "program kexec is missing"), ("config", "without CONFIG_KEXEC"), ("sysfs", "has no kexec"),
    ("disabled", "loading is disabled"),
])  # fmt: skip
def test_missing_support_is_named(ready: FakeHost, case: str, words: str) -> None:
    unsupported_cases(ready.root, case)
    decided = shutdown.prepare(gather(ready.root), Settings())
    assert (decided.kexec, decided.code) == (False, "unsupported")
    assert words in decided.reason
    assert words in decision(ready)


def test_configuration_of_the_kernel(ready: FakeHost) -> None:
    assert kexec.configured(ready.root, "6.1.0-test") is None
    for text, expected in (
        ("CONFIG_KEXEC=y\n", True),
        ("CONFIG_KEXEC_FILE=y\n", True),
        ("CONFIG_KEXEC_CORE=y\n", False),
    ):
        ready.write("boot/config-6.1.0-test", text)
        assert kexec.configured(ready.root, "6.1.0-test") is expected


def test_a_preload_that_still_runs_is_waited_for_and_then_given_up(ready: FakeHost) -> None:
    with shutdown.lock(ready.root), pytest.raises(Error, match="another kexec-initd"), shutdown.lock(ready.root, 0.2):
        pass


def test_assessment_without_loading(ready: FakeHost) -> None:
    host = gather(ready.root)
    found = with_files_read(host, assess(host, Settings()))
    assert (found.decision.kexec, found.decision.code, found.is_loaded) == (True, "target", False)
    cut_initrd(ready.root)
    assert with_files_read(host, assess(host, Settings())).decision.code == "no-target"
    assert ready.calls() == []
