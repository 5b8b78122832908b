"""Faults of the shutdown itself: scripts, Python, file systems, the verbs."""

from tests.faults.loading import SCRIPT
from tests.faults.model import COLD, EITHER, SINGLE, STAYS, UNDECIDED, UNDER_WAY, UNLOAD, Fault, Scenario, cold, tests

EARLY = "/etc/init.d/kexec-initd"
# A script that is another one than install has written makes the reboot cold, so it is installed as it is changed.
TEMPLATE = "/usr/lib/python3/dist-packages/kexec_initd/templates/common/early.sh"
INSTALLED = "kexec-initd install >/dev/null && kexec-initd unload >/dev/null && kexec-initd preload >/dev/null"
# An unreadable line, an end, a function in the place of ours, something that cannot be changed any more.
HOSTILE = (
    "printf '%s\\n' 'NETDOWN=\"no' 'exit 0' 'set -e' 'reboot() {{ :; }}' 'readonly PATH=/nowhere state=/nowhere' >>{}"
)
FULL = "head -c 4G /dev/zero >/var/full 2>/dev/null; sync; df / | tail -1"
LARGE = "head -c 10000000 /dev/zero | tr '\\0' x >{}"
DEAD_MAN = tests("vm/test_dead_man.py", "the_dead_man_resets_what_does_not_end") + tests(
    "scripts/test_dead_man.py", "a_shutdown_that_has_ended_without_a_reboot_is_noticed"
)

