"""The system's log: each event in one line with its code, from Python and from shell, and nobody waits for a log that is dead."""

# ruff: noqa: F811 - what pytest calls by the names of fixtures
import os
import socket
from pathlib import Path
from typing import List, Optional

import pytest

from kexec_initd.settings.reader import Settings
from kexec_initd.stages import shutdown
from kexec_initd.system import journal, syslog
from kexec_initd.system.host import gather
from tests.scripts.jail import Jail
from tests.scripts.standalone import ALONE, ATTEMPT, RELEASE, StandaloneJail
from tests.scripts.test_early_step import decision, early  # noqa: F401 - the fixtures
from tests.scripts.test_standalone_attempts import boot
from tests.unit.conftest import fake  # noqa: F401 - the fixture
from tests.unit.fake_host import FakeHost, with_kernel
from tests.unit.waiting import eventually

LOGGED = "logger -t kexec-initd -p daemon.notice "


def listen(place: Path, kind: int = socket.SOCK_DGRAM) -> socket.socket:
    """Bind a socket at a path of any length."""
    place.parent.mkdir(parents=True, exist_ok=True)
    directory = os.open(str(place.parent), os.O_RDONLY)
    receiver = socket.socket(socket.AF_UNIX, kind)
    receiver.settimeout(10)
    receiver.bind("/proc/self/fd/{}/{}".format(directory, place.name))
    os.close(directory)
    return receiver


def logged(jail: Jail, count: int) -> List[str]:
    """Return what logger(1) was called with, once that many calls are there."""
    found: List[str] = []

    def is_complete() -> bool:
        found[:] = [call[len(LOGGED) :] for call in jail.calls() if call.startswith(LOGGED)]
        return len(found) >= count

    assert eventually(is_complete), found
    return found


@pytest.mark.parametrize("wish, told", [
    ("", "reboot goes through kexec: what is loaded has not changed [target]"),
    ("no-kexec-reboot", "reboot goes through firmware: asked for by /no-kexec-reboot [cold-once]"),
])  # fmt: skip
def test_the_early_step_tells_its_decision(early: Jail, wish: str, told: str) -> None:
    early.fake("logger")
    if wish:
        early.write(wish, "")
    with listen(early.root / "dev/log"):
        early.run("kexec-initd", "stop")
        assert logged(early, 1) == [told]


def test_a_log_that_takes_nothing_is_waited_for_by_nobody(early: Jail) -> None:
    # No limit ends this logger, so that whoever waited for it would wait for ever.
    early.write(
        "bin/sleep", (early.root / "bin/sleep").read_text().replace("1)", "4) exec real-sleep 100 ;; 1)"), 0o755
    )
    os.mkfifo(str(early.root / "gate"))
    early.fake("logger", "read x </gate; : >/through")
    with listen(early.root / "dev/log"):
        assert early.run("kexec-initd", "stop").said == ""
    assert decision(early) == "kexec\n" and not (early.root / "through").exists()
    (early.root / "gate").write_text("\n")
    assert eventually((early.root / "through").exists)


def test_without_a_log_no_process_is_started(early: Jail) -> None:
    early.fake("logger")
    early.write("dev/log", "")
    early.run("kexec-initd", "stop")
    assert decision(early) == "kexec\n" and "logger" not in "".join(early.calls())


@pytest.mark.parametrize("shell", ALONE)
def test_without_python_loads_decisions_and_arrivals_are_told(tmp_path: Path, shell: str) -> None:
    jail = StandaloneJail(tmp_path / "jail", shell)
    jail.fake("logger")
    fate = "kexec of attempt {} (kernel {}): ".format(ATTEMPT, RELEASE)
    with listen(jail.root / "dev/log"):
        boot(jail, 0)
        jail.run("kexec-initd", "stop")
        logged(jail, 2)
        boot(jail, 1, ATTEMPT)
        jail.run("kexec-initd", "stop")
        logged(jail, 5)
        boot(jail, 2)
        told = logged(jail, 7)
    load, way = (
        "loaded kernel {} [loaded]".format(RELEASE),
        "reboot goes through kexec: what is loaded has not changed [target]",
    )
    assert sorted(told[:5]) == sorted([load, way, fate + "arrived [arrived]", load, way])
    assert fate + "never arrived [lost]" in told[5:]
    assert any(line.startswith("nothing is loaded at boot: ") and line.endswith("[guard]") for line in told[5:])


