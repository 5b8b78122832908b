"""SYSLINUX's auxiliary data vector: what `extlinux --once` and `menu save` leave at the end of ldlinux.sys.

Two copies of 512 bytes: a magic number, a checksum, items of tag, length and value, another magic number; the first
copy that is whole counts. All numbers are little endian, and the sum of all words but the outer ones is fixed.
"""

import struct
from typing import Dict

from kexec_initd.system.sysroot import Tree

SIZE = 512
HEAD, SUM, TAIL = 0x5A2D2FA5, 0xA3041767, 0xDD28BF64
BOOT_ONCE, MENU_SAVE = 1, 2


def read_adv(tree: Tree, directory: str) -> Dict[int, str]:
    """Return the value of each tag that is set beside the loader in `directory`; none where there is no vector."""
    data = tree.read_bytes(directory + "/ldlinux.sys") or b""
    for copy in (data[-2 * SIZE : -SIZE], data[-SIZE:]):
        if len(copy) == SIZE and _is_whole(copy):
            return _items(copy[8:-4])
    return {}


def _is_whole(copy: bytes) -> bool:
    words = struct.unpack("<{}I".format(SIZE // 4), copy)
    return bool((words[0], sum(words[1:-1]) & 0xFFFFFFFF, words[-1]) == (HEAD, SUM, TAIL))


def _items(data: bytes) -> Dict[int, str]:
    items: Dict[int, str] = {}
    at = 0
    while at + 2 <= len(data) and data[at]:
        end = at + 2 + data[at + 1]
        if end > len(data):
            break
        items.setdefault(data[at], data[at + 2 : end].decode("utf-8", "surrogateescape"))
        at = end
    return {tag: value for tag, value in items.items() if value}
