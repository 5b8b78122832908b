# Nothing that is said between `reboot` and the end may be waited for: a console whose output is stopped, by Ctrl-S or by a
# serial line whose far end is gone, takes no line ever again.
voice=plain
unset printed

# use_console: what this script says goes to the console itself from here on, since startpar(8) keeps it until the script
# has ended, and initlog(8) swallows it. Everything else, such as an error of the shell, goes nowhere.
use_console () {
	voice=console
	# A redirection that fails would end this shell.
	if (exec 8>&1) 2>&-; then
		exec 8>&1
	fi
	if (: >/dev/null) 2>&-; then
		exec >/dev/null 2>&1
	else
		exec >&- 2>&-
	fi
}

# say TEXT: one line of ours. It always succeeds, and keeps $result.
say () {
	tell "kexec-initd: $1"
}

tell () {
	result_before=${result-}
	case $voice in
	plain) put_line "$1" ;;
	console)
		bounded 4 put_line "$1"
		if [ -n "$expired" ]; then
			voice=lost
		fi
		;;
	esac
	greeting=
	result=$result_before
	return 0
}

# What goes with the next line that is said: each takes a process of its own.
greeting=

put_line () {
	clean "$1"
	visible=$greeting$visible
	if [ "$voice" = plain ]; then
		printf '%s\n' "$visible"
	elif [ ! -w /dev/console ] || ! printf '%s\n' "$visible" >>/dev/console; then
		printf '%s\n' "$visible" >&8
	fi 2>&-
}

# clean TEXT: sets $visible, with a question mark for what a terminal might obey.
clean () {
	visible=
	unseen=$1
	while :; do
		upto=${unseen%%[![:print:][:blank:]]*}
		visible=$visible$upto
		if [ "$upto" = "$unseen" ]; then
			return
		fi
		unseen=${unseen#"$upto"}
		unseen=${unseen#?}
		visible=$visible\?
	done
}

# heard SECONDS COMMAND [ARG...]: `bounded`, and the beginning of what the command printed is said when it has ended. It prints
# into a file, which never makes it wait, and into none where others could have put a link in its place.
heard () {
	if [ -z "${printed+looked}" ]; then
		printed=
		if are_roots 9 "$state" && clear_away "$state/printed" && clear_away "$state/printed.begin"; then
			printed=$state/printed
		fi
	fi
	if [ -z "$printed" ] || ! (: >"$printed") 2>&-; then
		bounded "$@"
		return
	fi
	# A function that is heard may hear programs of its own.
	printed=$printed.within
	bounded "$@" >"${printed%.within}" 2>&1
	printed=${printed%.within}
	result_heard=$result
	# What dd says of its work is nothing to hear.
	bounded 4 dd if="$printed" of="$printed.begin" bs=2048 count=1 2>&-
	while IFS= read -r uttered || [ -n "$uttered" ]; do
		tell "$uttered"
	done <"$printed.begin"
	rm -f "$printed" "$printed.begin"
	result=$result_heard
	return "$result"
}
