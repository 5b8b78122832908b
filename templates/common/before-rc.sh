# The dead-man that init starts beside rc leaves it the processor: most shutdowns are over before a dead-man has anything to do. So
# for five seconds it does only what must not wait, and the rest of this script is not even read before then.
before_rc=

# spare NAME PID: this process is spared when all others are killed near the end: by Debian's sendsigs, under the names it has
# had, which waits up to ten seconds for the others to end. RHEL's halt spares those of its own session, in which we stay.
spare () {
	for directory in /run/sendsigs.omit.d /lib/init/rw/sendsigs.omit.d /var/run/sendsigs.omit.d; do
		if [ -d "$directory" ]; then
			printf '%s\n' "$2" >"$directory/$1"
			return
		fi
	done
}

if [ "$1" = dead-man ]; then
	before_rc=yes
	trap '' HUP INT QUIT TERM PIPE
	cd /proc || exit
	if (: >sysrq-trigger) 2>&-; then
		exec 9>sysrq-trigger
	fi
	sleep 5 >/dev/null 2>&1 9>&- &
	spare kexec-initd-before-rc "$$ $!" 2>/dev/null
	wait "$!"
	trap - HUP INT QUIT TERM PIPE
fi
