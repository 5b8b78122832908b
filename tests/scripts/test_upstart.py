"""Upstart's job for a change of the runlevel reaches our K script and then our last step, by its own environment alone.

No Upstart runs: a job's text is run as its init does, by `sh -e` with PATH and TERM, the event's RUNLEVEL and PREVLEVEL, and
UPSTART_*, without INIT_VERSION, CONSOLE or HOME. The jobs and what they call are of our own writing, after upstart's conf/rc.conf
and Debian's rc of Ubuntu 9.10 to 14.10, and after init/rc.conf of initscripts' rhel6-branch. The guests in RHEL 6's shape
(tests/vm) reboot with the same environment, given by sysvinit.
"""

import shutil
import subprocess
from pathlib import Path
from typing import List

from kexec_initd.install.layout import DEBIAN_SYSVINIT
from kexec_initd.install.render import render_all
from kexec_initd.system.host import InitSystem, gather
from tests.scripts.jail import Jail
from tests.scripts.test_rhel import STATE, put_scripts

RHEL = Path(__file__).resolve().parents[1] / "vm/rhel"
# Ubuntu's waits for plymouth where that has a job, and then for rc, which calls all of runlevel 6 with "stop".
UBUNTU_JOB = """
case "$RUNLEVEL" in
[016]) status plymouth-shutdown 2>/dev/null >/dev/null && start wait-for-state WAITER=rc WAIT_FOR=plymouth-shutdown || : ;;
esac
/etc/init.d/rc $RUNLEVEL
"""
UBUNTU_RC = """#!/bin/sh
PATH=/sbin:/usr/sbin:/bin:/usr/bin
runlevel=$RUNLEVEL previous=$PREVLEVEL
export PATH runlevel previous
for script in /etc/rc$1.d/K* /etc/rc$1.d/S*; do
    "$script" stop
done
"""
# As RHEL 6's halt: it asks halt.local, and executes what is loaded then.
RHEL_HALT = """#!/bin/sh
echo "halt $1 $RUNLEVEL" >>/calls
/sbin/halt.local message /sbin/reboot -d /sbin/kexec
[ "$(cat /sys/kernel/kexec_loaded)" != 1 ] || kexec -e -x
reboot -d
"""
TELLS = 'echo "level $RUNLEVEL of $PREVLEVEL, ${INIT_VERSION-}${HOME-}" >>/calls\n'


def run_job(jail: Jail, script: str) -> List[str]:
    """Run a job's text as Upstart does when somebody reboots from runlevel 2; return what was called, in order."""
    environment = {"PATH": "/sbin:/usr/sbin:/bin:/usr/bin", "TERM": "linux", "RUNLEVEL": "6", "PREVLEVEL": "2"}
    environment.update(UPSTART_JOB="rc", UPSTART_INSTANCE="", UPSTART_EVENTS="runlevel")
    argv = [shutil.which("chroot") or "/usr/sbin/chroot", str(jail.root), "/bin/sh", "-e", "-c", script]
    subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   env=environment, check=False, timeout=60)  # fmt: skip
    return jail.calls()


def put_program(jail: Jail, name: str, state: str) -> None:
    """Have the program decide for a kexec early in the shutdown, and leave the last step to plain shell."""
    body = TELLS + 'case "$*" in *prepare) echo kexec >/{}/decision ;; *) exit 1 ;; esac'.format(state)
    (jail.root / state / "decision").unlink()
    (jail.root / "usr/bin").mkdir(parents=True, exist_ok=True)
    jail.fake(name, body)


def test_ubuntus_job_reaches_the_early_step_and_then_the_last(jail: Jail) -> None:
    jail.write("etc/init/rc-sysinit.conf", "")
    host = gather(jail.root)
    assert host.init is InitSystem.UPSTART
    for file in render_all(host):
        jail.write(file.path[1:], file.content.decode(), 0o755)
    for path, target in (*DEBIAN_SYSVINIT.links, ("/etc/rc6.d/S90reboot", "../init.d/reboot")):
        (jail.root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (jail.root / path[1:]).symlink_to(target)
    jail.fake(
        "../etc/rc6.d/S60umountroot", "sed 's/ rw,/ ro,/' /proc/mounts >/tmp/mounts; cat /tmp/mounts >/proc/mounts"
    )
    jail.write("etc/init.d/rc", UBUNTU_RC, 0o755)
    put_program(jail, "../usr/bin/python3", "run/kexec-initd")
    told = "level 6 of 2, "
    assert [call for call in run_job(jail, UBUNTU_JOB) if not call.startswith("sync /")] == [
        *("python3 -I -m kexec_initd prepare", told, "S60umountroot stop"),
        "python3 -I -S /usr/lib/python3/dist-packages/kexec_initd/stages/jump.py",
        *(told, "sync", "kexec -e", "reboot -d -f -i"),
    ]


def test_rhels_job_reaches_the_early_step_and_then_halt_local(jail: Jail) -> None:
    (jail.root / "usr/sbin").mkdir(parents=True)
    put_scripts(jail, "centos-6")
    for name in ("bash", "touch"):
        jail.copy(shutil.which(name) or name)
    for place, names in (("common", ("rc", "init.d/functions")), ("release-6", ("rules",))):
        for name in names:
            text = (RHEL / place / "etc/rc.d" / name).read_text()
            jail.write("etc/rc.d/" + name, text, 0o755)
    jail.fake("../sbin/runlevel", "echo N 2")
    (jail.root / "etc/rc6.d").mkdir()
    (jail.root / "etc/rc6.d/K01kexec-initd").symlink_to("../init.d/kexec-initd")
    jail.write("etc/rc6.d/S01reboot", RHEL_HALT, 0o755)
    put_program(jail, "../usr/sbin/kexec-initd", STATE)
    job = (RHEL / "release-6/etc/init/rc.conf").read_text()
    assert "\nexport RUNLEVEL\n" in job
    calls = run_job(jail, job[job.index("\nexec ") :])
    assert calls[:4] == ["runlevel", "kexec-initd prepare", "level 6 of 2, ", "halt start 6"]
    assert calls[4] == "sync" and calls[-2:] == ["kexec -e -x", "reboot -d"]
