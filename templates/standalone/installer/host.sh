# What decides which files fit a host: how it was booted, and what its own halt does.

is_init () {
	if [ -d /run/systemd/system ] || [ "$(readlink /sbin/init | sed 's,.*/,,')" = systemd ] || [ -d /run/openrc ] ||
		[ -e /sbin/openrc-init ]; then
		return 1
	elif [ -e /etc/init/rc-sysinit.conf ] || [ -e /etc/init/rcS.conf ] || [ -e /etc/event.d/rc-default ]; then
		[ "$1" = upstart ]
	else
		[ "$1" = sysvinit ] && [ -e /etc/inittab ]
	fi
}

does_halt_execute () {
	grep -q -E '^[^#]*kexec[^[:space:]]*[[:space:]][^#]*-e([^[:alnum:]_]|$)' /etc/rc.d/init.d/halt
}
