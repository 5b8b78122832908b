# What is looked at before the first change, by the words of the list that kexec_initd/install/standalone.py explains.

check_list () {
	if is_newer_version "$data/list"; then
		refuse "$data/list was written by a newer version of kexec-initd than this script: copy the whole directory"
	elif [ ! -f "$data/list" ] || ! is_whole <"$data/list"; then
		refuse "$data/list is missing, or not whole: copy the whole directory"
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

check_host () {
	case $(uname -m) in
	{{ tables.tried }}) ;;
	*)
		grep -q "^FORCE_PLATFORM=[\"']\{0,1\}yes" /etc/default/kexec-initd /etc/default/kexec-initd.d/*.conf \
			/etc/sysconfig/kexec-initd /etc/sysconfig/kexec-initd.d/*.conf 2>/dev/null ||
			refuse "{{ sentences.PLATFORM.format("$(uname -m)", sentences.UNTRIED) }}"
		;;
	esac
	[ ! -e "$home/manifest.json" ] || refuse "kexec-initd with Python is installed here: remove it first"
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

# why_unfit PATH: say why a file cannot be replaced and restored; nothing for one that can be, or that is not there.
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
	is_called "$1" "$2" && [ -d "${1%/*}" ] || return 0
	unfit=$(why_unfit "$1")
	if [ -z "$unfit" ] && [ -e "$1" ] && ! is_ours "$1"; then
		unfit="$1 exists and is not ours"
	fi
	printf '%s' "$unfit"
}

# why_no_script PATH [last]: say why no block of shell belongs into that file, or before its last command.
why_no_script () {
	if [ ! -x "$1" ]; then
		printf '%s is not executable, so nothing runs it' "$1"
	elif [ "$(wc -c <"$1")" != "$(tr -d '\000' <"$1" | wc -c)" ]; then
		printf '%s holds NUL bytes, so it is not a script' "$1"
	elif grep -q "$(printf '\r')\$" "$1"; then
		printf '%s has the line ends of DOS, with which no shell runs it' "$1"
	elif first=$(head -n 1 "$1") && ! starts_shell "$first"; then
		printf '%s is run by %s, not by a shell' "$1" "${first#??}"
	elif [ "${2-}" = last ] && [ "$(find_block "$1")" = none ] && [ "$(find_place "$1" last)" = 0 ]; then
		printf '%s' "$1 does not end in a plain \`exec \$command\`"
	fi
}

# starts_shell LINE: does it start a shell, or none by name: #!, a program and at most one argument, blanks and all (execve(2))?
starts_shell () (
	case $1 in '#!'*) ;; *) exit 0 ;; esac
	set -f
	# shellcheck disable=SC2086 # words are wanted
	set -- ${1#??}
	case ${1##*/},${2-} in
	env,-S* | env,--split-string=*)
		first=${2#-S}
		first=${first#--split-string=}
		shift 2
		# shellcheck disable=SC2086 # no word, where a blank follows
		set -- $first "$@"
		while case ${1-} in - | -i | --ignore-environment | [A-Za-z_]*=*) ;; *) false ;; esac; do
			shift
		done
		;;
	*)
		[ $# -le 2 ] || exit 1
		[ "${1##*/}" != env ] || shift
		;;
	esac
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
	if [ "$(wc -c <"$1")" != "$(tr -d '\000' <"$1" | wc -c)" ]; then
		printf '%s holds NUL bytes, so it is not text' "$1"
	elif [ "$(find_place "$1" dead-man)" = 0 ]; then
		printf '%s has no entry that init waits for in runlevel 6' "$1"
	fi
}

# why_no_block PATH preload|dead-man|last|undo: say why the block stays out of that file; sets nothing.
why_no_block () {
	unfit=$(why_unfit "$1")
	if [ -n "$unfit" ]; then
		printf '%s' "$unfit"
	elif [ ! -e "$1" ]; then
		[ "$2" = preload ] || printf '%s is missing' "$1"
	elif [ "$(find_block "$1")" = damaged ]; then
		printf '%s holds a damaged block of kexec-initd: remove what is left of it by hand' "$1"
	else
		case $2 in
		dead-man) why_no_entry "$1" ;;
		preload | last) why_no_script "$1" "$2" ;;
		esac
	fi
}

check_files () {
	while read -r word path target; do
		unfit=
		case $word in
		create) unfit=$(why_not_create "$path" "$target") ;;
		replace | optional | wrap) unfit=$(why_not_replace "$path" "$word") ;;
		preload | dead-man) warn "$word" "$(why_no_block "$path" "$word")" ;;
		last) unfit=$(why_no_block "$path" last) ;;
		link)
			if [ ! -L "$path" ] && [ -e "$path" ]; then
				unfit="$path exists and is not ours"
			elif [ ! -d "${path%/*}" ]; then
				unfit="${path%/*} is missing"
			fi
			;;
		esac
		[ -z "$unfit" ] || refuse "$unfit"
	done <"$data/list"
}

# warn preload|dead-man WHY: what the host goes without, if there is a reason.
warn () {
	case $1,$2 in
	*,) ;;
	preload,*) say "warning: no preload at boot, the kernel is loaded at shutdown instead: $2" ;;
	dead-man,*) say "warning: no dead-man before rc calls our script: $2" ;;
	esac >&2
}

# why_not_replace PATH WORD: the host's own and ours where they are expected, and nobody else's word on them.
why_not_replace () {
	original=$(kept "$1")
	unfit=$(why_unfit "$1")
	if [ -n "$unfit" ] || [ "$2" != replace ] || [ -e "$original" ]; then
		:
	elif [ ! -e "$1" ]; then
		unfit="$1 is missing"
	elif is_ours "$1"; then
		unfit="$1 is ours, but its original is gone: reinstall the package that brings it first"
	elif ! is_foreign "$1"; then
		unfit="$1 is empty, or not a script: reinstall the package that brings it"
	else
		unfit=$(why_no_script "$1")
	fi
	printf '%s' "${unfit:-$(why_not_divert "$1")}"
}

# The lists by which files are restored; install.sh brings them anew.
check_lists () {
	for list in "$home/incoming/list" "$home/standalone/list" "$home/outgoing/list"; do
		refuse_newer_version "$list"
		if { [ -e "$list" ] || [ -L "$list" ] || [ "$list,$(read_state)" = "$home/standalone/list,installed" ]; } &&
			! is_record "$list"; then
			refuse "$list is missing, damaged, or not root's alone: run install.sh again, and then this"
		fi
	done
}

# What stands in the way of restoring files, before any is.
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
		[ -z "$unfit" ] || refuse "$unfit"
	done <"$data/list"
}
