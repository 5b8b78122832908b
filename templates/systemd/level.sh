# find_level: sets $level to the runlevel that means what systemd is about to do: 6, 0, or nothing while the machine stays up.
find_level () {
	level=
	bounded 10 read_runlevel
	case $result in
	10[06]) level=${result#10} ;;
	esac
	# For the programs that are called, which know nothing but this.
	if [ -n "$level" ]; then
		RUNLEVEL=$level
		export RUNLEVEL
	fi
}

# By an exit code of 10 and the level's digit, 105 while no end is under way. A soft reboot is none; and systemd may not answer.
read_runlevel () {
	{ systemctl --no-legend --no-pager list-jobs 2>&- || echo failed; } | {
		while read -r job unit kind _; do
			case $job,$unit,$kind in
			*,reboot.target,start | *,kexec.target,start) exit 106 ;;
			*,poweroff.target,start | *,halt.target,start) exit 100 ;;
			failed,,) exit 1 ;;
			esac
		done
		exit 105
	}
}
