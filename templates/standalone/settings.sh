# The settings, by the grammar of kexec_initd's modules settings.reader and settings.values: the file is never run, and a line
# that is not understood may have said KEXEC=no. Sets $doubt to what makes every reboot cold then.
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
	unpack_initrd=no
	append=
	remove=
	removed_modules=
	shutdown_limit=1800
	spaces=$(printf ' \t\v\f\r\240')$newline # as the kernel has them
	gap=$(printf ' \t')
	return_key=$(printf '\r')
	controls=$(printf '\001\002\003\004\005\006\007\010\013\014\015\016\017\020\021\022\023\024\025\026\027\030\031\032\033\034\035\036\037\177')
	# First: a file that is written meanwhile then counts as another one.
	settings_seen=$(stat -L -c '%d %i %s %Y %Z' -- "$settings" 2>/dev/null) || settings_seen=-
	if [ ! -e "$settings" ] && [ ! -L "$settings" ]; then
		return 0
	fi
	reason="is not a regular file"
	if [ ! -f "$settings" ] || ! read_lines <"$settings"; then
		doubt="settings ignored: $settings $reason"
	fi
	[ -z "$doubt" ]
}

# note_settings: write down what the last step needs of them, each line twice, as `setting` reads it.
note_settings () {
	(
		umask 077
		note_setting SETTINGS "$settings_seen"
		note_setting SHUTDOWN_LIMIT "$shutdown_limit"
		if [ -z "$doubt" ]; then
			note_setting REMOVE_MODULES "$removed_modules"
		fi
	) >"$state/settings.new" && { [ ! -d "$state/settings" ] || rm -rf "$state/settings"; } && mv -f "$state/settings.new" "$state/settings"
}

note_setting () {
	printf '%s %s\n%s %s\n' "$1" "$2" "$1" "$2"
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
	at=0
	while IFS= read -r line || [ -n "$line" ]; do
		at=$((at + 1))
		line=${line%"$return_key"}
		line=${line#"${line%%[!$gap]*}"}
		line=${line%"${line##*[!$gap]}"}
		case $line in
		*[$controls]*) in_doubt "it is not understood" ;;
		'' | '#'*) ;;
		*) read_line "$line" ;;
		esac
	done
}

# in_doubt WHY: the line $at may have said anything.
in_doubt () {
	doubt=${doubt:-"$settings, line $at: $1; mend it as kexec-initd(5) says"}
}

# read_line LINE: take one assignment.
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
	case $name in
	"$value" | [!A-Za-z_]* | *[!A-Za-z0-9_]*) name= ;;
	esac
	value=${value#*=}
	split_value
	case $quote$value in
	\"*[\$\`\\]*) name= ;;
	esac
	case $rest in
	'' | [$gap]*) rest=${rest#"${rest%%[!$gap]*}"} ;;
	*) name= ;;
	esac
	case $name,$rest in
	?*, | ?*,'#'*) set_value || in_doubt "what $name is set to is not understood" ;;
	*) in_doubt "it is not understood" ;;
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

# set_value: have $name be $value; fails where that is none for it.
set_value () {
	switch=
	number=$value
	case $value in
	[Yy][Ee][Ss] | [Tt][Rr][Uu][Ee] | [Oo][Nn] | 1) switch=yes ;;
	[Nn][Oo] | [Ff][Aa][Ll][Ss][Ee] | [Oo][Ff][Ff] | 0)
		switch=no
		number=0
		;;
	esac
	case $name,$switch in
	KEXEC,?*) kexec=$switch ;;
	PRELOAD,?*) preload=$switch ;;
	PURGATORY_CHECKS,?*) checks=$switch ;;
	UNPACK_INITRD,?*) unpack_initrd=$switch ;;
	FORCE_PLATFORM,?*) force=$switch ;;
	CHECK_ROUTE,?*) check_route=$switch ;;
	KEXEC, | PRELOAD, | PURGATORY_CHECKS, | FORCE_PLATFORM, | CHECK_ROUTE,) return 1 ;;
	*) set_other ;;
	esac
}

