# The decision that the early shutdown step left, and whether a kernel is loaded. By hand, with all still running, there is no
# jump. Sets why_cold.
kexec_wanted () {
	case $level in
	6) ;;
	*)
		why_cold="{{ sentences.OUTSIDE_SHUTDOWN.format("${level:-unknown}") }}"
		return 1
		;;
	esac
	decision=
	if are_roots 5 "$state/decision" && [ -f "$state/decision" ]; then
		# One whole line, and nothing behind it.
		{ IFS= read -r decision && ! IFS= read -r rest && [ -z "$rest" ]; } <"$state/decision" || decision=
	fi
	case $decision in
	kexec) ;;
	"cold "*) why_cold=${decision#cold } ;;
	*) why_cold="the early shutdown step left no decision" ;;
	esac
	if [ "$decision" != kexec ]; then
		return 1
	fi
	# A halt that executes the kernel by itself would not say so.
	why_cold="the program kexec is missing"
	[ -n "$(command -v kexec)" ] && need_loaded
}

# Only what the kernel shows there is evidence: old versions of kexec end with 0 for what they have not done. Sets why_cold.
need_loaded () {
	need_sys
	if is_loaded; then
		return 0
	fi
	why_cold="{{ sentences.NOTHING_LOADED }}"
	if [ "$loaded" != 0 ]; then
		why_cold="/sys/kernel/kexec_loaded, which tells whether a kernel is loaded, cannot be read"
	fi
	return 1
}

# Start the hardware watchdog that the load has made ready, if it has: opening does, and only a "V" before the close would
# stop it. In a subshell, since this one might end where the device cannot be opened.
start_watchdog () {
	if [ ! -e "$state/watchdog" ] && [ ! -L "$state/watchdog" ]; then
		return 0
	fi
	if ! are_roots 5 "$state/watchdog" || [ ! -f "$state/watchdog" ] || ! read_twice <"$state/watchdog"; then
		why_cold="$state/watchdog is damaged"
		return 1
	fi
	if [ -e "/dev/$watchdog" ] && (: >"/dev/$watchdog"); then
		say "$watchdog watches the jump"
	else
		why_cold="$watchdog cannot be started"
		return 1
	fi
}

# Its name is there twice, which takes no program to see that it is whole.
read_twice () {
	read -r watchdog again && ! read -r rest && [ -z "$rest" ] || return 1
	case $watchdog,$again in
	*/*) return 1 ;;
	watchdog*,"$watchdog") ;;
	*) return 1 ;;
	esac
}

# Sets $modules. Settings that nobody has read may hide what would make this reboot cold.
read_modules () {
	why_cold="what $settings says about modules is not known"
	modules=$(setting REMOVE_MODULES)
}

{% include "common/modules.sh" %}

{% include "common/mounts.sh" %}

# Comes back only when it went cold, having said why.
jump_alone () {
	if ! read_modules || ! remove_modules "$modules"; then
		say "reboot goes through firmware: $why_cold"
		return
	fi
	bounded 15 sync
	unmount
	if still_writable || ! start_watchdog; then
		say "reboot goes through firmware: $why_cold"
		return
	fi
	heard 15 kexec -e ${no_ifdown:+"$no_ifdown"}
	say "reboot goes through firmware: kexec -e came back with code $result"
}

{% include jump %}

jump_if_wanted () {
	trap : HUP INT QUIT TERM PIPE
	look_at "$state"
	if kexec_wanted; then
		say "starting the loaded kernel"
		jump
	else
		say "reboot goes through firmware: $why_cold"
	fi
}
