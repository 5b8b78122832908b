"""Faults of real hosts: odd consoles, lost files, changes beside a reboot, other loaders, settings as people write them."""

from tests.faults.model import Fault, tests

STOPPED = "scripts/test_stopped_console.py"
LAST_STEP = "scripts/test_last_step.py"
RHEL = "scripts/test_rhel.py"
OVERTAKEN = "scripts/test_overtaken.py"
ALONE = "scripts/test_standalone_load.py"
LOCK = "unit/test_load_lock.py"
HOOKS = "unit/test_hooks.py"

FAULTS = (
    Fault(
        67,
        "the console takes no output: Ctrl-S, a serial line whose far end is gone",
        "it comes back within the limit; no line is waited for",
        {},
        tests(
            STOPPED,
            "the_last_step_ends_in_a_reboot",
            "a_kernel_is_still_started",
            "the_early_step_ends",
            "the_dead_man_resets",
            "hooks_that_speak_do_their_work_before_halt_executes",
            "what_cannot_be_unloaded_is_reset",
            "the_early_step_of_rhel_ends",
            "the_jump_of_rhel_ends",
            "without_python_the_early_step_ends_too",
        )
        + tests("unit/test_console.py", "a_stopped_console_is_not_waited_for")
        + tests("vm/test_dead_man.py", "a_console_that_takes_no_output_holds_no_reboot_up")
        + tests("vm/test_rhel.py", "a_console_that_takes_no_output_holds_no_reboot_up"),
    ),
    Fault(
        68,
        "the console fails what is written to it: full, an I/O error",
        "the same as with a good one",
        {},
        tests(
            "unit/test_console.py",
            "that_nothing_can_be_said_changes_no_decision",
            "a_console_that_fails_changes_none_either",
        )
        + tests(LAST_STEP, "a_console_that_fails_changes_nothing", "closed_descriptors_strand_nothing")
        + tests("unit/test_plain_words.py", "output_that_cannot_be_written_is_one_line_and_a_failure"),
    ),
    Fault(
        69,
        "/sys, /var, /usr or /run are gone at the last step, /proc is read-only",
        "as on the real host: kexec where its halt leaves it so",
        {},
        tests(
            RHEL,
            "the_last_step_has_sys_back_that_halt_has_unmounted",
            "the_last_step_before_halt_executes_has_sys_back_that_halt_has_unmounted",
            "nothing_loaded_is_seen_where_sys_had_gone",
            "where_sys_cannot_be_had_the_last_step_goes_cold",
            "where_sys_cannot_be_had_halt_comes_to_nothing_that_it_could_execute",
        )
        + tests(
            "scripts/test_dead_man.py",
            "without_proc_it_goes_on_with_what_it_stands_in",
            "a_proc_that_is_made_read_only_later_is_reset_through",
        )
        + tests(LAST_STEP, "no_python_at_all", "a_missing_tool_strands_nothing")
        + tests(OVERTAKEN, "without_var_no_record_is_written_below_its_mount_point")
        + tests(
            "unit/test_mounts.py",
            "without_var_the_reboot_is_cold_and_nothing_is_written_below_its_mount_point",
            "a_var_that_fstab_does_not_have_is_known_by_what_install_has_left_there",
        )
        + tests(
            "vm/test_rhel.py", "installed_upgraded_and_removed", "a_halt_that_hangs_when_proc_is_read_only_is_ended"
        ),
    ),
    Fault(
        70,
        "the kept originals are lost or emptied, then we are removed",
        "restored from what the package brings, else refused with what to do",
        {},
        tests(
            "unit/test_integration_originals.py",
            "ours_stays_and_works_while_the_original_cannot_be_restored",
            "what_is_asked_for_makes_the_removal_possible",
            "an_upgrade_is_known_by_the_record_of_dpkg_and_can_be_run",
            "an_emptied_script_is_not_kept_as_the_original",
        )
        + tests(
            "install/test_standalone_originals.py",
            "ours_stays_and_works_while_the_original_cannot_be_restored",
            "the_way_out_that_is_told_leads_out",
        ),
    ),
    Fault(
        71,
        "a kernel is installed between the early step and the last one",
        "cold, or the new one",
        {},
        tests(
            OVERTAKEN,
            "a_package_after_the_early_step_leaves_the_last_step_no_jump",
            "a_package_in_the_midst_of_the_early_step_is_seen_before_it_ends",
            "on_a_rhel_whose_halt_executes_what_is_loaded_a_package_has_it_unloaded",
            "alone_a_package_in_the_midst_means_cold",
        )
        + tests(LOCK, "a_package_that_marks_a_change_in_the_midst_of_the_early_step_is_never_jumped_over"),
    ),
    Fault(
        72,
        "a load is interrupted, at any moment, by any signal",
        "nothing is loaded, or it is known as ours",
        {},
        tests(
            LOCK,
            "a_load_that_is_interrupted_leaves_nothing_loaded",
            "a_load_that_is_killed_is_ours_and_not_fit",
            "what_was_chosen_before_is_no_choice_any_more_when_a_load_is_cut_short",
            "an_interrupted_reboot_into_leaves_nothing_chosen",
        )
        + tests(ALONE, "a_load_that_was_killed_does_not_look_like_one_by_hand"),
    ),
    Fault(
        73,
        "a removal, an upgrade or /no-kexec-reboot while the preload runs",
        "nothing of ours is loaded afterwards, the reason stays",
        {},
        tests(
            LOCK,
            "a_load_that_ends_after_the_decision_takes_back_what_it_has_loaded",
            "a_removal_waits_for_a_load_and_leaves_nothing_loaded",
            "a_removal_keeps_what_was_loaded_by_hand_and_one_that_fails_changes_nothing",
            "no_load_begins_beside_a_shutdown_but_that_of_its_early_step",
        )
        + tests(
            OVERTAKEN,
            "alone_a_load_that_ends_after_the_decision_is_taken_back",
            "alone_no_load_begins_beside_a_removal_or_a_shutdown",
            "alone_a_load_that_ends_beside_a_removal_is_taken_back",
        )
        + tests("install/test_standalone.py", "what_we_have_loaded_is_unloaded")
        + tests("vm/test_rhel.py", "removal_leaves_nothing_loaded_by_a_preload_under_way"),
    ),
    Fault(
        74,
        "the host changes to another init system while we are installed, and back",
        "cold, and told so, until it fits again",
        {},
        tests(
            "unit/test_running_init.py",
            "under_another_init_system_nothing_is_loaded_and_what_is_ours_goes",
            "a_host_that_was_converted_still_runs_the_other_one_until_the_next_boot",
        )
        + tests("scripts/test_postinst.py", "nothing_of_ours_stays_loaded_once_systemd_is_the_next_init")
        + tests(OVERTAKEN, "alone_under_another_init_system_nothing_is_loaded")
        + tests("vm/test_conversion.py", "a_host_turned_to_systemd_and_back_always_comes_back_with_the_loaders_kernel"),
    ),
    Fault(
        75,
        "mount points with NBSP or line ends in them, megabytes of mounts, zfs, ubifs, mtd, overlay",
        "cold for what could be left unclean",
        {},
        tests(
            "unit/test_filesystems.py",
            "a_name_may_hold_any_byte",
            "a_place_is_what_stands_behind_the_octal_digits",
            "the_last_of_many_rows_counts_as_the_first",
            "what_is_not_known_to_be_harmless_is_a_disk_whatever_its_source_looks_like",
            "a_disk_with_the_type_of_a_server_is_a_disk",
            "a_row_that_is_cut_counts_as_writable",
            "plain_shell_judges_the_same",
            "plain_shell_finds_the_same_places",
        )
        + tests(
            "unit/test_runtime.py", "a_writable_file_system_means_cold", "a_disk_that_stays_writable_is_never_detached"
        )
        + tests(RHEL, "halt_executes_nothing_over_a_writable_disk_since_it_never_looks"),
    ),
    Fault(
        76,
        "hooks with a dot in their name, without x bit, as dangling links, that flood, that fork, in open directories",
        "told; cold where one may have been meant to stop the jump",
        {},
        tests(
            HOOKS,
            "what_may_have_been_meant_to_run_is_in_doubt",
            "a_directory_that_is_none_or_not_roots_alone_is_in_doubt",
            "a_doubt_before_the_jump_means_cold_early_and_late",
            "status_tells_what_is_left_out",
            "a_hook_that_floods_its_output_takes_no_memory",
            "a_hook_that_leaves_a_child_with_its_output_open_has_ended",
        )
        + tests("unit/test_runtime.py", "a_dangling_hook_means_cold")
        + tests(LAST_STEP, "without_the_runtime_what_may_be_a_hook_means_cold")
        + tests(RHEL, "what_may_have_been_meant_as_a_hook_unloads"),
    ),
    Fault(
        77,
        "settings with a BOM, line ends of DOS, blanks, several on a line, other cases, units, other words for yes",
        "each reader understands the same, or it is cold with the line's number",
        {},
        tests(
            "unit/test_settings.py",
            "what_is_understood",
            "what_a_shell_would_read_alike_is_understood",
            "a_line_that_is_not_understood_means_no_kexec_with_its_number",
            "what_other_keys_may_mean",
            "any_text_gives_settings",
        )
        + tests("scripts/test_standalone_parity.py", "settings", "settings_that_hypothesis_makes")
        + tests(LAST_STEP, "settings_that_were_not_understood_are_no_settings_without_modules"),
    ),
    Fault(
        78,
        "a locale of Latin-1, C or EUC; titles, paths and command lines that are no UTF-8",
        "bytes stay bytes, nothing is a traceback",
        {},
        tests(
            "unit/test_locales.py",
            "bytes_stay_bytes_and_nothing_is_a_traceback",
            "the_last_step_says_names_in_every_locale",
        )
        + tests("unit/test_grub2_entries.py", "bytes_that_are_not_utf_8_come_through")
        + tests("unit/test_commands.py", "bytes_that_are_not_text_arrive_unchanged"),
    ),
    Fault(
        79,
        "another loader has started the machine, or another system's on a shared partition",
        "cold with its name, or what that loader would start",
        {},
        tests(
            "unit/test_starter_table.py", "numbers_and_configurations", "words_of_the_command_line", "firmware_entries"
        )
        + tests(
            "unit/test_starter.py",
            "on_a_shared_system_partition_the_started_directory_decides",
            "the_usual_program_in_front_is_a_copy_or_another_loader",
            "the_record_outlives_the_variables_and_a_second_kexec",
            "without_a_number_only_the_last_attempts_own_id_shows_a_kexec",
            "names_decide_nothing_where_something_shows_a_loader",
        )
        + tests("vm/test_starter.py", "a_machine_that_qemu_started_itself_goes_cold_by_its_name"),
    ),
    Fault(
        80,
        "/boot is in fstab and not mounted, or another one is mounted over it",
        "cold",
        {},
        tests(
            "unit/test_boot_partition.py",
            "what_lies_under_a_mount_point_of_fstab_is_not_read",
            "the_system_partition_has_to_be_mounted_where_efi_has_started",
            "the_running_kernel_shows_whether_the_loaders_boot_is_in_sight",
            "a_loader_without_a_word_shows_it_by_the_running_release",
        ),
    ),
    Fault(
        81,
        "a script of ours is replaced, not executable or not called any more, a diversion is lost",
        "status says so; cold, and no attempt counts as lost",
        {},
        tests(
            "unit/test_deviations.py",
            "what_takes_part_in_the_jump_is_told_and_no_kexec_is_claimed",
            "what_takes_no_part_is_told_and_the_reboot_stays_what_it_is",
            "a_change_after_the_load_has_the_shutdown_ask_again",
            "a_lost_diversion_is_told",
            "the_order_of_insserv_counts_where_startpar_follows_it",
        )
        + tests(
            ALONE,
            "where_a_script_that_ends_the_shutdown_is_not_ours_nothing_stays_loaded",
            "on_a_rhel_the_last_step_has_to_be_ours_as_well",
        ),
    ),
    Fault(
        82,
        "the admin loads a kernel by hand over ours",
        "it is his, and no attempt of ours is lost",
        {},
        tests(
            "unit/test_running_boot.py",
            "a_kernel_that_the_admin_has_loaded_over_ours_is_told_as_such",
            "where_the_boot_loader_is_a_kernel_its_kexec_is_no_evidence",
        )
        + tests("scripts/test_standalone_attempts.py", "another_kernel_through_a_kexec_was_loaded_over_ours"),
    ),
    Fault(
        83,
        "no utmp, one that is cut, no RUNLEVEL; /no-kexec-reboot is a directory; an odd uptime or boot id",
        "right by other evidence, or cold for a true reason",
        {},
        tests("scripts/test_level.py", "the_level", "systemd_has_no_levels_whatever_is_in_the_record")
        + tests(
            "unit/test_runtime.py",
            "what_init_has_told_the_script_will_do_where_its_record_is_gone",
            "where_init_and_its_record_do_not_agree_it_refuses",
        )
        + tests(
            "unit/test_running_init.py",
            "evidence_of_the_runlevel",
            "the_early_step_believes_init_where_its_record_is_lost",
        )
        + tests(
            OVERTAKEN, "a_directory_asks_for_a_cold_reboot_as_a_file_does", "the_runlevel_is_known_by_whatever_tells_it"
        )
        + tests(RHEL, "where_nobody_tells_the_level_halt_has_what_was_decided")
        + tests(
            "unit/test_running_boot.py",
            "an_uptime_of_another_form_counts_for_nothing",
            "a_boot_id_of_another_form_means_cold_and_is_told",
        )
        + tests("scripts/test_standalone_attempts.py", "numbers_of_another_form_end_no_shell"),
    ),
    Fault(
        84,
        "an old kexec: options that it does not know, success without a load",
        "cold, or loaded with those that it knows",
        {},
        tests(
            "unit/test_load_choice.py",
            "options_are_those_that_this_kexec_has",
            "the_options_are_known_wherever_kexec_prints_them",
            "a_call_that_only_reports_success_is_followed_by_the_other",
        )
        + tests(
            "unit/test_loading.py",
            "a_load_that_only_reports_success_does_not_pass_for_the_earlier_one",
            "an_unload_that_only_reports_success_leads_to_no_load",
        )
        + tests(ALONE, "an_old_kexec_gets_no_options_that_it_does_not_know")
        + tests(OVERTAKEN, "alone_a_load_that_only_reports_success_does_not_pass_for_the_earlier_one")
        + tests(RHEL, "what_only_the_newer_system_call_unloads_is_unloaded"),
    ),
)
