"""Faults of what kexec needs, and of what it is to load: programs, kernel, images."""

from tests.faults.model import REFUSED, UNDER_WAY, UNLOAD, Fault, Scenario, cold, tests

KERNEL = "/boot/vmlinuz-$(uname -r)"
INITRD = "/boot/initrd.img-$(uname -r)"
# A program that does nothing but this, in the place of another one.
SCRIPT = "printf '#!/bin/sh\\n{}\\n' >/root/p; chmod 755 /root/p; mv /root/p {}"


def replace(path: str, make: str) -> str:
    """Return what puts something else at `path`; `make` makes it at $f."""
    return "f={}; rm $f; {}".format(path, make)


def cut(path: str, percent: int) -> str:
    """Return what leaves only the first `percent` of a file."""
    return "truncate -s $(($(stat -c %s {0}) * {1} / 100)) {0}".format(path, percent)


def flip(path: str, at: int) -> str:
    """Return what changes one byte of a file."""
    return "printf x | dd of={} bs=1 seek={} conv=notrunc status=none".format(path, at)


# What a program of Hyper-V's firmware would show, in the place of what QEMU's does.
HYPER_V = (
    UNLOAD
    + "cd /sys/class/dmi/id && echo Microsoft Corporation >/root/vendor && mount --bind /root/vendor sys_vendor && "
    "echo Virtual Machine >/root/product && mount --bind /root/product product_name"
)

