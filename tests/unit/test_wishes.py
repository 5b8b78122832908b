"""One reboot into a named entry, command lines as the settings change them, words for one boot only."""

import os
import subprocess
from pathlib import Path
from typing import List

import pytest

from kexec_initd.boot_entry import BootEntry
from kexec_initd.bootloader.target import LoaderReading, read_target
from kexec_initd.cli import make_parser
from kexec_initd.cmdline.words import without_own_words
from kexec_initd.codes import Code, Decision
from kexec_initd.decision import selection
from kexec_initd.decision.assess import Present, assess
from kexec_initd.decision.selection import NoTarget, Selected, find_named, find_next
from kexec_initd.errors import Error, Refused, UsageError
from kexec_initd.install.manifest import InstallState, Manifest, format_manifest
from kexec_initd.kexec import load, stamp
from kexec_initd.settings.reader import Settings
from kexec_initd.stages import reboot_into, shutdown
from kexec_initd.system.host import gather
from kexec_initd.system.sysroot import Tree
from kexec_initd.verbs.load import run_reboot_into
from tests.unit.fake_host import FakeHost, with_kernel
from tests.unit.test_consuming import ENVIRONMENT, wish

CONFIG = """load_env
set default=usual
if [ "${next_entry}" ]; then set default="${next_entry}"; set next_entry=; save_env next_entry; fi
menuentry usual --id usual { linux /boot/vmlinuz-6.1.0-test root=/dev/vda1 quiet
    initrd /boot/initrd.img-6.1.0-test }
menuentry other --id other { linux /boot/vmlinuz-6.2.0-other root=/dev/vda1
    initrd /boot/initrd.img-6.2.0-other }
menuentry rescue { linux /boot/vmlinuz-6.2.0-other root=/dev/vda1 single
    initrd /boot/initrd.img-6.2.0-other }
menuentry windows { chainloader +1 }
"""
OTHER = "BOOT_IMAGE=/boot/vmlinuz-6.2.0-other root=/dev/vda1"
KERNEL = "/boot/vmlinuz-6.1.0-test"


@pytest.fixture
def bare(fake: FakeHost) -> FakeHost:
    """A host without a boot loader's configuration."""
    return with_kernel(fake)


@pytest.fixture
def ready(bare: FakeHost) -> FakeHost:
    with_kernel(bare, "6.2.0-other")
    bare.write("etc/fstab", "/dev/vda1 / ext4 defaults 0 1\n")
    bare.write("boot/grub/grub.cfg", CONFIG)
    wish(bare, "")
    bare.program("reboot")
    installed = format_manifest(Manifest(InstallState.INSTALLED, (), ()))
    bare.write("var/lib/kexec-initd/manifest.json", installed.decode()).chmod(0o600)
    return bare


