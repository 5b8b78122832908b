"""The lock of the standalone installer: held by the process that took it, not by another one with its number."""

import os

import pytest

from kexec_initd.install.render import render_plain
from tests.scripts.jail import Jail

LOCK = "var/lib/kexec-initd/lock"
# This very process lives as long as the test. Its name holds what proc(5) warns of.
STAT = "{} (a) b) c) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {} 0 0\n"
STARTED = 12345
HELD = "kexec-initd: another install or uninstall is under way (process {}, /{})\n".format(os.getpid(), LOCK)


@pytest.fixture
def site(jail: Jail) -> Jail:
    """Return a host on which a killed run may have left its lock, and whose /proc tells of this process."""
    jail.write("etc/init.d/drive", render_plain("standalone/installer.sh").decode() + "\ntake_lock\necho taken\n")
    jail.write("proc/{}/stat".format(os.getpid()), STAT.format(os.getpid(), STARTED))
    for tool in ("ln", "rmdir"):
        jail.copy("/bin/" + tool)
    (jail.root / LOCK).parent.mkdir(parents=True)
    return jail


@pytest.mark.parametrize(
    "holder, held",
    [
        ("PID-{}".format(STARTED), True),
        ("PID-{}".format(STARTED - 1), False),
        ("PID-", False),
        ("PID", False),
        ("999999999-{}".format(STARTED), False),
        ("-{}".format(STARTED), False),
        ("x-1", False),
        ("nothing there", False),
    ],
)
def test_only_the_process_that_took_it_holds_it(site: Jail, holder: str, held: bool) -> None:
    holder = holder.replace("PID", str(os.getpid()))
    (site.root / LOCK).symlink_to(holder)
    run = site.run("drive")
    assert (run.code, run.said) == ((1, HELD) if held else (0, "taken\n"))
    assert (os.readlink(site.root / LOCK) == holder) is held


def test_where_proc_tells_nothing_a_process_that_lives_holds_it(site: Jail) -> None:
    (site.root / "proc/{}/stat".format(os.getpid())).unlink()
    (site.root / LOCK).symlink_to("{}-".format(os.getpid()))
    assert site.run("drive").said == HELD
