"""The watchdog over the jump: which device, when it is kept off, what is left for the last step and for the next boot."""

import argparse
import contextlib
import errno
import os
from pathlib import Path
from typing import Callable, List

import pytest

from kexec_initd.errors import Error
from kexec_initd.kexec import load, watchdog
from kexec_initd.settings.reader import Settings
from kexec_initd.stages import last_step, shutdown
from kexec_initd.system.host import gather
from kexec_initd.verbs.load import run_unload
from tests.unit.fake_host import FakeHost, with_kernel

HARDWARE = "i6300ESB timer"
Spoil = Callable[[FakeHost], None]
READY = "run/kexec-initd/watchdog"
MODULE = "var/lib/kexec-initd/watchdog"


@pytest.fixture
def watched(fake: FakeHost) -> FakeHost:
    """Return a host with a hardware watchdog that the kernel keeps running over a jump."""
    add_device(fake)
    fake.write(watchdog.KEPT, "0\n")
    (fake.root / "run/kexec-initd").mkdir()
    (fake.root / "var/lib/kexec-initd").mkdir(parents=True)
    return fake


def add_device(fake: FakeHost, name: str = "watchdog0", identity: str = HARDWARE, module: str = "i6300esb") -> None:
    place = fake.root / watchdog.CLASS / name
    for key, value in (("identity", identity), ("nowayout", "0"), ("state", "inactive")):
        fake.write("{}/{}/{}".format(watchdog.CLASS, name, key), value + "\n")
    (fake.root / "sys/module" / module).mkdir(parents=True, exist_ok=True)
    (place / "device/driver").mkdir(parents=True)
    (place / "device/driver/module").symlink_to(fake.root / "sys/module" / module)
    fake.write("dev/" + name, "")


def takes(asked: List[int]) -> watchdog.Setter:
    def setter(fd: int, seconds: int) -> int:
        asked.append(seconds)
        return seconds

    return setter


def make_ready(fake: FakeHost, seconds: int = 300) -> List[int]:
    asked = []  # type: List[int]
    watchdog.make_ready(fake.root, seconds, takes(asked))
    return asked


def read(fake: FakeHost, path: str) -> str:
    return (fake.root / path).read_text()


def test_a_device_is_set_stopped_again_and_named_for_the_last_step_and_the_next_boot(watched: FakeHost) -> None:
    assert make_ready(watched) == [300]
    assert read(watched, "dev/watchdog0") == "V", "it must not run before the jump"
    assert (read(watched, READY), read(watched, MODULE)) == ("watchdog0 watchdog0\n", "i6300esb i6300esb\n")
    assert watchdog.describe_watch(watched.root, 300) == "watchdog0 will watch the jump and the boot after it, 300 s"


def soft_only(fake: FakeHost) -> None:
    fake.write(watchdog.CLASS + "/watchdog0/identity", "Software Watchdog\n")


def none_at_all(fake: FakeHost) -> None:
    (fake.root / watchdog.CLASS).rename(fake.root / "elsewhere")


def used(fake: FakeHost) -> None:
    fake.write(watchdog.CLASS + "/watchdog0/state", "active\n")


def without_state(fake: FakeHost) -> None:
    (fake.root / watchdog.CLASS / "watchdog0/state").unlink()


def nowayout(fake: FakeHost) -> None:
    fake.write(watchdog.CLASS + "/watchdog0/nowayout", "1\n")


def stopped(fake: FakeHost) -> None:
    fake.write(watchdog.KEPT, "-1\n")


def without_driver(fake: FakeHost) -> None:
    """As i6300esb, which does not tell the core what device it drives."""
    (fake.root / watchdog.CLASS / "watchdog0/device").rename(fake.root / "device")


def unknown_driver(fake: FakeHost) -> None:
    without_driver(fake)
    for name in ("one", "another"):
        fake.write("{}/{}".format(watchdog.USERS, name), "")


def unknown(fake: FakeHost) -> None:
    (fake.root / watchdog.KEPT).unlink()


