# bounded SECONDS COMMAND [ARG...]: run a command, kill it when its time is over, never wait for what cannot die.
# The timer keeps no file open, and a missing `sleep` means no limit rather than an early end.
bounded () {
	limit=$1
	shift
	expired=
	# The timer signals this very shell, which in a subshell is not $$.
	self=$$
	if [ -r "${proc:-/proc}/self/stat" ]; then
		read -r self _ <"${proc:-/proc}/self/stat"
	fi
	trap 'expired=$expired.; kill -KILL "$child"' ALRM
	if [ -r /dev/null ]; then
		"$@" </dev/null &
	else
		"$@" <&- &
	fi
	child=$!
	(sleep "$limit" && kill -ALRM "$self" && sleep 5 && kill -ALRM "$self") <&- >&- 2>&- 8>&- 9>&- &
	timer=$!
	# Nothing is said in here, where it might have to wait: bash reports each process that a signal has ended.
	{
		while :; do
			wait "$child"
			result=$?
			# A signal to this shell ends `wait` too: only the command's end counts, or five seconds after it was killed.
			if [ "$expired" = .. ] || [ "$result" -le 128 ] || ! kill -0 "$child"; then
				break
			fi
		done
		# A signal may have ended `wait` while the command ended as well: how, says another one, unless the first has.
		if ! kill -0 "$child"; then
			wait "$child"
			again=$?
			[ "$again" -eq 127 ] || result=$again
		fi
		kill -KILL "$timer"
		wait "$timer"
	} 2>&-
	trap : ALRM
	return "$result"
}
