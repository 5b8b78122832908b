"""Is this file a kernel that is whole, which one, and can this machine start it?

`kexec -l` takes cut and corrupted kernels without a word, so each is proved before it is loaded. What a format offers as
proof is said in the module of that format.
"""

from typing import Callable, NamedTuple

from kexec_initd.images.arm64 import check_gzip, check_image, check_zboot, is_image, is_zboot
from kexec_initd.images.banner import HEAD
from kexec_initd.images.bzimage import check_bzimage, is_bzimage
from kexec_initd.images.elf import check_elf
from kexec_initd.images.kernel_info import KernelInfo
from kexec_initd.images.reader import NO_PROGRAMS, ImageFile, InvalidImage, Programs

__all__ = ["InvalidImage", "KernelInfo", "check_kernel"]

LARGEST = 512 << 20
TIMEOUT = 60.0


class _Format(NamedTuple):
    matches: Callable[[bytes], bool]
    check: Callable[[ImageFile, bytes, str], KernelInfo]


def _starts(magic: bytes, offset: int = 0) -> Callable[[bytes], bool]:
    return lambda start: start[offset : offset + len(magic)] == magic


_FORMATS = (
    _Format(is_bzimage, check_bzimage),
    _Format(is_image, check_image),
    _Format(is_zboot, check_zboot),
    _Format(_starts(b"\x7fELF"), check_elf),
    _Format(_starts(b"\x1f\x8b"), check_gzip),
)
_KNOWN = (
    (_starts(b"RSC\x05", 0x38), "a RISC-V image, which cannot be checked"),
    (_starts(b"\x27\x05\x19\x56"), "an image for U-Boot, which cannot be checked"),
    (_starts(b"MZ"), "an EFI program, but not a kernel that can be checked"),
    (lambda start: not start.strip(b"\0"), "no kernel: it begins with zero bytes"),
)


def check_kernel(fd: int, machine: str, programs: Programs = NO_PROGRAMS, timeout: float = TIMEOUT) -> KernelInfo:
    """Return what the kernel in `fd` is; raise InvalidImage for anything but a whole one that `machine` can start.

    `machine` is what uname(2) calls it. The file is read within `timeout` seconds; the descriptor's offset is not
    used. `programs` decompress what Python does not, see `decompress.find_programs`.
    """
    image = ImageFile(fd, LARGEST, timeout, programs)
    start = image.read(0, HEAD)
    for form in _FORMATS:
        if form.matches(start):
            return form.check(image, start, machine)
    what = next((what for matches, what in _KNOWN if matches(start)), "no kernel: it begins with none of their headers")
    raise InvalidImage("it is " + what)
