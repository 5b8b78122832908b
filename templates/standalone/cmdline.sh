# The running command line with a fresh attempt in place of an older one goes to $text, all else byte for byte. The new one
# comes first: there neither `--`, nor a quote that is left open, nor a cut at the kernel's limit can hide it.
make_command_line () {
	text=$(
		cat /proc/cmdline
		printf .
	)
	text=${text%.}
	text=${text%"$newline"}
	printf '%s\n' "$text" | cmp -s - /proc/cmdline || no "this shell cannot carry the command line" || return
	uuid=
	read -r uuid </proc/sys/kernel/random/uuid
	attempt=${uuid%%-*}${uuid##*-????}
	case ${#attempt},$attempt in
	16,*[!0-9a-f]* | ?,* | 1[!6],*) no "the kernel gave no random number" || return ;;
	esac
	edit_command_line || return 1
	edited=$text
	if [ "$panic" -gt 0 ] && ! says_panic; then
		text="kexec_initd.panic=$panic panic=$panic${text:+ $text}"
	fi
	text="kexec_initd.attempt=$attempt${text:+ $text}"
	[ "${#text}" -le "$cmdline_size" ] || no "{{ sentences.TOO_LONG.format("${#text}", "$cmdline_size") }}"
}

# Cut every attempt and what else was added for the last kexec out of $text, and what the settings remove; put what they append
# before a `--`, or at the end. What is cut goes with one separator: the one behind it, or before it at the end. Words are
# split as the kernel does: double quotes group, nothing is escaped, and the byte 0xa0 is a space.
# shellcheck disable=SC2295 # a set of characters, a pattern indeed
edit_command_line () {
	tail=$text
	text=
	ours=
	part=kernel
	one_off=
	unclosed=
	while [ -n "$tail" ]; do
		space=${tail%%[!$spaces]*}
		text=$text$space
		tail=${tail#"$space"}
		next_word
		parameter "$word"
		if [ -z "$word" ]; then
			break
		elif ! is_own "$word" && ! is_removed; then
			keep_word
		elif [ -n "$tail" ]; then
			tail=${tail#?}
		else
			text=${text%?}
		fi
	done
	finish_command_line
}

# Once what is appended is there, or has none to come before, $part is init.
keep_word () {
	if [ "$part" = init-next ]; then
		part=init
		text=$text${cmdline_append:+kexec_initd.append $cmdline_append }
	fi
	if [ -z "$one_off" ] && is_one_off && ! is_among "$cmdline_append" whole; then
		one_off=$key
	fi
	text=$text$word
	unclosed=$open
}

finish_command_line () {
	[ -z "$one_off" ] || no "{{ sentences.ONE_OFF.format("$one_off") | replace('"', '\\"') }}" || return
	if [ "$part" != init ] && [ -n "$cmdline_append" ]; then
		[ -z "$unclosed" ] || no "{{ sentences.OPEN_QUOTE }}" || return
		text="$text${text:+ }kexec_initd.append $cmdline_append"
	fi
}

# Words that somebody typed at the boot menu: docs/why/command-line.md says who reads each.
is_one_off () {
	case $key in
	{{ tables.one_off }}) ;;
	*) return 1 ;;
	esac
}

# Does a parameter belong to what was appended before, or do the settings remove it? What follows `--` stays.
is_removed () {
	if [ "$part" = init ]; then
		return 1
	fi
	case $key,$given in
	--,)
		part=init-next
		return 1
		;;
	kexec_initd.append,) part=appended ;;
	esac
	[ "$part" = appended ] || is_among "$cmdline_remove" any
}

# is_among LIST any|whole: does a list have this parameter as it is, or with `any` its name alone?
# shellcheck disable=SC2295 # a set of characters, a pattern indeed
is_among () {
	set -- "$1" "$2" "$key" "$given" "$val" "$word" "$open" "$tail"
	tail=$1
	found=no
	while [ -n "$tail" ] && [ "$found" = no ]; do
		tail=${tail#"${tail%%[!$spaces]*}"}
		next_word
		parameter "$word"
		if [ "$key" = "$3" ] && { [ "$2$given" = any ] || { [ "$given" = "$4" ] && [ "$val" = "$5" ]; }; }; then
			found=yes
		fi
	done
	key=$3
	given=$4
	val=$5
	word=$6
	open=$7
	tail=$8
	[ "$found" = yes ]
}

# parameter WORD: its name goes to $key and its value to $val, without quotes; $given says whether it has a value.
parameter () {
	key=$1
	val=
	given=
	case $key in
	\"*\")
		key=${key#\"}
		key=${key%\"}
		;;
	\"*) key=${key#\"} ;;
	esac
	case $key in
	*=*)
		given=yes
		val=${key#*=}
		key=${key%%=*}
		;;
	esac
	case $val in
	\"*\")
		val=${val#\"}
		val=${val%\"}
		;;
	\"*) val=${val#\"} ;;
	esac
}

# Move the first word from $tail to $word; $open says that it leaves a quote open.
# shellcheck disable=SC2295 # a set of characters, a pattern indeed
next_word () {
	word=
	open=
	while :; do
		plain=${tail%%[$spaces\"]*}
		word=$word$plain
		tail=${tail#"$plain"}
		case $tail in
		\"*\"*)
			plain=${tail#\"}
			word=$word\"${plain%%\"*}\"
			tail=${plain#*\"}
			;;
		\"*)
			word=$word$tail
			tail=
			open=yes
			;;
		*) return ;;
		esac
	done
}

# is_own WORD: an attempt, where the kernel takes quotes off around a whole word and before its name; or the mark that the
# panic= behind it is ours, which then goes to $ours, or that one.
is_own () {
	before=$ours
	ours=
	case $1 in
	kexec_initd.attempt | kexec_initd.attempt=*) return 0 ;;
	\"kexec_initd.attempt | \"kexec_initd.attempt\" | \"kexec_initd.attempt=*) return 0 ;;
	kexec_initd.panic= | kexec_initd.panic=*[!0-9]*) ;;
	kexec_initd.panic=*)
		ours=${1#kexec_initd.}
		return 0
		;;
	esac
	[ -n "$before" ] && [ "$1" = "$before" ]
}

# Does $text tell the kernel what to do after a panic? What follows `--` is for init.
# shellcheck disable=SC2295 # a set of characters, a pattern indeed
says_panic () {
	tail=$text
	while [ -n "$tail" ]; do
		tail=${tail#"${tail%%[!$spaces]*}"}
		next_word
		case $word in
		panic | panic=* | \"panic | \"panic\" | \"panic=*) return 0 ;;
		-- | \"-- | \"--\") return 1 ;;
		esac
	done
	return 1
}
