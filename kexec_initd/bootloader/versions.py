"""Which version is newer, as each project orders them: keys for `sorted`, so that thousands are compared quickly.

Each key lists what the original algorithm would look at, step by step, so that comparing two keys takes the same
decisions as running it on the two versions. Numbers are compared as (digits, text): no length is too great.
"""

import re
from typing import List, Pattern, Tuple

Key = Tuple[object, ...]
Number = Tuple[int, str]

UAPI_IGNORED = re.compile(r"[^0-9A-Za-z~.^-]+")
DIGITS = re.compile(r"[0-9]*")
LETTERS = re.compile(r"[A-Za-z]*")
DPKG_PART = re.compile(r"([^0-9]*)([0-9]*)")
DPKG_NOTHING = ((0,), (0, ""))
SUFFIX = re.compile(r"(?:\.[A-Za-z~][A-Za-z0-9~]*)+\Z")
RPM_PART = re.compile(r"([0-9]+)|([A-Za-z]+)|([~^])")


def _number(digits: str) -> Number:
    stripped = digits.lstrip("0")
    return len(stripped), stripped


def uapi_key(version: str) -> Key:
    """Order versions as the Version Format Specification (UAPI.10) does, which systemd-boot follows.

    One round of the comparison looks at a tilde, the end, a hyphen, a caret, a dot, then at a run of digits or
    letters; of two versions the one without the separator is newer, except that anything is newer than the end.
    """
    key: List[object] = []
    at = 0
    while True:
        ignored = UAPI_IGNORED.match(version, at)
        at = ignored.end() if ignored else at
        at = _separator(key, version, at, "~")
        key.append(at < len(version))
        if at >= len(version):
            return tuple(key)
        for separator in "-^.":
            at = _separator(key, version, at, separator)
        digits = _matched(DIGITS, version, at)
        letters = "" if digits else _matched(LETTERS, version, at)
        key.append((1, _number(digits)) if digits else (0, letters))
        at += len(digits or letters)


def _separator(key: List[object], version: str, at: int, separator: str) -> int:
    found = version.startswith(separator, at)
    key.append(not found)
    return at + found


def _matched(pattern: Pattern[str], text: str, at: int) -> str:
    found = pattern.match(text, at)
    return found.group() if found else ""


def dpkg_key(version: str) -> Key:
    """Order versions as `dpkg --compare-versions` does, see deb-version(7)."""
    epoch, _, rest = version.rpartition(":")
    upstream, hyphen, revision = rest.rpartition("-")
    if not hyphen:
        upstream, revision = rest, ""
    return _number(epoch), _dpkg_part_key(upstream), _dpkg_part_key(revision)


def _dpkg_part_key(text: str) -> Key:
    parts = [(_dpkg_word(word), _number(digits)) for word, digits in DPKG_PART.findall(text) if word or digits]
    return tuple(parts or (DPKG_NOTHING,)) + (DPKG_NOTHING,)


def _dpkg_word(word: str) -> Tuple[int, ...]:
    """Return the weights of what is not a digit: the tilde before the end of the word, letters before the others."""
    weights = [-1 if char == "~" else ord(char) + (0 if LETTERS.fullmatch(char) else 256) for char in word]
    return tuple(weights) + (0,)


def rpm_key(version: str) -> Key:
    """Order one part of a version, without its release, as rpmvercmp does, see rpm-version(7)."""
    key: List[Key] = []
    for digits, letters, separator in RPM_PART.findall(version):
        if separator:
            key.append((0,) if separator == "~" else (2,))
        else:
            key.append((4, _number(digits)) if digits else (3, letters))
    return tuple(key) + ((1,),)


def filevercmp_key(name: str) -> Key:
    """Order names of files as filevercmp of gnulib does: a dot first is the oldest, a suffix (".conf") counts last."""
    stem = SUFFIX.sub("", name)
    return not name.startswith("."), _dpkg_part_key(stem), _dpkg_part_key(name)


def debian_kernel_key(release: str) -> Key:
    """Order the releases of Debian's kernels: as dpkg does, but -rc1 comes before what it is a candidate of."""
    return dpkg_key(release.replace("-rc", "~rc"))


def rpm_kernel_key(release: str) -> Key:
    """Order the releases of RHEL's kernels, VERSION-RELEASE.ARCH: by version, then by release."""
    version, _, rest = release.replace("-rc", "~rc").partition("-")
    return rpm_key(version), rpm_key(rest)
