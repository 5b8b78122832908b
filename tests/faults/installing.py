"""Faults of installing, upgrading and removing, and of files that others may write. Most of them are shown without a guest."""

from tests.faults.model import UNLOAD, Fault, Scenario, cold, tests

TRANSACTION = "unit/test_integration_transaction.py"
SETTINGS = "/etc/default/kexec-initd"
# Whatever we would take from here leaves a file behind.
TRAP = (
    "mkdir /root/trap && cd /root/trap && for name in kexec python3 stat sh; do "
    "printf '#!/bin/sh\\n: >/var/canary-program\\n' >$name; chmod 755 $name; done; "
    'for name in jinja2 distro sh json kexec_initd sitecustomize; do echo \'open("/var/canary-" + __name__, "w")\' '
    ">$name.py; done; echo ': >/var/canary-shell' >profile"
)
HOSTILE = (
    *(
        "PYTHONPATH=/root/trap",
        "PYTHONSTARTUP=/root/trap/jinja2.py",
        "ENV=/root/trap/profile",
        "BASH_ENV=/root/trap/profile",
    ),
    *("IFS=/", "LD_PRELOAD=/root/trap/none.so"),
)
CRASHES = "install/test_crashes.py"
PACKAGE = "install/test_package.py"

FAULTS = (
    Fault(
        51,
        "install, upgrade or removal is killed at any step",
        "whole files, old or new",
        {},
        tests(
            CRASHES, "killed_at_every_step_leaves_whole_files_and_the_next_run_finishes", "killed_again_while_finishing"
        )
        + tests("install/test_kills.py", "killed_at_random_moments")
        + tests("install/test_standalone.py", "killed_at_every_step"),
    ),
    Fault(
        52,
        "the power is cut at any moment",
        "whole files, none of them empty",
        {},
        tests("vm/test_guard.py", "after_a_kexec_that_never_arrived_reboots_are_cold_until_it_is_trusted")
        + tests("unit/test_attempts.py", "every_damaged_byte_and_every_cut_is_told"),
    ),
    Fault(
        53,
        "a write fails: no space, no quota, an error of the disk",
        "refused, everything as before",
        {},
        tests(CRASHES, "an_install_that_fails_takes_everything_back", "a_disk_that_stays_broken_leaves_whole_files")
        + tests("unit/test_atomic_write.py", "a_write_that_fails_leaves_the_old_file_alone_and_names_it")
        + tests(
            "install/test_standalone.py",
            "an_install_that_fails_takes_everything_back",
            "an_uninstall_that_fails_is_finished_by_the_next",
        )
        + tests("unit/test_consuming.py", "a_write_that_fails_or_is_unknown_is_left_to_grub"),
    ),
    Fault(
        54,
        "two installs at once, a stale lock",
        "one does it, the other is refused",
        {},
        tests(CRASHES, "two_runs_at_once_do_not_mix")
        + tests(TRANSACTION, "only_one_run_at_a_time")
        + tests("install/test_standalone.py", "two_at_once")
        + tests("unit/test_loading.py", "a_preload_that_still_runs_is_waited_for_and_then_given_up"),
    ),
    Fault(
        55,
        "a script was edited by the admin, is of no known shape, is hooked by another tool",
        "kept, or refused",
        {},
        tests(TRANSACTION, "our_edited_script_is_saved_and_said_so", "a_script_that_another_put_over_ours_stays")
        + tests(
            "unit/test_integration_rhel.py",
            "a_halt_without_kexec_that_ends_otherwise_is_refused",
            "an_edit_of_halt_around_the_block_is_kept",
        )
        + tests(PACKAGE, "a_script_edited_before_is_given_back"),
    ),
    Fault(
        56,
        "initscripts or kexec-tools is upgraded, removed, purged",
        "no question of dpkg, its own script again afterwards",
        {},
        tests(
            PACKAGE,
            "an_upgrade_of_initscripts_in_between_is_kept",
            "an_upgrade_of_kexec_tools_in_between_is_kept",
            "initscripts_purged_before_us",
        )
        + tests("install/test_rpm.py", "an_upgrade_of_initscripts_is_hooked_and_kept"),
    ),
    Fault(
        57,
        "a diversion, an alternative or an override of the admin is there already",
        "respected or refused",
        {},
        tests(PACKAGE, "a_diversion_or_an_override_of_the_admin_is_respected"),
    ),
    Fault(
        58,
        "insserv, run-parts or chkconfig see our backups",
        "none is where they look",
        {},
        tests(TRANSACTION, "nothing_is_left_in_a_directory_that_boot_programs_read")
        + tests("render/test_render.py", "insserv_reads_the_same_header"),
    ),
    Fault(
        59,
        "a target is a link, immutable, of another owner, has an ACL",
        "kept exactly, or refused",
        {},
        tests(TRANSACTION, "uninstall_is_exact_whatever_was_there", "an_immutable_script_is_refused")
        + tests(
            "unit/test_integration_rhel.py",
            "an_immutable_script_is_refused_with_nothing_changed",
            "an_rc_local_that_is_a_link_is_left_alone_with_a_word",
        ),
    ),
    Fault(
        60,
        "uninstall after edits, twice, of half an install",
        "every byte, mode and owner as before",
        {},
        tests(
            TRANSACTION,
            "uninstall_is_exact",
            "a_second_uninstall_changes_nothing",
            "a_lost_manifest_does_not_stop_the_removal",
        )
        + tests(PACKAGE, "install_reinstall_upgrade_remove_purge")
        + tests("install/test_standalone.py", "install_and_uninstall"),
    ),
    Fault(
        61,
        "settings that others can write, that are a link, a FIFO, huge",
        "ignored, and cold",
        {
            "settings-writable-by-others": cold("chmod 666 " + SETTINGS, "can be written by others"),
            "settings-of-another-user": cold("chown daemon " + SETTINGS, "belongs to user 1"),
            "settings-are-a-fifo": cold("f={0}; rm $f; mkfifo $f".format(SETTINGS), "is not a regular file"),
        },
        tests(
            "unit/test_settings.py",
            "a_file_that_others_can_write_is_ignored",
            "a_file_of_another_user_is_ignored",
            "a_file_that_cannot_be_settings_is_ignored",
            "what_is_no_file_is_ignored",
        )
        + tests("unit/test_odd_files.py", "nothing_is_waited_for_or_read_without_end", "files_that_are_not_for_us")
        + tests("scripts/test_standalone_parity.py", "settings"),
    ),
    Fault(
        62,
        "a user has made links or directories in our place",
        "not followed",
        {
            "state-files-are-links": cold(
                UNLOAD + "cp /etc/passwd /root; cd /var/lib/kexec-initd && ln -sf /etc/passwd attempts && "
                "ln -sf /etc/passwd last-cold && ln -sf /etc/passwd attempts.new && ln -sf /etc/passwd last-cold.new",
                "attempts",
                comes_back=True,
            )._replace(after="cmp /etc/passwd /root/passwd"),
        },
        tests(TRANSACTION, "a_link_in_place_of_the_lock_is_not_followed")
        + tests("unit/test_odd_files.py", "each_file_that_is_read_is_among_them")
        + tests("unit/test_attempts.py", "whatever_is_in_place_of_the_record_means_cold_once")
        + tests("scripts/test_kernel_changed.py", "a_state_directory_that_is_none_fails_no_package"),
    ),
    Fault(
        63,
        "a hostile environment: PATH, PYTHONPATH, LD_PRELOAD, IFS, closed descriptors",
        "no effect",
        {
            # What init is given, it gives to every script of the shutdown.
            "hostile-environment": Scenario(
                TRAP + " && telinit {} && sleep 1".format(" ".join("-e " + word for word in HOSTILE)),
                start="installed",
                command="PATH=/root/trap:$PATH /sbin/reboot",
                after="test -z \"$(find / -xdev -name 'canary*')\"",
            ),
        },
        tests(
            "unit/test_commands.py",
            "environment_and_directory_are_fixed",
            "standard_input_is_empty",
            "a_descriptor_that_is_not_named_is_not_inherited",
        )
        + tests("install/test_rpm.py", "modules_of_the_host_are_not_taken_for_what_is_bundled"),
    ),
    Fault(
        64,
        "/etc/os-release holds shell, a wrong name, or is gone",
        "read as text; unknown: refused",
        {},
        tests(
            "unit/test_host.py",
            "an_os_release_with_shell_in_it_is_only_text",
            "no_os_release_at_all",
            "a_distribution_without_os_release_is_known_by_its_own_file",
        )
        + tests("unit/test_cli.py", "an_unknown_host_is_refused"),
    ),
    Fault(
        65,
        "a template without its value, values with quotes and line ends",
        "refused; else quoted to the byte",
        {},
        tests("render/test_render.py", "every_placeholder_is_quoted_or_a_checked_header")
        + tests("unit/test_integration_transaction.py", "a_malformed_header_gives_the_default_one"),
    ),
    Fault(
        66,
        "a script of an older version with new settings, a downgrade",
        "works, or cold",
        {},
        tests(TRANSACTION, "a_manifest_of_another_version_is_refused", "a_plan_that_no_longer_fits_is_not_carried_out")
        + tests("unit/test_settings.py", "a_line_that_is_not_understood_means_no_kexec_with_its_number"),
    ),
)