def receive(receiver: socket.socket, kind: int) -> List[str]:
    """Return all that was sent."""
    found = []
    receiver.settimeout(0.2)
    try:
        while True:
            peer: Optional[socket.socket] = receiver.accept()[0] if kind == socket.SOCK_STREAM else None
            data = (peer or receiver).recv(4096)
            found.append(data.decode())
            if peer is not None:
                peer.close()
    except OSError:
        return found


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_python_tells_syslog(fake: FakeHost, monkeypatch: pytest.MonkeyPatch, kind: int) -> None:
    place = Path("/tmp/kexec-initd-test.{}.{}".format(os.getpid(), int(kind)))
    monkeypatch.setattr(syslog, "SOCKET", str(place))
    with_kernel(fake)
    with listen(place, kind) as receiver:
        if kind == socket.SOCK_STREAM:
            receiver.listen(9)
        shutdown.preload(gather(fake.root), Settings())
        shutdown.prepare(gather(fake.root), Settings(kexec=False))
        said = receive(receiver, kind)
    place.unlink()
    begin = "<29>kexec-initd[{}]: ".format(os.getpid())
    assert [line.rstrip("\0") for line in said] == [
        begin + "loaded kernel 6.1.0-test: kernel 6.1.0-test [loaded]",
        begin + "reboot goes through firmware: KEXEC=no in the settings [switched-off]",
    ]


@pytest.mark.parametrize("shown, code", [(True, "arrived"), (False, "lost")])
def test_what_became_of_a_kexec_is_told_once(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch, shown: bool, code: str
) -> None:
    told: List[str] = []
    monkeypatch.setattr(syslog, "tell", lambda root, text, code: told.append("{} [{}]".format(text, code)))
    shutdown.prepare(gather(with_kernel(fake).root), Settings())
    attempt = (fake.root / "var/lib/kexec-initd/attempts").read_text().split("under-way ")[1].split()[0]
    fake.write("proc/sys/kernel/random/boot_id", "01234567-89ab-4cde-8f01-23456789abcd\n")
    fake.write("proc/cmdline", "kexec_initd.attempt={} root=/dev/vda1\n".format(attempt if shown else "other"))
    told.clear()
    for _ in range(2):
        shutdown.record_boot(gather(fake.root), Settings())
    fate = {"arrived": "arrived", "lost": "never arrived"}[code]
    assert told == ["kexec of attempt {} (kernel 6.1.0-test): {} [{}]".format(attempt, fate, code)]


def test_a_log_that_is_full_or_gone_and_one_that_has_a_journal_holds_up_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Path("/tmp/kexec-initd-test.{}".format(os.getpid()))
    monkeypatch.setattr(syslog, "SOCKET", str(place))
    with listen(place) as receiver:
        for _ in range(2000):
            syslog.tell(tmp_path, "x" * 90, "code")
        before = len(receive(receiver, socket.SOCK_DGRAM))
        (tmp_path / "run/systemd/journal").mkdir(parents=True)
        (tmp_path / journal.SOCKET).write_text("")
        syslog.tell(tmp_path, "x", "code")
        assert 0 < before < 2000 and receive(receiver, socket.SOCK_DGRAM) == []
        (tmp_path / journal.SOCKET).unlink()
    syslog.tell(tmp_path, "x", "code")
    place.unlink()
    syslog.tell(tmp_path, "x", "code")
