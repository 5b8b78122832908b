LC_ALL=C
export LC_ALL
umask 022

config=/etc/kexec-initd
originals=$config/originals
staging=$config/staging
home=/var/lib/kexec-initd
header='kexec-initd standalone 1'
backups=/var/backups/kexec-initd

say () {
	printf 'kexec-initd: %s\n' "$1"
}

refuse () {
	say "$1" >&2
	exit 3
}

start () {
	dry_run=
	case $#,${1-} in
	0,) ;;
	1,--dry-run) dry_run=yes ;;
	*)
		printf 'usage: sh %s [--dry-run]\n' "${0##*/}" >&2
		exit 2
		;;
	esac
	[ "$(id -u)" = 0 ] || refuse "only root can do this"
	problem="a step failed"
}

# step TEXT COMMAND [ARG...]: one change, by $how: only counted, only shown, or applied.
step () {
	steps=$((steps + 1))
	text=$1
	shift
	[ "$how" != count ] || return 0
	printf '%s\n' "$text"
	if [ "$how" = show ] || "$@" </dev/null; then
		return 0
	fi
	problem="cannot $text"
	return 1
}

# The state that the last run wrote down before it changed anything: installing, installed or removing.
read_state () {
	[ ! -f "$home/manifest" ] || sed -n '2s/^state //p' "$home/manifest"
}

# write_state STATE: on the disk before the next change.
write_state () {
	record=$(
		printf '%s\nstate %s\n' "$header" "$1"
		{ read_made; find_missing; } | sort -u | sed 's/^/made /'
		print_originals
	) || return 1
	rm -rf "$home/manifest.new" && print_whole "$record$newline" >"$home/manifest.new" && sync &&
		mv -f "$home/manifest.new" "$home/manifest" && sync
}

# is_whole <FILE: is that one of our records, and all of it?
is_whole () {
	read_whole 2>/dev/null && [ "${body%%"$newline"*}" = "$header" ] # bash warns of a NUL byte
}

# is_record PATH: can that record of ours be believed? Anything else than a file is not even opened.
is_record () {
	[ -f "$1" ] && are_roots 5 "$1" && is_whole <"$1"
}

# is_newer_version PATH: is that a whole record, which a newer version of us has written?
is_newer_version () {
	[ -f "$1" ] && are_roots 5 "$1" && read_whole <"$1" 2>/dev/null || return 1
	case $body in
	"$header$newline"*) return 1 ;;
	"${header%1}"[1-9]*) ;;
	*) return 1 ;;
	esac
}

refuse_newer_version () {
	! is_newer_version "$1" || refuse "$1 was written by a newer version of kexec-initd: install that version again"
}

# What was made by a record that is not as it was written cannot be told.
check_manifest () {
	refuse_newer_version "$home/manifest"
	if { [ -e "$home/manifest" ] || [ -L "$home/manifest" ]; } && ! is_record "$home/manifest"; then
		refuse "$home/manifest is damaged, or not root's alone: restore it from a backup, or remove it and run this again"
	fi
}

# Directories that were not there before, and are ours to remove, parents first.
read_made () {
	sed -n 's/^made //p' "$home/manifest" 2>/dev/null
}

# Directories that are needed and not there yet.
find_missing () {
	{ printf 'create %s/x\n' "$config"; grep '^create ' "$data/list" 2>/dev/null; } | while read -r _ path caller; do
		is_called "$path" "$caller" || continue
		while path=${path%/*} && [ -n "$path" ] && [ ! -d "$path" ]; do
			printf '%s\n' "$path"
		done
	done
}

make_directories () {
	mkdir -p "$originals" "$staging" && chmod 0700 "$staging"
}

# started PID: when that process began, as proc(5) has it behind the name, which may hold anything; nothing where that is not told.
started () (
	{ line=$(cat "/proc/$1/stat"); } 2>/dev/null
	set -f
	# shellcheck disable=SC2086 # words are wanted
	set -- ${line##*) }
	[ $# -lt 20 ] || printf '%s' "${20}"
)

# is_running HOLDER, "PID-STARTED": does that very process live? Its number alone may be another's by now.
is_running () {
	case ${1%%-*} in
	'' | *[!0-9]*) return 1 ;;
	esac
	kill -0 "${1%%-*}" 2>/dev/null && [ "$(started "${1%%-*}")" = "${1#*-}" ]
}

# One run at a time. What a killed one has left is known by its process, which is gone.
take_lock () {
	[ -d "$home" ] || mkdir -m 0700 "$home" || exit 1
	[ ! -d "$home/lock" ] || [ -L "$home/lock" ] || refuse "$home/lock is a directory: remove it"
	self=$$-$(started "$$")
	if ! ln -s "$self" "$home/lock" 2>/dev/null; then
		holder=$(readlink "$home/lock")
		if is_running "$holder"; then
			say "another install or uninstall is under way (process ${holder%%-*}, $home/lock)" >&2
			exit 1
		fi
		rm -f "$home/lock"
		ln -s "$self" "$home/lock" 2>/dev/null || exit 1
	fi
}

leave_lock () {
	rm -f "$home/lock"
	rmdir "$home" 2>/dev/null || :
}

# kept PATH: where the original of a file lies, on its file system and in no directory that boot programs read.
kept () {
	printf '%s/%s' "$originals" "${1##*/}"
}

# reverse [FILE]: its lines, the last one first.
reverse () {
	sed '1!G;h;$!d' "$@"
}

# is_same A B: are both names of one file?
is_same () {
	[ -e "$1" ] && [ -e "$2" ] && [ "$(stat -c '%d %i' "$1")" = "$(stat -c '%d %i' "$2")" ]
}

# Was that rendered by us, be it edited since?
is_ours () {
	grep -q '^# Written by kexec-initd' "$1" 2>/dev/null
}

# is_as_written PATH: is it, byte for byte, what one of our runs wrote?
is_as_written () {
	for source in "$data" "$home/incoming" "$home/standalone" "$home/outgoing"; do
		! cmp -s "$source/files$1" "$1" || return 0
	done
	return 1
}

# save PATH: a copy of what somebody has edited. Files of one name are told apart by the number of the step.
save () {
	mkdir -p "$backups" && cp -p "$1" "$backups/${1##*/}.$(date +%Y%m%d-%H%M%S)-$steps"
}

# move STAGED PATH: in one step, durably, with the label that SELinux wants there.
move () {
	sync
	mv -f "$1" "$2" || return 1
	[ ! -x /sbin/restorecon ] || /sbin/restorecon "$2" 2>/dev/null
	sync
}

remove () {
	rm -f "$1" && sync
}
