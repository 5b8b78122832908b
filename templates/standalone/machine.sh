# is_trusted DESCRIPTOR PATH: is that an open, regular file of root that only root can change or replace?
is_trusted () {
	found=$(stat -L -c '%F,%u,%a' "/proc/self/fd/$1" 2>/dev/null)
	case $found in
	"regular file,"* | "regular empty file,"*) ;;
	*)
		reason="is not a regular file"
		return 1
		;;
	esac
	case ${found#*,} in
	0,*[2367] | 0,*[2367]?)
		reason="can be written by others than its owner (mode ${found##*,})"
		return 1
		;;
	0,*)
		reason="is in a directory that can be changed by others than root"
		are_roots 9 "$(readlink -f -- "$2")"
		;;
	*)
		reason="belongs to another user than root"
		return 1
		;;
	esac
}

# slice FILE OFFSET COUNT: these bytes of a file.
slice () {
	tail -c "+$(($2 + 1))" "$1" 2>/dev/null | head -c "$3"
}

# number FILE OFFSET SIZE: the number of that many bytes there, little-endian as everything on x86.
number () {
	od -A n -v -t "u$3" -j "$2" -N "$3" "$1" 2>/dev/null | tr -cd '0-9'
}

# size_of FILE LIMIT: its bytes; nothing and a failure for none or for more than the limit, which has nine digits at most.
size_of () {
	found=$(stat -L -c %s "$1")
	case $found in
	'' | 0 | *[!0-9]* | ??????????*) ;;
	*)
		if [ "$found" -le "$2" ]; then
			printf '%s' "$found"
			return 0
		fi
		;;
	esac
	return 1
}

# Not a container and not a chroot? A kexec would reach beyond either.
is_whole_machine () {
	container=$({ tr '\000' '\n' </proc/1/environ; } 2>/dev/null | sed -n 's/^container=\(.\)/\1/p' | head -n 1)
	for mark in /run/systemd/container /.dockerenv /run/.containerenv; do
		if [ -z "$container" ] && [ -e "$mark" ]; then
			container=$mark
		fi
	done
	case $(stat -L -c %i /proc/self/ns/pid 2>/dev/null) in
	'' | 4026531836) ;; # PROC_PID_INIT_INO, the namespace of the machine itself
	*) container=${container:-a process namespace of its own} ;;
	esac
	code=container
	if [ -n "$container" ]; then
		reason="this is a container ($(printf '%s' "$container" | tr -cd ' -~'))"
		return 1
	fi
	code=chroot
	first=$(stat -L -c '%d %i' /proc/1/root/. 2>/dev/null) || first=$(stat -c '%d %i' /)
	if [ ! -e /proc/1 ] || [ "$first" != "$(stat -c '%d %i' /)" ]; then
		reason="this is a chroot, or /proc is not mounted"
		return 1
	fi
}

# Are the scripts that end the shutdown ours still? The distribution's own would start what is loaded, or pass it over, with
# no look at what was decided. Rules of kexec_initd's module install.deviations.
is_all_ours () {
	code=not-installed
	for step in {{ set_aside | words }}; do
		[ ! -e "$step" ] || is_step || return 1
	done
	# shellcheck disable=SC2043 # where there is but one
	for step in {{ steps | words }}; do
		is_step || return 1
	done
}

