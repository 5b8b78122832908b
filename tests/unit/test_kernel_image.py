"""Only a kernel that is whole passes; everything else is refused with InvalidImage, whatever its bytes are."""

import gzip
import lzma
import os
import struct
from pathlib import Path
from typing import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexec_initd.images.kernel import InvalidImage, KernelInfo, check_kernel
from tests.unit import images

Check = Callable[[bytes], KernelInfo]
ELF = b"\x7fELF" + bytes(range(256)) * 40
XZ = images.payload(lzma.compress(ELF, check=lzma.CHECK_CRC32), len(ELF))


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> Check:
    """Return a function that checks bytes as a file, with no program in reach."""
    root = tmp_path_factory.mktemp("root")

    def run(content: bytes) -> KernelInfo:
        path = root / "vmlinuz"
        path.write_bytes(content)
        fd = os.open(str(path), os.O_RDONLY)
        try:
            return check_kernel(fd, "x86_64", timeout=10)
        finally:
            assert os.lseek(fd, 0, os.SEEK_CUR) == 0
            os.close(fd)

    return run


@pytest.mark.parametrize("magic", [None, images.PE32, images.PE32_PLUS])
def test_a_whole_kernel_says_what_it_is(check: Check, magic: int) -> None:
    image = images.bzimage(magic=magic)
    assert check(image) == KernelInfo("6.1.0-50-amd64", 2047, len(image), "crc")


@pytest.mark.parametrize("magic", [images.PE32, images.PE32_PLUS])
def test_a_signature_does_not_disturb_the_crc(check: Check, magic: int) -> None:
    image = images.bzimage(magic=magic)
    assert check(images.sign(image, magic)) == KernelInfo("6.1.0-50-amd64", 2047, len(image), "crc")


def test_bytes_behind_the_image_do_not_count(check: Check) -> None:
    assert check(images.bzimage() + b"more").proof == "crc"


def test_no_setup_sectors_means_four(check: Check) -> None:
    assert check(images.bzimage(setup_sectors=0)).proof == "crc"


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("percent", [99, 90, 50, 10])
def test_a_cut_kernel_is_refused(check: Check, signed: bool, percent: int) -> None:
    image = images.bzimage(payload=bytes(20000))
    image = images.sign(image) if signed else image
    with pytest.raises(InvalidImage, match=r"cut|bzImage"):
        check(image[: len(image) * percent // 100])


@pytest.mark.parametrize("position", [0x24, 0x1F0, 0x22C, 0x4FF, images.SETUP_SIZE, -1])
def test_one_flipped_bit_is_found(check: Check, position: int) -> None:
    image = bytearray(images.sign(images.bzimage()) if position == 0x24 else images.bzimage())
    image[position] ^= 0x10
    with pytest.raises(InvalidImage, match=r"damaged: its CRC-32 is 0x[0-9a-f]{8}, not 0xffffffff"):
        check(bytes(image))


@pytest.mark.parametrize("release, protocol", [("2.6.26", 0x0208), ("2.6.29", 0x0209), ("2.6.32", 0x020A)])
def test_the_crc_counts_from_the_first_protocol_that_has_it(check: Check, release: str, protocol: int) -> None:
    image = bytearray(images.bzimage(release, protocol, magic=None))
    assert check(bytes(image)).proof == "crc"
    image[-1] ^= 1
    with pytest.raises(InvalidImage, match="damaged: its CRC-32"):
        check(bytes(image))


def test_a_cut_signature_is_refused(check: Check) -> None:
    with pytest.raises(InvalidImage, match="signature is not there"):
        check(images.sign(images.bzimage())[:-1])


@pytest.mark.parametrize("magic", [images.PE32, images.PE32_PLUS])
def test_a_kernel_without_crc_is_proved_by_its_signature(check: Check, magic: int) -> None:
    assert check(images.sign(images.bzimage("6.15.2-amd64", crc=False, magic=magic), magic)).proof == "signature"


def test_a_backport_without_crc_is_proved_by_its_signature(check: Check) -> None:
    assert check(images.sign(images.bzimage("6.12.0-300.el10", crc=False))).proof == "signature"


def test_a_signature_for_another_content_is_no_proof(check: Check) -> None:
    image = bytearray(images.sign(images.bzimage("6.15.2", payload=XZ, crc=False)))
    image[0x700] ^= 1
    with pytest.raises(InvalidImage, match="signature is for other content"):
        check(bytes(image))


@pytest.mark.parametrize("payload", [XZ, gzip.compress(ELF)], ids=["xz", "gzip"])
def test_a_kernel_without_crc_and_signature_is_proved_by_its_payload(check: Check, payload: bytes) -> None:
    assert check(images.bzimage("6.15.0", payload=payload, crc=False)).proof == "payload"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x7fELF, but nothing that can be proved",
        XZ[:-4] + struct.pack("<I", 1),
        images.payload(lzma.compress(b"text", check=lzma.CHECK_CRC32), 4),
        XZ[:100] + b"!" + XZ[101:],
        gzip.compress(ELF)[:-30],
    ],
    ids=["empty", "bare", "wrong size", "text", "flipped", "cut"],
)
def test_a_payload_that_is_not_right_is_refused(check: Check, payload: bytes) -> None:
    with pytest.raises(InvalidImage):
        check(images.bzimage("6.15.0", payload=payload, crc=False))