FAULTS = (
    Fault(
        1,
        "kexec is missing, cannot be run, is for another machine, crashes",
        "cold",
        {
            "no-kexec-program": cold("rm /sbin/kexec", "the program kexec is missing", comes_back=True, kept=UNDER_WAY),
            "kexec-not-executable": cold("chmod -x /sbin/kexec", "the program kexec is missing", kept=UNDER_WAY),
            "kexec-of-another-machine": cold("head -c 4096 /dev/urandom >/sbin/kexec", "kexec", "installed"),
            "kexec-crashes-at-loading": cold(SCRIPT.format("kill -SEGV $$", "/sbin/kexec"), "kexec", "installed"),
            "kexec-crashes-at-the-jump": cold(
                SCRIPT.format("kill -SEGV $$", "/sbin/kexec"), "kexec", smoke=True, kept=UNDER_WAY
            ),
        },
        tests("scripts/test_standalone_load.py", "refused_with_the_sentence_that_python_says"),
    ),
    Fault(
        2,
        "kexec hangs, at loading or at the jump",
        "cold within the limit",
        {
            "kexec-hangs-at-loading": cold(SCRIPT.format("sleep 1000", "/sbin/kexec"), "kexec", "installed"),
            "kexec-hangs-at-the-jump": cold(SCRIPT.format("sleep 1000", "/sbin/kexec"), "kexec", kept=UNDER_WAY),
        },
        tests("scripts/test_standalone_load.py", "a_load_that_hangs_has_a_limit")
        + tests("unit/test_runtime.py", "a_step_that_hangs_is_cut_and_means_cold"),
    ),
    Fault(
        3,
        "the kernel has no kexec",
        "install refuses, a reboot is cold",
        {
            "no-kexec-in-sysfs": cold("mount -t tmpfs none /sys/kernel", "the kernel has no kexec", "installed"),
        },
        tests("unit/test_loading.py", "missing_support_is_named", "configuration_of_the_kernel"),
    ),
    Fault(
        4,
        "loading is disabled or used up by a sysctl",
        "cold; what is loaded already is started",
        {
            "loading-disabled": cold(
                "sysctl -w kernel.kexec_load_disabled=1", "loading is disabled", "installed", comes_back=True
            ),
            "loading-disabled-after-preload": Scenario("sysctl -w kernel.kexec_load_disabled=1"),
        },
        tests("vm/test_standalone.py", "where_loading_is_disabled_it_goes_cold")
        + tests("unit/test_load_choice.py", "what_is_loaded_may_be_executed_though_no_more_may_be_loaded")
        + tests("scripts/test_standalone_load.py", "no_more_loads_allowed"),
    ),
    Fault(
        5,
        "lockdown, Secure Boot, measured images",
        "a load that the kernel checks, else cold",
        {},
        tests(
            "unit/test_load_choice.py",
            "ways",
            "what_demands_a_signature",
            "the_rules_are_read_from_the_host",
            "a_signature_that_is_demanded_is_never_gone_around",
        )
        + tests(
            "vm/test_signed_kernels.py",
            "with_secure_boot_a_signed_kernel_goes_by_file_and_an_unsigned_one_through_firmware",
            "under_lockdown_what_the_kernel_cannot_verify_goes_through_firmware",
        )
        + tests("scripts/test_standalone_load.py", "under_lockdown_the_kernel_checks_the_signature"),
    ),
    Fault(
        6,
        "the kernel refuses to load: busy, no memory, no address",
        "cold",
        {},
        tests("unit/test_loading.py", "a_kexec_that_fails_means_cold")
        + tests(
            "unit/test_load_choice.py",
            "when_both_are_rejected_both_are_told",
            "memory_that_is_still_missing_is_the_reason",
            "another_load_under_way_is_waited_for_but_not_for_ever",
            "all_tries_share_one_time_limit",
        )
        + tests("unit/test_several_initrds.py", "too_little_memory_is_noticed_before"),
    ),
    Fault(
        7,
        "the admin has loaded a kernel, or one for a panic",
        "kept",
        {
            "panic-kernel-is-kept": Scenario(
                "printf '#!/bin/sh\\necho panic kernel: $(cat /sys/kernel/kexec_crash_loaded) >/dev/console\\n' "
                ">/etc/kexec-initd/pre-jump.d/witness; chmod 755 /etc/kexec-initd/pre-jump.d/witness; "
                f"kexec -p {KERNEL} --initrd={INITRD} --append='root=/dev/vda1'; "
                "test $(cat /sys/kernel/kexec_crash_loaded) = 1",
                reason="panic kernel: 1",
                start="crashkernel",
            ),
        },
        tests("vm/test_reboot.py", "a_kernel_loaded_by_hand_is_kept")
        + tests(
            "unit/test_loading.py",
            "a_kernel_loaded_by_hand_is_kept",
            "a_kernel_that_was_chosen_is_kept_and_loaded_again_when_it_changed",
        )
        + tests("unit/test_attempts.py", "a_kernel_loaded_by_hand_is_no_attempt")
        + tests("scripts/test_standalone_load.py", "what_was_loaded_by_hand_is_kept"),
    ),
    Fault(
        8,
        "a hypervisor or cloud on which kexec is known to fail",
        "cold unless forced",
        {
            "hyper-v": cold(HYPER_V, "this is Microsoft Hyper-V or Azure"),
            "hyper-v-forced": Scenario(HYPER_V + " && echo FORCE_PLATFORM=yes >>/etc/default/kexec-initd"),
        },
        tests(
            "unit/test_platforms.py",
            "a_known_platform_is_named_and_a_reboot_goes_cold_unless_forced",
            "install_is_refused_there_unless_forced",
        ),
    ),
    Fault(
        9,
        "a container, a chroot, another root directory",
        "refused, the host is never touched",
        {
            "load-in-a-chroot": Scenario(
                "cd /; for d in bin sbin lib lib64 usr etc run proc sys boot; do "
                "mkdir -p /root/c/$d; mount --bind $d /root/c/$d; done",
                REFUSED,
                "this is a chroot",
                "installed",
                "chroot /root/c kexec-initd load",
            ),
            "last-step-outside-of-a-shutdown": Scenario(
                "true", REFUSED, "the runlevel is 2, not 6", "preloaded", "python3 -I -m kexec_initd.stages.last_step"
            ),
        },
        tests("unit/test_host.py", "container_marks", "chroot")
        + tests("unit/test_policy.py", "table")
        + tests("unit/test_cli.py", "loading_is_refused_where_it_would_reach_outside")
        + tests("unit/test_runtime.py", "refuses_outside_a_shutdown")
        + tests("install/test_standalone.py", "refused_with_one_line_and_nothing_changed"),
    ),
    Fault(
        10,
        "init is runit or unknown, OpenRC on Alpine",
        "refused, nothing changed",
        {},
        tests("unit/test_integration_transaction.py", "an_unfit_host_is_refused_with_nothing_changed")
        + tests("unit/test_host.py", "init_by_what_runs_and_by_what_is_installed")
        + tests("install/test_rpm.py", "under_systemd_it_waits_for_systemd_shutdown_and_is_hooked_there"),
    ),
    Fault(
        11,
        "the kernel is cut",
        "cold",
        {
            "kernel-cut-to-99-percent": cold(cut(KERNEL, 99), "it is cut", smoke=True),
            "kernel-cut-to-half": cold(cut(KERNEL, 50), "it is cut"),
            "kernel-cut-nothing-loaded": cold(cut(KERNEL, 90), "it is cut", "installed"),
            "kernel-header-only": cold("truncate -s 32768 " + KERNEL, "it is cut", "installed"),
        },
        tests("unit/test_kernel_image.py", "a_cut_kernel_is_refused")
        + tests("unit/test_kernel_formats.py", "a_kernel_that_is_cut_anywhere_is_refused")
        + tests("unit/test_unfit_files.py", "a_kernel_that_is_cut_at_any_step_of_64_kib_is_refused")
        + tests("vm/test_standalone.py", "with_a_fault_it_comes_back"),
    ),
    Fault(
        12,
        "bits of the kernel are flipped",
        "cold",
        {
            "kernel-flipped": cold(flip(KERNEL, 4000000), "damaged", "installed"),
            "kernel-flipped-after-preload": cold(flip(KERNEL, 4000000), "damaged"),
        },
        tests("unit/test_kernel_image.py", "one_flipped_bit_is_found", "mutated_kernels_pass_only_unchanged")
        + tests("unit/test_kernel_formats.py", "a_kernel_with_a_checksum_is_refused_with_a_flipped_bit"),
    ),
    Fault(
        13,
        "the kernel is empty, a directory, text, a FIFO, a device, 8 GB of nothing, unreadable",
        "cold in little time",
        {
            "kernel-empty": cold(": >" + KERNEL, "the file has 0 bytes"),
            "kernel-is-a-directory": cold(replace(KERNEL, "mkdir $f"), "vmlinuz"),
            "kernel-is-text": cold("echo hello >" + KERNEL, "vmlinuz", "installed"),
            "kernel-is-a-fifo": cold(replace(KERNEL, "mkfifo $f"), "vmlinuz"),
            "kernel-is-a-device": cold(replace(KERNEL, "mknod $f c 1 5"), "vmlinuz", "installed"),
            "kernel-of-8-gigabytes": cold("truncate -s 8G " + KERNEL, "vmlinuz"),
            "kernel-unreadable": cold(
                "dev=$(readlink -f /dev/disk/by-uuid/6b657865-632d-4e69-a974-642d626f6f74) && umount /boot && "
                "mount $dev /boot && set -- $(filefrag -b512 -v "
                + KERNEL
                + " | sed -n 's/^ *0: *[0-9]*\\.\\. *[0-9]*: *"
                "\\([0-9]*\\)\\.\\..*/\\1/p') && size=$(blockdev --getsz $dev) && umount /boot && at=$(($1 + 2048)) && "
                'printf \'%s\\n\' "0 $at linear $dev 0" "$at 8 error" "$((at + 8)) $((size - at - 8)) linear $dev $((at + 8))" | '
                "dmsetup create bad && udevadm settle && mount /dev/mapper/bad /boot",
                "Input/output error",
                "boot_partition",
            ),
        },
        tests(
            "unit/test_kernel_image.py",
            "what_is_no_regular_file_or_empty_is_refused",
            "a_sparse_file_of_gigabytes_is_refused_at_once",
            "an_unreadable_file_is_refused",
            "the_time_is_bounded",
        )
        + tests("unit/test_unfit_files.py", "what_is_not_fit_is_never_given_to_kexec_and_means_cold"),
    ),
    Fault(
        14,
        "the initrd is empty, cut, garbage, text, microcode only",
        "cold",
        {
            "initrd-empty": cold(": >" + INITRD, "initrd"),
            "initrd-cut": cold(cut(INITRD, 50), "initrd"),
            "initrd-garbage": cold("head -c 9000000 /dev/urandom >" + INITRD, "initrd", "installed"),
            "initrd-text": cold("echo hello >" + INITRD, "initrd"),
            "initrd-flipped": cold(flip(INITRD, 3000000), "damaged", "installed"),
            "initrd-microcode-only": cold(
                "cd /root && d=kernel/x86/microcode && mkdir -p $d && head -c 4096 /dev/urandom >$d/AuthenticAMD.bin && "
                "find kernel | cpio --quiet -o -H newc >" + INITRD,
                "initrd",
                "installed",
            ),
        },
        tests("unit/test_initrd_image.py", "what_is_refused", "what_does_not_count_as_init", "a_bomb_is_refused")
        + tests("unit/test_unfit_files.py", "what_was_loaded_before_it_was_spoilt_is_unloaded"),
    ),
    Fault(
        15,
        "the initrd belongs to another kernel, or is gone",
        "cold",
        {
            "no-initrd": cold("rm " + INITRD, "is missing"),
            "initrd-of-another-version": cold(
                "for i in /boot/initrd.img-*; do [ $i = " + INITRD + " ] || cp " + INITRD + " $i; done",
                "initrd",
                "two_kernels",
            ),
        },
        tests("unit/test_fit.py", "an_initrd_of_another_version_is_refused", "a_mixed_up_file_is_refused"),
    ),
)
