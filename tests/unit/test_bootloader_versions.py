"""Versions in the order of each project: published examples, and the answers of the real programs."""

import random
from pathlib import Path
from typing import Callable, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexec_initd.bootloader.versions import (
    Key,
    debian_kernel_key,
    dpkg_key,
    filevercmp_key,
    rpm_kernel_key,
    rpm_key,
    uapi_key,
)

# Each list ascends; the first two are the examples of the specification and of systemd's own tests.
UAPI = [
    ["~1", "", "ab", "abb", "abc", "0001", "002", "12", "122", "122.9", "123~rc1", "123", "123-a", "123-a.1", "123-a1"],
    ["123-a-1", "123-a.1", "123-3", "123-3.1", "123^patch1", "123^1", "123.a-1", "123.1-1", "123a-1", "124"],
    ["5.10.0-9-amd64.conf", "5.10.0-10-amd64.conf", "6.1.0-1-amd64.conf"],
    ["~", "~~"],  # as the loader does it: the second tilde of two is no separator
]
DPKG = [
    ["1~~", "1~~a", "1~", "1", "1a", "1.", "1.1", "1.01.1", "1.9-1", "1.10-0", "1.10-1", "2", "1:0"],
    ["6.1.0-9-amd64", "6.1.0-10-amd64", "6.1.0-37-amd64", "6.12.6-amd64"],
    ["~", "0~rc1", "0", "0a", "0.", "00.1"],
]
RPM = [
    ["1.0~rc1", "1.0", "1.0^git1", "1.0a", "1.0.1", "1.1", "5.0", "10.0001", "10.39", "20101122"],
    ["2.6.9", "2.6.18", "2.6.32"],
]
# From the manual of GNU coreutils, "Version sort ordering", and names of boot entries.
FILES = [
    [".a.conf", ".b", "a~.conf", "a", "a.conf", "a1.conf", "a2.conf", "a10.conf", "b"],
    ["8.10.tar.gz", "8.10.1.tar.gz"],
    ["id-0-rescue.conf", "id-4.18.0-80.el8.x86_64.conf", "id-4.18.0-553.el8_10.x86_64.conf", "id-4.19.0.conf"],
]
DEBIAN_KERNELS = ["6.1.0-9-amd64", "6.1.0-10-amd64", "6.12~rc2-amd64", "6.12-rc3-amd64", "6.12-amd64", "6.12.6-amd64"]
RPM_KERNELS = [
    "2.6.18-8.el5",
    "2.6.18-128.1.1.el5",
    "2.6.32-71.el6.x86_64",
    "2.6.32-754.el6.x86_64",
    "5.14.0-9.el9.x86_64",
]
RPM_KERNELS += [
    "5.14.0-362.8.1.el9_3.x86_64",
    "6.1.0-rc1",
    "6.1.0",
    "6.1.0-1.x86_64",
    "6.12.0-0.rc1.fc42",
    "6.12.0-1.fc42",
]
ANSWERS = (Path(__file__).parent / "versions.txt").read_text(encoding="utf-8").splitlines()[1:]
VERSION = st.text(alphabet="0129abcz.-~^+_:", max_size=12)


@pytest.mark.parametrize("key, lists", [(uapi_key, UAPI), (dpkg_key, DPKG), (rpm_key, RPM), (filevercmp_key, FILES)])
def test_published_orders(key: Callable[[str], Key], lists: List[List[str]]) -> None:
    for ascending in lists:
        shuffled = list(ascending)
        random.Random(1).shuffle(shuffled)
        assert sorted(shuffled, key=key) == ascending


@pytest.mark.parametrize("key, ascending", [(debian_kernel_key, DEBIAN_KERNELS), (rpm_kernel_key, RPM_KERNELS)])
def test_kernels_ascend(key: Callable[[str], Key], ascending: List[str]) -> None:
    shuffled = random.Random(2).sample(ascending, len(ascending))
    assert sorted(shuffled, key=key) == ascending


@pytest.mark.parametrize("key", [uapi_key, dpkg_key, rpm_key])
def test_equal_versions_have_equal_keys(key: Callable[[str], Key]) -> None:
    assert key("1.01") == key("1.1")
    assert key("1." + "0" * 5000 + "7") == key("1.7")


@given(VERSION, VERSION)
@pytest.mark.parametrize("key", [uapi_key, dpkg_key, rpm_key])
def test_any_two_versions_compare(key: Callable[[str], Key], one: str, other: str) -> None:
    assert (key(one) < key(other)) + (key(one) == key(other)) + (key(one) > key(other)) == 1


@pytest.mark.parametrize("line", ANSWERS)
def test_programs_agree(line: str) -> None:
    program, one, answer, other = line.split()
    key = {"dpkg": dpkg_key, "rpm": rpm_key}[program]
    assert (key(one) > key(other)) - (key(one) < key(other)) == {"lt": -1, "eq": 0, "gt": 1}[answer]