def test_a_missing_program_is_named(check: Check) -> None:
    with pytest.raises(InvalidImage, match="no program zstd to check it; install the package zstd"):
        check(images.bzimage("6.16", payload=images.payload(images.zstd_raw(ELF), len(ELF)), crc=False))


@pytest.mark.parametrize(
    "release, protocol, size", [("2.6.18-8.el5", 0x0204, 255), ("2.6.18", 0x0206, 2047), ("2.6.25", 0x0207, 2047)]
)
def test_a_kernel_from_before_the_crc_passes_by_its_size(check: Check, release: str, protocol: int, size: int) -> None:
    image = images.bzimage(release, protocol, crc=False, magic=None)
    assert check(image) == KernelInfo(release, size, len(image), "size")
    with pytest.raises(InvalidImage, match="cut"):
        check(image[:-1])


@pytest.mark.parametrize("release, protocol", [("6.1.0", 0x0207), ("2.6.18", 0x0203), ("6.1.0", 0), ("6.1.0", 0xFFFF)])
def test_a_protocol_that_does_not_fit_is_refused(check: Check, release: str, protocol: int) -> None:
    with pytest.raises(InvalidImage, match="boot protocol"):
        check(images.bzimage(release, protocol))


@pytest.mark.parametrize("release", ["", "x6.1", "6", "6.1\x01", "6.1" + "x" * 300])
def test_a_kernel_without_a_version_is_refused(check: Check, release: str) -> None:
    with pytest.raises(InvalidImage, match="version string"):
        check(images.bzimage(release))


@pytest.mark.parametrize("distance", [0, 4, 24, 25, 26, 60, 160, 175])
def test_a_pe_header_at_the_end_of_the_setup_is_not_read_beyond_it(check: Check, distance: int) -> None:
    image = bytearray(images.bzimage(payload=bytes(64)))
    place = images.SETUP_SIZE - distance
    struct.pack_into("<I", image, 0x3C, place)
    image[place : place + 4] = b"PE\0\0"
    struct.pack_into("<H", image, place + 24, images.PE32_PLUS)
    with pytest.raises(InvalidImage, match="CRC-32"):
        check(bytes(image))


def test_a_zimage_is_refused(check: Check) -> None:
    image = bytearray(images.bzimage())
    image[0x211] = 0
    with pytest.raises(InvalidImage, match="zImage"):
        check(bytes(image))


