"""A walk over cpio archives as the kernel unpacks them, that keeps nothing but what it has to know.

Format: "newc" and "crc" of Documentation/driver-api/early-userspace/buffer-format.rst; rules: init/initramfs.c.
"""

import re
import stat
from typing import Set

from kexec_initd import sentences
from kexec_initd.images.reader import InvalidImage

HEADER_SIZE = 110
LONGEST_NAME = 4096
MOST_RELEASES = 64
EARLY = b"kernel/"

_HEADER = re.compile(rb"07070[12][0-9A-Fa-f]{104}\Z")
_NOT_ZERO = re.compile(rb"[^\0]")
_OF_MODULES = re.compile(rb"(?:\.?/)?(?:usr/)?lib/modules/([^/]+)/.")


class CpioContents:
    """The content of an initrd's archives: how much, a program /init, and modules of which kernel releases."""

    def __init__(self) -> None:
        self.entries = 0
        self.has_init = False
        self.releases: Set[str] = set()

    def enter(self, name: bytes, mode: int) -> None:
        """Note the entry `name`; raise InvalidImage for modules of too many releases to be kept."""
        self.entries += 1
        if name in (b"init", b"./init", b"/init") and (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            self.has_init = True
        found = _OF_MODULES.match(name) if stat.S_ISREG(mode) else None
        if found:
            self.releases.add(found.group(1).decode("utf-8", "surrogateescape"))
            if len(self.releases) > MOST_RELEASES:
                raise InvalidImage("it holds modules of more than {} kernels".format(MOST_RELEASES))


class Walker:
    """Walks over archives and the zero bytes between them.

    `has_early`: files are in them that may be microcode or ACPI tables, which the kernel looks for before it unpacks anything.
    """

    def __init__(self, seen: CpioContents, offset: int = 0) -> None:
        """Start `offset` bytes into a file: headers are aligned to four bytes from its beginning."""
        self._seen = seen
        self._offset = offset
        self._inside = False
        self._skip = 0
        self._held = b""
        self.entries = 0
        self.has_early = False

    def feed(self, block: bytes) -> int:
        """Take the next bytes and return how many of them belong to cpio archives or zero padding.

        Fewer than there are: something else starts there. Raises InvalidImage for a damaged archive.
        """
        position = 0
        while position < len(block):
            if self._skip:
                step = min(self._skip, len(block) - position)
                self._skip -= step
                position += step
            elif self._inside:
                position = self._collect(block, position)
            else:
                found = _NOT_ZERO.search(block, position)
                position = found.start() if found else len(block)
                if found and (block[position : position + 1] != b"0" or (self._offset + position) % 4):
                    break
                self._inside = found is not None
        self._offset += position
        return position

    def finish(self) -> None:
        """Raise InvalidImage unless the last archive was complete."""
        if self._inside:
            raise InvalidImage(
                "the cpio archive is cut: it ends after {} entries without a trailer".format(self.entries)
            )

    def _collect(self, block: bytes, position: int) -> int:
        """Add to the header and name that are being read, act when they are complete, and return the new position."""
        needed = HEADER_SIZE
        if len(self._held) >= HEADER_SIZE:
            needed += self._field(94)
        taken = block[position : position + needed - len(self._held)]
        self._held += taken
        if len(self._held) == HEADER_SIZE:
            self._check_header()
        elif len(self._held) == needed:
            self._enter(self._held[HEADER_SIZE:])
            self._held = b""
        return position + len(taken)

    def _check_header(self) -> None:
        if not _HEADER.match(self._held):
            raise InvalidImage(sentences.ODD_ENTRY.format(self.entries + 1))
        if not 1 <= self._field(94) <= LONGEST_NAME:
            raise InvalidImage("cpio entry {} has a name of {} bytes".format(self.entries + 1, self._field(94)))

    def _enter(self, name: bytes) -> None:
        """Note one entry, whose header is held, and skip to the next."""
        if not name.endswith(b"\0"):
            raise InvalidImage(sentences.ODD_ENTRY_NAME.format(self.entries + 1))
        self.entries += 1
        size, mode = self._field(54), self._field(14)
        self._skip = -len(self._held) % 4 + size + -size % 4
        name = name.split(b"\0")[0]
        if name == b"TRAILER!!!":
            self._inside = False
        else:
            self.has_early = self.has_early or name.startswith(EARLY)
            self._seen.enter(name, mode)

    def _field(self, offset: int) -> int:
        """Return a number of eight hexadecimal digits of the header."""
        return int(self._held[offset : offset + 8], 16)
