# What is still loaded systemd, where it was asked to, and Gentoo's reboot(8) would execute; old versions of systemd wait for somebody.
jump_or_unload () {
	RUNLEVEL=6
	export RUNLEVEL
	level=6
	no_ifdown=-x # the root may be on a server
	jump_if_wanted
	if is_loaded; then
		unload
		! is_loaded || reset_by_sysrq 1
	fi
}