@pytest.mark.parametrize("spoil, reason", [
    (soft_only, "there is only a software watchdog"),
    (none_at_all, "there is no watchdog, or no driver for it"),
    (used, "is used by another program"),
    (without_state, "is used by another program"),
    (without_driver, "which driver watchdog0 (i6300ESB timer) has cannot be told"),
    (unknown_driver, "which driver watchdog0 (i6300ESB timer) has cannot be told"),
    (nowayout, "could not be stopped after the boot (nowayout)"),
    (stopped, "the kernel would stop watchdog0 at the jump: it needs watchdog.stop_on_reboot=0"),
    (unknown, "the kernel would stop watchdog0 at the jump: it needs watchdog.stop_on_reboot=0"),
])  # fmt: skip
def test_what_cannot_be_promised_is_kept_off_and_told(watched: FakeHost, spoil: Spoil, reason: str) -> None:
    make_ready(watched)
    watched.write("dev/watchdog0", "")
    spoil(watched)
    with pytest.raises(Error) as caught:
        make_ready(watched)
    assert reason in str(caught.value)
    assert read(watched, "dev/watchdog0") == "", "opening it would have started it"
    assert not (watched.root / READY).exists(), "what was made ready before stayed"
    assert watchdog.describe_watch(watched.root, 300) == "the jump will not be watched: " + str(caught.value)


def test_hardware_is_taken_where_there_is_software_too(watched: FakeHost) -> None:
    watched.write(watchdog.CLASS + "/watchdog0/identity", "Software Watchdog\n")
    add_device(watched, "watchdog1")
    make_ready(watched)
    assert read(watched, READY) == "watchdog1 watchdog1\n"


def test_a_time_that_the_device_does_not_take_is_told(watched: FakeHost) -> None:
    with pytest.raises(Error, match="watchdog0 takes 63 s instead of 300"):
        watchdog.make_ready(watched.root, 300, lambda fd, seconds: 63)
    with pytest.raises(Error, match="cannot be set to 300 s"):
        watchdog.make_ready(watched.root, 300)  # no watchdog behind that file: ENOTTY
    assert read(watched, "dev/watchdog0").startswith("V"), "it runs on"
    assert not (watched.root / READY).exists()


def test_the_driver_is_the_only_user_of_the_core_where_there_is_no_link(watched: FakeHost) -> None:
    without_driver(watched)
    for name in ("softdog", "i6300esb"):
        watched.write("{}/{}".format(watchdog.USERS, name), "")
    make_ready(watched)
    assert read(watched, MODULE) == "i6300esb i6300esb\n"
    watched.write("dev/watchdog0", "")
    watchdog.take_over(watched.root)
    assert read(watched, "dev/watchdog0") == "V"


def test_a_driver_that_is_built_in_is_always_there(watched: FakeHost) -> None:
    (watched.root / watchdog.CLASS / "watchdog0/device/driver/module").unlink()
    make_ready(watched)
    assert read(watched, MODULE) == " \n"
    watched.write("dev/watchdog0", "")
    watchdog.take_over(watched.root)
    assert (read(watched, "dev/watchdog0"), watched.calls()) == ("V", [])


def test_nothing_is_touched_where_it_is_not_wanted(watched: FakeHost) -> None:
    assert make_ready(watched, 0) == []
    assert read(watched, "dev/watchdog0") == ""
    assert watchdog.describe_watch(watched.root, 0) is None


def test_the_new_boot_stops_it_once(watched: FakeHost) -> None:
    make_ready(watched)
    watched.boot("00000000-0000-4000-8000-000000000002")
    watched.write("dev/watchdog0", "")
    watchdog.take_over(watched.root)
    assert read(watched, "dev/watchdog0") == "V"
    assert not (watched.root / MODULE).exists()
    watched.write("dev/watchdog0", "")
    watchdog.take_over(watched.root)
    assert read(watched, "dev/watchdog0") == ""


def test_the_new_boot_loads_the_driver_where_it_is_missing(watched: FakeHost) -> None:
    make_ready(watched)
    (watched.root / watchdog.CLASS).rename(watched.root / "later")
    (watched.root / "dev/watchdog0").unlink()
    body = "mv {0}/later {0}/{1}; : >{0}/dev/watchdog0".format(watched.root, watchdog.CLASS)
    watched.program("modprobe", body)
    watchdog.take_over(watched.root)
    assert watched.calls() == [["modprobe", "--", "i6300esb"]]
    assert read(watched, "dev/watchdog0") == "V"


def test_a_driver_that_cannot_be_loaded_is_an_error(watched: FakeHost) -> None:
    make_ready(watched)
    (watched.root / watchdog.CLASS).rename(watched.root / "later")
    watched.program("modprobe", "echo 'modprobe: FATAL: not found' >&2; exit 1")
    with pytest.raises(Error, match="modprobe: FATAL: not found"):
        watchdog.take_over(watched.root)
    assert (watched.root / MODULE).exists()


