"""Attempts and the guard without Python: the same record, the same judgement, the same way through the boots."""

import os
import random
from pathlib import Path
from typing import Callable, List, Optional, Tuple

import pytest

from kexec_initd.history import attempts
from kexec_initd.history.guard import Attempt, Boot, Guard, Last, Outcome, Record, judge
from kexec_initd.state import checksum
from tests.scripts.standalone import ALONE, ATTEMPT, CMDLINE, RELEASE, StandaloneJail
from tests.scripts.test_standalone_load import COLD, RECORD, SETTINGS

BOOTS = ("01234567-89ab-4cde-8f01-000000000000", "01234567-89ab-4cde-8f01-000000000001")
IDS = ("aaaa", "bbbb")
WRITTEN = 1_600_000_000


@pytest.fixture(params=ALONE)
def jail(request: pytest.FixtureRequest, tmp_path: Path) -> StandaloneJail:
    return StandaloneJail(tmp_path / "jail", request.param)


def boot(jail: StandaloneJail, number: int, shown: Optional[str] = None) -> str:
    """Let the next boot come and its end be reached; return what was said there."""
    for name in os.listdir(jail.root / "run/kexec-initd"):
        (jail.root / "run/kexec-initd" / name).unlink()
    jail.write("sys/kernel/kexec_loaded", "0\n")
    jail.write("proc/sys/kernel/random/boot_id", BOOTS[0][:-4] + "{:04}\n".format(number))
    jail.write("proc/cmdline", "kexec_initd.attempt={} {}\n".format(shown, CMDLINE) if shown else CMDLINE + "\n")
    return jail.run("kexec-initd", "load", runlevel="2").said


def read(jail: StandaloneJail) -> Record:
    return attempts.read(jail.root)


def test_boots_that_arrive(jail: StandaloneJail) -> None:
    shown = None
    for number in range(3):
        assert boot(jail, number, shown) == "kexec-initd: loaded kernel {}\n".format(RELEASE)
        assert read(jail).kexecs == number
        assert jail.run("kexec-initd", "stop").said == ""
        assert jail.decision == "kexec\n"
        record = read(jail)
        assert record.last is not None
        assert (record.last.outcome, record.last.attempt.id) == (Outcome.UNDER_WAY, ATTEMPT)
        assert (record.last.attempt.release, record.boot[-1]) == (RELEASE, str(number))
        shown = ATTEMPT
    assert jail.kexecs().count("-l") == 3


def test_one_that_never_arrives_closes_the_guard_until_enough_boots_were_good(jail: StandaloneJail) -> None:
    boot(jail, 0)
    jail.run("kexec-initd", "stop")
    jail.write(SETTINGS, "GUARD_BOOTS=2\n")
    for number in range(2):
        left = ("2 more good boots", "1 more good boot")[number]
        why = "attempt {} (kernel {}) never arrived; kexec again after {}, ".format(ATTEMPT, RELEASE, left)
        assert why in boot(jail, 1 + number)
        assert jail.run("kexec-initd", "stop").said.startswith(COLD + why)
    assert boot(jail, 3) == "kexec-initd: loaded kernel {}\n".format(RELEASE)
    jail.run("kexec-initd", "stop")
    assert jail.decision == "kexec\n"


def test_a_machine_that_goes_off_before_the_end_of_its_boot_has_arrived(jail: StandaloneJail) -> None:
    boot(jail, 0)
    jail.run("kexec-initd", "stop")
    jail.write("proc/sys/kernel/random/boot_id", BOOTS[1] + "\n")
    jail.write("proc/cmdline", "kexec_initd.attempt={} {}\n".format(ATTEMPT, CMDLINE))
    jail.run("kexec-initd", "stop", runlevel="0")
    record = read(jail)
    assert record.last is not None and record.last.outcome is Outcome.ARRIVED
    assert boot(jail, 2).startswith("kexec-initd: loaded kernel")


def settle(jail: StandaloneJail, line: str, loader: int) -> Record:
    """Let another boot come, with that command line and that number of its loader, and return the record of it."""
    jail.write("proc/sys/kernel/random/boot_id", os.urandom(16).hex() + "\n")
    jail.write("proc/cmdline", line + "\n")
    jail.write("proc/sys/kernel/bootloader_type", "{}\n".format(loader))
    jail.run("kexec-initd", "stop", runlevel="0")
    return read(jail)


@pytest.mark.parametrize("line", [
    "kexec_initd.attempt=old " + CMDLINE, CMDLINE + " kexec_initd.attempt=old kexec_initd.attempt=older",
    CMDLINE + " -- kexec_initd.attempt={}".format(ATTEMPT), "xkexec_initd.attempt={} x".format(ATTEMPT),
])  # fmt: skip
def test_only_the_last_attempts_own_id_is_an_arrival(jail: StandaloneJail, line: str) -> None:
    boot(jail, 0)
    jail.run("kexec-initd", "stop")
    record = settle(jail, line, 114)
    assert (record.kexecs, record.last and record.last.outcome) == (0, Outcome.LOST)


