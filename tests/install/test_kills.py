"""SIGKILL at random moments of install and uninstall on a Debian host, dpkg-divert and insserv included."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Callable, Dict, List

import pytest

from tests.install.chroot import ENVIRONMENT, Chroot, copy_base
from tests.trees import snapshot
from tests.vm.packages import build_deb

KILLS = 200
VERBS = {"install": ["kexec-initd", "install"], "uninstall": ["kexec-initd", "uninstall"]}


class Kills:
    """Runs and kills commands in one tree; the last of them uninstalls. With `alone` some are killed without their children."""

    def __init__(
        self, chroot: Chroot, verbs: Dict[str, List[str]], look: Callable[[Chroot], Dict[str, str]], alone: bool
    ) -> None:
        self.chroot, self.verbs, self.look, self.alone = chroot, verbs, look, alone
        self.script = chroot.tree / "etc/init.d/reboot"
        self.whole = {"uninstall": self.script.read_bytes()}
        self.etc = {"uninstall": look(chroot)}
        for verb in verbs:
            begun = time.monotonic()
            chroot.must(*verbs[verb])
            self.duration = time.monotonic() - begun
            self.whole[verb] = self.script.read_bytes()
            assert self.etc.setdefault(verb, look(chroot)) == look(chroot)

    def kill(self, verb: str, delay: float, everything: bool) -> bool:
        """Start `verb` and kill it after `delay` seconds, with all that it started or alone; say whether it still ran.

        On a busy machine the first process of a namespace, and by that the others, outlive the one outside by a second, and by
        all that they do where that one is gone before they have asked for its end to be theirs: unshare(1) does it after its
        fork. The end of the last one closes the pipe that all of them have.
        """
        command = self.chroot.command(*self.verbs[verb])
        if not everything:
            command = command[command.index("chroot") :]
        reader, writer = os.pipe()
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT,
            pass_fds=[writer],
        ) as run:  # fmt: skip
            os.close(writer)
            time.sleep(delay)
            os.kill(run.pid, signal.SIGKILL)
        if everything:
            os.read(reader, 1)
        os.close(reader)
        return run.returncode == -signal.SIGKILL

    def check_whole(self) -> None:
        """The script is the distribution's or ours, and executable."""
        assert self.script.read_bytes() in self.whole.values()
        assert self.script.stat().st_mode & 0o777 == 0o755

    def finish(self, verb: str) -> None:
        """Run `verb` to its end, which has to leave what it always leaves."""
        begun = time.monotonic()
        self.chroot.must(*self.verbs[verb])
        self.duration = 0.8 * self.duration + 0.2 * (time.monotonic() - begun)  # the machine may have other work
        assert self.script.read_bytes() == self.whole[verb]
        assert self.look(self.chroot) == self.etc[verb]

    def try_all(self, chance: random.Random, wanted: int) -> None:
        """Kill runs at random moments until so many were under way then, each finished by a run of any of the commands."""
        hits = ours = runs = 0
        now = "uninstall"
        while hits < wanted:
            runs += 1
            assert runs < 8 * wanted, "too few runs were still under way when they were killed"
            verb = chance.choice([verb for verb in self.verbs if verb != now])
            hits += self.kill(verb, chance.uniform(0.2, 0.9) * self.duration, not self.alone or chance.random() < 0.5)
            self.check_whole()
            ours += self.script.read_bytes() != self.whole["uninstall"]
            now = chance.choice(list(self.verbs))
            self.finish(now)
        print("{} of {} runs were killed under way; {} times the script was ours then".format(hits, runs, ours))
        self.finish("uninstall")


def look(chroot: Chroot) -> Dict[str, str]:
    return snapshot(chroot.tree / "etc", times=False)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.full)])
def test_killed_at_random_moments(tmp_path: Path, seed: int) -> None:
    chroot = copy_base(tmp_path)
    chroot.dpkg("--unpack", str(build_deb()))
    Kills(chroot, VERBS, look, alone=True).try_all(random.Random(seed), KILLS // 2)
    assert chroot.verify() == []
