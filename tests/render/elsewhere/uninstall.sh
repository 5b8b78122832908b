#!/bin/sh
# Give this host back as it was before install.sh: `sh uninstall.sh [--dry-run]`, as root. It works by what install.sh has
# left below /var/lib/kexec-initd. A run that was killed is completed by the next one.
# Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused with nothing changed.

# are_roots DIGITS PATH...: are these, of one directory, regular files or directories that only root may change, and all the
# directories above them? None may be a link, and the size of a file may have so many digits; the way to them may lead over
# links. One ls(1), which is there in the last step, too, looks at all of them: each costs as much as all together.
are_roots () {
	digits=$1
	shift
	way=$(cd -P "${1%/*}/" 2>/dev/null && pwd -P) || return 1
	while [ -n "$way" ]; do
		set -- "$@" "$way"
		way=${way%/*}
	done
	# shellcheck disable=SC2012 # find(1) and stat(1) may be unmounted by now
	ls -ldn / "$@" 2>/dev/null | {
		left=$(($# + 1))
		while read -r mode _ owner group size _; do
			case $mode,$owner,$group,${#size} in
			d????-??-*,0,* | d????w??-*,0,0,*) left=$((left - 1)) ;;
			-????-??-*,0,*,[1-$digits]) left=$((left - 1)) ;;
			esac
		done
		[ "$left" -eq 0 ]
	}
}

# follow PATH: where a link leads; anything else as it is.
follow () {
	if [ -L "$1" ]; then
		readlink -f -- "$1"
	else
		printf '%s' "$1"
	fi
}

newline='
'

# checksum: the CRC-32 of what is read, in hexadecimal; gzip writes it behind its output, the lowest byte first.
checksum () {
	gzip -1c | tail -c 8 | od -A n -v -t x1 -N 4 | {
		read -r first second third fourth
		printf '%s' "$fourth$third$second$first"
	}
}

# print_whole BODY: its lines, and below them that they are all.
print_whole () {
	printf '%send %s\n' "$1" "$(printf '%s' "$1" | checksum)"
}

# read_whole <FILE: have what print_whole was given in $body; anything else fails.
read_whole () {
	body=
	line=
	next=
	while IFS= read -r next; do
		body=$body$line
		line=$next$newline
	done
	[ -z "$next" ] && [ -n "$body" ] && [ "$line" = "end $(printf '%s' "$body" | checksum)$newline" ]
}

PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
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
	if [ "$(id -u)" != 0 ]; then
		refuse "only root can do this"
	fi
	problem="a step failed"
}

# step TEXT COMMAND [ARG...]: one change, by $how: only counted, only shown, or applied.
step () {
	steps=$((steps + 1))
	text=$1
	shift
	if [ "$how" = count ]; then
		return 0
	fi
	printf '%s\n' "$text"
	if [ "$how" = show ] || "$@" </dev/null; then
		return 0
	fi
	problem="cannot $text"
	return 1
}

# The state that the last run wrote down before it changed anything: installing, installed or removing.
read_state () {
	if [ -f "$home/manifest" ]; then
		sed -n '2s/^state //p' "$home/manifest"
	fi
}

# write_state STATE: on the disk before the next change.
write_state () {
	record=$(
		printf '%s\nstate %s\n' "$header" "$1"
		{
			read_made
			find_missing
		} | sort -u | sed 's/^/made /'
		print_originals
	) || return 1
	rm -rf "$home/manifest.new" && print_whole "$record$newline" >"$home/manifest.new" && sync &&
		mv -f "$home/manifest.new" "$home/manifest" && sync
}

# is_whole <FILE: is that one of our records, and all of it?
is_whole () {
	read_whole && [ "${body%%"$newline"*}" = "$header" ]
}

# is_record PATH: can that record of ours be believed? Anything else than a file is not even opened.
is_record () {
	[ -f "$1" ] && are_roots 5 "$1" && is_whole <"$1"
}

# is_newer_version PATH: is that a whole record, which a newer version of us has written?
is_newer_version () {
	[ -f "$1" ] && are_roots 5 "$1" && read_whole <"$1" || return 1
	case $body in
	"$header$newline"*) return 1 ;;
	"${header%1}"[1-9]*) ;;
	*) return 1 ;;
	esac
}

refuse_newer_version () {
	if is_newer_version "$1"; then
		refuse "$1 was written by a newer version of kexec-initd: install that version again"
	fi
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
	{
		printf 'create %s/x\n' "$config"
		grep '^create ' "$data/list" 2>/dev/null
	} | while read -r _ path caller; do
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
	if [ -d "$home/lock" ] && [ ! -L "$home/lock" ]; then
		refuse "$home/lock is a directory: remove it"
	fi
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
		if cmp -s "$source/files$1" "$1"; then
			return 0
		fi
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
	if [ -x /sbin/restorecon ]; then
		/sbin/restorecon "$2" 2>/dev/null
	fi
	sync
}

remove () {
	rm -f "$1" && sync
}

# What is looked at before the first change. The list says what belongs where, a line each, and "end CRC" where it ends:
#   host FAMILY INIT NAME                made for such a host
#   state DIRECTORY                      of what lasts until the next boot
#   halt executes | plain                what the host's own /etc/rc.d/init.d/halt does with a loaded kernel
#   create PATH [CALLER]                 a new file with its directory; only where the host's CALLER names that, if one is given
#   replace | optional | wrap PATH       a whole file in place of the host's own; only where the host has one, or new as well
#   preload PATH                         a block in a script that may be missing or unfit
#   dead-man PATH                        a block in init's own table, before what it waits for in runlevel 6
#   last PATH                            a block before the last line of the host's own script
#   link PATH TARGET, service NAME       a symbolic link; what update-rc.d makes in its place where insserv orders the boot
#   size FILE BYTES                      of each file of this directory that is to be installed

check_list () {
	if is_newer_version "$data/list"; then
		refuse "$data/list was written by a newer version of kexec-initd than this script: copy the whole directory"
	elif [ ! -f "$data/list" ] || ! is_whole <"$data/list"; then
		refuse "$data/list is missing, not whole, or of another version: copy the whole directory"
	fi
	while read -r word file bytes; do
		[ "$word" = size ] || continue
		# A script that was cut between two functions is still valid shell.
		if [ "$({ wc -c <"$data/$file"; } 2>/dev/null)" != "$bytes" ]; then
			refuse "$data/$file is missing, or not whole: copy the whole directory"
		elif ! /bin/sh -n "$data/$file" 2>/dev/null; then
			refuse "$data/$file is no valid shell for this host's /bin/sh"
		fi
	done <"$data/list"
}

is_init () {
	if [ -d /run/systemd/system ] || [ "$(readlink /sbin/init | sed 's,.*/,,')" = systemd ] || [ -d /run/openrc ] ||
		[ -e /sbin/openrc-init ]; then
		return 1
	elif [ -e /etc/init/rc-sysinit.conf ] || [ -e /etc/init/rcS.conf ]; then
		[ "$1" = upstart ]
	else
		[ "$1" = sysvinit ] && [ -e /etc/inittab ]
	fi
}

check_host () {
	if [ -e "$home/manifest.json" ]; then
		refuse "kexec-initd with Python is installed here: remove it first"
	fi
	read -r _ family init name <<END
$(grep '^host ' "$data/list")
END
	case $family in
	debian) [ -e /etc/debian_version ] ;;
	rhel) [ -e /etc/redhat-release ] || [ -e /etc/system-release ] ;;
	*) false ;;
	esac || refuse "these files are for $name, but this host is not of the family $family"
	is_init "$init" || refuse "these files are for $name, but this host's init system is not $init"
	case $(sed -n 's/^halt //p' "$data/list") in
	executes)
		does_halt_execute || refuse "these files are for $name, but the host's halt does not execute a loaded kernel"
		grep -q '^[^#]*/sbin/halt\.local' /etc/rc.d/init.d/halt || refuse "the host's halt does not ask /sbin/halt.local"
		;;
	plain) ! does_halt_execute || refuse "these files are for $name, but the host's halt executes a loaded kernel itself" ;;
	esac
}