is_step () {
	copy=${attempts%/*}/standalone/files$step
	reason=
	if [ ! -f "$step" ]; then
		reason="$step is gone"
	elif ! grep -q -e '^# Written by kexec-initd' -e '^# BEGIN kexec-initd' "$step"; then
		reason="$step is another script than ours"
	elif [ -f "$copy" ] && ! cmp -s "$copy" "$step"; then
		reason="$step, ours, was changed"
	elif [ ! -x "$step" ]; then
		reason="$step is not executable"
	fi
	[ -n "$reason" ] || return 0
	reason="$reason; sh ${attempts%/*}/standalone/install.sh puts it right"
	return 1
}

# Does the init system run that is hooked, and none that the host was converted to? Rules of kexec_initd's module system.host.
is_hooked_init () {
	code=init
	process=init
	if [ -d /run/systemd/system ]; then
		process=systemd
	elif [ -d /run/openrc ]; then
		process=openrc
	elif [ -r /proc/1/comm ]; then
		read -r process </proc/1/comm
	elif [ -r /proc/1/stat ]; then
		read -r _ process _ </proc/1/stat
		process=${process#"("}
		process=${process%")"}
	fi
	reason="the running init system is $(printf '%s' "$process" | tr -cd ' -~'), in which kexec-initd is not hooked"
	[ "$process" = init ]
}

# begins FILE TEXT: does that file of the kernel begin so?
begins () {
	first=
	if [ -r "$1" ]; then
		read -r first <"$1"
	fi
	case $first in
	"$2"*) [ -r "$1" ] ;;
	*) return 1 ;;
	esac
}

# Is the platform none that is known not to survive a kexec? kexec_initd's module system.quirks has the sources.
is_fit_platform () {
	dmi=/sys/class/dmi/id
	platform=
	if begins /proc/xen/capabilities control_d; then
		platform="Xen, as its control domain"
	elif begins /sys/hypervisor/type xen || begins /proc/xen/capabilities ""; then
		platform=Xen
	elif begins $dmi/sys_vendor "Microsoft Corporation" && begins $dmi/product_name "Virtual Machine"; then
		platform="Microsoft Hyper-V or Azure"
	elif begins $dmi/product_name "Google Compute Engine"; then
		platform="Google Compute Engine"
	elif grep '^flags' /proc/cpuinfo 2>/dev/null | head -n 1 | grep -q -w tdx_guest; then
		platform="an Intel TDX guest"
	elif begins /sys/devices/platform/sev-guest/uevent ""; then
		platform="an AMD SEV-SNP guest"
	fi
	code=platform
	reason="this is $platform, which does not survive a kexec (FORCE_PLATFORM=yes lifts this)"
	[ -z "$platform" ] || [ "$force" = yes ]
}

# was_built_with_kexec: as far as the running kernel's configuration can be found.
was_built_with_kexec () {
	if [ -f "/boot/config-$release" ]; then
		grep -q -x -e CONFIG_KEXEC=y -e CONFIG_KEXEC_FILE=y "/boot/config-$release"
	elif [ -f /proc/config.gz ]; then
		[ "$(gzip -dc </proc/config.gz 2>/dev/null | grep -c -x -e CONFIG_KEXEC=y -e CONFIG_KEXEC_FILE=y)" != 0 ]
	fi
}

# Does the running kernel take only kernels that are signed, by its configuration?
was_built_for_signed_kernels () {
	if [ -f "/boot/config-$release" ]; then
		grep -q -x CONFIG_KEXEC_SIG_FORCE=y "/boot/config-$release"
	elif [ -f /proc/config.gz ]; then
		[ "$(gzip -dc </proc/config.gz 2>/dev/null | grep -c -x CONFIG_KEXEC_SIG_FORCE=y)" = 1 ]
	else
		return 1
	fi
}

has_kexec_program () {
	for place in /usr/sbin /usr/bin /sbin /bin; do
		if [ -f "$place/kexec" ] && [ -x "$place/kexec" ]; then
			return 0
		fi
	done
	return 1
}

# Can the running kernel, whose name goes to $release, load another one?
can_kexec () {
	code=unsupported
	release=
	read -r release </proc/sys/kernel/osrelease
	disabled=$(cat /proc/sys/kernel/kexec_load_disabled 2>/dev/null)
	allowed=$(cat /proc/sys/kernel/kexec_load_limit_reboot 2>/dev/null)
	case $release in
	'' | *[!A-Za-z0-9._+~:-]*) reason="the running kernel has a name that cannot be one of a file" ;;
	*)
		if ! has_kexec_program; then
			reason="the program kexec is missing (package kexec-tools)"
		elif ! was_built_with_kexec; then
			reason="the kernel was built without CONFIG_KEXEC"
		elif [ ! -e /sys/kernel/kexec_loaded ]; then
			reason="the kernel has no kexec (/sys/kernel/kexec_loaded is missing)"
		elif is_loaded; then
			return 0
		elif [ "$disabled" = 1 ]; then
			reason="loading is disabled until the next boot (sysctl kernel.kexec_load_disabled)"
		elif [ "$allowed" = 0 ]; then
			reason="no more loads are allowed until the next boot (sysctl kernel.kexec_load_limit_reboot)"
		else
			return 0
		fi
		;;
	esac
	return 1
}

# Is kernel_lockdown(7) in force, which forbids the classic load?
is_locked_down () {
	state_of_lockdown="[none]"
	if [ -f /sys/kernel/security/lockdown ]; then
		read -r state_of_lockdown </sys/kernel/security/lockdown
	fi
	case $state_of_lockdown in
	*"[none]"*) return 1 ;;
	esac
}

# Is Secure Boot on? The value of an EFI variable is its fifth byte.
is_secure_boot () {
	variable=/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c
	[ -f "$variable" ] && [ "$(number "$variable" 4 1)" = 1 ]
}

# Does IMA verify what is loaded, by its policy, or by the command line where the kernel does not show that?
is_appraised () {
	if grep -q -e '^appraise .*func=KEXEC_KERNEL_CHECK' -e '^appraise .*func=KEXEC_INITRAMFS_CHECK' \
		/sys/kernel/security/ima/policy 2>/dev/null; then
		return 0
	fi
	case " $(cat /proc/cmdline) " in
	*" ima_appraise=off "* | *" ima_appraise=log "* | *" ima_appraise=fix "*) return 1 ;;
	*" ima_policy="*secure_boot* | *" ima_policy="*appraise_tcb*) return 0 ;;
	esac
	return 1
}

# Sets $signed_only to the reason.
takes_signed_only () {
	if is_locked_down; then
		signed_only="the kernel is locked down"
	elif was_built_for_signed_kernels; then
		signed_only="the kernel takes signed kernels only (CONFIG_KEXEC_SIG_FORCE)"
	elif is_secure_boot; then
		signed_only="Secure Boot is on"
	elif is_appraised; then
		signed_only="IMA appraises what is loaded"
	else
		return 1
	fi
}