def test_a_configuration_that_is_being_changed_has_no_target_yet(
    ready: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load_named(ready, "other")
    host, readings = gather(ready.root), []

    def read_while_it_changes(tree: Tree, since: int) -> LoaderReading:
        readings.append(read_target(tree, since))
        ready.write("boot/grub/grub.cfg", CONFIG.replace("quiet", "quiet reading={}".format(len(readings))))
        return readings[-1]

    monkeypatch.setattr(selection, "read_target", read_while_it_changes)
    for found in (find_next(host, Settings()), selection.find_again(host, Settings(), loaded)):
        assert isinstance(found, NoTarget) and found.problem == selection.CHANGING
    with pytest.raises(Error, match="is being changed just now"):
        find_named(host, Settings(), "other")
    assert len(readings) == 6


def load_named(fake: FakeHost, name: str) -> stamp.Loaded:
    found = find_named(gather(fake.root), Settings(), name)
    assert isinstance(found, Selected)
    return load.load_entry(gather(fake.root), Settings(), found.entry, found.chosen, found.config)


def selected_entry(fake: FakeHost) -> BootEntry:
    found = find_next(gather(fake.root), Settings())
    assert isinstance(found, Selected)
    return found.entry


def loaded(fake: FakeHost) -> stamp.Loaded:
    found = stamp.read_loaded(fake.root)
    assert found is not None
    return found


def prepare(fake: FakeHost, settings: Settings = Settings()) -> Decision:
    return shutdown.prepare(gather(fake.root), settings)


def go(fake: FakeHost, name: str, settings: Settings = Settings()) -> None:
    host = gather(fake.root)
    reboot_into.execute(host, settings, reboot_into.plan(host, settings, name))


@pytest.mark.parametrize("name", ["1", "other", "6.2.0-other"])
def test_reboot_into_loads_and_calls_reboot_and_the_early_step_keeps_it(ready: FakeHost, name: str) -> None:
    shutdown.preload(gather(ready.root), Settings())
    wish(ready, "usual")
    block = (ready.root / ENVIRONMENT).read_bytes()
    go(ready, name)
    verbs = [call[1] if call[0] == "kexec" else call[0] for call in ready.calls()]
    assert verbs == ["--help", "-l", "--help", "-u", "-l", "reboot"]
    assert ready.calls()[-1] == ["reboot"]
    assert prepare(ready) == Decision(Code.TARGET, "other (chosen for one boot)")
    assert (loaded(ready).release, without_own_words(loaded(ready).cmdline)) == ("6.2.0-other", OTHER)
    assert ready.names()[5:] == ["reboot"]
    assert (ready.root / ENVIRONMENT).read_bytes() == block
    ready.boot("00000000-0000-4000-8000-000000000002")
    wish(ready, "")
    shutdown.preload(gather(ready.root), Settings())
    assert loaded(ready).release == "6.1.0-test"


def test_a_change_of_the_menu_is_seen_and_the_same_entry_found_elsewhere(ready: FakeHost) -> None:
    go(ready, "1")
    config = ready.root / "boot/grub/grub.cfg"
    stamped = (ready.root / "run/kexec-initd/stamp").read_text()
    assert " /boot/grub/grub.cfg\n" in stamped
    config.write_text("menuentry first { chainloader +1 }\n" + CONFIG)
    assert prepare(ready).kexec
    assert (loaded(ready).release, loaded(ready).chosen) == ("6.2.0-other", stamp.ChosenEntry("other", OTHER))
    initrd = ready.root / "boot/initrd.img-6.2.0-other"
    os.utime(str(initrd), (2e9, 2e9))
    assert prepare(ready).kexec
    assert (loaded(ready).release, loaded(ready).chosen) == ("6.2.0-other", stamp.ChosenEntry("other", OTHER))
    assert [call[1] for call in ready.calls() if call[0] == "kexec"].count("-l") == 2


@pytest.mark.parametrize("old, new, words", [
    ("vda1\n    initrd /boot/initrd.img-6.2.0-other", "vda2\n    initrd /boot/initrd.img-6.2.0-other", "has changed since"),
    ("menuentry other", "menuentry another", "is gone from the boot loader's menu"),
])  # fmt: skip
def test_a_chosen_entry_that_is_another_now_means_cold(ready: FakeHost, old: str, new: str, words: str) -> None:
    go(ready, "other")
    assert old in CONFIG
    ready.write("boot/grub/grub.cfg", CONFIG.replace(old, new, 1))
    decided = prepare(ready)
    assert (decided.kexec, decided.code) == (False, "no-target")
    assert decided.reason == 'the entry "other" that was chosen ' + words
    assert (ready.root / "sys/kernel/kexec_loaded").read_text() == "0\n"


def _guarded(fake: FakeHost) -> None:
    go(fake, "other")
    fake.program("reboot")
    assert prepare(fake).kexec
    fake.boot("00000000-0000-4000-8000-000000000002")
    (fake.root / "calls").unlink()


@pytest.mark.parametrize("case, words", [
    ("rm var/lib/kexec-initd/manifest.json", "kexec-initd is not installed"),
    ("touch no-kexec-reboot", "asked for by /no-kexec-reboot"),
    ("touch .dockerenv", "container"),
    ("rm sbin/kexec", "the program kexec is missing"),
    ("guard", "never arrived"),
    ("rm sbin/reboot", "the program reboot is missing"),
    ("truncate -s 2000 boot/vmlinuz-6.2.0-other", "it is cut"),
])  # fmt: skip
def test_where_a_reboot_would_not_come_there_nothing_is_loaded_and_nothing_reboots(
    ready: FakeHost, case: str, words: str
) -> None:
    if case == "guard":
        _guarded(ready)
    else:
        subprocess.run(["sh", "-c", case], cwd=str(ready.root), check=True)
    with pytest.raises(Error) as caught:
        go(ready, "other")
    assert words in str(caught.value)
    assert "reboot" not in ready.names()
    assert not stamp.exists(ready.root)


def test_switched_off_means_no_reboot(ready: FakeHost) -> None:
    with pytest.raises(Refused, match="KEXEC=no"):
        go(ready, "other", Settings(kexec=False))
    assert ready.calls() == []


def test_a_reboot_that_fails_leaves_nothing_loaded(ready: FakeHost) -> None:
    ready.program("reboot", "echo no >&2; exit 1")
    with pytest.raises(Error, match="failed with exit code 1: no"):
        go(ready, "other")
    assert (ready.root / "sys/kernel/kexec_loaded").read_text() == "0\n"
    assert prepare(ready).reason == "usual (grub2)"


@pytest.mark.parametrize("name, kind, words", [
    ("9", UsageError, 'the boot loader has no entry "9"; see kexec-initd entries'),
    ("/boot/vmlinuz-6.2.0-other", UsageError, "the boot loader has no entry"),
    ("windows", Refused, 'the entry "windows" cannot be loaded: '),
])  # fmt: skip
def test_a_name_of_nothing(ready: FakeHost, name: str, kind: type, words: str) -> None:
    with pytest.raises(Error) as caught:
        go(ready, name)
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert ready.calls() == []


def test_a_dry_run_says_what_it_would_do(ready: FakeHost, capsys: "pytest.CaptureFixture[str]") -> None:
    args = make_parser().parse_args(["reboot-into", "--dry-run", "1"])
    run_reboot_into(args, gather(ready.root))
    wanted = 'kernel 6.2.0-other (/boot/vmlinuz-6.2.0-other) with /boot/initrd.img-6.2.0-other: the entry "other"'
    assert capsys.readouterr().out == "would reboot into {}\n".format(wanted)
    assert ready.calls() == []


@pytest.mark.parametrize("name, kernel", [("1", "6.2.0-other"), ("6.1.0-test", "6.1.0-test"), (KERNEL, "6.1.0-test")])
def test_load_takes_an_entry_or_a_kernel_file(ready: FakeHost, name: str, kernel: str) -> None:
    host = gather(ready.root)
    found = find_named(host, Settings(), name, file=True)
    assert isinstance(found, Selected) and str(found.entry.kernel) == "/boot/vmlinuz-" + kernel
    load.load_entry(host, Settings(), found.entry, found.chosen, found.config)
    assert assess(host, Settings()).present is Present.FRESH
    assert selected_entry(ready) != found.entry or name == "6.1.0-test"


SET = Settings(cmdline_append="a=b", cmdline_remove="quiet")


def test_settings_change_the_line_that_is_loaded_and_count_as_another_target(ready: FakeHost) -> None:
    shutdown.preload(gather(ready.root), SET)
    line = "BOOT_IMAGE={} root=/dev/vda1 kexec_initd.append a=b".format(KERNEL)
    assert without_own_words(loaded(ready).cmdline) == line
    host = gather(ready.root)
    assert assess(host, SET).present is Present.FRESH
    assert assess(host, Settings()).present is Present.STALE


def test_what_was_appended_to_the_running_line_does_not_pile_up(bare: FakeHost) -> None:
    for _ in range(3):
        shutdown.preload(gather(bare.root), SET)
        line = loaded(bare).cmdline
        assert line.endswith(" panic=30 BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro kexec_initd.append a=b")
        assert assess(gather(bare.root), SET).present is Present.FRESH
        bare.write("proc/cmdline", line + "\n")
        bare.boot("00000000-0000-4000-8000-000000000002")
    shutdown.preload(gather(bare.root), Settings(panic=0))
    assert without_own_words(loaded(bare).cmdline) == "BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro"
    assert "panic" not in loaded(bare).cmdline


ONE_OFF = "ro init=/bin/sh\n"
VOUCHING: List[Settings] = [Settings(cmdline_append="init=/bin/sh"), Settings(cmdline_remove="init")]


def test_a_word_for_one_boot_is_not_carried_on_without_a_configuration(bare: FakeHost) -> None:
    bare.write("proc/cmdline", ONE_OFF)
    decided = prepare(bare)
    assert (decided.kexec, decided.code) == (False, "no-target")
    assert 'the running command line has "init", which is for one boot only' in decided.reason
    assert bare.calls() == []
    with pytest.raises(Refused, match="one boot only"):
        find_named(gather(bare.root), Settings(), KERNEL, file=True)


@pytest.mark.parametrize("settings", VOUCHING)
def test_unless_the_settings_say_what_is_to_be_done_with_it(bare: FakeHost, settings: Settings) -> None:
    bare.write("proc/cmdline", ONE_OFF)
    assert prepare(bare, settings).kexec
    assert loaded(bare).cmdline.count("init=/bin/sh") == (2 if settings.cmdline_append else 0)


def test_a_configured_entry_may_have_what_it_has(ready: FakeHost) -> None:
    ready.write("proc/cmdline", "root=/dev/vda1 single\n")
    assert prepare(ready).reason == "usual (grub2)"
    with pytest.raises(Refused, match="one boot only"):
        find_named(gather(ready.root), Settings(), KERNEL, file=True)  # that of the rescue does not count
    ready.write("boot/grub/grub.cfg", CONFIG.replace("quiet", "single"))
    assert isinstance(find_named(gather(ready.root), Settings(), KERNEL, file=True), Selected)
    assert selected_entry(ready).cmdline.endswith(" single")


def test_where_nothing_can_be_appended_a_reboot_goes_cold(bare: FakeHost) -> None:
    bare.write("proc/cmdline", 'ro a="b\n')
    assert "leaves a quote open" in prepare(bare, SET).reason
    assert Path(KERNEL).name in os.listdir(str(bare.root / "boot"))
