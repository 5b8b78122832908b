"""The record that the check of every kernel format returns."""

from typing import NamedTuple, Optional


class KernelInfo(NamedTuple):
    """A kernel's own data, and how it was proved."""

    version: Optional[str]
    """The release, as `uname -r` prints it; None where the image does not tell it."""
    cmdline_size: int
    """The longest command line it takes, in bytes."""
    size: int
    """Bytes of the image, without a signature behind it."""
    proof: str
    """How it was found to be whole: "crc", "signature", "payload" or "size"."""
