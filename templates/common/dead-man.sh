{% include "common/sysrq.sh" %}

# Those processes are spared when all others are killed near the end: by Debian's sendsigs, under the names it has had. RHEL's
# halt spares those of its own session, in which we stay.
spare () {
	for directory in /run/sendsigs.omit.d /lib/init/rw/sendsigs.omit.d /var/run/sendsigs.omit.d; do
		if [ -d "$directory" ]; then
			printf '%s\n' "$1" >"$directory/kexec-initd"
			return
		fi
	done
}

# dead_man LIMIT: beside the shutdown, see that it ends. It waits until the shutdown has taken LIMIT seconds, or until init's
# rc is gone for a minute, as when /etc/init.d/reboot is missing or broken and init asks for the root password instead.
# What counts is the time since the boot: a sleep that is killed ends nothing early. It stands in /proc, whose files it then
# reaches even when that is unmounted, which can only be lazily; where there is none at the beginning, it gives up.
dead_man () {
	trap '' HUP INT QUIT TERM PIPE
	trap : ALRM
	cd /proc || return
	proc=.
	hold_sysrq
	read -r self _ _ _ _ rc _ <self/stat || return
	spare "$self"
	end=
	gone=
	why=
	while [ -z "$why" ] && read -r now _ <uptime; do
		now=${now%%.*}
		end=${end:-$((now + $1))}
		kill -0 "$rc" || gone=${gone:-$now}
		if [ "$now" -ge "$end" ]; then
			why="it takes longer than $1 s"
		elif [ "$now" -ge "$((${gone:-$now} + 60))" ]; then
			why="it has come to an end without one"
		else
			sleep 5
		fi
	done
	bounded 4 read_record
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
	[Nn][Oo] | [Ff][Aa][Ll][Ss][Ee] | [Oo][Ff][Ff] | 0) return ;;
	[1-9][0-9] | [1-9][0-9][0-9] | [1-9][0-9][0-9][0-9] | [1-9][0-9][0-9][0-9][0-9]) ;;
	*) dead_after=1800 ;;
	esac
	(dead_man "$dead_after") <&- >&- 2>&- 8>&- &
}