does_halt_execute () {
	grep -q -E '^[^#]*kexec[^[:space:]]*[[:space:]][^#]*-e([^[:alnum:]_]|$)' /etc/rc.d/init.d/halt
}

# why_unfit PATH: say why a file cannot be replaced and given back; nothing for one that can be, or that is not there.
why_unfit () {
	directory=${1%/*}
	if [ ! -d "$directory" ]; then
		printf '%s is missing' "$directory"
	elif [ "$(stat -L -c %d "$directory")" != "$(stat -L -c %d /etc)" ]; then
		printf '%s is on another file system than /etc' "$directory"
	elif [ -L "$1" ]; then
		printf '%s is a symbolic link' "$1"
	elif [ -e "$1" ] && [ ! -f "$1" ]; then
		printf '%s is not a regular file' "$1"
	elif [ -e "$1" ] && [ "$(stat -c %h "$1")" != 1 ] && ! is_same "$1" "$(kept "$1")" &&
		! is_same "$1" "$staging/kept"; then
		printf '%s has several hard links' "$1"
	else
		case $(lsattr -d "$1" 2>/dev/null) in
		*i*\ "$1" | *a*\ "$1") printf '%s is immutable or append-only (chattr)' "$1" ;;
		esac
	fi
}

# is_called PATH CALLER: would the host ever run that file?
is_called () {
	[ -z "$2" ] || grep -q -F -e "${1%/*}/" "$2" 2>/dev/null
}

# why_not_create PATH CALLER: say why a file of our own cannot be there; a directory that is missing is made.
why_not_create () {
	if ! is_called "$1" "$2" || [ ! -d "${1%/*}" ]; then
		return
	fi
	unfit=$(why_unfit "$1")
	if [ -z "$unfit" ] && [ -e "$1" ] && ! is_ours "$1"; then
		unfit="$1 exists and is not ours"
	fi
	printf '%s' "$unfit"
}

# why_no_script PATH: say why no block of shell belongs into that file.
why_no_script () {
	if [ ! -x "$1" ]; then
		printf '%s is not executable, so nothing runs it' "$1"
	elif [ "$(wc -c <"$1")" != "$(tr -d '\000' <"$1" | wc -c)" ]; then
		printf '%s holds NUL bytes, so it is no script' "$1"
	elif grep -q "$(printf '\r')\$" "$1"; then
		printf '%s has the line ends of DOS, with which no shell runs it' "$1"
	else
		first=$(head -n 1 "$1")
		case $first in
		'#!'*) starts_shell "${first#??}" || printf '%s is run by %s, not by a shell' "$1" "${first#??}" ;;
		esac
	fi
}

# starts_shell LINE: does what follows #! start a shell: a program and at most one argument, blanks and all (execve(2))?
starts_shell () (
	set -f
	# shellcheck disable=SC2086 # words are wanted
	set -- $1
	case $#,${1##*/},${2-} in
	*,env,-S | *,env,--split-string=) shift 2 ;;
	*,env,-S*)
		first=${2#-S}
		shift 2
		set -- "$first" "$@"
		;;
	*,env,--split-string=*)
		first=${2#*=}
		shift 2
		set -- "$first" "$@"
		;;
	2,env,*)
		is_shell "$2"
		exit
		;;
	1,* | 2,*)
		is_shell "$@"
		exit
		;;
	*) exit 1 ;;
	esac
	while case ${1-} in - | -i | --ignore-environment | [A-Za-z_]*=*) ;; *) false ;; esac; do
		shift
	done
	is_shell "$@"
)

