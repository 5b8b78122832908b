"""The moments of a reboot at which the power fails, in their order, and what the guard has to think of each. Data only.

A moment begins with a mark on the console. A program that stops there, in place of one of the system's, makes it exact:
what comes before it has been done, and nothing of what follows. Where the attempt is written down, and where it is
confirmed, everything depends on that.
"""

import shlex
from typing import Dict, NamedTuple

# Nothing has been tried: the next reboot is kexec.
NOTHING = "not held"
# The attempt is on the disk, and nobody has confirmed it: cold, until so many good boots.
HELD = "held"
# Plain shell has renamed the record, which reaches the disk with the journal's next commit: after five seconds, or with the
# sync of the shutdown. The kexec has not been tried yet, so both are right; the guard and the record have to agree. Python
# has the record on the disk before it goes on.
EITHER = "not held, or held with the record"
# Confirmed: the next reboot is kexec.
ARRIVED = "not held, arrived"

STOPPED = "the power may fail"
IN_THE_SHUTDOWN = "[ -e /run/power-cut ]"  # gone with the next boot
IN_A_SCRIPT = IN_THE_SHUTDOWN + ' && [ "$RUNLEVEL" = 6 ]'
READ_ONLY = IN_THE_SHUTDOWN + " && grep -q ' / ext4 ro,' /proc/mounts"
AFTER_THE_JUMP = "grep -q kexec_initd.attempt /proc/cmdline"


class Moment(NamedTuple):
    """What the console shows when it begins (a pattern), what the guard is to be afterwards, seconds until the power fails.

    With `lost` the disk loses what was not flushed; else it has all that was written. `prepare` is shell text.
    """

    mark: str
    guard: str
    lost: bool = False
    delay: float = 0.0
    prepare: str = "true"


def stopping(program: str, words: str, after: bool = False, when: str = IN_THE_SHUTDOWN) -> str:
    """Return shell text that has `program` stop before (or after) its work where its arguments fit `words` of `case`."""
    run = '"$0.real" "$@"; '
    text = f"""#!/bin/sh
case "$*" in
{words}) if {when}; then {run if after else ""}echo '{STOPPED}' >/dev/console; sleep 100; fi ;;
esac
exec "$0.real" "$@"
"""
    place = f"place=$(readlink -f $(command -v {program}))"
    return f": >/run/power-cut; {place}; mv $place $place.real; printf %s {shlex.quote(text)} >$place; chmod 755 $place"


def stopped(guard: str, program: str, words: str, after: bool = False, lost: bool = False, first: str = "",
            when: str = IN_THE_SHUTDOWN) -> Moment:
    """Return the moment at which `program` stops; `first` is shell text for before that."""
    return Moment(STOPPED, guard, lost, prepare=first + stopping(program, words, after, when))


# Not before the test has seen its mark: the record is written soon after.
BRAKE = stopping("cp", "*attempts.new")
# Something has changed since the load: Python decides, loads, and writes the record.
CHANGED = "echo '# changed' >>/etc/default/kexec-initd; "
# Here the reboots are made that the guard holds, and the one after them.
TWO_BOOTS = "echo GUARD_BOOTS=2 >>/etc/default/kexec-initd; "
# The new kernel says what it does before init, which the guest's own command line keeps quiet.
TALKATIVE = (
    "echo 'CMDLINE_APPEND=\"earlyprintk=serial,ttyS0,115200 loglevel=7\"' >>/etc/default/kexec-initd; kexec-initd load"
)
CHECKED = (
    "mkdir -p /etc/kexec-initd/arrival.d; "
    f"printf '#!/bin/sh\\necho {STOPPED} >/dev/console; sleep 100\\n' >/etc/kexec-initd/arrival.d/stop; "
    "chmod 755 /etc/kexec-initd/arrival.d/stop"
)

