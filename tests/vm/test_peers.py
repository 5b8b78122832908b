"""systemd alone, Debian's kexec-tools and ours on the same host: who starts which kernel, who goes cold, who goes off."""

from pathlib import Path
from typing import Tuple

import pytest

from tests.vm.conftest import WAIT_LOADED, StartMachine
from tests.vm.debian_systemd import RECIPE, build_systemd
from tests.vm.evidence import gather
from tests.vm.image import NEWER_KERNEL
from tests.vm.kernels import INSTALL_NEWER, find_kernels
from tests.vm.peers import PEERS, SEEN, SITUATIONS, Situation
from tests.vm.qemu import EndReason, Machine
from tests.vm.snapshot import take

OURS, ENTRY = "kexec-initd", "the loader's entry"
TWO_KERNELS = RECIPE._replace(carried=NEWER_KERNEL + ":depends")


def observe(machine: Machine, situation: Situation) -> str:
    """Type what the situation says and tell what came of it."""
    kernels = find_kernels(machine)
    machine.send(situation.command)
    end = machine.wait_end(600)
    if end is EndReason.POWEROFF:
        return "off"
    if end is EndReason.RESET:
        machine.restart()
        machine.wait_login()
    elif end is EndReason.LOGIN:
        machine.talk().greet(60.0)
    else:
        return str(end.value)
    after = gather(machine)
    way = "cold" if end is EndReason.RESET else "kexec"
    which = ENTRY if after.release == (kernels.new if situation.newer else kernels.old) else "ANOTHER kernel"
    return ", ".join([way, which, *(["unclean"] if after.unclean else [])])


@pytest.mark.full
@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("situation", SITUATIONS, ids=[str(number) for number, _ in enumerate(SITUATIONS)])
def test_in_each_situation(situation: Situation, peer: str, debs: Tuple[Path, ...], start: StartMachine) -> None:
    host = take(build_systemd(TWO_KERNELS._replace(boot_partition=situation.boot_partition)), prepare=(INSTALL_NEWER,))
    ours = take(host, debs, (f"({WAIT_LOADED})",)) if peer == OURS else take(host, prepare=(PEERS[peer],))
    machine = start(ours.setup())
    machine.check(situation.harm, 300)
    seen = observe(machine, situation)
    SEEN.keep(peer, situation.name, seen)
    if peer == OURS:
        assert seen == ("off" if situation.command == "poweroff" else "kexec, " + ENTRY)
