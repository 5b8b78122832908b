# remove_modules NAMES: the kernel modules that would not survive the jump, in this order, and before each what uses it; each must
# be gone then. What is no module's name is none of ours to guess at. With the name "auto" come the drivers of graphics.
# Sets why_cold, with the consoles bound again, so that it is seen.
remove_modules () {
	case " $1" in
	*[!A-Za-z0-9_[:space:]-]* | *[[:space:]]-*)
		why_cold="{{ sentences.NO_MODULE.format("$1") }}"
		return 1
		;;
	esac
	graphics=
	case " $1 " in
	*" auto "*) graphics=yes ;;
	esac
	consoles=
	for module in $1; do
		if ! remove_module "$module"; then
			bind_consoles 1
			return 1
		fi
	done
}

# remove_module NAME: sets why_cold where it stays.
remove_module () {
	has_module "$1" || return 0
	let_go
	set -f
	IFS=,
	# shellcheck disable=SC2086 # words are wanted
	set -- "$1" $users
	unset IFS
	set +f
	for user; do
		[ "$user" = "$1" ] || remove_module "$user" || return 1
	done
	heard 12 modprobe -r "$1"
	if has_module "$1"; then
		# What uses it may be just about to end, and modprobe(8) needs the running kernel's modules, which may be gone.
		sleep 1
		heard 12 rmmod "$1"
	fi
	if has_module "$1"; then
		users=${users%,}
		why_cold="{{ sentences.STUCK_MODULE.format("$1", "$uses${users:+ ($users)}") }}"
		return 1
	fi
}

# Have what holds drivers of graphics beside programs let them go, once, and not before there is one to be removed: plymouthd(8),
# whose name spares it from being killed, and the consoles on a frame buffer.
let_go () {
	[ -n "$graphics" ] || return 0
	graphics=
	if [ -n "$(command -v plymouth)" ]; then
		bounded 5 plymouth quit
	fi
	for console in /sys/class/vtconsole/*; do
		if shows "$console/name" "frame buffer" && shows "$console/bind" 1; then
			consoles="$consoles $console"
		fi
	done
	bind_consoles 0
}

bind_consoles () {
	for console in $consoles; do
		bounded 4 put_word "$1" "$console/bind"
	done
}

put_word () {
	printf %s "$1" >"$2"
} 2>/dev/null

# shows FILE TEXT: is that in its first line?
shows () {
	[ -r "$1" ] && read -r line <"$1" && [ "$line" != "${line#*"$2"}" ]
} 2>/dev/null

# Is a module there, by the name that the kernel has for it: modprobe(8) takes a hyphen for an underscore? Sets $uses and $users, how
# often it is in use and the modules among what uses it.
has_module () {
	wanted=$1
	while [ "$wanted" != "${wanted#*-}" ]; do
		wanted=${wanted%%-*}_${wanted#*-}
	done
	while read -r name _ uses users _; do
		if [ "$name" = "$wanted" ]; then
			users=${users#-}
			return 0
		fi
	done </proc/modules
	return 1
} 2>/dev/null
