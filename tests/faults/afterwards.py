"""Faults that show after the jump, in the data that is left, and in the boots that follow."""

from tests.faults.model import COLD, RESET, Fault, Scenario, tests

# Data that nobody has synced, and its digest.
IN_FLIGHT = "head -c 20000000 /dev/urandom >{0}/data; sha256sum {0}/data >/root/digest"
SAME = "sha256sum -c --quiet /root/digest"
# $d is the second disk, which the guest has never seen.
OTHER = "d=/dev/vdc && {} && mkdir -p /srv/x && mount {} /srv/x && echo '{} /srv/x {} defaults 0 2' >>/etc/fstab && "

FAULTS = (
    Fault(
        42,
        "data is in flight: journals, several devices, swap",
        "all of it there and clean",
        {
            "write-in-flight": Scenario(IN_FLIGHT.format("/var/tmp"), after=SAME),
            "write-in-flight-cold": Scenario(
                IN_FLIGHT.format("/var/tmp") + "; touch /no-kexec-reboot",
                "cold",
                "asked for by /no-kexec-reboot",
                after=SAME,
                comes_back=True,
            ),
            "write-in-flight-open-file": Scenario(
                "exec 9>/var/tmp/data; (while :; do echo line >&9; sleep 1; done) & " + IN_FLIGHT.format("/srv"),
                after=SAME,
            ),
            "swap-in-use": Scenario(
                "dd if=/dev/zero of=/swap bs=1M count=128 status=none; chmod 600 /swap; mkswap -q /swap; swapon /swap; "
                "echo '/swap none swap sw 0 0' >>/etc/fstab; grep -q /swap /proc/swaps"
            ),
            "xfs": Scenario(
                OTHER.format("mkfs.xfs -q $d", "$d", "/dev/vdc", "xfs") + IN_FLIGHT.format("/srv/x"),
                after="mountpoint -q /srv/x && " + SAME,
                start="furnished",
            ),
            "xfs-cold": Scenario(
                OTHER.format("mkfs.xfs -q $d", "$d", "/dev/vdc", "xfs")
                + IN_FLIGHT.format("/srv/x")
                + "; touch /no-kexec-reboot",
                COLD,
                "asked for by /no-kexec-reboot",
                "furnished",
                after="mountpoint -q /srv/x && " + SAME,
                comes_back=True,
            ),
        },
        tests(
            "vm/test_harness.py",
            "power_cut_is_not_taken_for_clean_or_for_kexec",
            "power_cut_on_xfs_is_not_taken_for_clean",
        )
        + tests("vm/test_hung_mounts.py", "the_reboot_ends_within_its_limit"),
    ),
    Fault(
        43,
        "the new kernel panics",
        "back through firmware, the next one cold",
        {},
        tests(
            "vm/test_broken_kernels.py",
            "a_kernel_that_breaks_resets_the_machine_and_is_not_tried_again_until_it_is_trusted",
        )
        + tests("unit/test_cmdline.py", "a_panic_resets_the_machine_unless_the_line_says_otherwise"),
    ),
    Fault(
        44,
        "the new kernel does not find its root",
        "back through firmware",
        {
            "wrong-root": Scenario(
                "sed -i 's/root=UUID=[^ ]*/root=UUID=00000000-0000-4000-8000-000000000000/' /boot/grub/grub.cfg",
                RESET,
                "00000000-0000-4000-8000-000000000000 does not exist",
            ),
        },
    ),
    Fault(
        45,
        "the new kernel hangs without a word",
        "back with a hardware watchdog only",
        {},
        tests(
            "vm/test_broken_kernels.py",
            "a_kernel_that_breaks_resets_the_machine_and_is_not_tried_again_until_it_is_trusted",
        )
        + tests(
            "unit/test_watchdog.py",
            "the_last_step_starts_it_and_does_not_stop_it",
            "what_cannot_be_promised_is_kept_off_and_told",
            "one_that_cannot_be_started_means_cold",
        )
        + tests("scripts/test_last_step.py", "the_shell_alone_starts_the_watchdog_that_was_made_ready"),
    ),
    Fault(
        46,
        "a watchdog resets a slow, good boot",
        "no loop: cold, then kexec",
        {},
        tests("vm/test_broken_kernels.py", "a_good_kernel_that_does_not_load_the_driver_is_not_reset")
        + tests("unit/test_watchdog.py", "the_new_boot_stops_it_once", "preload_stops_the_one_of_the_jump_before"),
    ),
    Fault(
        47,
        "the new kernel is up, without its network or the end of its boot",
        "the next one is cold",
        {
            "arrival-that-fails-its-check": Scenario(
                "d=/etc/kexec-initd/arrival.d && mkdir -p $d && printf '#!/bin/sh\\nexit 4\\n' >$d/network && "
                "chmod 755 $d/network && echo CHECK_SECONDS=1 >>/etc/default/kexec-initd",
                after="(for i in $(seq 50); do kexec-initd status | grep 'attempt .*exit code 4' && exit; "
                "sleep 1; done; exit 1)",
            ),
        },
        tests(
            "unit/test_attempts.py",
            "another_boot_closes_the_guard_for_that_target_only",
            "an_arrival_that_fails_its_checks_closes_the_guard_and_is_no_proof_of_anything",
        ),
    ),
    Fault(
        48,
        "many kexecs in a row",
        "each like the first; cold as often as asked for",
        {},
        tests("unit/test_limits.py", "after_so_many_kexecs_one_reboot_goes_through_firmware"),
    ),
    Fault(
        49,
        "the clock jumps",
        "no difference: boots are told apart by their id",
        {
            "clock-in-1980": Scenario(
                "date -s '1980-01-02 03:04:05'",
                after="kexec-initd status | { ! grep -E '^(held back|reboot): .*attempt'; }",
            ),
            "clock-in-2037": Scenario("date -s '2037-12-31 23:59:00'", start="installed"),
        },
        tests(
            "unit/test_attempts.py",
            "a_boot_counts_once_however_often_it_is_judged",
            "days_since_firmware_stay_sane_when_the_clock_does_not",
        ),
    ),
    Fault(
        50,
        "the power is cut between the record and the jump",
        "the next one is cold",
        {},
        tests("vm/test_guard.py", "after_a_kexec_that_never_arrived_reboots_are_cold_until_it_is_trusted")
        + tests("unit/test_attempts.py", "a_power_cut_before_the_record_is_in_place_leaves_nothing_to_judge"),
    ),
)