# is_shell WORD...: does that command, with the name of a script behind it, have a shell run that?
is_shell () {
	case ${1##*/},${2-} in
	busybox,sh | busybox,ash | busybox,hush) shift ;;
	esac
	case ${1##*/} in
	sh | ash | bash | dash | hush | ksh | ksh93 | lksh | mksh | posh | yash | zsh) ;;
	*) return 1 ;;
	esac
	shift
	for word; do
		case $word in
		- | -- | --login | --norc | --noprofile | --posix) ;;
		-*[!aefhluvx]*) return 1 ;;
		-*) ;;
		*) return 1 ;;
		esac
	done
}

# why_no_entry PATH: say why no entry of ours belongs into that file.
why_no_entry () {
	if [ ! -e "$1" ]; then
		printf '%s is missing' "$1"
	elif [ "$(wc -c <"$1")" != "$(tr -d '\000' <"$1" | wc -c)" ]; then
		printf '%s holds NUL bytes, so it is no text' "$1"
	elif [ "$(find_awaited "$1")" = 0 ]; then
		printf '%s has no entry that init waits for in runlevel 6' "$1"
	fi
}

# why_no_block PATH preload|dead-man|last|undo: say why the block stays out of that file; sets nothing.
why_no_block () {
	unfit=$(why_unfit "$1")
	if [ -z "$unfit" ]; then
		case $2 in
		dead-man) unfit=$(why_no_entry "$1") ;;
		preload | last) [ ! -e "$1" ] || unfit=$(why_no_script "$1") ;;
		esac
	fi
	if [ -z "$unfit" ] && [ -e "$1" ] && [ "$(find_block "$1")" = damaged ]; then
		unfit="$1 holds a damaged block of kexec-initd: remove what is left of it by hand"
	fi
	if [ -z "$unfit" ] && [ "$2" = last ]; then
		if [ ! -e "$1" ]; then
			unfit="$1 is missing"
		elif [ "$(find_block "$1")" = none ] && [ "$(find_last "$1")" = 0 ]; then
			unfit="$1 does not end in a plain \`exec \$command\`"
		fi
	fi
	printf '%s' "$unfit"
}

