# Restoring, the last put first; links come last, since update-rc.d wants the script to be gone.

# Does insserv order the boot? startpar then runs what is in its record, and a link by hand would never be looked at.
# Ubuntu's older releases have update-rc.d without insserv, which would put a script that has to be first at K20.
is_ordered () {
	[ -f /etc/init.d/.depend.stop ] && command -v update-rc.d >/dev/null
}

# The record of what was done: that of a run that did not come to its end, else that of the last.
find_data () {
	for data in "$home/incoming" "$home/standalone" "$home/outgoing"; do
		[ ! -f "$data/list" ] || return 0
	done
	return 1
}

undo_everything () {
	! find_data || { make_directories && undo_all; } || return 1
	problem="cannot remove $config"
	rm -rf "$staging" && remove_directory "$originals" || return 1
	while IFS= read -r directory; do
		problem="cannot remove $directory"
		remove_directory "$directory" || return 1
	done <<END
$(read_made | reverse)
END
	# The record of what was done goes last.
	problem="cannot remove $home"
	rm -rf "$home/incoming.part" "$home/outgoing" && rm -rf "$home/standalone" "$home/incoming" &&
		rm -f "$home/attempts" "$home/attempts.new" "$home/last-cold" "$home/last-cold.new" "$home/kexec-loader" &&
		rm -f "$home/leaving" "$home/history" "$home/history.new" "$home/history.damaged" &&
		rm -f "$home/manifest.new" "$home/manifest"
}

# remove_directory PATH: one that something else is in stays.
remove_directory () {
	[ ! -d "$1" ] || rmdir "$1" 2>/dev/null || [ -n "$(ls -A "$1")" ]
}

undo_all () {
	for list in "$home/incoming/list" "$home/standalone/list" "$home/outgoing/list"; do
		if [ -f "$list" ]; then
			data=${list%/list}
			undo_list 'create|replace|optional|wrap|preload|dead-man|last' && undo_list 'link|service' || return 1
		fi
	done
}

# undo_list WORD|...: undo the entries of that kind.
undo_list () {
	while IFS= read -r entry; do
		undo_entry "$entry" || return 1
	done <<END
$(reverse "$data/list" | grep -E "^($1) ")
END
}

undo_entry () {
	read -r word path target <<END
$1
END
	case $word in
	create) undo_file "$path" ;;
	replace | optional | wrap) undo_in_place "$path" "$word" ;;
	dead-man) undo_block "$path" undo ;;
	preload | last) undo_block "$path" preload ;;
	link) undo_link "$path" "$target" ;;
	service) undo_service "$path" ;;
	esac
}

undo_file () {
	is_ours "$1" || return 0
	is_as_written "$1" || step "save a copy of the edited $1 in $backups" save "$1" || return 1
	step "remove $1" remove "$1"
}

# undo_in_place PATH WORD: where ours was never put, or somebody replaced it without dpkg's diversion, what is there stays.
undo_in_place () {
	original=$(kept "$1")
	ask_dpkg "$1" || return 1
	lost=$(why_lost "$1")
	if [ -z "$lost" ] && ! is_same "$1" "$original" && { [ -n "$diverted" ] || ! is_foreign "$1"; }; then
		if [ -e "$1" ] && ! is_as_written "$1" && ! cmp -s "$1" "$original"; then
			step "save a copy of the edited $1 in $backups" save "$1" || return 1
		fi
		step "restore $1 from $original" restore "$original" "$1" || return 1
	elif is_foreign "$1"; then
		drop_kept "$1" "$original" || return 1
	elif is_missed "$1" "$2"; then
		problem=$(why_not_undo "$1" "$2")
		return 1
	else
		undo_file "$1" && drop_kept "$1" "$original" || return 1
	fi
	[ -z "$diverted" ] || step "have dpkg write $1 itself again" divert "$1" --remove
}

# drop_kept PATH ORIGINAL: what nobody needs any more; one that nobody else has is saved.
drop_kept () {
	[ -e "$2" ] || return 0
	if is_foreign "$2" && ! is_same "$1" "$2" && ! cmp -s "$1" "$2" && [ -n "$(why_lost "$1")" ]; then
		step "save a copy of $2 in $backups" save "$2" || return 1
	fi
	step "remove $2" remove "$2"
}

# undo_block PATH KIND: KIND says what would make it unfit.
undo_block () {
	original=$(kept "$1")
	unfit=$(why_no_block "$1" "$2")
	if [ ! -e "$1" ] || [ -n "$unfit" ] || [ "$(find_block "$1")" = none ]; then
		if [ -e "$1" ] && [ -n "$unfit" ] && grep -q '^# BEGIN kexec-initd' "$1"; then
			# Without our script the block does nothing.
			say "warning: the block in it stays: $unfit" >&2
		fi
		[ ! -e "$original" ] || step "remove $original" remove "$original"
		return
	fi
	if [ "$(print_block "$1")" != "$(cat "$data/blocks$1")" ]; then
		step "save a copy of the edited $1 in $backups" save "$1" || return 1
	fi
	step "take the block out of $1" take_out "$1" "$original"
}

# take_out PATH ORIGINAL: the original file itself, where nothing else has changed since it was kept.
take_out () {
	cp -p "$1" "$staging/new" && print_without_block "$1" >"$staging/new" || return 1
	if [ -e "$2" ] && cmp -s "$staging/new" "$2" && [ "$(stat -c '%u %g %a' "$1")" = "$(stat -c '%u %g %a' "$2")" ]; then
		move "$2" "$1" && rm -f "$staging/new"
	elif [ ! -e "$2" ] && [ "$(cat "$staging/new")" = "$(printf '#!/bin/sh\nexit 0')" ]; then
		rm -f "$staging/new" "$1" && sync
	else
		move "$staging/new" "$1" && rm -f "$2"
	fi
}

undo_link () {
	is_ordered || [ "$(readlink "$1")" != "$2" ] || step "remove $1" remove "$1"
}

undo_service () {
	for place in /etc/rc[0-6S].d/[SK][0-9][0-9]"$1"; do
		[ -L "$place" ] || continue
		step "remove the links of $1" remove_links "$1"
		return
	done
}

remove_links () {
	! is_ordered || update-rc.d "$1" remove
	rm -f /etc/rc[0-6S].d/[SK][0-9][0-9]"$1" && sync
}
