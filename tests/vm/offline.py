"""What a machine that has ended left on its disk, read without starting it: another boot would change it."""

import json
import re
import subprocess
from pathlib import Path
from typing import List, NamedTuple

from tests.vm.qemu import Machine, run_tool

EXT4_MAGIC = b"\x53\xef"  # at byte 1080 of the file system, include/uapi/linux/magic.h


class Volume(NamedTuple):
    """An ext4 on a disk image, at a byte of it."""

    image: Path
    offset: int

    def ask(self, request: str) -> str:
        """Return what debugfs(8) answers; an image of QEMU's is read whole first, since it knows only raw ones."""
        argv = ["debugfs", "-R", request, "{}?offset={}".format(self.image, self.offset)]
        return subprocess.run(argv, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True).stdout

    def read(self, path: str) -> str:
        """Return a file's text; empty where it is not there."""
        return self.ask("cat " + path)

    def is_clean(self) -> bool:
        """Tell whether the file system was unmounted or made read-only, and no error is noted."""
        told = self.ask("show_super_stats -h")
        state = re.search(r"^Filesystem state: +(.*)$", told, re.MULTILINE)
        assert state is not None, told
        return state.group(1) == "clean" and "needs_recovery" not in told and "orphan_present" not in told


def read_disk(machine: Machine) -> List[Volume]:
    """End `machine`, for its disk to be complete, and return the ext4 file systems of that; / is the last one.

    The copy that is read is sparse, and goes with the machine.
    """
    machine.stop()
    image = machine.directory / "disk.raw"
    run_tool(["qemu-img", "convert", "-O", "raw", str(machine.disk), str(image)])
    table = json.loads(subprocess.check_output(["sfdisk", "--json", str(image)], text=True))["partitiontable"]
    offsets = [row["start"] * table.get("sectorsize", 512) for row in table["partitions"]]
    return [Volume(image, offset) for offset in offsets if is_ext4(image, offset)]


def is_ext4(image: Path, offset: int) -> bool:
    """Tell whether an ext4 begins there."""
    with open(image, "rb") as stream:
        stream.seek(offset + 1080)
        return stream.read(2) == EXT4_MAGIC
