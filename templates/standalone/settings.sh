# The settings, read by pattern: the file is never run. A file that cannot be trusted may have said KEXEC=no, so it counts as
# that; a limit that is not understood makes every reboot cold, too.
read_settings () {
	kexec=yes
	preload=yes
	checks=no
	guard_boots=3
	max_kexecs=0
	max_days=0
	trial=0
	force=no
	check_route=no
	check_seconds=60
	doubt=
	panic=30
	watchdog=0
	append=
	remove=
	spaces=$(printf ' \t\v\f\r\240')$newline # as the kernel has them
	gap=$(printf ' \t')
	blank=$gap$(printf '\r')
	if [ ! -e "$settings" ] && [ ! -L "$settings" ]; then
		return 0
	fi
	reason="is not a regular file"
	if [ -f "$settings" ] && read_lines <"$settings"; then
		reason="settings: $doubt is not understood"
		[ -z "$doubt" ]
		return
	fi
	reason="settings ignored: $settings $reason"
	return 1
}

# shellcheck disable=SC2295 # a set of characters, a pattern indeed
read_lines () {
	reason="cannot be read"
	is_trusted 0 "$settings" || return 1
	if [ "$(head -c 65537 /proc/self/fd/0 | wc -c)" -gt 65536 ]; then
		reason="is larger than 65536 bytes"
		return 1
	fi
	if [ "$(wc -c </proc/self/fd/0)" -ne "$(tr -d '\000' </proc/self/fd/0 | wc -c)" ]; then
		reason="holds a NUL byte"
		return 1
	fi
	while IFS= read -r line || [ -n "$line" ]; do
		line=${line#"${line%%[!$blank]*}"}
		read_line "${line%"${line##*[!$blank]}"}"
	done
}

# read_line LINE: take one assignment; a KEXEC that is not understood is no, everything else is then left as it was.
# shellcheck disable=SC2295 # a set of characters, a pattern indeed
read_line () {
	value=$1
	case $value in
	export[$gap]*)
		value=${value#export}
		value=${value#"${value%%[!$gap]*}"}
		;;
	esac
	name=${value%%=*}
	case $value in
	KEXEC=* | PRELOAD=* | PURGATORY_CHECKS=* | GUARD_BOOTS=* | PANIC=* | CMDLINE_APPEND=* | CMDLINE_REMOVE=*) value=${value#*=} ;;
	MAX_KEXECS=* | MAX_DAYS=* | TRIAL=* | FORCE_PLATFORM=* | CHECK_ROUTE=* | CHECK_SECONDS=* | WATCHDOG=*) value=${value#*=} ;;
	*) return ;;
	esac
	split_value
	broken=
	case $quote$value in
	\"*[\$\`\\]*) broken=yes ;;
	esac
	case $rest in
	'' | [$gap]*) rest=${rest#"${rest%%[!$gap]*}"} ;;
	*) broken=yes ;;
	esac
	case $rest in
	'' | '#'*) ;;
	*) broken=yes ;;
	esac
	case $broken,$name in
	yes,*) value='?' ;;
	,CMDLINE_*) take_parameters ;;
	esac
	case $name,$value in
	GUARD_BOOTS,[1-9] | GUARD_BOOTS,[1-9][0-9] | GUARD_BOOTS,[1-9][0-9][0-9]) guard_boots=$value ;;
	CHECK_SECONDS,[1-9] | CHECK_SECONDS,[1-9][0-9] | CHECK_SECONDS,[1-9][0-9][0-9]) check_seconds=$value ;;
	MAX_KEXECS,* | MAX_DAYS,* | TRIAL,*) read_limit ;;
	WATCHDOG,[3-9][0-9] | WATCHDOG,[1-9][0-9][0-9]) watchdog=$value ;;
	PANIC,[1-9] | PANIC,[1-9][0-9] | PANIC,[1-9][0-9][0-9]) panic=$value ;;
	esac
	case $value in
	[Yy][Ee][Ss] | [Tt][Rr][Uu][Ee] | [Oo][Nn] | 1) assign "$name" yes ;;
	[Nn][Oo] | [Ff][Aa][Ll][Ss][Ee] | [Oo][Ff][Ff] | 0) assign "$name" no ;;
	*) assign "$name" '' ;;
	esac
}

read_limit () {
	case $value in
	[Nn][Oo] | [Ff][Aa][Ll][Ss][Ee] | [Oo][Ff][Ff]) value=0 ;;
	0 | [1-9] | [1-9][0-9] | [1-9][0-9][0-9] | [1-9][0-9][0-9][0-9]) ;;
	*)
		doubt=${doubt:-$name}
		return
		;;
	esac
	case $name in
	MAX_KEXECS) max_kexecs=$value ;;
	MAX_DAYS) max_days=$value ;;
	TRIAL) trial=$value ;;
	esac
}

# Take the quotes off $value, and what follows it apart into $rest.
split_value () {
	quote=
	case $value in
	\"*\"* | \'*\'*)
		rest=${value#?}
		quote=${value%"$rest"}
		value=${rest%%"$quote"*}
		rest=${rest#*"$quote"}
		;;
	*)
		rest=${value#"${value%%[!A-Za-z0-9_.,:/+=@%-]*}"}
		value=${value%"$rest"}
		;;
	esac
}

# take_parameters: have $value as what is put on the command line, or taken away from it, if that is possible.
# shellcheck disable=SC2295 # a set of characters, a pattern indeed
take_parameters () {
	case $value in
	*[!\ -~]*) return ;;
	esac
	if [ "${#value}" -gt 1024 ]; then
		return
	fi
	value=${value#"${value%%[! ]*}"}
	value=${value%"${value##*[! ]}"}
	tail=$value
	while [ -n "$tail" ]; do
		tail=${tail#"${tail%%[!$spaces]*}"}
		next_word
		parameter "$word"
		case $open,$key,$given in
		yes,* | ,--, | ,kexec_initd.*) return ;;
		esac
	done
	case $name in
	CMDLINE_APPEND) append=$value ;;
	CMDLINE_REMOVE) remove=$value ;;
	esac
}

assign () {
	case $1,$2 in
	KEXEC,yes) kexec=yes ;;
	KEXEC,*) kexec=no ;;
	PRELOAD,?*) preload=$2 ;;
	PURGATORY_CHECKS,?*) checks=$2 ;;
	FORCE_PLATFORM,?*) force=$2 ;;
	CHECK_ROUTE,?*) check_route=$2 ;;
	PANIC,no) panic=0 ;;
	WATCHDOG,no) watchdog=0 ;;
	esac
}