FAULTS = (
    Fault(
        27,
        "one reboot through firmware is asked for",
        "cold once, then kexec",
        {
            "cold-once-without-preload": cold("touch /no-kexec-reboot", "asked for by /no-kexec-reboot", "installed"),
        },
        tests("vm/test_reboot.py", "coldreboot_is_cold_once")
        + tests("scripts/test_early_step.py", "cold_once_is_consumed_and_unloads", "an_old_decision_never_survives"),
    ),
    Fault(
        28,
        "/etc/init.d/reboot is missing, empty, not executable, has a bad first line",
        "cold by the dead-man",
        {},
        DEAD_MAN,
    ),
    Fault(
        29,
        "a rendered script is no valid shell",
        "install refuses",
        {},
        tests(
            "render/test_render.py",
            "rendered_files_are_valid_in_every_shell",
            "every_placeholder_is_quoted_or_a_checked_header",
        )
        + tests("render/test_elsewhere.py", "generated_files_are_valid_in_every_shell")
        + tests(
            "unit/test_integration_transaction.py",
            "a_script_that_is_not_valid_shell_is_refused_and_everything_put_back",
        ),
    ),
    Fault(
        30,
        "a file in /etc/default has an open quote, `exit 0`, functions, 10 MB",
        "never run: kexec; our own unreadable: cold",
        {
            "default-halt-with-open-quote": Scenario("echo 'NETDOWN=\"no' >/etc/default/halt"),
            "default-halt-hostile": Scenario(HOSTILE.format("/etc/default/halt")),
            "default-halt-of-10-megabytes": Scenario(LARGE.format("/etc/default/halt")),
            "netdown-no": Scenario("echo NETDOWN=no >/etc/default/halt"),
            "settings-hostile": Scenario(
                HOSTILE.format("/etc/default/kexec-initd"), reason="not an assignment that is understood"
            ),
            "settings-in-doubt": cold("echo KEXEC=perhaps >>/etc/default/kexec-initd", "kexec-initd"),
            "settings-of-10-megabytes": cold(LARGE.format("/etc/default/kexec-initd"), "kexec-initd"),
        },
        tests("scripts/test_last_step.py", "default_halt_is_read_and_never_run")
        + tests(
            "unit/test_settings.py",
            "a_line_that_is_not_understood_means_no_kexec_with_its_number",
            "any_text_gives_settings",
        ),
    ),
    Fault(
        31,
        "our scripts are killed at any line",
        "cold, or the whole decision",
        {
            "early-step-killed-at-once": cold(
                f"sed -i '2i [ $1 = jump ] || kill -9 $$' {EARLY}",
                "the early shutdown step left no decision",
                smoke=True,
                kept=UNDECIDED,
            ),
            "early-step-killed-before-its-decision": cold(
                f"sed -i 's/^decide () {{/&\\nkill -9 $$/' {TEMPLATE} && {INSTALLED} && grep -q '^kill -9' {EARLY}",
                "the early shutdown step left no decision",
                kept=UNDECIDED,
            ),
            "early-step-killed-after-its-decision": Scenario(
                f"sed -i 's/^prepare () {{/&\\ntrap \"kill -9 $$\" EXIT/' {TEMPLATE} && {INSTALLED} && grep -q 'EXIT$' {EARLY}"
            ),
            "program-killed-while-it-loads": cold(
                SCRIPT.format('[ "$1" = -u ] || kill -9 $PPID', "/sbin/kexec"),
                "the program that would load it failed (code 137)",
                "installed",
            ),
            "last-step-gone-since-the-early-one": cold(
                f"sed -i '2i rm {EARLY}' /etc/init.d/umountroot",
                "/etc/init.d/kexec-initd jump failed (code 127)",
                kept=UNDER_WAY,
            ),
        },
        DEAD_MAN
        + tests("scripts/test_killed.py", "killed_at_any_line_the_early_step_leaves_a_whole_decision_or_none")
        + tests("scripts/test_last_step.py", "a_runtime_that_failed_is_replaced_by_the_shell")
        + tests(
            "scripts/test_reboot_page.py",
            "whatever_becomes_of_the_last_step_it_reboots_cold_and_says_why",
            "signalled_at_any_line_it_ends_in_a_reboot_and_in_sysrq",
            "killed_at_any_line_it_is_reset_by_what_it_has_left_behind",
        )
        + tests("install/test_kills.py", "killed_at_random_moments"),
    ),
    Fault(
        32,
        "umount or sync hangs: a dead server, a dead disk",
        "cold or kexec within the limit",
        {},
        tests("unit/test_runtime.py", "a_step_that_hangs_is_cut_and_means_cold", "the_whole_has_a_limit_too")
        + tests("vm/test_hung_mounts.py", "the_reboot_ends_within_its_limit")
        + tests("unit/test_runtime.py", "what_a_dead_server_holds_up_is_detached_and_the_rest_tried_again")
        + tests("scripts/test_last_step.py", "the_shell_alone_detaches_what_a_dead_server_holds_up_and_tries_again")
        + tests("scripts/test_dead_man.py", "a_shutdown_that_outlives_its_limit_is_ended"),
    ),
    Fault(
        33,
        "Python is missing, hangs, crashes, has broken packages",
        "kexec or cold by the shell alone",
        {
            "no-python": Scenario("rm /usr/bin/python3*", smoke=True),
            "no-python-nothing-loaded": cold(
                "rm /usr/bin/python3*", "nothing fit is loaded", "installed", comes_back=True
            ),
            "python-hangs": Scenario(SCRIPT.format("sleep 1000", "/usr/bin/python3")),
            "python-hangs-nothing-loaded": cold(
                SCRIPT.format("sleep 1000", "/usr/bin/python3"), "nothing fit is loaded", "installed"
            ),
            "python-crashes": Scenario(SCRIPT.format("kill -SEGV $$", "/usr/bin/python3")),
            "python-crashes-nothing-loaded": cold(
                SCRIPT.format("kill -SEGV $$", "/usr/bin/python3"), "nothing fit is loaded", "installed"
            ),
            "site-packages-hang": Scenario(
                "echo 'import time; time.sleep(1000)' >/usr/lib/python3/dist-packages/sitecustomize.py"
            ),
            "our-modules-are-damaged": cold(
                "for f in /usr/lib/python3/dist-packages/kexec_initd/*.py; do echo '(' >$f; done",
                "nothing fit is loaded",
                "installed",
            ),
        },
        tests(
            "scripts/test_early_step.py",
            "a_change_without_python_means_cold_and_unloaded",
            "nothing_changed_needs_no_python",
        )
        + tests("scripts/test_last_step.py", "no_python_at_all")
        + tests("vm/test_standalone.py", "installed_rebooted_and_uninstalled"),
    ),
    Fault(
        34,
        "/ or /var is read-only or full, /run is full, /tmp runs no programs",
        "kexec, or cold with its reason",
        {
            "root-read-only": cold(
                "sync; echo u >/proc/sysrq-trigger; sleep 2", "attempts: Read-only file system", kept=UNDECIDED
            ),
            "disk-full": cold(FULL, "attempts: No space left on device", kept=UNDECIDED),
            "disk-full-nothing-loaded": cold(UNLOAD + FULL, "attempts: No space left on device", kept=UNDECIDED),
            "state-read-only": cold(
                "mkdir -p /var/lib/kexec-initd && mount --bind /var/lib/kexec-initd /var/lib/kexec-initd && "
                "mount -o remount,ro,bind /var/lib/kexec-initd",
                "attempts: Read-only file system",
                kept=UNDECIDED,
            ),
            # Other scripts make room again before ours runs, or they do not.
            "run-full": Scenario(
                "head -c 4G /dev/zero >/run/full 2>/dev/null; df /run | tail -1", EITHER, kept=UNDER_WAY
            ),
            # Room for one file: that of the decision, once the others are taken back.
            "run-full-nothing-loaded": cold(
                "head -c 4G /dev/zero >/run/full 2>/dev/null; truncate -s -4K /run/full; df /run | tail -1",
                "No space left on device",
                "installed",
            ),
            "tmp-noexec": Scenario("mount -t tmpfs -o noexec,ro none /tmp", start="installed"),
        },
        tests("unit/test_attempts.py", "a_record_that_cannot_be_written_means_cold")
        + tests("scripts/test_early_step.py", "without_a_record_there_is_no_kexec"),
    ),
    Fault(
        35,
        "/proc or /sys is unmounted, /dev/null is gone",
        "cold, or kexec where it does not matter",
        {
            "sys-unmounted": cold("umount -l /sys", "the kernel has no kexec"),
            # killall5(8), which ends all processes, mounts it again when it is not there.
            "proc-unmounted": Scenario("true", command="umount -l /proc; reboot"),
            "no-dev-null": Scenario("rm /dev/null"),
        },
        tests("scripts/test_last_step.py", "a_missing_file_of_the_state_means_cold", "a_missing_tool_strands_nothing"),
    ),
    Fault(
        36,
        "the dead-man or its child is killed by the shutdown",
        "no early reset",
        {},
        tests("scripts/test_dead_man.py", "sleeps_that_end_early_end_nothing")
        + tests("vm/test_rhel.py", "a_halt_that_hangs_behind_its_killall5_is_ended"),
    ),
    Fault(
        37,
        "reboot is wrapped by molly-guard; stdin is closed",
        "kexec, no question",
        {
            "molly-guard": Scenario(
                "test -e /usr/lib/molly-guard/molly-guard || test -d /lib/molly-guard", start="furnished"
            ),
            "closed-descriptors": Scenario("true", command="reboot <&- >&- 2>&-"),
        },
    ),
    Fault(
        38,
        "reboot(8) fails or is missing at the last step",
        "cold by sysrq",
        {
            "no-reboot-program": Scenario(
                "rm /sbin/reboot; touch /no-kexec-reboot", COLD, "asked for by /no-kexec-reboot", command="init 6"
            ),
            "reboot-program-hangs": Scenario(
                "touch /no-kexec-reboot; " + SCRIPT.format("sleep 1000", "/sbin/reboot"),
                COLD,
                "asked for by /no-kexec-reboot",
                command="init 6",
            ),
        },
        tests(
            "scripts/test_last_step.py",
            "a_reboot_that_comes_back_is_followed_by_sysrq",
            "a_missing_reboot_is_followed_by_sysrq",
        )
        + tests("scripts/test_reboot_page.py", "whatever_becomes_of_reboot_it_ends_in_sysrq"),
    ),
    Fault(
        39,
        "poweroff, halt, single-user mode with a kernel loaded",
        "off, halted, single-user mode: never kexec",
        {
            "runlevel-1": Scenario("test $(cat /sys/kernel/kexec_loaded) = 1", SINGLE, command="init 1"),
            "runlevel-s": Scenario("test $(cat /sys/kernel/kexec_loaded) = 1", SINGLE, command="init S"),
        },
        tests("vm/test_reboot.py", "off_is_off_with_a_kernel_loaded")
        + tests("vm/test_rhel.py", "off_is_off_with_a_kernel_loaded")
        + tests("vm/test_standalone.py", "off_is_off_with_a_kernel_loaded")
        + tests("scripts/test_early_step.py", "nothing_happens_in_another_runlevel"),
    ),
    Fault(
        40,
        "other ways to reboot",
        "as documented",
        {
            "telinit-6": Scenario("true", command="telinit 6"),
            "ctrl-alt-del": Scenario("grep -q '^ca:.*ctrlaltdel:' /etc/inittab", command="kill -INT 1"),
            "shutdown-called-off": Scenario(
                "shutdown -r +1 >/dev/null 2>&1 & sleep 1; shutdown -c", STAYS, command="sleep 75"
            ),
        },
        tests("vm/test_reboot.py", "every_way_to_reboot_goes_through_kexec"),
    ),
    Fault(
        41,
        "scripts one after the other, file-rc, the fixed order of old releases",
        "kexec, the same order",
        {
            "concurrency-none": Scenario("echo CONCURRENCY=none >>/etc/default/rcS"),
        },
        tests("vm/test_rhel.py", "installed_upgraded_and_removed")
        + tests("install/test_standalone.py", "without_insserv_the_links_are_made_by_hand")
        + tests("render/test_elsewhere.py", "generated_files_are_as_expected"),
    ),
)
