{% include "common/sysrq.sh" %}

begun=

# find_onset LIMIT: sets $begun to the uptime at which the shutdown began, as far as can be told. The one that init starts before
# rc began when this shell did, however long its console took to be opened, and leaves word of that. Such word is of another
# shutdown where the limit would be over.
find_onset () {
	read -r begun _ </proc/uptime || return
	begun=${begun%%.*}
	since=
	if [ -n "$before_rc" ]; then
		since=$(born)
	elif are_roots 9 "$state" && [ -f "$state/dead-man" ] && read -r other since <"$state/dead-man"; then
		kill -0 "$other" || since=
	fi
	case $since in
	'' | *[!0-9]*) ;;
	*) [ "$since" -gt "$begun" ] || [ "$((begun - since))" -ge "$1" ] || begun=$since ;;
	esac
} 2>/dev/null

# When this shell was started: behind its name, which may hold anything, proc(5) has it in hundredths of a second.
born () {
	read -r line <"/proc/$$/stat" || return
	set -f
	# shellcheck disable=SC2086 # words are wanted
	set -- ${line##*) }
	[ $# -lt 20 ] || printf '%s' "$((${20} / 100))"
}

# take_over PID: only one waits, the last that came; whom init has started leaves the beginning behind its number.
take_over () {
	are_roots 9 "$state" && clear_away "$state/dead-man" && printf '%s\n' "$1${before_rc:+ $begun}" >"$state/dead-man"
}

# is_relieved PID: has another one come? Whom init has started does not relieve the one in rc's session, which halt spares.
is_relieved () {
	[ -f "$state/dead-man" ] && read -r other since <"$state/dead-man" && [ "$other" != "$1" ] &&
		{ [ -n "$before_rc" ] || [ -z "$since" ]; }
}

{% if systemd is not defined and openrc is not defined %}
# Has rc called us meanwhile, so that one stands in its session?
is_rc_watched () {
	[ -f "$state/dead-man" ] && read -r other since <"$state/dead-man" && [ -z "$since" ] && kill -0 "$other"
} 2>/dev/null

{% endif %}
# dead_man LIMIT: beside the shutdown, see that it ends. It waits until the shutdown has taken LIMIT seconds, or until init's
# rc is gone for a minute, as when /etc/init.d/reboot is missing or broken and init asks for the root password instead.
# What counts is the time since the boot: a sleep that is killed ends nothing early. It stands in /proc, whose files it then
# reaches even when that is unmounted, which can only be lazily; where there is none at the beginning, it gives up.
dead_man () {
	trap '' HUP INT QUIT TERM PIPE
	trap : ALRM
	[ -n "$before_rc" ] || cd /proc || return
	proc=.
	hold_sysrq
	read -r self _ _ _ _ rc _ <self/stat || return
	spare kexec-initd "$self"
	take_over "$self"
	end=
	gone=
	why=
	while [ -z "$why" ] && read -r now _ <uptime; do
		now=${now%%.*}
		end=${end:-$((${begun:-$now} + $1))}
		# Before rc, the session is our own.
		[ -n "$before_rc" ] || kill -0 "$rc" || gone=${gone:-$now}
		if is_relieved "$self"; then
			return
		elif [ "$now" -ge "$end" ]; then
			why="it takes longer than $1 s"
		elif [ "$now" -ge "$((${gone:-$now} + 60))" ]; then
			why="it has come to an end without one"
		else
			# Outside of rc's session, sendsigs would wait for the sleep, too, and for the one that rc's has relieved.
			sleep 5 &
			spare "kexec-initd${before_rc:+-before-rc}" "$self $!"
			wait "$!"
		fi
	done
	bounded 4 read_runlevel
	case $why,$result in
	,* | *,10[!6]) return ;;
	esac
	# Nobody waits for this line, which a console whose output is stopped would never take: it has the pauses of the reset.
	put_line "kexec-initd: the shutdown did not lead to a reboot, $why: resetting through sysrq" &
	reset_by_sysrq 5
}

# A kernel that is started, a reset, and the end of the machine end it, too. What is not understood leaves the default. The
# subshell is there since for a function alone some shells would keep what they are to close.
start_dead_man () {
	dead_after=$(setting SHUTDOWN_LIMIT) || dead_after=
	case $dead_after in
	0) return ;;
	[1-9][0-9] | [1-9][0-9][0-9] | [1-9][0-9][0-9][0-9] | [1-9][0-9][0-9][0-9][0-9]) ;;
	*) dead_after=1800 ;;
	esac
	[ -n "$begun" ] || find_onset "$dead_after"
	(dead_man "$dead_after") <&- >&- 2>&- 8>&- &
	dead_man=$!
}

# The settings may have been read only now: one that waits for another time gives way.
renew_dead_man () {
	dead_limit=$(setting SHUTDOWN_LIMIT) && [ "$dead_limit" != "$dead_after" ] || return 0
	if [ "$dead_after" != 0 ]; then
		{
			kill -KILL "$dead_man"
			wait "$dead_man"
		} 2>/dev/null
	fi
	start_dead_man
}
