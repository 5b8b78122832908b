"""Kernels of every architecture: whole, for this machine, with the release that they name; anything else is refused."""

import gzip
import lzma
import os
import struct
from typing import Callable, Dict, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexec_initd.images.kernel import InvalidImage, KernelInfo, check_kernel
from tests.unit import images

Check = Callable[[bytes, str], KernelInfo]
STEP = 64 << 10
# It packs badly, so that a packed kernel is as long as one that is not.
LARGE = os.urandom(5 * STEP + 999)
ARM64 = images.arm64()
ELF = images.payload(lzma.compress(b"\x7fELF" + LARGE, check=lzma.CHECK_CRC32), len(LARGE) + 4)


def xz(data: bytes) -> bytes:
    return lzma.compress(data, check=lzma.CHECK_CRC32)


def old_lzma(data: bytes) -> bytes:
    return lzma.compress(data, format=lzma.FORMAT_ALONE)


class Kernel(NamedTuple):
    """A kernel of one format, as bytes, with the machine that starts it and what is to be found out about it."""

    content: bytes
    machine: str
    version: str
    proof: str


def kernels(content: bytes) -> Dict[str, Kernel]:
    """Return a kernel of each format that has `content` in it."""
    arm64 = images.arm64(content=content)
    version = "6.1.0-50-arm64"
    return {
        "x86": Kernel(images.bzimage(payload=content), "x86_64", "6.1.0-50-amd64", "crc"),
        "x86, signed": Kernel(
            images.sign(images.bzimage("6.15.0", payload=content, crc=False)), "i686", "6.15.0", "signature"
        ),
        "x86, payload": Kernel(images.bzimage("6.15.0", payload=ELF, crc=False), "x86_64", "6.15.0", "payload"),
        "arm64": Kernel(arm64, "aarch64", version, "size"),
        "arm64, signed": Kernel(images.sign(arm64), "aarch64", version, "signature"),
        "arm64, gzip": Kernel(gzip.compress(arm64), "aarch64", version, "payload"),
        "arm64, zboot": Kernel(images.zboot(gzip.compress(arm64)), "aarch64", version, "payload"),
        "arm64, zboot, signed": Kernel(images.sign(images.zboot(xz(arm64), b"xzkern")), "aarch64", version, "payload"),
        "arm64, zboot, lzma": Kernel(images.zboot(old_lzma(arm64), b"lzma"), "aarch64", version, "payload"),
        "ppc64le": Kernel(images.elf(content=content), "ppc64le", "6.1.0-50-powerpc64le", "size"),
        "ppc64": Kernel(images.elf("6.1.0-ppc", order=">", content=content), "ppc64", "6.1.0-ppc", "size"),
        "s390x": Kernel(images.elf("6.1.0-s390", 22, ">", content=content), "s390x", "6.1.0-s390", "size"),
        "x86, ELF": Kernel(images.elf("6.1.0-elf", 62, content=content), "x86_64", "6.1.0-elf", "size"),
        "x86, ELF of 32 bits": Kernel(
            images.elf("5.4.0-32", 3, bits=32, content=content), "x86_64", "5.4.0-32", "size"
        ),
        "arm64, ELF": Kernel(images.elf("6.1.0-elf", 183, kind=3, content=content), "aarch64", "6.1.0-elf", "size"),
    }


KERNELS = kernels(LARGE)
SMALL = kernels(b"code" * 3000)
by_format = pytest.mark.parametrize("kernel", KERNELS.values(), ids=list(KERNELS))


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> Check:
    """Return a function that checks bytes as a file on a machine, with no program in reach."""
    root = tmp_path_factory.mktemp("root")

    def run(content: bytes, machine: str) -> KernelInfo:
        path = root / "kernel"
        path.write_bytes(content)
        fd = os.open(str(path), os.O_RDONLY)
        try:
            return check_kernel(fd, machine, timeout=20)
        finally:
            os.close(fd)

    return run


@by_format
def test_a_whole_kernel_says_what_it_is(check: Check, kernel: Kernel) -> None:
    info = check(kernel.content, kernel.machine)
    assert (info.version, info.proof) == (kernel.version, kernel.proof)
    assert len(kernel.content) - 300 < info.size <= len(kernel.content)
    assert info.cmdline_size >= 511


@by_format
def test_a_kernel_that_is_cut_anywhere_is_refused(check: Check, kernel: Kernel) -> None:
    lengths = [*range(0, len(kernel.content), STEP), 1, 63, 600, 4096, len(kernel.content) - 1]
    assert len(lengths) > 9
    for length in lengths:
        with pytest.raises(InvalidImage):
            check(kernel.content[:length], kernel.machine)


@by_format
def test_another_machine_cannot_start_it(check: Check, kernel: Kernel) -> None:
    for machine in {found.machine for found in KERNELS.values()} - {kernel.machine}:
        if {machine, kernel.machine} != {"x86_64", "i686"}:
            with pytest.raises(InvalidImage, match="it is a kernel for .*, but this machine is " + machine):
                check(kernel.content, machine)


@by_format
def test_a_machine_that_is_not_known_starts_nothing(check: Check, kernel: Kernel) -> None:
    with pytest.raises(InvalidImage, match="this machine is sparc64, whose kernels are not known"):
        check(kernel.content, "sparc64")


