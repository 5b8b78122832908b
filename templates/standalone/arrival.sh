# Is the system that a kexec has started a good one? By the rules of kexec_initd's module history.health.

# Asked before the boot is settled, and without the lock. Sets $failure.
check_arrival () {
	failure=
	read_settings
	! is_capture || return 0
	read_record || return 0
	find_boot || return 0
	rest=${last#under-way }
	case $last,$shown in
	under-way*,*" kexec_initd.attempt=${rest%% *} "*) ;;
	*) return 0 ;;
	esac
	if [ "$seen" = "$boot" ]; then
		return 0
	fi
	read_uptime
	deadline=$((uptime + check_seconds))
	while ! is_good; do
		read_uptime
		if [ "$uptime" -ge "$deadline" ]; then
			failure=$(printable "$reason" | cut -c 1-300)
			return 0
		fi
		sleep 5
	done
}

is_good () {
	find_hooks {{ tables.arrival }} || : # what is left out judges nothing
	for hook in $hooks; do
		bounded 15 "{{ tables.arrival }}/$hook" || no "{{ tables.arrival }}/$hook {{ sentences.FAILED.format("$result") }}" || return
	done
	[ "$check_route" != yes ] || has_default_route || no "{{ sentences.NO_ROUTE }}"
}

# A route is up (1) and no reject (200), by the last digits of its flags.
has_default_route () {
	if [ -r /proc/net/route ]; then
		while read -r _ target _ flags _ _ _ mask _; do
			case $target,$mask,00$flags in
			00000000,00000000,*[2367aAbBeEfF]??) ;;
			00000000,00000000,*[13579bBdDfF]) return 0 ;;
			esac
		done </proc/net/route
	fi
	if [ -r /proc/net/ipv6_route ]; then
		while read -r target length _ _ _ _ _ _ flags device; do
			case $target,$length,$device,$flags in
			*[!0]*,*,*,* | *,*,lo,* | *,*,*,*[2367aAbBeEfF]??) ;;
			*,00,*,*[13579bBdDfF]) return 0 ;;
			esac
		done </proc/net/ipv6_route
	fi
	return 1
}
