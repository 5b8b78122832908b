is_loaded () {
	loaded=
	if [ -f /sys/kernel/kexec_loaded ]; then
		read -r loaded </sys/kernel/kexec_loaded
	fi
	[ "$loaded" = 1 ]
}