@pytest.mark.parametrize("percent", [5, 40, 95])
@pytest.mark.parametrize(
    "name", [name for name, found in KERNELS.items() if found.proof != "size" and "lzma" not in name]
)
def test_a_kernel_with_a_checksum_is_refused_with_a_flipped_bit(check: Check, name: str, percent: int) -> None:
    changed = bytearray(KERNELS[name].content)
    changed[len(changed) * percent // 100] ^= 1
    with pytest.raises(InvalidImage):
        check(bytes(changed), KERNELS[name].machine)


@pytest.mark.parametrize(
    "content, why",
    [
        (images.arm64(efi=False), "without an EFI header nothing says how long"),
        (images.arm64(flags=11), "a big-endian kernel"),
        (ARM64[:16] + struct.pack("<Q", 4096) + ARM64[24:], "contradict each other"),
        (gzip.compress(b"text" * 5000), "it holds no arm64 kernel"),
        (gzip.compress(ARM64[:-512]), "instead of a kernel of"),
        (gzip.compress(ARM64 + bytes(2 << 20)), "instead of a kernel of"),
        (gzip.compress(ARM64) + gzip.compress(b"more"), "something follows"),
        (images.zboot(gzip.compress(b"text" * 5000)), "it holds no arm64 kernel"),
        (images.zboot(gzip.compress(ARM64), b"xzkern"), "not 'xzkern'"),
        (images.zboot(b"no archive", b"gzip"), "not 'gzip'"),
        (images.zboot(gzip.compress(ARM64) + b"more"), "payload ends at byte"),
        (images.zboot(gzip.compress(ARM64)[:-9]), "damaged: it is cut"),
        (images.zboot(gzip.compress(ARM64), machine=0x6264), "machine 0x6264"),
        (images.zboot(images.zstd_raw(ARM64), b"zstd22"), "no program zstd to check it"),
        (images.elf(machine=62), "for x86, but this machine is aarch64"),
        (images.elf(machine=8), "machine 8, whose kernels are not known"),
        (images.elf(machine=183, order=">"), "machine 183, whose kernels are not known"),
        (images.elf(machine=183, kind=1), "not one that can be started"),
        (
            images.elf(machine=183).replace(struct.pack("<HHI", 2, 183, 1), struct.pack("<HHI", 4, 183, 1)),
            "not one that",
        ),
        (images.elf(machine=183)[:56] + bytes(2) + images.elf(machine=183)[58:], "not one that can be started"),
        (images.elf(machine=183)[:64] + b"\2" + images.elf(machine=183)[65:], "nothing in it is to be loaded"),
        (images.elf(machine=183)[:54] + b"\1" + images.elf(machine=183)[55:], "damaged header"),
        (b"\x7fELF\3\1" + images.elf()[6:], "damaged header"),
        (b"\x7fELF\2\3" + images.elf()[6:], "damaged header"),
    ],
    ids=lambda value: value if isinstance(value, str) else "content",  # gzip's output has the time
)
def test_what_is_refused(check: Check, content: bytes, why: str) -> None:
    with pytest.raises(InvalidImage, match=why):
        check(content, "aarch64")


def test_zero_bytes_behind_a_gzip_kernel_do_not_count(check: Check) -> None:
    assert check(gzip.compress(ARM64) + bytes(500), "aarch64").proof == "payload"


def test_a_packed_kernel_may_be_filled_up_to_its_size_in_memory(check: Check) -> None:
    assert check(images.zboot(gzip.compress(ARM64 + bytes(1 << 20))), "aarch64").proof == "payload"


@pytest.mark.parametrize(
    "text",
    [b"", b"Linux version %s", b"Linux version 6.1.0", b"Linux version 6 (a@b)", b"Linux version " * 3000],
    ids=["nothing", "format", "bare", "short", "often"],
)
def test_a_kernel_may_not_name_its_release(check: Check, text: bytes) -> None:
    image = images.arm64(content=text).replace(
        images.banner("6.1.0-50-arm64"), bytes(len(images.banner("6.1.0-50-arm64")))
    )
    assert check(image, "aarch64").version is None


@pytest.mark.parametrize("distance", [1, 14, 30, 60, 95])
def test_the_release_is_found_across_two_blocks(check: Check, distance: int) -> None:
    image = images.arm64(content=bytes((1 << 20) - 4096 - distance))
    assert check(image, "aarch64").version == "6.1.0-50-arm64"


PLACES = [0, 4, 8, 12, 16, 20, 24, 32, 40, 48, 52, 56, 60, 64, 68, 72, 84, 88, 96, 196, 200, 232, 236, 248, 264, 268]


@given(st.sampled_from(sorted(SMALL)), st.data())
def test_mutated_kernels_raise_nothing_else(check: Check, name: str, data: st.DataObject) -> None:
    kernel = SMALL[name]
    changed = bytearray(kernel.content)
    values = st.sampled_from([0, 1, 4, 0xFF, 0xFFFF, 0xFFFFFFFF, 0x7FFFFFFF]) | st.integers(0, 0xFFFFFFFF)
    places = st.sampled_from(PLACES) | st.integers(0, len(changed) - 4)
    for place in data.draw(st.lists(places, min_size=1, max_size=4)):
        struct.pack_into("<I", changed, min(place, len(changed) - 4), data.draw(values))
    try:
        check(bytes(changed[: data.draw(st.none() | st.integers(0, len(changed)))]), kernel.machine)
    except InvalidImage:
        pass
