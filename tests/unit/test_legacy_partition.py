"""GRUB legacy: which entries are this system's, where nothing has written that down."""

from pathlib import Path
from typing import Dict, List, Optional

import pytest

from kexec_initd.bootloader.legacy import read_menu
from kexec_initd.system.sysroot import Tree

OTHER = "it is on another partition, ({})".format
STRANGE = "it starts another system, on {}".format
UNKNOWN = "whether its partition, ({}), is this system's cannot be known".format


def obstacles(root: Path, entries: List[str], texts: Dict[str, str], head: str = "") -> List[Optional[str]]:
    """Return the obstacles of entries "PARTITION ROOT", with "-" for none of it, on a host with the files `texts`."""
    lines = [head]
    for number, entry in enumerate(entries):
        place, device = entry.split(" ")
        lines.append("title {}".format(number))
        lines += (
            ["uuid " + place[5:]] if place.startswith("uuid=") else ["root ({})".format(place)] if place != "-" else []
        )
        lines.append("kernel /boot/k" + (" root={} ro".format(device) if device != "-" else ""))
    contents = {"boot/grub/menu.lst": "\n".join(lines) + "\n", **texts}
    contents["boot/boot/k" if " /boot " in str(texts) else "boot/k"] = ""
    for name, text in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("->"):
            path.symlink_to(text[2:])
        else:
            path.write_text(text)
    menu = read_menu(Tree(root))
    assert menu is not None
    return [offered.obstacle for offered in menu.offered]


SDA5 = {"etc/fstab": "/dev/sda5 / ext3 defaults 0 1\n", "proc/cmdline": "root=/dev/sda5 ro\n"}
BY_UUID = {"etc/fstab": "UUID=aa / ext3 defaults 0 1\n"}
LINKS = {"dev/disk/by-uuid/aa": "->../../sda5", "dev/disk/by-label/top": "->../../sda5", "dev/sda5": "", "dev/sda1": ""}
LVM = {"etc/fstab": "/dev/VolGroup00/LogVol00 / ext3 defaults 1 1\nLABEL=/boot /boot ext3 defaults 1 2\n"}
MAP = {"boot/grub/device.map": "(hd0) /dev/sda\n(hd1)\t/dev/sdb\n"}


@pytest.mark.parametrize(
    "entries, texts, expected",
    [
        (["hd0,0 /dev/sda1", "hd0,4 /dev/sda5"], SDA5, [STRANGE("/dev/sda1"), None]),
        (["hd0,4 /dev/sda5", "hd0,0 /dev/sda1"], SDA5, [None, STRANGE("/dev/sda1")]),
        (["hd0,4 /dev/sda1", "hd0,4 /dev/sda5"], SDA5, [STRANGE("/dev/sda1"), None]),
        (["hd0,0 -", "hd0,4 /dev/sda5"], SDA5, [OTHER("hd0,0"), None]),
        (["hd0,4 -", "hd0,4 /dev/sda5"], SDA5, [None, None]),
        (["hd0,0 -", "hd0,4 -"], SDA5, [UNKNOWN("hd0,0"), UNKNOWN("hd0,4")]),
        (["hd0,0 /dev/sda5", "hd0,4 /dev/sda5"], SDA5, [UNKNOWN("hd0,0"), UNKNOWN("hd0,4")]),
        (["- /dev/sda1", "- /dev/sda5", "- -"], SDA5, [STRANGE("/dev/sda1"), None, None]),
        (["hd0,0 UUID=bb", "hd0,4 UUID=aa"], BY_UUID, [STRANGE("UUID=bb"), None]),
        (["hd0,0 /dev/sda1", "hd0,4 /dev/sda5"], BY_UUID, [UNKNOWN("hd0,0"), UNKNOWN("hd0,4")]),
        (["hd0,0 /dev/sda1", "hd0,4 /dev/sda5"], {**BY_UUID, **LINKS}, [STRANGE("/dev/sda1"), None]),
        (["hd0,0 LABEL=x", "hd0,4 LABEL=top"], {**BY_UUID, **LINKS}, [OTHER("hd0,0"), None]),
        (["hd0,0 /dev/mapper/VolGroup00-LogVol00", "hd0,1 /dev/VolGroup01/a-b"], LVM, [None, STRANGE("/dev/VolGroup01/a-b")]),
        (["hd0,0 /dev/sda1"], {"proc/cmdline": "root=/dev/sda5 root=/dev/sda1 ro\n"}, [None]),
        (["hd0,0 /dev/sda1"], {}, [UNKNOWN("hd0,0")]),
        (["hd0,0 /dev/sda5", "hd0,4 /dev/sda1"], {**SDA5, **MAP}, [OTHER("hd0,0"), None]),
        (["hd0,0 -", "hd0,4 -", "hd1,4 /dev/sda5"], {**SDA5, **MAP}, [OTHER("hd0,0"), None, OTHER("hd1,4")]),
        (["hd2,4 /dev/sda5", "hd2,4 -"], {**SDA5, **MAP}, [None, None]),
        (["hd0 -", "hd0,0 -"], {"etc/fstab": "/dev/sda / ext3 defaults 0 1\n", **MAP}, [None, OTHER("hd0,0")]),
        (["uuid=aa -", "uuid=bb -"], BY_UUID, [None, OTHER("bb")]),
        (["uuid=aa -", "uuid=bb -"], LVM, [UNKNOWN("aa"), UNKNOWN("bb")]),
        (["hd0,0 /dev/sda5"], {**SDA5, "proc/mounts": "/dev/sda1 /boot ext3 rw 0 0\n/dev/sda5 / ext3 rw 0 0\n", **MAP}, [None]),
    ],
)  # fmt: skip
def test_whose_partition_an_entry_is_on(
    entries: List[str], texts: Dict[str, str], expected: List[Optional[str]], tmp_path: Path
) -> None:
    assert obstacles(tmp_path, entries, texts) == expected


def test_what_update_grub_has_written_down_decides(tmp_path: Path) -> None:
    entries = ["hd0,0 /dev/sda9", "hd0,4 /dev/sda5"]
    assert obstacles(tmp_path, entries, {**SDA5, **MAP}, "# groot=(hd0,0)") == [None, OTHER("hd0,4")]