def test_another_kernel_through_a_kexec_was_loaded_over_ours(jail: StandaloneJail) -> None:
    boot(jail, 0)
    jail.run("kexec-initd", "stop")
    record = settle(jail, "kexec_initd.attempt=old " + CMDLINE, 208)
    assert (record.kexecs, record.last and record.last.outcome, record.guard) == (1, Outcome.REPLACED, None)


def test_where_the_boot_loader_is_a_kernel_its_kexec_is_no_evidence(jail: StandaloneJail) -> None:
    jail.write("proc/sys/kernel/bootloader_type", "208\n")
    boot(jail, 0)
    jail.run("kexec-initd", "stop")
    record = settle(jail, CMDLINE, 208)
    assert (record.kexecs, record.last and record.last.outcome) == (0, Outcome.LOST)


def test_numbers_of_another_form_end_no_shell(jail: StandaloneJail) -> None:
    done = jail.drive("""
    for number in '' abc -5 1e9 08 0x10 'a[$(touch /canary)]' 99999999999999999999 '*'; do
        printf '%s\\n' "$number" >/proc/uptime
        date () { printf '%s\\n' "$number"; }
        find_beginning && echo "$uptime $now $began"
        printf '%s x\\n' "$number" >/proc/sys/kernel/random/boot_id
        if find_boot; then echo "$boot"; fi
    done
    """)
    assert set(done.said.splitlines()) == {"0 0 0"}
    assert not (jail.root / "canary").exists()


def removed(jail: StandaloneJail) -> None:
    (jail.root / RECORD).unlink()


def initrd_touched(jail: StandaloneJail) -> None:
    os.utime(jail.root / ("boot/initrd.img-" + RELEASE), (2e9, 2e9))


def command_line(jail: StandaloneJail) -> None:
    jail.write("proc/cmdline", CMDLINE + " more\n")


@pytest.mark.parametrize("change", [removed, initrd_touched, command_line])
def test_what_opens_the_guard(jail: StandaloneJail, change: Callable[[StandaloneJail], None]) -> None:
    boot(jail, 0)
    jail.run("kexec-initd", "stop")
    boot(jail, 1)
    change(jail)
    assert jail.run("kexec-initd", "stop").said == ""
    assert jail.decision == "kexec\n"


def as_directory(place: Path) -> None:
    place.mkdir()


def as_link(place: Path) -> None:
    place.symlink_to("nowhere")


def as_pipe(place: Path) -> None:
    os.mkfifo(place)


def as_gibibyte(place: Path) -> None:
    with place.open("wb") as file:
        file.truncate(1 << 30)


def as_writable_by_all(place: Path) -> None:
    place.write_bytes(attempts.format_record(Record()))
    place.chmod(0o666)


def as_another_version(place: Path) -> None:
    place.write_bytes(attempts.format_record(Record()).replace(b"attempts 1", b"attempts 2"))


def as_code(place: Path) -> None:
    record = Record(BOOTS[0], guard=Guard(0, Attempt("a", 1, "b", "c")))
    text = attempts.format_record(record).decode().replace("guard 0", "guard a[$(touch${IFS}/canary)]").split("end ")[0]
    place.write_bytes(checksum.seal(text.encode()))


@pytest.mark.parametrize(
    "strange", [as_directory, as_link, as_pipe, as_gibibyte, as_writable_by_all, as_another_version, as_code]
)
def test_whatever_is_in_place_of_the_record_means_cold_once(
    jail: StandaloneJail, strange: Callable[[Path], None]
) -> None:
    (jail.root / RECORD).parent.mkdir()
    strange(jail.root / RECORD)
    assert "nothing is loaded at boot: the record of attempts" in boot(jail, 1)
    assert jail.run("kexec-initd", "stop").said.startswith(COLD + "the record of attempts /" + RECORD)
    assert boot(jail, 2) == "kexec-initd: loaded kernel {}\n".format(RELEASE)
    assert jail.run("kexec-initd", "stop").said == ""
    assert not (jail.root / "canary").exists()


@pytest.mark.parametrize("old, new", [(b"attempts 1\n", b"attempts 2\n"), (b"why -\n", b"why -\nslots a\n")])
def test_a_record_of_a_newer_version_means_cold_and_is_kept(jail: StandaloneJail, old: bytes, new: bytes) -> None:
    data = attempts.format_record(Record(BOOTS[0], 7, 70)).replace(old, new)
    data = checksum.seal(data[: data.rindex(b"end ")])
    (jail.root / RECORD).parent.mkdir()
    place = jail.put(RECORD, data, 0o600)
    why = "/{} was written by a newer version of kexec-initd: install that version again, or remove the file".format(
        RECORD
    )
    assert "nothing is loaded at boot: " + why in boot(jail, 1)
    assert jail.run("kexec-initd", "stop").said == COLD + why + "\n"
    assert place.read_bytes() == data


