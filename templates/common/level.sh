# find_level: sets $level to the runlevel that is being entered, or to nothing where nobody tells. init sets RUNLEVEL, rc of older
# releases its own variable, OpenRC others; the last stage of runit(8) has it in a file, without a newline.
find_level () {
	level=${RUNLEVEL:-${runlevel-}}
	if [ -z "$level" ]; then
		case ${RC_REBOOT-},${RC_RUNLEVEL-} in
		[Yy][Ee][Ss],*) level=6 ;;
		*,shutdown) level=0 ;;
		esac
	fi
	if [ -z "$level" ] && [ -r /run/runit.runlevel ]; then
		read -r level </run/runit.runlevel
	fi
	# systemd keeps a record, too, but knows no levels.
	if [ -z "$level" ] && [ ! -d /run/systemd/system ]; then
		bounded 4 read_runlevel
		case $result in
		10[0-6]) level=${result#10} ;;
		esac
	fi
	# For the programs that are called, which know nothing but this and the record.
	if [ -n "$level" ]; then
		RUNLEVEL=$level
		export RUNLEVEL
	fi
}

# The runlevel in init's own record, as an exit code of 10 and its digit, 109 for another: what reads it may hang, as where /var is on
# a server that is gone.
read_runlevel () {
	record=$(runlevel 2>&-)
	case $record in
	*\ [0-6]) return "10${record##* }" ;;
	*\ ?) return 109 ;;
	esac
	return 1
}
