"""The devices of a guest, as arguments for QEMU."""

from pathlib import Path
from typing import List, Optional

UEFI = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
DEVICES = ("-machine", "pc", "-smp", "1", "-vga", "none", "-display", "none", "-nic", "none",
           "-no-reboot", "-no-shutdown")


def disk_args(name: str, path: Path, more: str = "", log: Optional[Path] = None) -> List[str]:
    """Return the arguments for one virtio disk. QEMU's exit completes the image, so no write waits for the host's disk.

    With `log` each write and each flush is logged in that file, in their order (see power.py).
    """
    kind = "qcow2" if path.suffix == ".qcow2" else "raw"
    drive = f"if=none,id={name},discard=unmap{more},"
    if log is None:
        drive += f"cache=unsafe,format={kind},file={path}"
    else:
        drive += "cache=writeback,driver=blklogwrites," + ",".join(
            f"{child}.cache.no-flush=on,{child}.{where}"
            for child, where in (("log", f"driver=file,log.filename={log}"),
                                 ("file", f"driver={kind},file.discard=unmap,file.file.filename={path}"))
        )
    return ["-drive", drive, "-device", f"virtio-blk-pci,drive={name}"]


def uefi_args(variables: Path) -> List[str]:
    """Return the arguments for UEFI firmware that keeps its variables in the file `variables`, instead of a BIOS."""
    return ["-drive", f"if=pflash,format=raw,readonly=on,file={UEFI}", "-drive", f"if=pflash,format=raw,file={variables}"]