set_other () {
	case $name in
	GUARD_BOOTS) is_within 1 999 && guard_boots=$value ;;
	CHECK_SECONDS) is_within 1 999 && check_seconds=$value ;;
	PANIC) is_no_or_within 1 999 && panic=$number ;;
	UNPACK_INITRD) is_auto && unpack_initrd=auto ;;
	WATCHDOG) is_no_or_within 30 999 && watchdog=$number ;;
	SHUTDOWN_LIMIT) is_no_or_within 10 99999 && shutdown_limit=$number ;;
	MAX_KEXECS) is_no_or_within 1 9999 && max_kexecs=$number ;;
	MAX_DAYS) is_no_or_within 1 9999 && max_days=$number ;;
	TRIAL) is_no_or_within 1 9999 && trial=$number ;;
	REMOVE_MODULES) take_modules ;;
	CMDLINE_APPEND | CMDLINE_REMOVE) take_parameters ;;
	*) is_foreign ;;
	esac
}

# is_within LEAST MOST: is $value one?
is_within () {
	case $value in
	'' | 0* | *[!0-9]* | ??????*) return 1 ;;
	esac
	[ "$value" -ge "$1" ] && [ "$value" -le "$2" ]
}

is_auto () {
	case $value in
	[Aa][Uu][Tt][Oo]) ;;
	*) return 1 ;;
	esac
}

is_no_or_within () {
	[ "$number" = 0 ] || is_within "$1" "$2"
}

# shellcheck disable=SC2295 # a set of characters, a pattern indeed
take_modules () {
	value=${value#"${value%%[!$gap]*}"}
	value=${value%"${value##*[!$gap]}"}
	case $value in
	[Yy][Ee][Ss] | [Tt][Rr][Uu][Ee] | [Oo][Nn] | 1) return 1 ;;
	[Nn][Oo] | [Ff][Aa][Ll][Ss][Ee] | [Oo][Ff][Ff] | 0) value= ;;
	esac
	case " $value" in
	*[!A-Za-z0-9_$gap-]* | *[$gap]-*) return 1 ;;
	esac
	if [ "${#value}" -gt 1024 ]; then
		return 1
	fi
	removed_modules=
	for word in $value; do
		removed_modules=${removed_modules:+"$removed_modules "}$word
	done
}

# take_parameters: have $value as what is put on the command line, or taken away from it, if that is possible.
# shellcheck disable=SC2295 # a set of characters, a pattern indeed
take_parameters () {
	case $value in
	*[!\ -~]*) return 1 ;;
	esac
	if [ "${#value}" -gt 1024 ]; then
		return 1
	fi
	value=${value#"${value%%[! ]*}"}
	value=${value%"${value##*[! ]}"}
	tail=$value
	while [ -n "$tail" ]; do
		tail=${tail#"${tail%%[!$spaces]*}"}
		next_word
		parameter "$word"
		case $open,$key,$given in
		yes,* | ,--, | ,kexec_initd.*) return 1 ;;
		esac
	done
	case $name in
	CMDLINE_APPEND) append=$value ;;
	CMDLINE_REMOVE) remove=$value ;;
	esac
}

# Is $name no setting, nor what one may have been meant by? That differs by its case, or by a letter or two.
is_foreign () {
	upper=$(printf '%s' "$name" | LC_ALL=C tr '[:lower:]' '[:upper:]')
	for known in KEXEC PRELOAD PURGATORY_CHECKS UNPACK_INITRD GUARD_BOOTS SHUTDOWN_LIMIT REMOVE_MODULES MAX_KEXECS MAX_DAYS TRIAL \
		FORCE_PLATFORM CHECK_ROUTE CHECK_SECONDS PANIC CMDLINE_APPEND CMDLINE_REMOVE WATCHDOG; do
		case $upper in
		??? | ?? | ?) [ "${upper%"${upper#?}"}" = "${known%"${known#?}"}" ] || continue ;;
		esac
		if is_near "$upper" "$known" 2; then
			return 1
		fi
	done
}

# is_near WORD WORD EDITS: do that number of letters put in, left out or replaced make one of the other?
is_near () {
	if [ "${#1}" -gt "$((${#2} + $3))" ] || [ "${#2}" -gt "$((${#1} + $3))" ]; then
		return 1
	fi
	while [ -n "$1" ] && [ "${1%"${1#?}"}" = "${2%"${2#?}"}" ]; do
		set -- "${1#?}" "${2#?}" "$3"
	done
	[ -z "$1$2" ] || { [ "$3" -gt 0 ] && is_near_without "$1" "$2" "$(($3 - 1))"; }
}

is_near_without () {
	is_near "${1#?}" "$2" "$3" || is_near "$1" "${2#?}" "$3" || is_near "${1#?}" "${2#?}" "$3"
}
