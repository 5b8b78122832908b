"""The package's postinst: what it does when a trigger calls it because another init system was installed."""

from pathlib import Path
from typing import List

import pytest

from tests.scripts.jail import Jail

POSTINST = Path(__file__).resolve().parents[2] / "debian/postinst"
INSTALL = "kexec-initd install --take-over"


@pytest.fixture
def host(jail: Jail) -> Jail:
    jail.write("etc/init.d/postinst", POSTINST.read_text())
    jail.fake("kexec-initd")
    jail.write("lib/systemd/systemd", "", 0o755)
    jail.write("lib/sysvinit/init", "", 0o755)
    (jail.root / "sbin/init").unlink()
    return jail


@pytest.mark.parametrize(
    "init, stamp, calls",
    [
        ("/lib/systemd/systemd", True, [INSTALL, "kexec-initd unload"]),
        ("/lib/systemd/systemd", False, [INSTALL]),  # loaded by hand, or nothing
        ("/lib/sysvinit/init", True, [INSTALL]),
    ],
)
def test_nothing_of_ours_stays_loaded_once_systemd_is_the_next_init(
    host: Jail, init: str, stamp: bool, calls: List[str]
) -> None:
    (host.root / "sbin/init").symlink_to(init)
    if stamp:
        host.write("run/kexec-initd/stamp", "end\n")
    assert host.run("postinst", "triggered", "/sbin/init").said == ""
    assert host.calls() == calls
    host.write("run/systemd/system/x", "")  # it runs, and has asked for what is loaded
    host.run("postinst", "triggered", "/sbin/init")
    assert host.calls() == [*calls, INSTALL]
