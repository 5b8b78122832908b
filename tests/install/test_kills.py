"""SIGKILL at random moments of install and uninstall on a Debian host, dpkg-divert and insserv included."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.install.chroot import ENVIRONMENT, Chroot, copy_base
from tests.trees import snapshot
from tests.vm.packages import build_deb

KILLS = 200
VERBS = ("install", "uninstall")


class Kills:
    """Runs and kills install and uninstall in one tree."""

    def __init__(self, chroot: Chroot) -> None:
        self.chroot = chroot
        self.script = chroot.tree / "etc/init.d/reboot"
        self.whole = {"uninstall": self.script.read_bytes()}
        self.etc = {"uninstall": snapshot(chroot.tree / "etc", times=False)}
        begun = time.monotonic()
        chroot.must("kexec-initd", "install")
        self.duration = time.monotonic() - begun
        self.whole["install"] = self.script.read_bytes()
        self.etc["install"] = snapshot(chroot.tree / "etc", times=False)

    def kill(self, verb: str, delay: float, everything: bool) -> bool:
        """Start `verb` and kill it after `delay` seconds, with all that it started or alone; say whether it still ran."""
        command = self.chroot.command("kexec-initd", verb)
        if not everything:
            command = command[command.index("chroot") :]
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT
        ) as run:
            time.sleep(delay)
            os.kill(run.pid, signal.SIGKILL)
        return run.returncode == -signal.SIGKILL

    def check_whole(self) -> None:
        """The script is the distribution's or ours, and executable."""
        assert self.script.read_bytes() in self.whole.values()
        assert self.script.stat().st_mode & 0o777 == 0o755

    def finish(self, verb: str) -> None:
        """Run `verb` to its end, which has to leave what it always leaves."""
        begun = time.monotonic()
        self.chroot.must("kexec-initd", verb)
        self.duration = 0.8 * self.duration + 0.2 * (time.monotonic() - begun)  # the machine may have other work
        assert self.script.read_bytes() == self.whole[verb]
        assert snapshot(self.chroot.tree / "etc", times=False) == self.etc[verb]


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_moments(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    chroot = copy_base(tmp_path)
    chroot.dpkg("--unpack", str(build_deb()))
    kills = Kills(chroot)
    hits = ours = runs = 0
    installed = True
    while hits < KILLS // 2:
        runs += 1
        assert runs < 4 * KILLS, "too few runs were still under way when they were killed"
        verb, then = VERBS[installed], chance.choice(VERBS)
        hits += kills.kill(verb, chance.uniform(0.2, 0.9) * kills.duration, chance.random() < 0.5)
        kills.check_whole()
        ours += kills.script.read_bytes() == kills.whole["install"]
        kills.finish(then)
        installed = then == "install"
    print("{} of {} runs were killed under way; {} times the script was ours then".format(hits, runs, ours))
    kills.finish("uninstall")
    assert chroot.verify() == []
