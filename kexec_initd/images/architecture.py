"""Which machines there are, and which kernels each of them can start.

kexec itself loads a kernel of another architecture with some formats, and the machine then hangs.
"""

from typing import NamedTuple, Tuple

from kexec_initd.images.reader import InvalidImage

LITTLE, BIG = 1, 2


class Architecture(NamedTuple):
    """One architecture as kernels name it: what marks its files, and how long its command lines are."""

    name: str
    elf: Tuple[Tuple[int, int], ...]
    """Pairs of byte order (EI_DATA) and e_machine, as elf(5) and linux/elf-em.h number them."""
    pe: Tuple[int, ...]
    """Machine types of PE headers, as linux/pe.h numbers them."""
    cmdline_size: int
    """Bytes of the longest command line that every kernel in use takes, where the image does not say it."""


X86 = Architecture("x86", ((LITTLE, 3), (LITTLE, 62)), (0x14C, 0x8664), 2047)
ARM64 = Architecture("arm64", ((LITTLE, 183),), (0xAA64,), 2047)
PPC64LE = Architecture("ppc64le", ((LITTLE, 21),), (), 2047)
PPC64 = Architecture("ppc64", ((BIG, 21),), (), 2047)
S390X = Architecture("s390x", ((BIG, 22),), (), 895)
RISCV64 = Architecture("riscv64", ((LITTLE, 243),), (0x5064,), 511)

ALL = (X86, ARM64, PPC64LE, PPC64, S390X, RISCV64)
# By what uname(2) calls the machine. A 32-bit x86 kernel starts a 64-bit one, and the other way round.
MACHINES = dict({found.name: found for found in ALL}, x86_64=X86, i386=X86, i486=X86, i586=X86, i686=X86, aarch64=ARM64)


def require(found: Architecture, machine: str) -> None:
    """Raise InvalidImage unless `machine`, as uname(2) names it, can start a kernel for the architecture `found`."""
    if machine not in MACHINES:
        raise InvalidImage("this machine is {}, whose kernels are not known here".format(machine))
    if MACHINES[machine] is not found:
        raise InvalidImage("it is a kernel for {}, but this machine is {}".format(found.name, machine))
