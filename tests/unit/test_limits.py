"""Limits, the trial, the checks after a kexec, and the reason that outlives a cold reboot: whole boots of a fake host."""

import os
from pathlib import Path
from typing import Callable, List, Optional, Tuple

import pytest

from kexec_initd.codes import Code, Decision
from kexec_initd.decision.assess import is_attended
from kexec_initd.errors import Refused
from kexec_initd.history import attempts, guard, health, last_cold
from kexec_initd.history.guard import Outcome
from kexec_initd.kexec import stamp
from kexec_initd.settings.reader import Settings
from kexec_initd.stages import shutdown
from kexec_initd.system.host import gather
from kexec_initd.verbs import status
from tests.unit.fake_host import FakeHost, with_kernel

pytestmark = pytest.mark.ends

ROUTES = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
DEFAULT = ROUTES + "eth0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
LOCAL = ROUTES + "eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
SIX = "{} {} {} 00 {} 00000400 00000001 00000000 {} {}\n"
NONE = "0" * 32
# The kernel's tables of routes for IPv4 and IPv6, and whether one of them has a default route.
TABLES = [
    (DEFAULT, "", True),
    (LOCAL, "", False),
    (DEFAULT.replace("0003", "0200"), "", False),
    (DEFAULT.replace("0003", "zz"), "", False),
    (DEFAULT.replace("0003", "0201"), "", False),
    ("", SIX.format(NONE, "00", NONE, NONE, "00000001", "lo"), False),
    ("", SIX.format(NONE, "00", NONE, NONE, "00000201", "eth0"), False),
    ("", SIX.format(NONE, "00", NONE, NONE, "00000003", "eth0"), True),
    ("", SIX.format(NONE, "00", NONE, NONE, "00200200", "lo"), False),
    ("", SIX.format(NONE, "40", NONE, NONE, "00000001", "eth0"), False),
    ("", "", False),
]


@pytest.fixture
def ready(fake: FakeHost) -> FakeHost:
    (fake.root / "var/lib/kexec-initd").mkdir(parents=True)
    fake.write("proc/uptime", "100.00 50.00\n")
    return with_kernel(fake)


def boot(fake: FakeHost, shown: Optional[str], settings: Settings) -> str:
    """Let the next boot come, with the attempt `shown` on its command line; return what was said at its end."""
    fake.boot(os.urandom(16).hex())
    text = "BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro"
    fake.write("proc/cmdline", "kexec_initd.attempt={} {}\n".format(shown, text) if shown else text + "\n")
    return shutdown.preload(gather(fake.root), settings)


def reboot(fake: FakeHost, settings: Settings) -> Optional[str]:
    """Shut down; return the attempt that is under way, or None for a cold reboot."""
    decided = shutdown.prepare(gather(fake.root), settings)
    loaded = stamp.read_loaded(fake.root)
    assert decided.kexec == (loaded is not None)
    return loaded.attempt if loaded else None


def code(fake: FakeHost) -> Optional[str]:
    last = kept(fake.root)
    return last.code if last else None


def test_after_so_many_kexecs_one_reboot_goes_through_firmware(ready: FakeHost) -> None:
    settings = Settings(max_kexecs=2)
    boot(ready, None, settings)
    for _ in range(2):
        shown = reboot(ready, settings)
        assert shown is not None
        boot(ready, shown, settings)
    assert reboot(ready, settings) is None
    assert code(ready) == "limit-kexecs"
    boot(ready, None, settings)
    assert reboot(ready, settings) is not None
    assert code(ready) == "undecided"


def test_after_so_many_days_a_reboot_goes_through_firmware_whatever_was_loaded(ready: FakeHost) -> None:
    settings = Settings(max_days=2)
    boot(ready, None, settings)
    assert (ready.root / "run/kexec-initd/stamp").read_text().split("end ")[0].endswith("\n? /\n")
    ready.write("proc/uptime", "172900.00 50.00\n")
    assert reboot(ready, settings) is None
    assert code(ready) == "limit-days"
    assert guard.days_reached(2.0, 2) and guard.days_reached(1.99, 2) is None, (
        "at the end of the last day, not after it"
    )
    ready.write("proc/uptime", "100.00 50.00\n")
    boot(ready, None, settings)
    assert reboot(ready, settings) is not None


