# Putting in place. Each rule starts from the disk as it is, whatever a killed run has left there.

put_all () {
	while read -r word path target; do
		case $word in
		create) put_created "$path" "$target" ;;
		replace | optional | wrap) put_in_place "$word" "$path" ;;
		preload | dead-man | last) put_block "$path" "$word" ;;
		link) put_link "$path" "$target" ;;
		service) put_service "$path" ;;
		esac || return 1
	done <"$data/list"
}

# put_created PATH CALLER: a file of our own, with its directory.
put_created () {
	is_called "$1" "$2" || return 0
	[ -d "${1%/*}" ] || step "make the directory ${1%/*}" mkdir -p "${1%/*}" || return 1
	put_file "$1"
}

# put_file PATH: ours, whole; what somebody has edited is saved first.
put_file () {
	! cmp -s "$data/files$1" "$1" || [ "$(stat -c %a "$1")" != 755 ] || return 0
	! is_ours "$1" || is_as_written "$1" || step "save a copy of the edited $1 in $backups" save "$1" || return 1
	step "write $1" write_file "$1"
}

write_file () {
	cp "$data/files$1" "$staging/new" && chmod 0755 "$staging/new" && move "$staging/new" "$1"
}

# put_in_place KIND PATH: keep the host's own, then ours by one rename. Once dpkg diverts, it is dpkg that writes the kept one.
put_in_place () {
	original=$(kept "$2")
	if [ "$1" = optional ] && [ ! -e "$2" ] && [ ! -e "$original" ]; then
		return 0
	fi
	ask_dpkg "$2" || return 1
	if [ -e "$2" ] && ! is_ours "$2" && ! is_same "$2" "$original" && { [ ! -e "$original" ] || is_foreign "$2"; }; then
		if [ -z "$diverted" ] || ! is_foreign "$original"; then
			step "keep the original $2 as $original" keep "$2" || return 1
		elif ! cmp -s "$2" "$original"; then
			step "save a copy of the edited $2 in $backups" save "$2" || return 1
		fi
	fi
	if has_dpkg && [ -z "$diverted" ]; then
		step "have dpkg write $2 to $original" divert "$2" --add || return 1
	fi
	put_file "$2"
}

# keep PATH: a second name for the file itself, so that it comes back with all that it has.
keep () {
	rm -f "$staging/kept" && ln "$1" "$staging/kept" && mv -f "$staging/kept" "$(kept "$1")" && sync
}

# put_block PATH preload|dead-man|last: what is not fit was refused, or warned of.
put_block () {
	[ -z "$(why_no_block "$1" "$2")" ] || return 0
	if [ ! -e "$1" ]; then
		step "write $1 with a block" write_new "$1"
		return
	fi
	span=$(find_block "$1")
	if [ "$span" != none ] && [ "$(print_block "$1")" = "$(cat "$data/blocks$1")" ] && ! is_behind "$1" "$2"; then
		return 0
	fi
	if [ "$span" = none ] && ! is_same "$1" "$(kept "$1")"; then
		step "keep the original $1 as $(kept "$1")" keep "$1" || return 1
	elif [ "$span" != none ] && [ "$(print_block "$1")" != "$(cat "$home/standalone/blocks$1" 2>/dev/null)" ]; then
		step "save a copy of the edited $1 in $backups" save "$1" || return 1
	fi
	step "put a block into $1" write_block "$1" "$2"
}

# is_behind PATH preload|dead-man|last: does our block come too late, behind what init waits for?
is_behind () {
	[ "$2" = dead-man ] && [ "$(find_place "$1" dead-man)" -lt "${span% *}" ]
}

write_new () {
	printf '#!/bin/sh\nexit 0\n' >"$staging/empty" && print_with_block "$staging/empty" "$data/blocks$1" preload >"$staging/new" &&
		chmod 0755 "$staging/new" && rm "$staging/empty" && move "$staging/new" "$1"
}

# write_block PATH preload|dead-man|last: another shell than /bin/sh may run what has the block first, and none runs /etc/inittab.
write_block () {
	cp -p "$1" "$staging/new" && print_with_block "$1" "$data/blocks$1" "$2" >"$staging/new" &&
		{ [ "$2" != last ] || /bin/sh -n "$staging/new"; } && move "$staging/new" "$1"
}

# put_link PATH TARGET: where insserv orders the boot by its own record, update-rc.d has to make the links.
put_link () {
	is_ordered || [ "$(readlink "$1")" = "$2" ] || step "link $1 to $2" link "$1" "$2"
}

link () {
	rm -f "$staging/link" && ln -s "$2" "$staging/link" && move "$staging/link" "$1"
}

put_service () {
	is_ordered || return 0
	for place in /etc/rc6.d/K[0-9][0-9]"$1"; do
		[ ! -L "$place" ] || return 0
	done
	step "add the links of $1 with update-rc.d" update-rc.d "$1" defaults
}
