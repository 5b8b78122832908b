"""Keeps what the last firmware boot has shown of who started the machine: after a kexec it is not to be seen."""

import contextlib

from kexec_initd.bootloader.boot_order import find_started
from kexec_initd.bootloader.evidence import read_evidence, read_record
from kexec_initd.errors import Error
from kexec_initd.state import checksum, store
from kexec_initd.state.store import Damaged, Lasting
from kexec_initd.system.sysroot import Tree


def keep(tree: Tree) -> None:
    """Keep what the running boot shows, unless a kexec has led to it. Where that fails, the next reboot but one is cold."""
    with contextlib.suppress(Error, OSError):
        shown = read_evidence(tree, find_started(tree).entry)
        if shown.is_kexec:
            return
        try:
            if read_record(tree.root) == shown:
                return
        except Damaged:
            pass
        store.write(tree.root, Lasting.STARTER, checksum.dump(shown._asdict()))