@pytest.mark.parametrize(
    "start, what",
    [
        (b"MZ" + bytes(54) + b"RSC\x05", "a RISC-V image"),
        (b"\x27\x05\x19\x56", "an image for U-Boot"),
        (b"MZ\x90", "an EFI program, but not a kernel"),
        (bytes(7), "it begins with zero bytes"),
        (b"hello\n", "no kernel: it begins with none of their headers"),
        (b"\x7fELF", "an ELF file with a damaged header"),
        (b"MZ" + bytes(54) + b"ARM\x64", "a kernel for arm64, but this machine is x86_64"),
        (b"MZ\0\0zimg", "without an EFI header"),
        (b"\x1f\x8b", "a kernel for arm64, but this machine is x86_64"),
    ],
)
def test_what_is_no_x86_kernel_is_named(check: Check, start: bytes, what: str) -> None:
    for content in (start, start + bytes(5000)):
        with pytest.raises(InvalidImage, match=what):
            check(content)


def test_what_is_no_regular_file_or_empty_is_refused(tmp_path: Path, check: Check) -> None:
    with pytest.raises(InvalidImage, match="0 bytes"):
        check(b"")
    read_end, write_end = os.pipe()
    for fd in (read_end, write_end, os.open(str(tmp_path), os.O_RDONLY)):
        with pytest.raises(InvalidImage, match="not a regular file"):
            check_kernel(fd, "x86_64")
        os.close(fd)


def test_a_sparse_file_of_gigabytes_is_refused_at_once(tmp_path: Path) -> None:
    with open(str(tmp_path / "vmlinuz"), "w+b") as file:
        file.truncate(8 << 30)
        with pytest.raises(InvalidImage, match="8589934592 bytes"):
            check_kernel(file.fileno(), "x86_64")


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vmlinuz").write_bytes(images.bzimage())
    fd = os.open(str(tmp_path / "vmlinuz"), os.O_WRONLY)
    with pytest.raises(InvalidImage, match="reading byte 0 failed"):
        check_kernel(fd, "x86_64")
    os.close(fd)


def test_the_time_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "vmlinuz").write_bytes(images.bzimage())
    with open(str(tmp_path / "vmlinuz"), "rb") as file, pytest.raises(InvalidImage, match="took more than"):
        check_kernel(file.fileno(), "x86_64", timeout=-1)


@given(st.data())
def test_mutated_kernels_pass_only_unchanged(check: Check, data: st.DataObject) -> None:
    """Every part that is loaded is covered; the PE fields and what is behind the image are not."""
    original = images.bzimage()
    image = _mutated(data, original)
    try:
        check(image)
    except InvalidImage:
        return
    assert image[: len(original)] == original or _only_signing_fields(image, original)


@given(st.data())
def test_mutated_kernels_without_crc_raise_nothing_else(check: Check, data: st.DataObject) -> None:
    base = data.draw(st.sampled_from([images.sign(images.bzimage("6.15.0", crc=False)), _BY_PAYLOAD]))
    try:
        check(_mutated(data, base))
    except InvalidImage:
        pass


@given(st.binary(max_size=3000))
def test_arbitrary_bytes_are_refused(check: Check, content: bytes) -> None:
    with pytest.raises(InvalidImage):
        check(content)


_BY_PAYLOAD = images.bzimage("6.15.0", payload=XZ, crc=False)


def _mutated(data: st.DataObject, image: bytes) -> bytes:
    """Return `image` with some numbers written over its header fields or anywhere, perhaps cut."""
    changed = bytearray(image)
    places = st.sampled_from([0x3C, 0x58, 0xC4, 0xE8, 0xEC, 0x1F1, 0x1F4, 0x206, 0x20E, 0x248, 0x24C])
    values = st.sampled_from([0, 1, 4, 0xFF, 0xFFFF, 0xFFFFFFFF, 0x7FFFFFFF]) | st.integers(0, 0xFFFFFFFF)
    for place in data.draw(st.lists(places | st.integers(0, len(image) - 4), min_size=1, max_size=4)):
        struct.pack_into("<I", changed, place, data.draw(values))
    return bytes(changed[: data.draw(st.sampled_from([None, 0, 100, 600, len(image) // 2, -1]))])


def _only_signing_fields(image: bytes, original: bytes) -> bool:
    blank = bytearray(image[: len(original)])
    blank[images.CHECKSUM_AT : images.CHECKSUM_AT + 4] = bytes(4)
    blank[0xE8:0xF0] = bytes(8)
    return bytes(blank) == original
