# The decision that the early shutdown step left, and whether a kernel is loaded. Sets why_cold.
kexec_wanted () {
	decision=
	if are_roots 5 "$state/decision" && [ -f "$state/decision" ]; then
		# One whole line, and nothing behind it.
		{ IFS= read -r decision && ! IFS= read -r rest && [ -z "$rest" ]; } <"$state/decision" || decision=
	fi
	case $decision in
	kexec) why_cold="no kernel is loaded" ;;
	"cold "*) why_cold=${decision#cold } ;;
	*) why_cold="the early shutdown step left no decision" ;;
	esac
	# A halt that executes the kernel by itself would not say so.
	if [ "$decision" = kexec ] && ! command -v kexec >/dev/null; then
		why_cold="the program kexec is missing"
		return 1
	fi
	[ "$decision" = kexec ] && is_loaded
}

# Is a file system on a block device still writable, or can nobody tell? A kexec would leave it unclean. Sets why_cold.
still_writable () {
	why_cold="/proc/mounts cannot be read"
	if [ ! -r /proc/mounts ]; then
		return 0
	fi
	while read -r device where _ options _; do
		case $device,$options in
		/dev/*,rw | /dev/*,rw,*)
			why_cold="$device on $where is still writable"
			return 0
			;;
		esac
	done </proc/mounts
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
	if [ -e "/dev/$watchdog" ] && (: >"/dev/$watchdog") 2>/dev/null; then
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

unmount_all () {
	bounded 12 umount -a -r -t noproc,nosysfs,nodevtmpfs,nodevpts,notmpfs 2>/dev/null
}

# A server that is gone holds umount up: its file systems are detached without waiting. There is nothing of theirs to be
# left unclean on a disk, as there would be with a block device, which is never detached.
detach_remote () {
	while read -r _ where kind _; do
		case $kind in
		nfs | nfs4 | cifs | smb3 | smbfs | ncpfs | afs | ceph | coda | 9p | lustre | fuse | fuse.*)
			bounded 5 umount -l "$(printf '%b' "$where")"
			;;
		esac
	done </proc/mounts
} 2>/dev/null

# What is busy becomes read-only. Where something stays writable, what stood in the way goes, and it is tried once more.
unmount () {
	unmount_all
	if still_writable; then
		detach_remote
		bounded 5 losetup -D 2>/dev/null
		unmount_all
	fi
}

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
	bounded 15 kexec -e ${no_ifdown:+"$no_ifdown"}
	say "reboot goes through firmware: kexec -e came back with code $result"
}

{% include jump %}

jump_if_wanted () {
	if kexec_wanted; then
		say "starting the loaded kernel"
		jump
	else
		say "reboot goes through firmware: $why_cold"
	fi
}
