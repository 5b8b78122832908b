# Is a kernel loaded? Sets $loaded: 1, 0, or nothing where the kernel does not tell.
is_loaded () {
	loaded=
	if [ -f /sys/kernel/kexec_loaded ]; then
		read -r loaded </sys/kernel/kexec_loaded
	fi
	[ "$loaded" = 1 ]
}

# The last step of RHEL 4 and 5 comes after the end of /sys, and may find / read-only, with a list of mounts that nobody can write.
need_sys () {
	if [ ! -f /sys/kernel/kexec_loaded ]; then
		bounded 5 mount -n -t sysfs sysfs /sys
	fi
}
