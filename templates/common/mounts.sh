# What a jump must not leave writable: everything but these, as the kernel calls its types of file systems.
pseudo={{ pseudo | sh }}
remote={{ remote | sh }}

# is_remote SOURCE TYPE: a file system of a server or a process, and on no disk of this machine.
is_remote () {
	case $1,$2 in
	/dev/*) return 1 ;;
	*,fuse.*) return 0 ;;
	esac
	case " $remote " in
	*" $2 "*) return 0 ;;
	esac
	return 1
}

# is_disk SOURCE TYPE OPTIONS: is it writable, and not known to leave nothing unclean? The kernel writes rw or ro first.
is_disk () {
	case $3 in
	ro | ro,*) return 1 ;;
	esac
	case " $pseudo " in
	*" $2 "*) return 1 ;;
	esac
	! is_remote "$1" "$2"
}

# Is a disk still writable, or can nobody tell, as without a root file system? A kexec would leave it unclean. Sets why_cold.
still_writable () {
	why_cold="{{ sentences.NO_MOUNTS }}"
	is_rooted=
	while read -r device where kind options _ || [ -n "$device" ]; do
		if [ "$where" = / ]; then
			is_rooted=yes
		fi
		if is_disk "$device" "$kind" "$options"; then
			why_cold="{{ sentences.STILL_WRITABLE.format("$device on $where") }}"
			return 0
		fi
	done </proc/mounts
	[ -z "$is_rooted" ]
}

unmount_all () {
	bounded 12 umount -a -r -t noproc,nosysfs,nodevtmpfs,nodevpts,notmpfs
}

# at_each CALL: call it with each mounted file system, "SOURCE PLACE TYPE OPTIONS". The kernel writes three octal digits for what would
# end a word, a backslash among them. The list is read before the first call, which may change it.
at_each () {
	printf '%s\n' "$(cat /proc/mounts)" | while read -r device where kind options _; do
		place=
		while [ "$where" != "${where#*\\}" ]; do
			place=$place${where%%\\*}\\0
			where=${where#*\\}
		done
		place=$(printf '%b.' "$place$where")
		"$1" "$device" "${place%.}" "$kind" "$options"
	done
}

# A server that is gone holds umount up: its file systems are detached without waiting. There is nothing of theirs to be
# left unclean on a disk, as there would be with one of this machine, which is never detached; nor is what programs come from.
detach_remote () {
	case $2 in
	/ | /usr) return ;;
	esac
	if is_remote "$1" "$3"; then
		bounded 5 umount -l "$2"
	fi
}

# For what umount(8) does not know, since there was no mtab to write to when it was mounted.
make_read_only () {
	if is_disk "$1" "$3" "$4"; then
		bounded 5 mount -n -o remount,ro "$2"
	fi
}

# What the host's own scripts have unmounted a moment before is not unmounted again. What is busy becomes read-only. Where
# something stays writable, what stood in the way goes, and it is tried once more.
unmount () {
	still_writable || return 0
	unmount_all
	if still_writable; then
		at_each detach_remote
		bounded 5 losetup -D
		unmount_all
		at_each make_read_only
	fi
}
