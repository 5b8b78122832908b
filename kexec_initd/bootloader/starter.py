"""Who has started this machine: the first of a chain of loaders that gives itself away decides what a cold boot brings.

In the order in which they run: the program that the firmware has started; the loader that leaves its name in the EFI
variable LoaderInfo; the one whose number the kernel of x86 was handed (Documentation/arch/x86/boot.rst). Where none of
these tells, the words that loaders put on the command line do. One whose configuration is not read here means cold.
"""

import re
from typing import Dict, FrozenSet, List, NamedTuple, Optional, Tuple

from kexec_initd.bootloader.boot_order import USUAL, directory_of, find_started
from kexec_initd.bootloader.evidence import Evidence, read_settled
from kexec_initd.bootloader.load_option import LoadOption
from kexec_initd.bootloader.system_partition import find_points, points_of
from kexec_initd.system.sysroot import Tree

GRUB2, LEGACY, SYSTEMD_BOOT, SYSLINUX = "grub2", "grub-legacy", "systemd-boot", "syslinux"
READ = frozenset((GRUB2, LEGACY, SYSTEMD_BOOT, SYSLINUX))
NONE: FrozenSet[str] = frozenset()


class Clue(NamedTuple):
    """A loader, and the readers of whose configuration it may be; none for one that is not read here."""

    name: str
    readers: FrozenSet[str]


class Starter(NamedTuple):
    """Who has started the machine: None where nothing tells. `sure` unless only the command line says it.

    `problem` says why a cold boot takes what is not known here. `directories` are where the host sees the directory of the
    EFI program that was started; None where that is no loader's own.
    """

    name: Optional[str]
    readers: FrozenSet[str]
    sure: bool
    problem: Optional[str]
    directories: Optional[Tuple[str, ...]] = None

    def is_in_its_directory(self, path: str) -> bool:
        """Tell whether a file lies beside the program that was started, or beside any where that is no loader's own."""
        return self.directories is None or path.rpartition("/")[0].lower() in self.directories


def _clue(name: str, *readers: str) -> Clue:
    return Clue(name, frozenset(readers))


USUAL_PROGRAM = Clue("the usual EFI program", READ)
# By the name of the EFI program, in lower case, or by its whole path.
PROGRAMS: Tuple[Tuple[str, Clue], ...] = (
    (r".*refind.*", _clue("rEFInd")),
    (r".*limine.*", _clue("Limine")),
    (r".*elilo.*", _clue("ELILO")),
    (r"/efi/boot/(boot|fb)(x64|ia32|aa64|arm|riscv64|loongarch64)\.efi", USUAL_PROGRAM),
    (r".*/systemd-boot\w*\.efi|/efi/systemd/.*", _clue("systemd-boot", SYSTEMD_BOOT)),
    (r".*/shim[^/]*", Clue("shim", frozenset((GRUB2, LEGACY, SYSTEMD_BOOT)))),
    (r".*/(core|grub\w*)\.efi", _clue("GRUB", GRUB2, LEGACY)),
    (r".*/syslinux\w*\.efi", _clue("SYSLINUX", SYSLINUX)),
    (r".*/(ipxe|snponly|undionly)[^/]*", _clue("iPXE")),
    (r".*/bootmgfw\.efi", _clue("Windows Boot Manager")),
    (r".*zfsbootmenu.*|.*/zbm/.*", _clue("ZFSBootMenu")),
    (r".*/clover\w*\.efi", _clue("Clover")),
    (r".*opencore.*|/efi/oc/.*", _clue("OpenCore")),
    (r"/efi/linux/.*|.*/(vmlinu|linux|bzimage|kernel)[^/]*", _clue("an EFI stub")),
)
# Where on the partition a loader's configuration lies when the usual program is a copy of that loader.
COPIES = {
    "rEFInd": (USUAL + "/refind.conf",),
    "ELILO": (USUAL + "/elilo.conf",),
    "Limine": tuple(
        "{}/limine.{}".format(place, end)
        for place in (USUAL, "", "/limine", "/boot", "/boot/limine")
        for end in ("conf", "cfg")
    ),
}
# The whole number, else that without its last digit, which is the loader's version.
NUMBERS: Dict[int, Clue] = {
    0x06: _clue("GRUB 2", GRUB2),  # with the patch linuxefi of Fedora and its kin
    0x71: _clue("GRUB legacy", LEGACY),
    0x72: _clue("GRUB 2", GRUB2),
    0x32: _clue("PXELINUX"),
    0x33: _clue("ISOLINUX"),
}
KINDS: Dict[int, Clue] = {
    0x0: _clue("LILO"),
    0x1: _clue("Loadlin"),
    0x2: _clue("an EFI stub", GRUB2, SYSTEMD_BOOT),  # GRUB 2 from 2.12 on and systemd-boot start that, too
    0x3: _clue("SYSLINUX", SYSLINUX),
    0x4: _clue("iPXE"),
    0x5: _clue("ELILO", LEGACY),  # GRUB legacy on EFI gives itself out for it
    0x7: _clue("GRUB", GRUB2, LEGACY),
    0x8: _clue("U-Boot", SYSLINUX),
    0x9: _clue("Xen"),
    0xA: _clue("Gujin"),
    0xB: _clue("QEMU, with a kernel of the host's"),
    0xC: _clue("uCbootloader"),
    0x11: _clue("Minimal Linux Bootloader"),
    0x12: _clue("OVMF, with a kernel of the host's"),
    0x13: _clue("barebox"),
}
SAYS_NOTHING = 0
UNNAMED = ""  # of several that leave the same trace
NETWORK = _clue("the network")
NO_RECORD = "a kexec has started this machine, and who the firmware starts was not noted: a boot through it will tell"


