"""The devices of a guest, as arguments for QEMU."""

from pathlib import Path
from typing import List

UEFI = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
DEVICES = ("-machine", "pc", "-smp", "1", "-vga", "none", "-display", "none", "-nic", "none",
           "-no-reboot", "-no-shutdown")


def disk_args(name: str, path: Path, kind: str, more: str) -> List[str]:
    """Return the arguments for one virtio disk. QEMU's exit completes the image, so no write waits for the host's disk."""
    drive = f"if=none,id={name},format={kind},cache=unsafe,discard=unmap,file={path}{more}"
    return ["-drive", drive, "-device", f"virtio-blk-pci,drive={name}"]


def uefi_args(variables: Path) -> List[str]:
    """Return the arguments for UEFI firmware that keeps its variables in the file `variables`, instead of a BIOS."""
    return ["-drive", f"if=pflash,format=raw,readonly=on,file={UEFI}", "-drive", f"if=pflash,format=raw,file={variables}"]