MOMENTS: Dict[str, Moment] = {
    "reboot is typed": Moment("system is going down for reboot", NOTHING, prepare=BRAKE),
    "reboot is typed - a moment later": Moment("system is going down for reboot", NOTHING, True, 0.3, BRAKE),
    "init changes the runlevel": Moment("INIT: Switching to runlevel: 6", NOTHING, prepare=BRAKE),
    "init ends its own processes": Moment("INIT: Sending processes", NOTHING, True, prepare=BRAKE),
    "rc begins": Moment("concurrent boot in runlevel 6", NOTHING, prepare=BRAKE),
    "the dead-man has been started": stopped(NOTHING, "sleep", "5", lost=True, first=BRAKE + "; "),
    "early step: what is loaded is compared": stopped(NOTHING, "stat", "*%d*"),
    "early step: before the record": stopped(NOTHING, "cp", "*attempts.new", lost=True),
    "early step: the record's file is written - not flushed": stopped(NOTHING, "cp", "*attempts.new", True),
    "early step: the record's file is not flushed - and lost": stopped(NOTHING, "cp", "*attempts.new", True, True),
    "early step: the record's file is flushed - not renamed": stopped(NOTHING, "sync", "*attempts.new", True, True),
    "early step: the record is renamed": stopped(EITHER, "mv", "*attempts.new*", True),
    "early step: the record is renamed - what is not flushed is lost": stopped(EITHER, "mv", "*attempts.new*", True, True),
    "early step - Python: before the load": stopped(NOTHING, "kexec", "-l*", lost=True, first=CHANGED),
    "early step - Python: after the load": stopped(NOTHING, "kexec", "-l*", True, first=CHANGED),
    "early step - Python: the record is written": stopped(HELD, "sync", "''", lost=True, first=CHANGED, when=IN_A_SCRIPT),
    "K scripts": Moment("Stopping hotplug events", EITHER),
    "K scripts - a moment later": Moment("Stopping hotplug events", EITHER, True, 0.2),
    "K scripts: the hardware clock": Moment("Hardware Clock updated", EITHER),
    "killall begins": Moment("Asking all remaining processes", HELD, prepare=CHANGED + "true"),
    "killall - a moment later": Moment("Asking all remaining processes", EITHER, True, 0.3),
    "killall is over": Moment("All processes ended", HELD, prepare=CHANGED + "true"),
    "network down": Moment("Deconfiguring network", EITHER, True),
    "swap off": Moment("Deactivating swap", HELD, prepare=CHANGED + "true"),
    "before / is read-only": stopped(EITHER, "mount", "*remount*", lost=True),
    "/ is read-only": stopped(HELD, "mount", "*remount*", True, True),
    "last step": Moment(r"Will now restart\.", HELD, True),
    "last step: the kernel is to be started": Moment("kexec-initd: starting the loaded kernel", HELD),
    "last step: before the sync": stopped(HELD, "sync", "''", lost=True, when=READ_ONLY),
    "last step: before umount": stopped(HELD, "umount", "'-a '*", lost=True),
    "last step: after umount": stopped(HELD, "umount", "'-a '*", True),
    "last step: before kexec -e": stopped(HELD, "kexec", "-e*", lost=True, first=TWO_BOOTS),
    "the jump": Moment("kexec-initd: starting the loaded kernel", HELD, True, 3.0),
    "new kernel: its first line": Moment("NX .Execute Disable. protection", HELD, True, prepare=TALKATIVE),
    "new kernel: the initramfs is unpacked": Moment("unpack rootfs image as initramfs", HELD, prepare=TALKATIVE),
    "new kernel: before init": Moment("Freeing unused kernel image", HELD, True, prepare=TALKATIVE),
    "initramfs": Moment("Loading, please wait", HELD),
    "initramfs: / is to be mounted": Moment("Begin: Mounting root file system", HELD, True),
    "initramfs: / is mounted": Moment("/scripts/init-bottom", HELD),
    "init": Moment("INIT: version .* booting", HELD, True),
    "rc S: devices": Moment("Synthesizing the initial hotplug", HELD),
    "rc S: fsck": Moment("Checking root file system", HELD, True),
    "rc S: / is writable": Moment("Mounting local filesystems", HELD),
    "rc S: network": Moment("Configuring network interfaces", HELD, True),
    "rc 2": Moment("INIT: Entering runlevel: 2", HELD),
    "login": Moment("guest login: ", HELD, True),
    "the arrival is checked": Moment(STOPPED, HELD, True, prepare=CHECKED),
    "the arrival is confirmed - the next kernel is not loaded": stopped(ARRIVED, "kexec", "-l*", lost=True, when=AFTER_THE_JUMP),
    "the next kernel is loaded": stopped(ARRIVED, "kexec", "-l*", True, when=AFTER_THE_JUMP),
}