def find_starter(tree: Tree) -> Starter:
    """Return who has started the host, and why what a cold boot would take is not known."""
    started = tree.once(find_started)
    evidence, problem = read_settled(tree, started.entry)
    named = (_by_program(evidence), _beside(tree, started.entry), _by_info(evidence))
    early = [clue for clue in named if clue is not None]
    number = _by_number(evidence, early in ([], [USUAL_PROGRAM]))
    hard = early + ([number] if number else [])
    soft = _by_words(evidence)
    clues = hard or ([soft] if soft else [])
    if evidence.is_kexec and evidence.number and problem is None and not clues:
        problem = NO_RECORD  # where loaders leave a number, one would have been kept
    if problem is not None and not hard:
        return Starter("kexec", NONE, True, problem)
    if not clues:
        return Starter(None, READ, False, started.problem)
    foreign = next((clue for clue in clues if not clue.readers), None)
    if foreign is not None:
        told = "{} has started this machine, and what it would start is not known here".format(foreign.name)
        return Starter(foreign.name, NONE, True, told)
    readers = _common(clues)
    name = next(clue.name for clue in reversed(clues) if clue.readers & readers) or None
    return Starter(name, readers, bool(hard), started.problem, _directories(tree, evidence, started.entry))


def _common(clues: List[Clue]) -> FrozenSet[str]:
    """Return the readers that fit all clues; where two contradict each other the first in the chain decides."""
    readers = clues[0].readers
    for clue in clues[1:]:
        readers = readers & clue.readers or readers
    return readers


def _by_program(evidence: Evidence) -> Optional[Clue]:
    if evidence.network:
        return NETWORK
    if evidence.program is None:
        return None
    path = evidence.program.lower()
    found = next((clue for pattern, clue in PROGRAMS if re.fullmatch(pattern, path)), None)
    if found is None:
        return _clue("the EFI program {}".format(evidence.program.replace("/", "\\")))
    if evidence.info is None and found.name == "shim":  # systemd-boot behind it would have left its name
        return found._replace(readers=found.readers - {SYSTEMD_BOOT})
    return found


def _beside(tree: Tree, entry: Optional[LoadOption]) -> Optional[Clue]:
    """Return whose copy the usual program of a device is, as far as a configuration on its partition tells."""
    if entry is None or entry.network or directory_of(entry) != USUAL.lower():
        return None
    points = find_points(tree)
    found = (name for name, files in COPIES.items() for file in files for point in points if tree.is_file(point + file))
    return next((_clue(name) for name in found), None)


def _by_info(evidence: Evidence) -> Optional[Clue]:
    if evidence.info is None:
        return None
    name = evidence.info.split(" ")[0]
    known = {"systemd-boot": _clue("systemd-boot", SYSTEMD_BOOT), "GRUB": _clue("GRUB 2", GRUB2)}
    return known.get(name) or _clue(evidence.info)


def _by_number(evidence: Evidence, alone: bool) -> Optional[Clue]:
    """Return whose number it is; `alone`: nothing else names a loader, so that one would have left its other traces, too."""
    number = evidence.number
    if number is None or number == SAYS_NOTHING or evidence.is_kexec:
        return None
    found = NUMBERS.get(number) or KINDS.get(number >> 4)
    if found is None:
        return _clue("an unknown boot loader (number {:#x})".format(number))
    if number >> 4 == 2 and alone:
        return found._replace(readers=found.readers - _not_behind_a_stub(evidence))
    return found


def _not_behind_a_stub(evidence: Evidence) -> FrozenSet[str]:
    """Return the readers of loaders that would have left a trace: GRUB 2 a word, systemd-boot its name, where that is seen."""
    gone = set() if evidence.image is not None else {GRUB2}
    if evidence.program is not None and evidence.info is None:
        gone.add(SYSTEMD_BOOT)
    return frozenset(gone)


def _by_words(evidence: Evidence) -> Optional[Clue]:
    """Return what the command line says: GRUB 2 and SYSLINUX write BOOT_IMAGE=, GRUB a path, LILO a label."""
    if evidence.image is not None:
        if evidence.image.startswith(("/", "(")):
            return _clue(UNNAMED, GRUB2, SYSLINUX)
        return _clue("SYSLINUX or LILO", SYSLINUX)
    if evidence.bootif:
        return NETWORK
    return _clue("an EFI stub", SYSTEMD_BOOT) if evidence.stub else None


def _directories(tree: Tree, evidence: Evidence, entry: Optional[LoadOption]) -> Optional[Tuple[str, ...]]:
    """Return the directory of the started program on each partition that may be the one that it was started from."""
    directory = (evidence.program or USUAL + "/").rpartition("/")[0].lower()
    if directory == USUAL.lower():
        return None
    points = points_of(tree, entry.partition if entry else None) or []
    return tuple(point.lower() + directory for point in points)