def test_on_trial_only_what_is_watched_goes_through_kexec_until_enough_have_arrived(ready: FakeHost) -> None:
    settings = Settings(trial=2)
    shown = None
    for number in range(2):
        assert "on trial, {} of 2 kexecs have arrived".format(number) in boot(ready, shown, settings)
        assert reboot(ready, settings) is None
        assert code(ready) == "trial"
        boot(ready, None, settings)
        assert shutdown.attend(gather(ready.root), settings).endswith("({} of 2 have arrived)".format(number))
        assert (ready.root / "run/kexec-initd/stamp").read_text().split("end ")[0].endswith("\n? /\n"), (
            "an hour passes unseen"
        )
        shown = reboot(ready, settings)
        assert shown is not None
    boot(ready, shown, settings)
    assert shutdown.attend(gather(ready.root), settings).startswith("nothing to watch for")
    assert reboot(ready, settings) is not None


def test_nobody_watches_for_longer_than_an_hour(ready: FakeHost) -> None:
    settings = Settings(trial=1)
    boot(ready, None, settings)
    shutdown.attend(gather(ready.root), settings)
    ready.write("proc/uptime", "3701.00 50.00\n")
    assert reboot(ready, settings) is None
    assert code(ready) == "trial"


@pytest.mark.parametrize("text", ["", "nonsense", "99", "99\n", "99 98\n", "101 101\n", "-9999 -9999\n", "nan nan\n"])
def test_a_flag_that_says_nothing_is_none(tmp_path: Path, text: str) -> None:
    flag = tmp_path / "run/kexec-initd/attended"
    flag.parent.mkdir(parents=True)
    flag.write_text(text)
    assert not is_attended(tmp_path, 100.0)


def test_what_stands_in_the_way_of_a_trial_is_said_at_once(ready: FakeHost) -> None:
    settings = Settings(trial=1, kexec=False)
    boot(ready, None, settings)
    with pytest.raises(Refused, match="KEXEC=no"):
        shutdown.attend(gather(ready.root), settings)
    assert not (ready.root / "run/kexec-initd/attended").exists()


def test_an_arrival_that_fails_its_checks_closes_the_guard(ready: FakeHost) -> None:
    settings = Settings(check_route=True, check_seconds=1)
    boot(ready, None, settings)
    lost = reboot(ready, settings)
    said = boot(ready, lost, settings)
    assert "attempt {} ".format(lost) in said and "failed: there is no default route; kexec again after" in said
    assert reboot(ready, settings) is None
    assert code(ready) == "guard"
    boot(ready, None, settings)
    found = status.gather_status(gather(ready.root), settings, [])
    assert (found.last_outcome, found.last_code, found.kexecs_total) == ("failed", "guard", 0)
    assert "last reboot: through firmware: attempt {} ".format(lost) in status.as_text(found)
    assert "failed: there is no default route" in attempts.trust(gather(ready.root), 3)
    boot(ready, None, settings)
    ready.write("proc/net/route", DEFAULT)
    shown = reboot(ready, settings)
    boot(ready, shown, settings)
    record = attempts.read(ready.root)
    assert record.last is not None
    assert (record.last.outcome, record.total, record.guard) == (Outcome.ARRIVED, 1, None)


def test_a_boot_through_firmware_is_not_checked(ready: FakeHost) -> None:
    ready.program("check", "exit 1", health.PROGRAMS)
    boot(ready, None, Settings())
    assert "check" not in ready.names()


def test_the_programs_are_tried_again_until_they_are_content(ready: FakeHost) -> None:
    ready.program("check", "[ -e {}/late ]".format(ready.root), health.PROGRAMS)
    ready.program("writable", "exit 1", health.PROGRAMS).chmod(0o777)
    said: List[str] = []

    def sleep(seconds: float) -> None:
        ready.write("late", "")

    assert health.find_failure(ready.root, Settings(), said.append, sleep) is None
    assert ready.names() == ["check", "check"]
    assert len(said) == 1 and "left out" in said[0]


