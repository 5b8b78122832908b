"""Faults of the choice: which kernel is next, what the boot loader and the firmware are asked for, while others write it."""

from tests.faults.loading import KERNEL
from tests.faults.model import EITHER, UNLOAD, Fault, Scenario, cold, tests

# One more parameter of that many bytes in every entry.
LONGER = "sed -i \"s|^[[:space:]]*linux.*|& long=$(head -c {} /dev/zero | tr '\\0' x)|\" /boot/grub/grub.cfg"


def variable(name: str, value: bytes) -> str:
    """Return what sets a variable of the firmware's; before its value come its attributes: kept, for boot and run time."""
    octal = "".join("\\{:03o}".format(byte) for byte in b"\7\0\0\0" + value)
    return (
        "cd /sys/firmware/efi/efivars; mountpoint -q . || mount -t efivarfs none . && cd /sys/firmware/efi/efivars && "
        "f={}-8be4df61-93ca-11d2-aa0d-00e098032b8c && {{ [ ! -e $f ] || chattr -i $f; }} && "
        "printf '{}' >/root/value && cat /root/value >$f".format(name, octal)
    )


FAULTS = (
    Fault(
        16,
        "many kernels, and leftovers with odd endings",
        "the right one",
        {},
        tests("unit/test_bootloader_versions.py", "published_orders", "kernels_ascend")
        + tests("install/test_grub_mkconfig.py", "names"),
    ),
    Fault(
        17,
        "a kernel package is half installed, an initrd is being made, dpkg is at work",
        "what a boot would start, or cold",
        {
            "kernel-unpacked-not-configured": Scenario(
                "dpkg --unpack /root/linux-image-*.deb", after="uname -r | grep '^6\\.1\\.'"
            ),
            "initrd-being-made": Scenario("update-initramfs -u >/dev/null 2>&1 & sleep 3", EITHER),
            "package-being-installed": Scenario("dpkg -i /root/linux-image-*.deb >/dev/null 2>&1 & sleep 8", EITHER),
        },
        tests("unit/test_fit.py", "modules_have_to_be_installed")
        + tests("scripts/test_kernel_changed.py", "the_early_step_asks_again_although_no_file_shows_a_change")
        + tests("unit/test_loading.py", "what_was_loaded_before_a_change_is_loaded_again_though_no_file_shows_it"),
    ),
    Fault(
        18,
        "/boot is not mounted; an old copy lies under its mount point",
        "cold",
        {
            "boot-unmounted": cold("umount /boot", "is not mounted", "boot_partition", comes_back=True),
            "boot-unmounted-old-copy": cold(
                "cp -a /boot /root/old && umount /boot && cp -a /root/old/. /boot/", "is not mounted", "boot_partition"
            ),
        },
        tests("vm/test_reboot.py", "a_separate_boot_is_unmounted_when_the_kernel_starts")
        + tests("unit/test_grub2_parts.py", "volumes_are_found_by_udevs_links")
        + tests(
            "unit/test_boot_partition.py",
            "what_lies_under_a_mount_point_of_fstab_is_not_read",
            "the_running_kernel_shows_whether_the_loaders_boot_is_in_sight",
        ),
    ),
    Fault(
        19,
        "files of /boot are replaced between check and load",
        "what was checked is loaded, or cold",
        {
            "kernel-swapped-in-a-loop": Scenario(
                f"k={KERNEL}; cp $k /root/good; head -c 3000000 $k >/root/bad; "
                "(while :; do cp /root/bad $k.n; mv $k.n $k; cp /root/good $k.n; mv $k.n $k; done) >/dev/null 2>&1 &",
                EITHER,
                start="installed",
            ),
        },
        tests(
            "unit/test_loading.py",
            "what_kexec_reads_is_what_was_checked",
            "a_change_during_the_load_is_not_lost",
            "a_change_between_choosing_and_loading_is_not_lost",
        )
        + tests("scripts/test_standalone_load.py", "what_is_replaced_while_it_is_checked_is_not_loaded_and_noticed"),
    ),
    Fault(
        20,
        "names of kernels with spaces, `$(x)`, `;`, line ends",
        "passed over, nothing of them runs",
        {
            "hostile-kernel-names": Scenario(
                "cd /boot && rm -r grub && v=$(uname -r) && "
                "for n in ' a b' ';touch canary' '$(touch canary)' '-x' \"$(printf 'a\\nb')\" \"$(printf '\\377\\376')\" "
                "$(head -c 240 /dev/zero | tr '\\0' a); do cp vmlinuz-$v \"vmlinuz-$n\"; done",
                after="test -z \"$(find / -xdev -name 'canary*')\"",
                start="installed",
            ),
        },
        tests("unit/test_loading.py", "hostile_kernel_names", "a_newline_in_a_kernel_name_is_refused")
        + tests("unit/test_bootloader_entries.py", "a_hostile_title_is_shown_escaped_and_given_back_unchanged"),
    ),
    Fault(
        21,
        "command lines with quotes, `$`, backticks, `%`, of any length",
        "the same to the byte, or cold",
        {
            "command-line-of-2000-bytes": Scenario(
                LONGER.format(1700), after="tr ' ' '\\n' </proc/cmdline | grep -qx 'long=x\\{1700\\}'"
            ),
            "command-line-of-3000-bytes": cold(LONGER.format(3000), "the command line has"),
        },
        tests("vm/test_reboot.py", "a_hostile_command_line_arrives_unchanged")
        + tests("unit/test_loading.py", "any_command_line_reaches_kexec_byte_for_byte")
        + tests("unit/test_cmdline.py", "whatever_holds_no_attempt_comes_through_byte_for_byte")
        + tests("scripts/test_standalone_parity.py", "command_lines"),
    ),
    Fault(
        22,
        "the command line asks for single-user mode, another init, a rescue",
        "not carried on; what the entry says",
        {
            "single-typed-at-the-boot-menu": Scenario(
                UNLOAD + 'echo "$(cat /proc/cmdline) single init=/bin/false" >/root/line && '
                "mount --bind /root/line /proc/cmdline",
                after="! grep -E 'single|init=/bin/false' /proc/cmdline",
            ),
        },
        tests("unit/test_editing.py", "words_for_one_boot", "find_one_off")
        + tests(
            "unit/test_wishes.py",
            "a_word_for_one_boot_is_not_carried_on_without_a_configuration",
            "a_configured_entry_may_have_what_it_has",
        ),
    ),
    Fault(
        23,
        "the boot loader's default has changed since the boot; a kernel was installed",
        "what the loader would start now",
        {},
        tests(
            "vm/test_target.py",
            "a_changed_entry_is_started_as_a_cold_boot_starts_it",
            "a_newer_kernel_is_started_and_the_older_one_when_grub_is_told_so",
        )
        + tests("unit/test_loading.py", "a_configuration_that_changes_after_the_preload_is_followed"),
    ),
    Fault(
        24,
        "a wish for one boot, a saved entry by name, a broken grubenv",
        "honoured once, or cold",
        {},
        tests("vm/test_target.py", "a_wish_is_honoured_once_and_taken_back")
        + tests("vm/test_grub_settings.py", "kexec_starts_what_grub_boots")
        + tests("vm/test_grub_legacy.py", "kexec_starts_what_grub_legacy_boots")
        + tests(
            "vm/test_systemd_boot.py",
            "kexec_starts_what_systemd_boot_boots",
            "a_wish_for_one_boot_is_honoured_and_taken_back",
        )
        + tests("unit/test_grub2_parts.py", "environment_block", "a_block_has_room_for_1024_bytes")
        + tests("install/test_grub_mkconfig.py", "once", "a_wish_that_grub_cannot_take_back"),
    ),
    Fault(
        25,
        "an update under trial: counters of boots, of tries",
        "cold",
        {},
        tests("install/test_kernel_install.py", "tries_that_are_left", "no_tries_left")
        + tests("vm/test_systemd_boot.py", "tries_are_left_for_the_loader_to_count")
        + tests("unit/test_bootloader_parsing.py", "tries"),
    ),
    Fault(
        26,
        "the firmware is asked for something: BootNext, OsIndications, a capsule",
        "cold",
        {
            "boot-next": cold(variable("BootNext", bytes(2)), "BootNext", "preloaded_uefi"),
            "firmware-setup-asked-for": cold(
                variable("OsIndications", b"\1" + bytes(7)), "OsIndications", "preloaded_uefi"
            ),
        },
        tests("unit/test_loading.py", "what_the_firmware_is_asked_for_after_the_preload_means_cold")
        + tests("bootloader/test_fixtures.py", "host"),
    ),
)
