#!/bin/sh
# Give this host back as it was before install.sh: `sh uninstall.sh [--dry-run]`, as root. It works by what install.sh has
# left below /var/lib/kexec-initd. A run that was killed is completed by the next one.
# Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused with nothing changed.

{% include "common/roots.sh" %}

{% include "common/whole.sh" %}

{% include "standalone/installer/common.sh" %}

{% include "standalone/installer/checks.sh" %}

{% include "standalone/installer/blocks.sh" %}

{% include "standalone/installer/diversion.sh" %}

{% include "standalone/installer/originals.sh" %}

{% include "standalone/installer/undo.sh" %}

# A halt or kexec-tools' own script that was given back would still execute what we have loaded.
unload () {
	state=$1
	if [ -e "$state/stamp" ]; then
		loaded=
		read -r loaded </sys/kernel/kexec_loaded
		if [ "$loaded" = 1 ]; then
			kexec -u || kexec -u -s
		fi
		rm -rf "$state/stamp" "$state/attempt" "$state/decision"
	fi
} 2>/dev/null

main () {
	start "$@"
	if [ -e "$home/manifest.json" ]; then
		refuse "it was not installed by install.sh: remove the package, or run kexec-initd uninstall"
	elif [ ! -e "$home" ]; then
		say "nothing to do: it is not installed"
		exit 0
	fi
	check_manifest
	check_lists
	if find_data; then
		check_removal
	fi
	if [ -n "$dry_run" ]; then
		how=show
		undo_all
		exit 0
	fi
	take_lock
	how=apply
	find_data
	state=$(sed -n 's/^state //p' "$data/list" 2>/dev/null)
	if write_state removing && undo_everything; then
		unload "$state"
		leave_lock
		say "uninstalled"
		exit 0
	fi
	leave_lock
	say "$problem; run uninstall.sh again" >&2
	exit 1
}

main "$@"
