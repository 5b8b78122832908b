# The history of reboots, by the rules of kexec_initd's modules history.reboot_log, which says what is in the file, and
# history.boot_clocks, which says where the moments come from.
history=${attempts%/*}/history

# Write down how the running boot came, once, when the attempts are settled and the boot is over. Best effort.
keep_history () {
	if is_capture || [ -n "$damaged" ] || ! { is_lasting_there && are_roots 9 "${attempts%/*}"; } || ! find_boot || ! read_history; then
		return
	fi
	read_leaving
	find_way && ! is_kept "$boot" 3 || return
	if [ "$before" != - ] && is_kept "$before" 4; then
		forget_leaving
	fi
	find_moments
	entry="$way $code $boot $before $release $release_before $left $left_uptime $over $now $up $pid1 $ended - - $(printable "$reason" | cut -c 1-200)"
	kept=$(printf '%s' "$entries" | tail -n 99)
	(
		umask 077
		rm -rf "$history.new"
		print_whole "kexec-initd history 1$newline${kept:+$kept$newline}$entry$newline" >"$history.new"
	) && [ ! -d "$history" ] && mv -f "$history.new" "$history" && rm -f "$leaving"
} 2>/dev/null

# Sets $entries. What is damaged is kept aside.
read_history () {
	entries=
	newer=
	if { [ ! -e "$history" ] && [ ! -L "$history" ]; } || { [ ! -L "$history" ] && [ -f "$history" ] && take_history <"$history"; }; then
		return 0
	elif [ -n "$newer" ]; then
		return 1
	fi
	mv -f "$history" "$history.damaged"
	say "the history $history is damaged: it is kept as $history.damaged, and begun anew"
}

take_history () {
	is_trusted 0 "$history" && size_of /proc/self/fd/0 65536 >/dev/null && read_whole || return
	case $body in
	"kexec-initd history 1$newline"*) entries=${body#*"$newline"} ;;
	"kexec-initd history "[1-9]*)
		newer=yes
		return 1
		;;
	*) return 1 ;;
	esac
}

# is_kept WORD NUMBER: has an entry this as its word of that number?
is_kept () {
	printf '%s' "$entries" | cut -d ' ' -f "$2" | grep -q -x -F -e "$1"
}

# Sets $before, $left_uptime, $release_before and $left, by the time of the file.
read_leaving () {
	forget_leaving
	[ -f "$leaving" ] && [ ! -L "$leaving" ] || return
	{ read -r before left_uptime release_before && read -r again; } <"$leaving"
	if [ "$again" != "$before $left_uptime $release_before" ] || [ "$before" = "$boot" ]; then
		forget_leaving
		return
	fi
	found=$(stat -c '%Y %y' -- "$leaving")
	left=${found%% *}
	found=${found##*.}
	found=${found%% *}
	case $found in
	'' | *[!0-9]*) ;;
	*) left=$left.$found ;;
	esac
}

forget_leaving () {
	before=-
	left_uptime=-
	release_before=-
	left=-
}

# How did this boot come? Sets $way, $code and $reason; fails where nothing of ours says that there was a reboot.
find_way () {
	rest=${last#* }
	way=kexec
	code=target
	reason="attempt ${rest%% *} arrived"
	case $kexecs,$last in
	0,*) ;;
	*,"replaced "*)
		code=by-hand
		reason="a kernel that was loaded by hand in place of attempt ${rest%% *}"
		return
		;;
	*,"failed "*)
		reason="attempt ${rest%% *} failed its checks"
		return
		;;
	*) return 0 ;;
	esac
	way=cold
	code=undecided
	reason="{{ tables.undecided }}"
	case $guard,$last in
	"0 "*,"lost "*)
		code=lost
		reason="attempt ${rest%% *}: the jump failed, or what it started did not come up"
		return
		;;
	esac
	# shellcheck disable=SC3013 # dash, bash and busybox have it
	if [ "$before" = - ]; then
		[ -n "$entries" ]
	elif [ -f "$cold" ] && ! [ "$cold" -ot "$leaving" ] && read -r code reason <"$cold"; then
		return 0
	elif shows_kexec && [ ! -e "${attempts%/*}/kexec-loader" ]; then
		way=kexec
		code=by-hand
		reason=-
	fi
}

# Sets $over, $now, $up, $pid1 and $ended.
find_moments () {
	read -r release </proc/sys/kernel/osrelease
	now=$(date +%s.%N)
	case ${now#*.} in
	'' | *[!0-9]*) now=$(date +%s) ;;
	esac
	read -r up _ </proc/uptime || up=0
	began=$((${now%.*} - ${up%.*}))
	ended=-
	if read -r marked ended <"$state/preloaded" && [ "$marked" != "$boot" ]; then
		ended=-
	fi
	ended=${ended:--}
	find_over
	find_mount
}

# When init's halt(8) wrote its record into wtmp(5), whose records of 384 bytes are 24 lines of od(1).
find_over () {
	over=-
	[ "$left" != - ] && [ -f /var/log/wtmp ] || return
	for moment in $(tail -c 24576 /var/log/wtmp | od -A n -v -t d4 | awk '
		NR % 24 == 1 { kind = $1 }
		NR % 24 == 3 { begin = $4 }
		NR % 24 == 4 { rest = $1 }
		NR % 24 == 22 && kind == 1 && begin == 1953851507 && rest == 1853321060 { printf "%d.%06d\n", $2, $3 }
	'); do
		if [ "${moment%.*}" -ge "${left%.*}" ] && [ "${moment%.*}" -le "$began" ]; then
			over=$moment
		fi
	done
}

# When the first file system with a journal was mounted, the root's: by the thread that serves it.
find_mount () {
	pid1=-
	first=
	for process in /proc/[0-9]*; do
		read -r line <"$process/stat" || continue
		case $line in
		*" (jbd2/"* | *" (kjournald"* | *" (xfsaild/"* | *" (btrfs-cleaner"* | *" (f2fs_ckpt-"* | *" (txg_sync"*) ;;
		*) continue ;;
		esac
		set -f
		# shellcheck disable=SC2086 # words are wanted
		set -- ${line##*) }
		set +f
		if [ $# -ge 20 ] && { [ -z "$first" ] || [ "${20}" -lt "$first" ]; }; then
			first=${20}
		fi
	done
	[ -z "$first" ] || pid1=$((first / 100)).$(printf %02d $((first % 100)))
}
