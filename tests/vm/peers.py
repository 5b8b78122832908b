"""What reboots a host under systemd by kexec, each in the same situations, and the table of that: docs/reports/peers.md.

`$(scripts/venv) -m tests.vm.peers` runs them all and writes it; what was seen adds up in build/peers.json. With `--write` nothing
is run.
"""

import argparse
import sys
from typing import NamedTuple

import pytest

from tests.vm.cache import CHECKOUT
from tests.vm.seen import Seen

TEST = f"{CHECKOUT}/tests/vm/test_peers.py"
SEEN = Seen("peers")
# By the line that prepares the guest; ours is a package beside.
PEERS = {
    "systemd alone": "sed -i 's/^LOAD_KEXEC=.*/LOAD_KEXEC=false/' /etc/default/kexec",
    "kexec-tools": "sed -i 's/^LOAD_KEXEC=.*/LOAD_KEXEC=true/' /etc/default/kexec",
    "kexec-initd": "true",
}
DEFAULT = "sed -i 's/^GRUB_DEFAULT=.*/GRUB_DEFAULT={}/' /etc/default/grub && update-grub"
OLD_ENTRY = '"1>2"'


class Situation(NamedTuple):
    """What is done and typed in a guest that runs the older of its two kernels; is the newer the boot loader's choice?"""

    name: str
    harm: str = "true"
    command: str = "reboot"
    newer: bool = True
    boot_partition: bool = False


SITUATIONS = (
    Situation("`reboot`, a newer kernel was installed"),
    Situation("`systemctl kexec`", command="systemctl kexec"),
    Situation("`poweroff`", command="poweroff"),
    Situation("the admin has chosen the older kernel", DEFAULT.format(OLD_ENTRY), newer=False),
    Situation("the older kernel once", f"{DEFAULT.format('saved')} && grub-reboot {OLD_ENTRY}", newer=False),
    Situation("a /boot of its own", boot_partition=True),
)

TEMPLATE = """\
# Side by side under systemd 252, {days}

Written by `$(scripts/venv) -m tests.vm.peers`, never by hand; what nobody has run says "not run".

One guest of Debian 12 with GRUB and two kernels, of which the older runs; `reboot` is typed where nothing else is said. "systemd
alone": kexec-tools is there and loads nothing (`LOAD_KEXEC=false`). "kexec-tools": Debian's scripts as they come. "kexec-initd":
our package. "unclean": the next boot found a file system that was neither unmounted nor read-only. The loader's entry is what a
cold boot at that moment would have started.

{table}
"""


def render() -> str:
    """Return the document."""
    heads = {peer: peer for peer in PEERS}
    return TEMPLATE.format(days=SEEN.days(), table=SEEN.table("", heads, [row.name for row in SITUATIONS]))


def main() -> int:
    """Run the tests, write the document, and return the tests' exit status."""
    parser = argparse.ArgumentParser(description="Compare what reboots by kexec under systemd, and write the table.")
    parser.add_argument("--write", action="store_true", help="only write what was seen before")
    code = 0 if parser.parse_args().write else pytest.main(["-p", "no:cacheprovider", "-v", TEST])
    SEEN.document.write_text(render(), encoding="utf-8")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
