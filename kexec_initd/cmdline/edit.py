"""CMDLINE_APPEND and CMDLINE_REMOVE applied to an entry's command line, and the words that were meant for one boot only.

CMDLINE_REMOVE takes parameters away, by name or as a whole; CMDLINE_APPEND puts some behind all others, where the kernel
lets the last of a name win, and before a `--`. Before them comes `kexec_initd.append`: where the running command line is
the source of the next one, all from there up to the `--` was appended before, and is replaced.

Where that is the source, a word that was typed at the boot menu for one boot must not go on for ever: `find_one_off`.
docs/why/command-line.md says where each comes from.
"""

from typing import List, NamedTuple, Optional

from kexec_initd import sentences
from kexec_initd.cmdline.words import cut, parameter, says_panic, tokens, without_own_words
from kexec_initd.errors import Refused
from kexec_initd.system.encoding import decode, encode

APPENDED = "kexec_initd.append"
ONE_OFF = frozenset(
    [
        *("init", "rdinit"),  # the kernel's own
        *("single", "s", "S", *"0123456789", "emergency", "-s", "-b"),  # sysvinit's init(8)
        *("rescue", "systemd.unit", "rd.systemd.unit", "rd.emergency", "rd.rescue"),  # systemd's, also of an initrd
        *("rd.break", "rdbreak", "break"),  # a shell in the initrd, of dracut.cmdline(7) and initramfs-tools(7)
        "recovery",  # the menu of Ubuntu's friendly-recovery
    ]
)
# For a kernel that a panic starts. One processor: the others may hang in the old kernel, and each takes memory; kernels before
# 2.6.34 know maxcpus alone. irqpoll: a device that nobody has stopped may raise an interrupt before its driver is there, and the
# kernel would shut that line off. reset_devices: drivers are not to trust the state in which they find theirs.
FOR_PANIC = "maxcpus=1 nr_cpus=1 irqpoll reset_devices"
# Without a display manager, whose memory is not there.
FOR_SYSTEMD = "systemd.unit=multi-user.target"
# Puts memory aside, or takes more than there is; and what would overrule the above.
NOT_FOR_PANIC = (
    b"crashkernel hugepages hugepagesz default_hugepagesz log_buf_len slub_debug swiotlb maxcpus nr_cpus systemd.unit"
)
LIMIT = 1024  # bytes of a setting; the kernel takes 2048 of a whole line on x86 and 256 before boot protocol 2.06


class Word(NamedTuple):
    """A parameter: where it starts and ends in its line, its name, and its value, None without `=`."""

    start: int
    end: int
    name: bytes
    value: Optional[bytes]

    @property
    def is_end(self) -> bool:
        """Tell whether this is the `--` behind which everything is for init."""
        return self.name == b"--" and self.value is None


def edited(cmdline: str, append: str, remove: str) -> str:
    """Return `cmdline` without our own words and with the settings applied; the same when that was done before.

    Raises Refused where nothing can be appended.
    """
    data = _without(_without_appended(encode(without_own_words(cmdline))), encode(remove))
    if not append:
        return decode(data)
    words = encode("{} {}".format(APPENDED, append))
    place = next((word.start for word in _split(data) if word.is_end), None)
    if place is not None:
        return decode(data[:place] + words + b" " + data[place:])
    if data.count(b'"') % 2:
        raise Refused(sentences.OPEN_QUOTE, "see CMDLINE_APPEND")
    return decode(data + b" " + words if data else words)


def for_panic(cmdline: str, panic: int, systemd: bool) -> str:
    """Return `cmdline` for a kernel that a panic starts. It resets the machine `panic` seconds after one of its own; 0: not.

    What is put before it cannot be hidden there, see `words.with_attempt`.
    """
    rest = decode(_without(encode(without_own_words(cmdline)), NOT_FOR_PANIC))
    words = [FOR_PANIC] + ([FOR_SYSTEMD] if systemd else [])
    if panic and not says_panic(rest):
        words.append("panic={}".format(panic))
    return " ".join(words + [rest] if rest else words)


def find_one_off(cmdline: str, vouched: str) -> Optional[str]:
    """Return the name of a parameter that was meant for one boot only, unless it stands in `vouched` as it is."""
    known = [word[2:] for word in _split(encode(vouched))]
    for word in _split(encode(cmdline)):
        if decode(word.name) in ONE_OFF and word[2:] not in known:
            return decode(word.name)
    return None


def check_one_off(cmdline: str, vouched: str) -> None:
    """Raise Refused where the running command line has something that was meant for one boot only."""
    name = find_one_off(cmdline, vouched)
    if name is not None:
        raise Refused(
            sentences.ONE_OFF.format(name),
            "what is to stay is set with CMDLINE_APPEND, what is to go with CMDLINE_REMOVE",
        )


def parse_words(value: str) -> Optional[str]:
    """Return the parameters in a setting, as they are; None for what cannot be put on a command line or taken away.

    They are printable ASCII without an open quote, a `--` or a word of ours, and at most 1024 bytes.
    """
    if len(value) > LIMIT or any(not " " <= char <= "~" for char in value) or value.count('"') % 2:
        return None
    if any(word.is_end or word.name.startswith(b"kexec_initd.") for word in _split(encode(value))):
        return None
    return value.strip(" ")


def _split(data: bytes) -> List[Word]:
    return [Word(start, end, *parameter(data[start:end])) for start, end in tokens(data)]


def _for_kernel(data: bytes) -> List[Word]:
    """Return the parameters before the `--`."""
    words = _split(data)
    return words[: next((number for number, word in enumerate(words) if word.is_end), len(words))]


def _without_appended(data: bytes) -> bytes:
    """Cut out what was appended before, with its mark."""
    words = _for_kernel(data)
    first = next((number for number, word in enumerate(words) if word[2:] == (encode(APPENDED), None)), len(words))
    return _cut_all(data, words[first:])


def _without(data: bytes, remove: bytes) -> bytes:
    """Cut out the parameters that `remove` names, or has as they are."""
    wanted = {word[2:] for word in _split(remove)}
    return _cut_all(data, [word for word in _for_kernel(data) if {(word.name, None), word[2:]} & wanted])


def _cut_all(data: bytes, words: List[Word]) -> bytes:
    for word in reversed(words):
        data = cut(data, word.start, word.end)
    return data
