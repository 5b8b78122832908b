{% set openrc = true %}
#! /bin/sh
#
# Written by kexec-initd. Its services call this at the end of a boot, early in each shutdown, while every file system is still there,
# and at the end of the runlevel `shutdown`, which a reboot and a poweroff share: OpenRC tells them apart by RC_REBOOT.

PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
umask 022

state={{ state | sh }}
attempts={{ attempts | sh }}

{% include "common/before-rc.sh" %}

{% include "common/base.sh" %}

{% include "common/jump.sh" %}

{% include "common/early.sh" %}

{% include "common/jump-or-unload.sh" %}

case "$1" in
start)
	# Marks of a shutdown that was called off. OpenRC itself is over once all of this runlevel is started.
	rm -f "$state/decision" "$state/stopping"
	preload "${RC_PID-}"
	;;
load)
	load_at_boot
	;;
stop)
	use_console
	find_level
	case $level in
	6) prepare ;;
	0) settle ;;
	esac
	;;
last)
	use_console
	find_level
	if [ "$level" = 6 ]; then
		jump_or_unload
	fi
	;;
*)
	echo "Usage: $0 start|stop|last|load" >&2
	exit 3
	;;
esac
exit 0