check_files () {
	while read -r word path target; do
		unfit=
		case $word in
		create) unfit=$(why_not_create "$path" "$target") ;;
		replace | optional | wrap)
			unfit=$(why_unfit "$path")
			[ -n "$unfit" ] || check_script "$word" "$path"
			;;
		preload)
			unfit=$(why_no_block "$path" preload)
			if [ -n "$unfit" ]; then
				say "warning: no preload at boot, the kernel is loaded at shutdown instead: $unfit" >&2
			fi
			unfit=
			;;
		dead-man)
			unfit=$(why_no_block "$path" dead-man)
			if [ -n "$unfit" ]; then
				say "warning: no dead-man before rc calls our script: $unfit" >&2
			fi
			unfit=
			;;
		last) unfit=$(why_no_block "$path" last) ;;
		link)
			if [ ! -L "$path" ] && [ -e "$path" ]; then
				unfit="$path exists and is not ours"
			elif [ ! -d "${path%/*}" ]; then
				unfit="${path%/*} is missing"
			fi
			;;
		esac
		if [ -n "$unfit" ]; then
			refuse "$unfit"
		fi
	done <"$data/list"
}

# check_script KIND PATH: the host's own and ours where they are expected, and nobody else's word on them.
check_script () {
	original=$(kept "$2")
	if [ "$1" = replace ]; then
		if [ ! -e "$2" ] && [ ! -e "$original" ]; then
			unfit="$2 is missing"
		elif is_ours "$2" && [ ! -e "$original" ]; then
			unfit="$2 is ours, but its original is gone: reinstall the package that brings it first"
		elif [ ! -e "$original" ] && ! is_foreign "$2"; then
			unfit="$2 is empty, or no script: reinstall the package that brings it"
		elif [ ! -e "$original" ]; then
			unfit=$(why_no_script "$2")
		fi
	fi
	if [ -z "$unfit" ]; then
		unfit=$(why_not_divert "$2")
	fi
}