@pytest.mark.parametrize("change, is_left", [(nowayout, True), (used, False)])
def test_a_device_that_is_anothers_or_cannot_be_stopped_any_more_is_not_opened(
    watched: FakeHost,
    change: Spoil,
    is_left: bool,
) -> None:
    make_ready(watched)
    watched.write("dev/watchdog0", "")
    change(watched)
    if is_left:
        with pytest.raises(Error, match="watchdog0 cannot be stopped"):
            watchdog.take_over(watched.root)
    else:
        watchdog.take_over(watched.root)
    assert read(watched, "dev/watchdog0") == ""
    assert (watched.root / MODULE).exists() is is_left


@pytest.mark.parametrize("number, is_left", [(errno.EBUSY, False), (errno.EIO, True)])
def test_a_device_that_a_program_takes_meanwhile_is_in_good_hands(
    watched: FakeHost, monkeypatch: pytest.MonkeyPatch, number: int, is_left: bool
) -> None:
    make_ready(watched)
    opened = os.open

    def fail(path: str, *args: int) -> int:
        if str(path).endswith("dev/watchdog0"):
            raise OSError(number, os.strerror(number))
        return opened(path, *args)

    monkeypatch.setattr(os, "open", fail)
    with contextlib.suppress(Error):  # what failed is to be tried again
        watchdog.take_over(watched.root)
    assert (watched.root / MODULE).exists() is is_left


def test_a_device_that_is_gone_is_an_error(watched: FakeHost) -> None:
    make_ready(watched)
    (watched.root / "dev/watchdog0").unlink()
    with pytest.raises(Error, match="the watchdog watchdog0 cannot be stopped: No such file"):
        watchdog.take_over(watched.root)


def test_the_last_step_starts_it_and_does_not_stop_it(watched: FakeHost, capfd: "pytest.CaptureFixture[str]") -> None:
    make_ready(watched)
    watched.write("dev/watchdog0", "")
    watched.write("sys/kernel/kexec_loaded", "1\n")
    watched.program("kexec", "cat {}/dev/watchdog0; exit 1".format(watched.root))
    assert last_step.main([], watched.root) == last_step.WENT_COLD
    assert "kexec-initd: watchdog0 watches the jump\n" in capfd.readouterr().out
    assert read(watched, "dev/watchdog0") == ""


def test_one_that_cannot_be_started_means_cold(watched: FakeHost, capfd: "pytest.CaptureFixture[str]") -> None:
    make_ready(watched)
    watched.write("sys/kernel/kexec_loaded", "1\n")
    (watched.root / "dev/watchdog0").unlink()
    assert last_step.main([], watched.root) == last_step.WENT_COLD
    assert "goes through firmware: watchdog0 cannot be started: No such file" in capfd.readouterr().out
    assert "kexec" not in watched.names()


def test_a_load_that_cannot_be_watched_is_a_load_and_says_so(watched: FakeHost) -> None:
    with_kernel(watched)
    stopped(watched)
    said = shutdown.preload(gather(watched.root), Settings(watchdog=300))
    assert said.startswith("loaded kernel 6.1.0-test; the jump will not be watched: the kernel would stop watchdog0")


def test_a_load_sets_the_device_and_says_where_that_failed(watched: FakeHost) -> None:
    with_kernel(watched)
    said = shutdown.preload(gather(watched.root), Settings(watchdog=300))
    assert read(watched, "dev/watchdog0").endswith("V"), "it was not opened"
    assert said.endswith("not be watched: watchdog0 (i6300ESB timer) has not been set to 300 s, which a load does")


def drop(fake: FakeHost) -> None:
    load.drop(fake.root)


def unload_by_hand(fake: FakeHost) -> None:
    run_unload(argparse.Namespace(), gather(fake.root))


def decide_for_cold(fake: FakeHost) -> None:
    shutdown.prepare(gather(fake.root), Settings(kexec=False))


@pytest.mark.parametrize("unload", [drop, unload_by_hand, decide_for_cold])
def test_what_is_unloaded_is_no_jump_to_watch(watched: FakeHost, unload: Spoil) -> None:
    with_kernel(watched)
    shutdown.preload(gather(watched.root), Settings())
    make_ready(watched)
    unload(watched)
    assert watchdog.find_ready(watched.root) is None


def test_preload_stops_the_one_of_the_jump_before(watched: FakeHost) -> None:
    with_kernel(watched)
    make_ready(watched)
    watched.write("dev/watchdog0", "")
    shutdown.preload(gather(watched.root), Settings(preload=False))
    assert read(watched, "dev/watchdog0") == "V"


def test_the_state_directory_of_old_hosts(watched: FakeHost) -> None:
    (watched.root / "var/run").mkdir(parents=True)
    Path(str(watched.root) + "/dev/.kexec-initd").mkdir()
    make_ready(watched)
    assert read(watched, "dev/.kexec-initd/watchdog") == "watchdog0 watchdog0\n"
