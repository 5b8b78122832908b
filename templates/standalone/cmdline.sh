# The running command line with a fresh attempt in place of an older one goes to $text, all else byte for byte. The new one
# comes first: there neither `--`, nor a quote that is left open, nor a cut at the kernel's limit can hide it.
make_command_line () {
	newline=$(printf '\n.')
	newline=${newline%.}
	text=$(
		cat /proc/cmdline
		printf .
	)
	text=${text%.}
	text=${text%"$newline"}
	if ! printf '%s\n' "$text" | cmp -s - /proc/cmdline; then
		reason="this shell cannot carry the command line"
		return 1
	fi
	uuid=
	read -r uuid </proc/sys/kernel/random/uuid
	attempt=${uuid%%-*}${uuid##*-????}
	case ${#attempt},$attempt in
	16,*[!0-9a-f]* | ?,* | 1[!6],*)
		reason="the kernel gave no random number"
		return 1
		;;
	esac
	without_own_words
	if [ "$panic" -gt 0 ] && ! says_panic; then
		text="kexec_initd.panic=$panic panic=$panic${text:+ $text}"
	fi
	text="kexec_initd.attempt=$attempt${text:+ $text}"
	if [ "${#text}" -gt "$cmdline_size" ]; then
		reason="the command line has ${#text} bytes, the kernel takes $cmdline_size"
		return 1
	fi
}

# Cut every attempt and a panic= of ours out of $text, each with one separator: the one behind it, or before it at the end.
# Words are split as the kernel does: double quotes group, nothing is escaped, and the byte 0xa0 is a space.
# shellcheck disable=SC2295 # a set of characters, a pattern indeed
without_own_words () {
	spaces=$(printf ' \t\v\f\r\240')$newline
	tail=$text
	text=
	ours=
	while [ -n "$tail" ]; do
		space=${tail%%[!$spaces]*}
		text=$text$space
		tail=${tail#"$space"}
		next_word
		if ! is_own "$word"; then
			text=$text$word
		elif [ -n "$tail" ]; then
			tail=${tail#?}
		else
			text=${text%?}
		fi
	done
}

# Move the first word from $tail to $word.
# shellcheck disable=SC2295 # a set of characters, a pattern indeed
next_word () {
	word=
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
			;;
		*) return ;;
		esac
	done
}

# is_own WORD: an attempt, where the kernel takes quotes off around a whole word and before its name; or the mark that the
# panic= behind it is ours, which then goes to $ours, or that one.
is_own () {
	last=$ours
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
	[ -n "$last" ] && [ "$1" = "$last" ]
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
