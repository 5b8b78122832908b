# no SENTENCE: have $reason say so, and fail.
no () {
	reason=$1
	return 1
}

# printable TEXT: what of it is ASCII that shows.
printable () {
	printf '%s' "$1" | tr -cd ' -~'
}

# is_trusted DESCRIPTOR PATH: is that an open, regular file of root that only root can change or replace?
is_trusted () {
	found=$(stat -L -c '%F,%u,%a' "/proc/self/fd/$1" 2>/dev/null)
	mode=${found##*,}
	owner=${found%,*}
	case $found in
	"regular file,0,"*[2367] | "regular file,0,"*[2367]? | "regular empty file,0,"*[2367] | "regular empty file,0,"*[2367]?)
		no "$2 {{ sentences.WRITABLE.format('$(printf %04d "$mode")') }}"
		;;
	"regular file,0,"* | "regular empty file,0,"*)
		are_roots 9 "$(readlink -f -- "$2")" || no "$2 is in a directory that can be changed by others than root"
		;;
	"regular "*) no "$2 {{ sentences.NOT_ROOTS.format("${owner##*,}") }}" ;;
	*) no "$2 {{ sentences.NOT_REGULAR }}" ;;
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
	code=container
	container=$({ tr '\000' '\n' </proc/1/environ; } 2>/dev/null | sed -n 's/^container=\(.\)/\1/p' | head -n 1)
{% for row in tables.container_marks %}
	[ -n "$container" ] || [ ! -e /{{ row.0 }} ] || container=$(grep . /{{ row.0 }} || printf {{ row.1 }})
{% endfor %}
	case $(stat -L -c %i /proc/self/ns/pid 2>/dev/null) in
	'' | {{ tables.namespace }}) ;;
	*) container=${container:-{{ sentences.NAMESPACE }}} ;;
	esac
	[ -z "$container" ] || no "{{ sentences.CONTAINER.format('$(printable "$container")') }}" || return
	code=chroot
	first=$(stat -L -c '%d %i' /proc/1/root/. 2>/dev/null) || first=$(stat -c '%d %i' /)
	{ [ -e /proc/1 ] && [ "$first" = "$(stat -c '%d %i' /)" ]; } || no "{{ sentences.CHROOT }}"
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
		reason="{{ sentences.GONE.format("$step") }}"
	elif ! grep -q -e '^# Written by kexec-initd' -e '^# BEGIN kexec-initd' "$step"; then
		reason="{{ sentences.NOT_OURS.format("$step") }}"
	elif [ -f "$copy" ] && ! cmp -s "$copy" "$step"; then
		reason="{{ sentences.CHANGED.format("$step") }}"
	elif [ ! -x "$step" ]; then
		reason="{{ sentences.NOT_EXECUTABLE.format("$step") }}"
	fi
	[ -z "$reason" ] || no "$reason; sh ${attempts%/*}/standalone/install.sh puts it right"
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
	[ "$process" = init ] || no "{{ sentences.UNHOOKED.format('$(printable "$process")') }}"
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

# has_flag FILE WORD: is that a word of its first line "flags"?
has_flag () {
	grep '^flags' "$1" 2>/dev/null | head -n 1 | grep -q -w "$2"
}

# Is the platform none that is known not to survive a kexec? kexec_initd's module system.quirks has the sources.
is_fit_platform () {
	code=platform
	[ "$force_platform" = no ] || return 0
	case $(uname -m) in
	{{ tables.tried }}) ;;
	*) no "{{ sentences.PLATFORM.format("$(uname -m)", sentences.UNTRIED) }}" || return ;;
	esac
{% for row in tables.platforms %}
	! {% if row.signs | length > 1 %}{ {% endif %}
{% for sign in row.signs %}{{ "has_flag" if sign.word else "begins" }} /{{ sign.path }} "{{ sign.text }}"{% if not loop.last %} && {% endif %}{% endfor %}
{% if row.signs | length > 1 %}; }{% endif %} ||
		no "{{ row.reason }}" || return
{% endfor %}
}

# was_built_with_kexec: as far as the running kernel's configuration can be found.
was_built_with_kexec () {
	if [ -f "/boot/config-$release" ] || [ -f /proc/config.gz ]; then
		has_option -e CONFIG_KEXEC=y -e CONFIG_KEXEC_FILE=y
	fi
}

# has_option GREP-ARGUMENT...: does the configuration of the running kernel, as far as it can be found, have such a line?
has_option () {
	if [ -f "/boot/config-$release" ]; then
		grep -q -x "$@" "/boot/config-$release"
	elif [ -f /proc/config.gz ]; then
		[ "$(gzip -dc </proc/config.gz 2>/dev/null | grep -c -x "$@")" != 0 ]
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

# Has a panic started the running kernel? It shows the memory of the other.
is_capture () {
	case " $(cat /proc/cmdline) " in
	*" elfcorehdr="*) return 0 ;;
	esac
	[ -e /proc/vmcore ]
}

# Can the running kernel, whose name goes to $release, load another one?
can_kexec () {
	code=unsupported
	release=
	read -r release </proc/sys/kernel/osrelease
	case $release in
	'' | *[!A-Za-z0-9._+~:-]*) no "the running kernel has a name that cannot be one of a file" || return ;;
	esac
	! is_capture || no "{{ sentences.CAPTURE }}" || return
	has_kexec_program || no "{{ sentences.NO_PROGRAM }}" || return
	was_built_with_kexec || no "{{ sentences.NOT_BUILT }}" || return
	[ -e /sys/kernel/kexec_loaded ] || no "{{ sentences.NO_KEXEC }}" || return
	! is_loaded || return 0
	[ "$(cat /proc/sys/kernel/kexec_load_disabled 2>/dev/null)" != 1 ] || no "{{ sentences.DISABLED }}" || return
	[ "$(cat /proc/sys/kernel/kexec_load_limit_reboot 2>/dev/null)" != 0 ] || no "{{ sentences.USED_UP }}"
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
	[ -f {{ tables.secure_boot }} ] && [ "$(number {{ tables.secure_boot }} 4 1)" = 1 ]
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
		signed_only="{{ sentences.LOCKED_DOWN }}"
	elif has_option CONFIG_KEXEC_SIG_FORCE=y; then
		signed_only="{{ sentences.SIGNED_ONLY }}"
	elif is_secure_boot; then
		signed_only="{{ sentences.SECURE_BOOT }}"
	elif is_appraised; then
		signed_only="IMA appraises what is loaded"
	else
		return 1
	fi
}
