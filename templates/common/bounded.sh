# bounded SECONDS COMMAND [ARG...]: run a command, kill it when its time is over, never wait for what cannot die.
# The timer keeps no file open, and a missing `sleep` means no limit rather than an early end.
bounded () {
	limit=$1
	shift
	expired=
	trap 'expired=yes; kill -KILL "$child"' ALRM
	"$@" </dev/null &
	child=$!
	(sleep "$limit" && kill -ALRM $$) <&- >&- 2>&- &
	timer=$!
	while :; do
		wait "$child"
		result=$?
		# A signal to this shell ends `wait` too: only the end of the command or of its time counts.
		if [ -n "$expired" ] || [ "$result" -le 128 ] || ! kill -0 "$child" 2>/dev/null; then
			break
		fi
	done
	{
		kill -KILL "$timer"
		wait "$timer"
	} 2>/dev/null
	trap : ALRM
	return "$result"
}
