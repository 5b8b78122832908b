"""Compressed archives inside an image file, in every format that the kernel unpacks, read as a stream.

Python brings gzip, bzip2, xz and lzma; zstd, lz4 and lzop go through the host's own program, which is there where
such an initrd was made. As in the kernel (lib/decompress*.c) an archive ends where its format says so, and something
else may follow: for the formats of programs that want to read to the end of their input, `archive_end` finds the end.
"""

import bz2
import lzma
import zlib
from pathlib import Path
from typing import Callable, Generator, Iterator, NamedTuple, Optional, Union

from kexec_initd.images import archive_end
from kexec_initd.images.reader import ImageFile, InvalidImage, Programs
from kexec_initd.system.pipe import pipe
from kexec_initd.system.process import CommandError, find

# zlib copies what it has not used of its input for each piece of output: the first is small, the second large.
INPUT = 64 << 10
OUTPUT = 1 << 20
MEMORY = 160 << 20  # the kernel's own build asks for up to 128 MiB
MAGIC_SIZE = 9


class _Own(NamedTuple):
    """How an archive is read that Python itself decompresses."""

    decoder: "Callable[[], _Decoder]"


class _Foreign(NamedTuple):
    """How an archive is read that the program of the format's name decompresses: it has to be told where the archive ends."""

    find_end: Callable[[ImageFile, int, int], int]


class Format(NamedTuple):
    """A compression format: what it starts with, and how an archive of it is read."""

    name: str
    magic: bytes
    reader: "Union[_Own, _Foreign]"


class _Gzip:
    """zlib's decompressor with the interface of those in bz2 and lzma."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


_Decoder = Union[_Gzip, bz2.BZ2Decompressor, lzma.LZMADecompressor]


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY)


def _lzma() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=MEMORY)


FORMATS = (
    Format("gzip", b"\x1f\x8b", _Own(_Gzip)),
    Format("bzip2", b"BZh", _Own(bz2.BZ2Decompressor)),
    Format("xz", b"\xfd7zXZ\0", _Own(_xz)),
    Format("lzma", b"\x5d\0\0", _Own(_lzma)),
    Format("zstd", archive_end.ZSTD_MAGIC, _Foreign(archive_end.zstd_end)),
    Format("lz4", archive_end.LZ4_MAGIC, _Foreign(archive_end.lz4_end)),
    Format("lzop", archive_end.LZOP_MAGIC, _Foreign(archive_end.lzop_end)),
)


def find_programs(root: Path) -> Programs:
    """Return the programs of the host below `root` for the formats that Python does not bring."""
    found = {form.name: find(root, form.name) for form in FORMATS if isinstance(form.reader, _Foreign)}
    return {name: program for name, program in found.items() if program is not None}


def find_format(start: bytes) -> Optional[Format]:
    """Return the format of an archive that begins with the bytes `start` (MAGIC_SIZE of them), or None."""
    for candidate in FORMATS:
        if start.startswith(candidate.magic):
            return candidate
    return None


class Archive:
    """One compressed archive in the format `form`: after its `blocks` were read, `end` is the offset behind it."""

    def __init__(self, image: ImageFile, form: Format, start: int, limit: int) -> None:
        """Read `image` from `start`, never beyond `limit`."""
        self._image = image
        self._form = form
        self._start = start
        self._limit = limit
        self.form = form.name
        self.end = start

    def blocks(self) -> Generator[bytes, None, None]:
        """Yield the decompressed content in blocks; raise InvalidImage where it is damaged or cannot be read here."""
        if self._form.name == "xz":
            archive_end.check_xz(self._image, self._start)
        if isinstance(self._form.reader, _Own):
            yield from self._decode(self._form.reader.decoder())
        else:
            yield from self._run_program(self._form.reader.find_end(self._image, self._start, self._limit))

    def _decode(self, decoder: _Decoder) -> Iterator[bytes]:
        """Decompress in this process."""
        source = self._image.blocks(self._start, self._limit, INPUT)
        fed, cut = self._start, False
        while not decoder.eof:
            self._image.check_time()
            block = next(source, b"") if decoder.needs_input else b""
            fed += len(block)
            if cut and not block:
                raise self._damaged("it is cut")
            cut = decoder.needs_input and not block
            try:
                output = decoder.decompress(block, OUTPUT)
            except (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError, MemoryError) as error:
                raise self._damaged(str(error))
            if output:
                cut = False
                yield output
        self.end = fed - len(decoder.unused_data)

    def _run_program(self, end: int) -> Iterator[bytes]:
        """Decompress what lies before `end` through the program that has the format's name."""
        program = self._image.programs.get(self._form.name)
        if program is None:
            raise InvalidImage(
                "it is compressed with {0}, and there is no program {0} to check it".format(self._form.name),
                "install the package {}".format(self._form.name),
            )
        try:
            yield from pipe([str(program), "-dc"], self._image.blocks(self._start, end), self._image.deadline)
        except CommandError as error:
            raise self._damaged(error.message)
        self.end = end

    def _damaged(self, why: str) -> InvalidImage:
        return InvalidImage("the {} archive at byte {} is damaged: {}".format(self._form.name, self._start, why))


def open_archive(image: ImageFile, start: int, limit: int) -> Optional[Archive]:
    """Return the archive at `start`, which ends before `limit`; None where none begins."""
    form = find_format(image.read(start, MAGIC_SIZE))
    return None if form is None else Archive(image, form, start, limit)