def test_a_program_that_fails_is_named(ready: FakeHost) -> None:
    path = ready.program("check", "echo no disk >&2; exit 4", health.PROGRAMS)
    failure = health.find_failure(ready.root, Settings(check_seconds=0), print)
    assert failure == "{} failed with exit code 4: no disk".format(path)


@pytest.mark.parametrize("four, six, there", TABLES)
def test_default_route(fake: FakeHost, four: str, six: str, there: bool) -> None:
    fake.write("proc/net/route", four)
    fake.write("proc/net/ipv6_route", six)
    assert health.has_default_route(fake.root) is there


def test_the_reason_of_a_cold_reboot_is_kept_for_the_next_boot(tmp_path: Path) -> None:
    assert kept(tmp_path) is None
    last_cold.keep(tmp_path, Decision(Code.NO_TARGET, "a name with\na newline"))
    assert kept(tmp_path) == last_cold.LastCold("no-target", "a name with\\na newline")
    last_cold.keep(tmp_path, Decision(Code.BY_HAND, "x"))
    assert kept(tmp_path) is None


def test_each_boot_is_told_of_by_what_led_to_it(ready: FakeHost) -> None:
    boot(ready, None, Settings())
    assert came(ready) == (None, None)
    assert kept(ready.root) == last_cold.UNDECIDED
    assert reboot(ready, Settings(kexec=False)) is None
    assert came(ready) == (None, None), "what is to come is no word about what has been"
    boot(ready, None, Settings())
    assert came(ready) == ("cold", "switched-off")
    shown = reboot(ready, Settings())
    boot(ready, shown, Settings())
    assert came(ready) == ("kexec", None)
    reboot(ready, Settings())
    boot(ready, None, Settings())
    assert came(ready) == ("cold", "lost")
    boot(ready, None, Settings())
    assert came(ready) == ("cold", "undecided"), "the power failed"
    reboot(ready, Settings())
    boot(ready, None, Settings())
    assert came(ready) == ("cold", "guard")


def test_before_the_end_of_a_boot_the_same_is_told_of_it(ready: FakeHost) -> None:
    boot(ready, None, Settings())
    shown = reboot(ready, Settings())
    for attempt, told in (shown, ("kexec", None)), (None, ("cold", "lost")):
        ready.boot(os.urandom(16).hex())
        ready.write("proc/cmdline", "kexec_initd.attempt={} ro\n".format(attempt) if attempt else "ro\n")
        assert came(ready) == told


def kept(root: Path) -> Optional[last_cold.LastCold]:
    return last_cold.read(root)


def came(fake: FakeHost) -> Tuple[Optional[str], Optional[str]]:
    """Tell how `status` says that the running boot came."""
    found = status.gather_status(gather(fake.root), Settings(), [])
    return found.last_reboot, found.last_code


def as_directory(place: Path) -> None:
    place.mkdir()


def as_link(place: Path) -> None:
    place.symlink_to("/etc/passwd")


def as_pipe(place: Path) -> None:
    os.mkfifo(str(place))


def as_gibibyte(place: Path) -> None:
    with place.open("wb") as file:
        file.truncate(1 << 30)


def as_garbage(place: Path) -> None:
    place.write_bytes(b"\xff\x1b[31m")


@pytest.mark.parametrize("strange", [as_directory, as_link, as_pipe, as_gibibyte, as_garbage])
def test_whatever_is_in_place_of_the_reason_hinders_nothing(ready: FakeHost, strange: Callable[[Path], None]) -> None:
    strange(ready.root / "var/lib/kexec-initd/last-cold")
    text = status.as_text(status.gather_status(gather(ready.root), Settings(), []))
    assert "\x1b" not in text and "last reboot" not in text
    assert reboot(ready, Settings()) is not None
    assert reboot(ready, Settings(kexec=False)) is None