def test_a_record_of_an_older_version_is_read(jail: StandaloneJail) -> None:
    record = Record(BOOTS[0], 7, 70, guard=Guard(1, Attempt("aaaa", 1, "0123abcd", "6.1")))
    lines = attempts.format_record(record).splitlines(keepends=True)
    older = b"".join(line for line in lines if line.split(b" ")[0] not in (b"total", b"firmware", b"why", b"end"))
    jail.put("record", checksum.seal(older), 0o600)
    done = jail.drive('attempts=/record; read_record && echo "$kexecs,$total,$firmware,$guard"')
    assert done.said == "7,7,0,1 aaaa 1 0123abcd 6.1\n"


def test_every_kind_of_damage_is_told(jail: StandaloneJail) -> None:
    chance = random.Random(6)
    data = attempts.format_record(Record(BOOTS[0], 7, guard=Guard(1, Attempt("aaaa", 1, "0123abcd", "6.1"))))
    for number in range(150):
        place = chance.randrange(len(data))
        flipped = data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]
        jail.put("records/{:04}".format(number), chance.choice([flipped, data[:place], data + b"\n"]), 0o600)
    jail.put("records/whole", data, 0o600)
    done = jail.drive("""
    for attempts in /records/*; do
        if read_record; then echo "$attempts"; fi
    done
    """)
    assert done.said == "/records/whole\n"


def test_a_record_that_cannot_be_written_means_cold(jail: StandaloneJail) -> None:
    jail.write("var/lib/kexec-initd", "in the way")
    assert jail.run("kexec-initd", "stop").said == COLD + "cannot write the record of attempts /{}\n".format(RECORD)


def test_a_cold_reboot_before_anyone_has_confirmed_the_boot_confirms_it(jail: StandaloneJail) -> None:
    boot(jail, 0)
    jail.run("kexec-initd", "stop")
    jail.write("proc/sys/kernel/random/boot_id", BOOTS[1] + "\n")
    jail.write("proc/cmdline", "kexec_initd.attempt={} {}\n".format(ATTEMPT, CMDLINE))
    jail.write("no-kexec-reboot", "")
    jail.run("kexec-initd", "stop")
    record = read(jail)
    assert record.last is not None
    assert (record.last.outcome, record.guard) == (Outcome.ARRIVED, None)


def stories() -> List[Tuple[Record, Optional[str], bool]]:
    """Return records, what the command line of the next boot shows, and whether a kexec shows otherwise."""
    chance = random.Random(5)

    def attempt(time: int) -> Attempt:
        return Attempt(chance.choice(IDS), time, "0123abcd", chance.choice(["6.1.0-1", "of unknown release"]))

    def record() -> Record:
        outcome = chance.choice([None, *Outcome])
        time = 0 if outcome is Outcome.UNDER_WAY and chance.randint(0, 1) else 1_700_000_000
        last = Last(outcome, attempt(time)) if outcome else None
        why = chance.choice([None, "no default route"])
        guard = chance.choice([None, Guard(chance.choice([0, 1, 2, 3, 9, 10]), attempt(1_500_000_000), why)])
        kexecs, total = chance.choice([0, 0, 1, 8, 9, 99]), chance.choice([0, 9, 123456])
        return Record(chance.choice([*BOOTS, "-"]), kexecs, total, chance.choice([0, WRITTEN]), last, guard)

    return [(record(), chance.choice([None, *IDS]), chance.random() < 0.3) for _ in range(100)]


@pytest.mark.slow
@pytest.mark.parametrize("now, began", [(1_700_000_100, 1_700_000_000), (315_532_900, 0)])
def test_every_boot_is_judged_as_python_judges_it(jail: StandaloneJail, now: int, began: int) -> None:
    corpus = stories()
    jail.write("proc/uptime", "100.00 50.00\n")
    for number, (record, shown, by_kexec) in enumerate(corpus):
        place = jail.put("records/{:04}".format(number), attempts.format_record(record), 0o600)
        os.utime(place, (WRITTEN, WRITTEN))
        jail.write(
            "cmdlines/{:04}".format(number), "root=a kexec_initd.attempt={} b\n".format(shown) if shown else "c\n"
        )
        jail.write("loaders/{:04}".format(number), "209\n" if by_kexec else "114\n")
    jail.write("proc/sys/kernel/random/boot_id", BOOTS[1] + "\n")
    done = jail.drive(
        """
    for attempts in /records/????; do
        cat /cmdlines/${attempts##*/} >/proc/cmdline
        cat /loaders/${attempts##*/} >/proc/sys/kernel/bootloader_type
        rm -f /records/kexec-loader
        settle_attempts || echo "$attempts: $reason"
    done
    """.replace("\n", "\ndate () {{ echo {}; }}\n".format(now), 1)
    )
    assert done.said == ""
    for number, (record, shown, by_kexec) in enumerate(corpus):
        found = attempts.parse_record((jail.root / "records/{:04}".format(number)).read_bytes())
        dated = attempts._dated(record, WRITTEN)
        expected = judge(dated, Boot(BOOTS[1], shown, began, by_kexec), 3)
        assert attempts._dated(found, WRITTEN) == expected, (number, record, shown)