# The lists by which files are given back; install.sh brings them anew.
check_lists () {
	for list in "$home/incoming/list" "$home/standalone/list" "$home/outgoing/list"; do
		refuse_newer_version "$list"
		if { [ -e "$list" ] || [ -L "$list" ] || [ "$list,$(read_state)" = "$home/standalone/list,installed" ]; } &&
			! is_record "$list"; then
			refuse "$list is missing, damaged, or not root's alone: run install.sh again, and then this"
		fi
	done
}

# What stands in the way of giving files back, before any is.
check_removal () {
	while read -r word path _; do
		unfit=
		case $word in
		create) [ ! -d "${path%/*}" ] || unfit=$(why_unfit "$path") ;;
		last) unfit=$(why_unfit "$path") ;;
		replace | optional | wrap)
			unfit=$(why_unfit "$path")
			[ -n "$unfit" ] || unfit=$(why_not_undo "$path" "$word")
			;;
		esac
		if [ -n "$unfit" ]; then
			refuse "$unfit"
		fi
	done <"$data/list"
}

# Blocks of ours in scripts of the host, put in and taken out so that every other byte stays as it was. A block that follows
# a text without final newline carries none itself, so that the newline between them is known to be ours.

# find_block FILE: print the numbers of its first and last line, "none" or "damaged".
find_block () {
	awk '
		function is_mark(word) {
			return $0 == word || index($0, word ":") == 1 || index($0, word " ") == 1
		}
		is_mark("# BEGIN kexec-initd") { begins++; begin = NR }
		is_mark("# END kexec-initd") { ends++; end = NR }
		END {
			if (begins == 0 && ends == 0)
				print "none"
			else if (begins == 1 && ends == 1 && begin < end)
				print begin, end
			else
				print "damaged"
		}
	' "$1"
}

