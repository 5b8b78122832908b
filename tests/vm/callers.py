"""Who asks systemd for a reboot, what has to come of it, and the table of what did: docs/reports/callers.md.

`$(scripts/venv) -m tests.vm.callers` runs them all on each release and writes it; what was seen adds up in build/callers.json.
With `--write` nothing is run.
"""

import argparse
import enum
import sys
from typing import List, NamedTuple

import pytest

from tests.vm.cache import CHECKOUT
from tests.vm.debian_systemd import SUITES
from tests.vm.seen import Seen

TEST = f"{CHECKOUT}/tests/vm/test_callers.py"
FORCED = "the early shutdown step left no decision"
ARGUMENT = "systemd was asked for what only a boot through firmware does (/run/systemd/reboot-param)"
LOGIND = "org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager"
FAILING = (
    "printf '%s\\n' [Unit] FailureAction=reboot [Service] ExecStart=/bin/false >/run/systemd/system/failing.service; "
    "systemctl daemon-reload; systemctl start failing"
)


class Outcome(enum.Enum):
    """The way that a guest has to take."""

    KEXEC = "kexec"
    COLD = "cold"
    UNTOUCHED = "its own"  # cold as without us: nothing of ours is called
    SOFT = "the same kernel"


class Caller(NamedTuple):
    """One way to ask, typed as `command`; with COLD the console has the `reason`. systemd knows it from `since` to `until`."""

    name: str
    command: str
    outcome: Outcome = Outcome.KEXEC
    reason: str = ""
    since: int = 0
    until: int = 999


CALLERS = (
    Caller("`reboot`", "reboot"),
    Caller("`systemctl reboot`", "systemctl reboot"),
    Caller("`shutdown -r now` (unattended-upgrades)", "shutdown -r now"),
    Caller("`shutdown -r 0 MESSAGE` (Ansible's reboot module)", "shutdown -r 0 'Reboot initiated by Ansible'"),
    Caller("`init 6`", "init 6", until=257),
    Caller("Ctrl-Alt-Del (SIGINT from the kernel to PID 1)", "kill -INT 1"),
    Caller("logind over D-Bus (desktops, `loginctl reboot`)", f"busctl call {LOGIND} Reboot b false"),
    Caller("`FailureAction=reboot` of a unit", FAILING),
    Caller("`systemctl kexec`", "systemctl kexec"),
    Caller("a second `reboot` while one is under way", "reboot; sleep 1; reboot"),
    Caller("`shutdown -r +5`, `shutdown -c`, then `reboot`", "shutdown -r +5; sleep 1; shutdown -c; sleep 1; reboot"),
    Caller("`SYSTEMCTL_SKIP_AUTO_KEXEC=1 reboot`", "SYSTEMCTL_SKIP_AUTO_KEXEC=1 reboot"),
    Caller("`systemctl soft-reboot`", "systemctl soft-reboot", Outcome.SOFT, since=254),
    Caller("`systemctl reboot --reboot-argument=x`", "systemctl reboot --reboot-argument=x", Outcome.COLD, ARGUMENT),
    Caller("`systemctl --force reboot`", "systemctl --force reboot", Outcome.COLD, FORCED),
    Caller("`systemctl reboot -ff`", "systemctl reboot -ff", Outcome.UNTOUCHED),
)
SEEN = Seen("callers")

TEMPLATE = """\
# Who reboots a host under systemd, {days}

Written by `$(scripts/venv) -m tests.vm.callers`, never by hand; what nobody has run says "not run".

Guests of Debian with systemd alone and our package, told to reboot in each of these ways. "kexec" means: another boot with a
fresh attempt on its command line, in the same QEMU process, which was never reset, and with file systems that were
unmounted or made read-only. "cold": a reset, our reason on the console, and the entry of the boot loader. "its own": a reset,
and nothing of ours called. "the same kernel": only user space was started anew.

{table}
"""


def render() -> str:
    """Return the document."""
    cells = SEEN.read()
    heads = {
        suite: f"Debian {number}, systemd {cells.get(suite, {}).get('systemd', '?')}" for suite, number in SUITES.items()
    }
    return TEMPLATE.format(days=SEEN.days(), table=SEEN.table("caller", heads, [caller.name for caller in CALLERS]))


def main() -> int:
    """Run the tests, write the document, and return the tests' exit status."""
    parser = argparse.ArgumentParser(description="Reboot hosts under systemd in each way, and write the table.")
    parser.add_argument("--write", action="store_true", help="only write what was seen before")
    args = parser.parse_args()
    argv: List[str] = ["-p", "no:cacheprovider", "-v", TEST]
    code = 0 if args.write else pytest.main(argv)
    SEEN.document.write_text(render(), encoding="utf-8")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
