#!/bin/sh
# Restore this host as it was before install.sh: `sh uninstall.sh [--dry-run]`, as root. It works by what install.sh has
# left below /var/lib/kexec-initd. A run that was killed is completed by the next one.
# Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused with nothing changed.

PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
here=$(cd "$(dirname "$0")" && pwd -P)
if [ ! -f "$here/installer.sh" ] || [ "$(tail -n 1 "$here/installer.sh")" != "# all" ]; then
	echo "kexec-initd: $here/installer.sh is missing, or not whole: copy the whole directory" >&2
	exit 3
fi
# shellcheck source=installer.sh
. "$here/installer.sh"

is_loaded () {
	[ "$(cat /sys/kernel/kexec_loaded)" = 1 ]
}

# From here on no load of ours begins, and one that is under way takes back what it has loaded, by the mark that it finds then.
close_loads () {
	[ ! -d "$state" ] || [ -L "$state" ] || : >"$state/removed"
}

# A halt or kexec-tools' own script that was restored would still execute what we have loaded. What is under way is waited
# for, unless its shell is gone. What cannot be unloaded stays known as ours.
unload () {
	tries=60
	while [ "$tries" -gt 0 ] && [ -L "$state/loading" ] && [ -d "/proc/$(readlink "$state/loading")" ]; do
		tries=$((tries - 1))
		sleep 1
	done
	if [ -e "$state/stamp" ]; then
		! is_loaded || kexec -u || kexec -u -s
		is_loaded || rm -rf "$state/stamp" "$state/attempt" "$state/decision"
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
	! find_data || check_removal
	if [ -n "$dry_run" ]; then
		how=show
		undo_all
		exit 0
	fi
	take_lock
	how=apply
	find_data
	state=$(sed -n 's/^state //p' "$data/list" 2>/dev/null)
	close_loads
	if write_state removing && undo_everything; then
		unload
		rm -f /var/lock/subsys/kexec-initd
		leave_lock
		say "uninstalled"
		exit 0
	fi
	rm -f "$state/removed"
	leave_lock
	say "$problem; run uninstall.sh again" >&2
	exit 1
}

main "$@"
