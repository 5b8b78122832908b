"""The jail for each shell that runs init scripts somewhere, with the scripts rendered for a Debian host."""

from pathlib import Path
from typing import List
from zlib import crc32

import pytest

from kexec_initd.install.render import render_all
from kexec_initd.system.host import gather
from tests.scripts.jail import Jail

STOCK = "#! /bin/sh\n### BEGIN INIT INFO\n# Provides: {}\n### END INIT INFO\n"

OTHERS = ("/bin/bash", "/bin/busybox")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: List[pytest.Item]) -> None:
    """Run each case in dash and in one other shell, which its name picks; the full run has it in all three."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            case = item.name.replace(OTHERS[0], "").replace(OTHERS[1], "")
            if OTHERS[crc32(case.encode()) % 2] in item.name:
                item.add_marker(pytest.mark.full)


@pytest.fixture(params=["/bin/dash", "/bin/bash", "/bin/busybox"])
def jail(request: pytest.FixtureRequest, tmp_path: Path) -> Jail:
    jail = Jail(tmp_path / "jail", request.param)
    jail.write("etc/os-release", "ID=debian\nVERSION_ID=12\n")
    jail.write("etc/inittab", "")
    jail.write("sbin/init", "", 0o755)
    for name in ("reboot", "kexec", "kexec-load"):
        jail.write("etc/init.d/" + name, STOCK.format(name), 0o755)
    for file in render_all(gather(jail.root)):
        if file.path != "/etc/rc.local":
            jail.write(file.path[1:], file.content.decode(), 0o755)
    jail.write("run/kexec-initd/decision", "kexec\n")
    return jail