# find_last FILE: print the number of the line with the last command, if it is `exec $command` and stands by itself; 0 if not.
find_last () {
	awk '
		/^[ \t]*(#.*)?$/ { next }
		{ before = last; last = $0; place = NR }
		END {
			fits = last ~ /^[ \t]*exec[ \t]+"?[$][{]?command([^A-Za-z0-9_].*)?$/
			if (before ~ /(\\|&&|[|])[ \t]*$/)
				fits = 0
			print fits ? place : 0
		}
	' "$1"
}

# find_awaited FILE: print the number of the first line of /etc/inittab for which init waits in runlevel 6; 0 where there is none.
find_awaited () {
	awk -F : '
		/^[ \t]*[^# \t:][^:]*:/ && NF > 3 && tolower($3) == "wait" && ($2 == "" || $2 ~ /6/) { place = NR; exit }
		END { print place + 0 }
	' "$1"
}

ends_with_newline () {
	[ -z "$(tail -c 1 "$1")" ]
}

# print_with_block FILE BLOCK preload|dead-man|last: the file with the block in place of an older one: before the first command,
# which a shell runs whatever comes then; before what init waits for; or before the last command.
print_with_block () {
	if [ "$3" != last ]; then
		print_without_block "$1" >"$staging/without" && print_with_block_early "$staging/without" "$2" "$3"
		return
	fi
	span=$(find_block "$1")
	place=$(find_last "$1")
	if [ "$span" != none ]; then
		place=${span% *}
		rest=$((${span#* } + 1))
	elif [ "$place" != 0 ]; then
		rest=$place
	else
		cat "$1"
		if [ -s "$1" ] && ! ends_with_newline "$1"; then
			printf '\n%s' "$(cat "$2")"
		else
			cat "$2"
		fi
		return
	fi
	head -n "$((place - 1))" "$1"
	if [ -n "$(tail -n "+$rest" "$1" | head -c 1 | od -A n -t x1)" ] || ends_with_newline "$1"; then
		cat "$2"
	else
		printf '%s' "$(cat "$2")"
	fi
	tail -n "+$rest" "$1"
}

# print_with_block_early FILE BLOCK preload|dead-man: the file, which has none, with the block behind the comments with which it
# begins, or before what init waits for.
print_with_block_early () {
	case $3 in
	preload) before=$(awk '!/^[ \t]*(#.*)?$/ { exit } { comments = NR } END { print comments + 0 }' "$1") ;;
	dead-man) before=$(($(find_awaited "$1") - 1)) ;;
	esac
	if [ -z "$(tail -n "+$((before + 1))" "$1" | head -c 1 | od -A n -t x1)" ] && ! ends_with_newline "$1"; then
		cat "$1"
		printf '\n%s' "$(cat "$2")"
		return
	fi
	head -n "$before" "$1"
	cat "$2"
	tail -n "+$((before + 1))" "$1"
}

# print_without_block FILE: the file as it was before, where nobody has changed it since.
print_without_block () {
	span=$(find_block "$1")
	if [ "$span" = none ]; then
		cat "$1"
		return
	fi
	begin=${span% *}
	end=${span#* }
	if [ "$begin" -gt 1 ] && ! ends_with_newline "$1" && [ -z "$(tail -n "+$((end + 1))" "$1" | head -c 1)" ]; then
		head -c "$(($(head -n "$((begin - 1))" "$1" | wc -c) - 1))" "$1"
		return
	fi
	head -n "$((begin - 1))" "$1"
	tail -n "+$((end + 1))" "$1"
}

# print_block FILE: the block itself.
print_block () {
	span=$(find_block "$1")
	sed -n "${span% *},${span#* }p" "$1"
}

# dpkg's word on a file. A diversion keeps the next upgrade of the package from stopping at a question about our script;
# files are moved by us, since dpkg-divert would leave none at all for a moment.

has_dpkg () {
	[ -f /var/lib/dpkg/status ] && command -v dpkg-divert >/dev/null
}

# ask_dpkg PATH: set $diversion to "TARGET by PACKAGE", and $diverted where that is us.
ask_dpkg () {
	diversion=
	diverted=
	has_dpkg || return 0
	if ! said=$(dpkg-divert --list "$1"); then
		problem="dpkg-divert does not say who has diverted $1"
		return 1
	fi
	diversion=$(printf '%s\n' "$said" | sed -n "s,^local diversion of $1 to \\(.*\\),\\1 by the administrator,p;s,^diversion of $1 to ,,p")
	if [ "$diversion" = "$(kept "$1") by kexec-initd" ]; then
		diverted=yes
	fi
}

# why_not_divert PATH: say who else has a word on that file.
why_not_divert () {
	if ! ask_dpkg "$1"; then
		printf '%s' "$problem"
	elif [ -n "$diversion" ] && [ -z "$diverted" ]; then
		printf '%s is diverted to %s' "$1" "$diversion"
	elif ! has_dpkg; then
		return
	elif command -v dpkg-statoverride >/dev/null && [ -n "$(dpkg-statoverride --list "$1")" ]; then
		printf '%s has a dpkg-statoverride' "$1"
	fi
}

# call_divert ARG...: older ones do not know --no-rename, which is what they do; newer ones want it said.
call_divert () {
	case $(dpkg-divert --help) in
	*--no-rename*) dpkg-divert --quiet --no-rename --package kexec-initd "$@" ;;
	*) dpkg-divert --quiet --package kexec-initd "$@" ;;
	esac
}

divert () {
	call_divert --add --divert "$(kept "$1")" "$1"
}

undivert () {
	call_divert --remove --divert "$(kept "$1")" "$1"
}

# The host's own script that ours stands in for: whether the one that was kept may be given back. Without the last script of
# a shutdown init leaves the machine at a prompt, so it is believed by evidence only: the manifest, or dpkg, which writes an
# upgrade to where the original is kept.

# is_foreign PATH: is that a script, and not ours? One that is empty or full of zero bytes, as after a crash, is none.
is_foreign () {
	[ -f "$1" ] && ! is_ours "$1" && [ -n "$(tr -d ' \t\n\000' <"$1" | head -c 1)" ]
}

# read_original PATH: its line in the manifest, "CRC MODE UID GID" of what was kept.
read_original () {
	sed -n "s,^original $1 ,,p" "$home/manifest" 2>/dev/null
}

# print_originals: the lines that say what each original is, before it is kept and ever after.
print_originals () {
	[ -f "$data/list" ] || return 0
	while read -r word path _; do
		case $word in
		replace | optional | wrap) print_original "$path" ;;
		esac
	done <"$data/list"
}

print_original () {
	source=$(kept "$1")
	known=$(read_original "$1")
	if is_foreign "$1" && ! is_newer "$source" "$1"; then
		source=$1
	elif [ -n "$known" ]; then
		printf 'original %s %s\n' "$1" "$known"
		return
	fi
	if [ -f "$source" ]; then
		printf 'original %s %s %s\n' "$1" "$(checksum <"$source")" "$(stat -c '%a %u %g' "$source")"
	fi
}

# is_newer KEPT PATH: has dpkg written the kept one since?
is_newer () {
	is_foreign "$1" && ! is_same "$1" "$2" && ask_dpkg "$2" && [ -n "$diverted" ]
}

# ask_package PATH: set $package and $md5 to the installed package that brings that configuration file, and its content there.
ask_package () {
	package=
	md5=
	[ -f /var/lib/dpkg/status ] || return 0
	read -r package md5 <<END
$(awk -v path="$1" '
	/^Package: / { name = $2; state = "" }
	/^Status: / { state = $4 }
	/^ / && $1 == path && NF == 2 && state != "config-files" && state != "not-installed" { print name, $2; exit }
' /var/lib/dpkg/status)
END
}

# why_lost PATH: say what is wrong with its kept original; nothing where it may be given back.
why_lost () {
	original=$(kept "$1")
	known=$(read_original "$1")
	ask_package "$1"
	if [ -L "$original" ] || { [ -e "$original" ] && [ ! -f "$original" ]; }; then
		printf '%s is no regular file' "$original"
	elif [ ! -e "$original" ]; then
		printf '%s is missing' "$original"
	elif [ -n "$known" ] && [ "${known%% *}" = "$(checksum <"$original")" ]; then
		:
	elif is_ours "$original"; then
		printf '%s is one of our own scripts' "$original"
	elif ! is_foreign "$original"; then
		printf '%s is empty' "$original"
	elif [ -n "$known$md5" ] && [ "$md5" != "$(md5sum <"$original" | sed 's/ .*//')" ]; then
		printf '%s is not what was kept' "$original"
	fi
}

# is_missed PATH WORD: has something to be in its place when ours is gone? Not where its package was purged meanwhile.
is_missed () {
	ask_package "$1"
	if is_foreign "$(kept "$1")" || [ -n "$package" ]; then
		return 0
	fi
	[ ! -f /var/lib/dpkg/status ] && { [ "$2" != wrap ] || [ -n "$(read_original "$1")" ]; }
}

# why_not_undo PATH WORD: say why ours has to stay, and what to do about it.
why_not_undo () {
	lost=$(why_lost "$1")
	if [ -z "$lost" ] || is_foreign "$1" || ! is_missed "$1" "$2"; then
		return
	fi
	printf '%s: %s cannot be restored; ' "$lost" "$1"
	original=$(kept "$1")
	if is_foreign "$original"; then
		printf 'if it is as it should be, mv %s %s, then run this again; else ' "$original" "$1"
	fi
	if [ -z "$package" ]; then
		printf 'restore it from a backup, or put what is wanted there in the place of %s, then run this again' "$1"
		return
	fi
	ask_dpkg "$1" && [ -n "$diverted" ] || printf 'sh install.sh && '
	if [ -e "$original" ] || [ -L "$original" ]; then
		printf 'rm %s && ' "$original"
	elif [ ! -d "$originals" ]; then
		printf 'mkdir -p %s && ' "$originals"
	fi
	printf 'apt-get install --reinstall -o Dpkg::Options::=--force-confmiss %s, then run this again' "$package"
}

# restore ORIGINAL PATH: with the mode and the owner that it had, where somebody has changed them since.
restore () {
	known=$(read_original "$2")
	if [ "${known%% *}" = "$(checksum <"$1")" ]; then
		read -r _ mode owner group <<END
$known
END
		if [ "$(stat -c '%a %u %g' "$1")" != "$mode $owner $group" ]; then
			chown "$owner:$group" "$1" && chmod "$mode" "$1" || return 1
		fi
	elif [ ! -x "$1" ]; then
		chmod 0755 "$1" || return 1
	fi
	move "$1" "$2"
}

# Giving back, the last put first; links come last, since update-rc.d wants the script to be gone.

# Does insserv order the boot? startpar then runs what is in its record, and a link by hand would never be looked at.
# Ubuntu's older releases have update-rc.d without insserv, which would put a script that has to be first at K20.
is_ordered () {
	[ -f /etc/init.d/.depend.stop ] && command -v update-rc.d >/dev/null
}

# The record of what was done: that of a run that did not come to its end, else that of the last.
find_data () {
	for data in "$home/incoming" "$home/standalone" "$home/outgoing"; do
		if [ -f "$data/list" ]; then
			return 0
		fi
	done
	return 1
}

undo_everything () {
	if find_data; then
		make_directories && undo_all || return 1
	fi
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
	if ! is_ours "$1"; then
		return 0
	fi
	if ! is_as_written "$1"; then
		step "save a copy of the edited $1 in $backups" save "$1" || return 1
	fi
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
		step "put $original back as $1" restore "$original" "$1" || return 1
	elif is_foreign "$1"; then
		drop_kept "$1" "$original" || return 1
	elif is_missed "$1" "$2"; then
		problem=$(why_not_undo "$1" "$2")
		return 1
	else
		undo_file "$1" && drop_kept "$1" "$original" || return 1
	fi
	if [ -n "$diverted" ]; then
		step "have dpkg write $1 itself again" undivert "$1"
	fi
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
		if [ -e "$original" ]; then
			step "remove $original" remove "$original"
		fi
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
	if ! is_ordered && [ "$(readlink "$1")" = "$2" ]; then
		step "remove $1" remove "$1"
	fi
}

undo_service () {
	for place in /etc/rc[0-6S].d/[SK][0-9][0-9]"$1"; do
		if [ -L "$place" ]; then
			step "remove the links of $1" remove_links "$1"
			return
		fi
	done
}

remove_links () {
	if is_ordered; then
		update-rc.d "$1" remove
	fi
	rm -f /etc/rc[0-6S].d/[SK][0-9][0-9]"$1" && sync
}

# Is a kernel loaded? Sets $loaded: 1, 0, or nothing where the kernel does not tell.
is_loaded () {
	loaded=
	if [ -f /sys/kernel/kexec_loaded ]; then
		read -r loaded </sys/kernel/kexec_loaded
	fi
	[ "$loaded" = 1 ]
}

# The last step of RHEL 4 and 5 comes after the end of /sys, and may find / read-only, with a list of mounts that nobody can write.
need_sys () {
	if [ ! -f /sys/kernel/kexec_loaded ]; then
		bounded 5 mount -n -t sysfs sysfs /sys
	fi
}

# From here on no load of ours begins, and one that is under way takes back what it has loaded, by the mark that it finds then.
close_loads () {
	if [ -d "$state" ] && [ ! -L "$state" ]; then
		: >"$state/removed"
	fi
}

# A halt or kexec-tools' own script that was given back would still execute what we have loaded. What is under way is waited
# for, unless its shell is gone. What cannot be unloaded stays known as ours.
unload () {
	tries=60
	while [ "$tries" -gt 0 ] && [ -L "$state/loading" ] && [ -d "/proc/$(readlink "$state/loading")" ]; do
		tries=$((tries - 1))
		sleep 1
	done
	if [ -e "$state/stamp" ]; then
		if is_loaded; then
			kexec -u || kexec -u -s
		fi
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
	close_loads
	if write_state removing && undo_everything; then
		unload
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
