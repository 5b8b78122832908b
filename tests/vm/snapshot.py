"""A guest that has booted by itself and waits at its prompt, kept as a disk and a saved state: scenarios start there.

A scenario gets an overlay on the disk and goes on from the state within seconds, and so does a snapshot that adds something
to another one. A state fits only the QEMU, the accelerator and the devices it was saved with: all that is in its digest.
"""

import io
import shutil
import tarfile
from pathlib import Path
from typing import NamedTuple, Optional, Sequence, Tuple, Union

from tests.vm.accel import accelerator
from tests.vm.cache import digest, make_once
from tests.vm.image import Image
from tests.vm.qemu import MEMORY, Machine, Setup, create_overlay

INSTALL_LIMIT = 600.0


class Snapshot(NamedTuple):
    """A disk (read-only backing) and the state that belongs to it; `key` is the digest of what made them."""

    disk: Path
    state: Path
    accel: str
    memory: int
    key: str
    extra_args: Tuple[str, ...] = ()
    variables: Optional[Path] = None

    def setup(self, payload: Optional[Path] = None) -> Setup:
        """Return the setup of a machine that goes on from here."""
        return Setup(disk=self.disk, state=self.state, accel=self.accel, memory=self.memory, payload=payload,
                     extra_args=self.extra_args, variables=self.variables)

    def cold_setup(self, payload: Optional[Path] = None) -> Setup:
        """Return the setup of a machine that boots this disk through its firmware; other devices may be added."""
        return self.setup(payload)._replace(state=None)


def take(base: Union[Image, Snapshot], packages: Sequence[Path] = (), prepare: Tuple[str, ...] = (), memory: int = MEMORY,
         extra_args: Tuple[str, ...] = (), variables: Optional[Path] = None) -> Snapshot:
    """Return the snapshot of `base` with `packages` installed and the shell lines `prepare` run, cached.

    An image is booted: with `extra_args` on a machine that has more devices, with `variables` on one with UEFI, which starts
    with them (Setup). A snapshot is gone on from, on its own machine.
    """
    start = base.setup() if isinstance(base, Snapshot) else Setup(
        disk=base.disk, accel=accelerator(base.kernel), memory=memory, extra_args=extra_args, variables=variables
    )
    parts = [base.key.encode(), start.hardware().encode(), Path(__file__).read_bytes(), repr(prepare).encode()]
    key = digest([*parts, *(package.read_bytes() for package in packages)])

    def make(directory: Path) -> None:
        disk = create_overlay(start.disk, directory / "disk.qcow2")
        payload = write_payload(directory / "payload.tar", packages)
        with Machine("snapshot-" + key, start._replace(disk=disk, writable=True, payload=payload)) as machine:
            machine.boot()
            settle(machine, packages, prepare)
            machine.save(directory / "state.zst")
            # the saved state holds them, too; a cold boot of the same disk needs them from here
            if start.variables is not None:
                shutil.copyfile(machine.variables, directory / "variables.fd")
        payload.unlink()

    directory = make_once("snapshot-" + key, make)
    kept = None if start.variables is None else directory / "variables.fd"
    return Snapshot(
        directory / "disk.qcow2", directory / "state.zst", start.accel, start.memory, key, start.extra_args, kept
    )


def settle(machine: Machine, packages: Sequence[Path], prepare: Tuple[str, ...]) -> None:
    """Bring a freshly booted guest to the point where its state is saved."""
    if packages:
        machine.unpack("/root")
        machine.check(install_line(packages), INSTALL_LIMIT)
    for line in prepare:
        machine.check(line, INSTALL_LIMIT)
    machine.check("sync")


def install_line(packages: Sequence[Path]) -> str:
    """Return the command that installs `packages`, unpacked into /root: by rpm, or by dpkg."""
    program = "rpm" if packages[0].suffix == ".rpm" else "dpkg"
    return f"{program} -i " + " ".join("/root/" + package.name for package in packages)


def write_payload(path: Path, files: Sequence[Path]) -> Path:
    """Write a tar of `files`, by their plain names, for a payload disk."""
    with tarfile.open(path, "w") as tar:
        for source in files:
            data = source.read_bytes()
            member = tarfile.TarInfo(source.name)
            member.size = len(data)
            member.mode = 0o755 if source.stat().st_mode & 0o100 else 0o644
            tar.addfile(member, io.BytesIO(data))
    return path
