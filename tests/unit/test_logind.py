"""Under an old systemd a loaded kernel would keep scheduled reboots from coming, so nothing is loaded before the shutdown."""

from typing import Optional

import pytest

from kexec_initd.settings.reader import Settings
from kexec_initd.stages import shutdown
from kexec_initd.system.host import SYSTEMD_UNIT, InitSystem, gather
from kexec_initd.system.logind import find_refusal
from tests.unit.fake_host import FakeHost, with_kernel

NAMED = "with a kernel loaded, systemd {} may refuse `shutdown -r +5`"


@pytest.mark.parametrize("said, refusal", [
    ("systemd 249 (249.11-0ubuntu3)", None),
    ("systemd 262 (262-1)", None),
    ("systemd 248", NAMED.format(248)),
    ("systemd 219", NAMED.format(219)),
    ("nothing known", NAMED.format("").replace("  ", ", whose version is unknown, ")),
    (None, NAMED.format("").replace("  ", ", whose version is unknown, ")),
])  # fmt: skip
def test_what_an_old_systemd_would_refuse(fake: FakeHost, said: Optional[str], refusal: Optional[str]) -> None:
    if said is not None:
        fake.program("systemctl", "echo '{}'; echo +PAM".format(said))
    assert find_refusal(gather(fake.root)) is None
    with_kernel(fake)
    fake.write("run/systemd/system/x", "")
    fake.write(SYSTEMD_UNIT, "")
    host = gather(fake.root)
    assert (host.init, find_refusal(host)) == (InitSystem.SYSTEMD, refusal)
    text = shutdown.preload(host, Settings())
    assert text.startswith("nothing is loaded at boot, but early in the shutdown: ") == (refusal is not None)
