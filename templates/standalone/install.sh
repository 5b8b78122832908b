#!/bin/sh
# Hook kexec-initd into this host: `sh install.sh [--dry-run]`, as root, from the directory that `kexec-initd render --for`
# has made. Done twice it is done once; a run that was killed is completed by the next one, or undone by uninstall.sh.
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

{% include "standalone/installer/put.sh" %}

# Is everything in place already, by a run that came to its end?
is_complete () {
	how=count
	steps=0
	put_all
	[ "$steps" -eq 0 ] && [ "$(read_state)" = installed ] && [ ! -L "$home/lock" ] && [ ! -e "$home/incoming" ] &&
		is_record "$home/standalone/list" && diff -r "$here" "$home/standalone" >/dev/null 2>&1
}

# Keep the data here as a whole, before anything is done by it.
take_in () {
	rm -rf "$home/incoming.part" && cp -R "$here" "$home/incoming.part" && chmod 0700 "$home/incoming.part" && sync &&
		rm -rf "$home/incoming" && mv "$home/incoming.part" "$home/incoming"
}

# What this installation put in place and the new one does not have any more.
drop_obsolete () {
	is_record "$home/standalone/list" || return 0
	while IFS= read -r entry; do
		! grep -q -x -F -e "$entry" "$home/incoming/list" || continue
		data=$home/standalone
		undo_entry "$entry" || return 1
	done <<END
$(reverse "$home/standalone/list")
END
	data=$home/incoming
}

settle () {
	rm -rf "$home/outgoing" && { [ ! -e "$home/standalone" ] || mv "$home/standalone" "$home/outgoing"; } &&
		mv "$home/incoming" "$home/standalone" && data=$home/standalone && rm -rf "$home/outgoing" "$staging" &&
		write_state installed
}

put_everything () {
	make_directories && take_in && data=$home/incoming && drop_obsolete && put_all && settle
}

# At its shutdown RHEL's rc stops what was started only, and the next boot would be too late for the first reboot.
start_service () {
	if [ -d /var/lock/subsys ] && [ -x /etc/rc.d/init.d/kexec-initd ]; then
		/etc/rc.d/init.d/kexec-initd start
	fi
}

main () {
	start "$@"
	here=$(cd "$(dirname "$0")" && pwd -P) || refuse "the directory of this script is not there"
	data=$here
	check_list
	check_host
	check_manifest
	check_files
	if is_complete; then
		say "nothing to do: it is installed"
		exit 0
	fi
	if [ -n "$dry_run" ]; then
		how=show
		put_all
		exit 0
	fi
	before=$(read_state)
	take_lock
	how=apply
	if write_state installing && put_everything; then
		data=$home/standalone
		rm -f "$(sed -n 's/^state //p' "$data/list")/removed"
		start_service
		leave_lock
		say "installed; the next reboot goes through kexec already. For once through firmware: touch /no-kexec-reboot"
		say "to restore every file: sh $home/standalone/uninstall.sh"
		exit 0
	fi
	say "$problem" >&2
	if [ "$before" = installed ]; then
		say "each file is whole; run install.sh again, or sh $home/standalone/uninstall.sh" >&2
	elif undo_everything; then
		say "everything was taken back" >&2
	else
		say "taking it back failed, too: $problem; run uninstall.sh" >&2
	fi
	leave_lock
	exit 1
}

main "$@"
