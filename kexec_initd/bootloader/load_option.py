"""An entry of the firmware's own menu, Boot####: is it active, and what does it start?

See the UEFI specification 2.10, 3.1.3 (EFI_LOAD_OPTION), 10.3 (device paths): attributes, the length of the path, a title
that ends with a zero, the path. Of a path only what tells a file, its partition and the network is looked at.
"""

import struct
from typing import Iterator, NamedTuple, Optional, Tuple

ACTIVE = 0x1
CATEGORY = 0x1F00  # not 0: an application of the firmware, which is started by hand only
MESSAGING, MEDIA, END = 3, 4, 0x7F
HARD_DRIVE, FILE = 1, 4  # of MEDIA
NETWORK = (0x0B, 0x0C, 0x0D, 0x18, 0x1C, 0x1F)  # of MESSAGING: MAC, IPv4, IPv6, URI, Wi-Fi, DNS
STORAGE = (0x03, 0x13, 0x15, 0x22)  # a disk behind the network: Fibre Channel, iSCSI, NVMe over fabrics
MBR, GPT = 1, 2


class LoadOption(NamedTuple):
    """An option of the firmware's boot menu: a file on a partition, by that partition's id as udev writes it, or something else.

    `file` has slashes, as on a mounted partition; None for a device of which the firmware takes its usual file.
    """

    title: str
    starts: bool
    file: Optional[str]
    partition: Optional[str]
    network: bool

    def __str__(self) -> str:
        return '"{}"{}'.format(self.title, " ({})".format(self.file.replace("/", "\\")) if self.file else "")


def parse_load_option(data: bytes) -> LoadOption:
    """Return the entry that a variable Boot#### holds. Raises ValueError for none."""
    if len(data) < 6:
        raise ValueError("it is too short")
    attributes, length = struct.unpack("<IH", data[:6])
    at = 6
    while data[at : at + 2] not in (b"\0\0", b""):
        at += 2
    title = data[6:at].decode("utf-16-le", "replace")
    file, partition, network = "", None, False
    for kind, body in _nodes(data[at + 2 : at + 2 + length]):
        if kind == (MEDIA, FILE):
            file += "/" + body.decode("utf-16-le", "replace").split("\0")[0].replace("\\", "/")
        elif kind == (MEDIA, HARD_DRIVE):
            partition = _partition(body)
        elif kind[0] == MESSAGING and kind[1] in NETWORK + STORAGE:
            network = kind[1] in NETWORK
    names = [name for name in file.split("/") if name]
    starts = bool(attributes & ACTIVE) and not attributes & CATEGORY
    return LoadOption(title, starts, "/" + "/".join(names) if names else None, partition, network)


def _nodes(path: bytes) -> Iterator[Tuple[Tuple[int, int], bytes]]:
    """Return type and body of each node of the first device path."""
    at = 0
    while at + 4 <= len(path):
        kind, subkind, length = struct.unpack("<BBH", path[at : at + 4])
        if kind == END or length < 4:
            return
        yield (kind, subkind), path[at + 4 : at + length]
        at += length


def _partition(body: bytes) -> Optional[str]:
    """Return a partition's id as in /dev/disk/by-partuuid: number, start, size, signature, two bytes of kinds."""
    if len(body) < 38:
        return None
    signature, kind = body[20:36], body[37]
    if kind == GPT:
        import uuid  # which asks what machine this is

        return str(uuid.UUID(bytes_le=signature))
    if kind == MBR:
        return "{:08x}-{:02x}".format(*struct.unpack("<I", signature[:4]), struct.unpack("<I", body[:4])[0])
    return None
