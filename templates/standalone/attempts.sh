# The record of attempts and the guard, by the rules of kexec_initd's modules history.attempts, which says what is in the
# record, and history.guard.

# Sets $seen (the boot that was judged last), $kexecs, $total, $firmware, $last, $guard and $why. A record that is not whole
# is $damaged.
read_record () {
	seen=-
	kexecs=0
	total=0
	firmware=0
	last=-
	guard=-
	why=-
	damaged=
	is_lasting_there || no "the record of attempts cannot be reached: $missed" || return
	if [ ! -e "$attempts" ] && [ ! -L "$attempts" ]; then
		return 0
	fi
	newer=
	{ [ ! -L "$attempts" ] && [ -f "$attempts" ] && take_record <"$attempts"; } && return
	[ -z "$newer" ] ||
		no "$attempts was written by a newer version of kexec-initd: install that version again, or remove the file" || return
	damaged=yes
	no "the record of attempts $attempts is damaged or cannot be trusted; it is begun anew"
}

take_record () {
	is_trusted 0 "$attempts" && size_of /proc/self/fd/0 4096 >/dev/null && read_whole || return
	case $body in
	"kexec-initd attempts 1$newline"*) ;;
	"kexec-initd attempts "[1-9]*)
		newer=yes
		return 1
		;;
	*) return 1 ;;
	esac
	total=
	set -f
	IFS=$newline
	for line in $body; do
		rest=${line#* }
		case ${line%% *} in
		boot) seen=$rest ;;
		kexecs) kexecs=$rest ;;
		total) total=$rest ;;
		firmware) firmware=$rest ;;
		last) last=$rest ;;
		guard) guard=$rest ;;
		why) why=$rest ;;
		kexec-initd) ;;
		*) newer=yes ;;
		esac
	done
	set +f
	unset IFS
	if [ -n "$newer" ]; then
		return 1
	fi
	# A version before has counted only these.
	total=${total:-$kexecs}
	boots=${guard%% *}
	is_number "$kexecs" && is_number "$total" && is_number "$firmware" && { [ "$guard" = - ] || is_number "$boots"; }
}

# Is that a number which the shell may calculate with?
is_number () {
	case $1 in
	'' | *[!0-9]* | 0?* | ????????????*) return 1 ;;
	esac
}

# write_record PATH: the record as the variables have it.
write_record () {
	body=$(
		printf 'kexec-initd attempts 1\nboot %s\nkexecs %s\n' "$boot" "$kexecs"
		printf 'total %s\nfirmware %s\nlast %s\nguard %s\nwhy %s\n' "$total" "$firmware" "$last" "$guard" "$why"
	)
	(
		umask 077
		rm -rf "$1"
		print_whole "$body$newline" >"$1"
	)
}

note_outcome () {
	fate=${last%% *}
	rest=${last#* }
	case $fate in
	lost) told="{{ sentences.NEVER_ARRIVED }}" ;;
	failed) told="{{ sentences.ARRIVED_UNFIT.format("$failure") }}" ;;
	replaced) told="replaced by a kernel that was loaded by hand" ;;
	*) told=arrived ;;
	esac
	note "$fate" "kexec of attempt ${rest%% *} (kernel ${last#* * * * }): $told"
}

# Judge how the running boot has come, once, and write down what is new; $failure says why an arrival is none.
settle_attempts () {
	read_settings
	note_settings
	! is_capture || return 0 # the next boot says what became of the last attempt
	read_record || return 1
	find_boot || return 1
	if [ "$seen" = "$boot" ]; then
		return 0
	fi
	before=$last
	judge_boot
	remember_loader
	reason="cannot write the record of attempts $attempts"
	write_record "$state/settled" && bounded 15 put_record cat "$state/settled" && rm -f "$state/settled" || return
	[ "$last" = "$before" ] || note_outcome
}

find_boot () {
	boot=
	IFS= read -r boot </proc/sys/kernel/random/boot_id
	shown=" $(cat /proc/cmdline) "
	# What follows `--` is for init.
	shown="${shown%%" -- "*} "
	case ${#boot},$boot in
	0,* | ???*,* | 6[5-9],* | [789]?,* | *[!!-~]*)
		no "the id of this boot is unknown: /proc/sys/kernel/random/boot_id is not of the form of random(4)" || return
		;;
	esac
}

# Does the running kernel show that a kexec has started it? kexec_initd's module history.running_boot says where from.
shows_kexec () {
	number=
	if [ -r /proc/sys/kernel/bootloader_type ]; then
		read -r number </proc/sys/kernel/bootloader_type
	fi
	case $number in
	20[89] | 21[0-9] | 22[0-3]) return 0 ;;
	esac
	[ -e /proc/device-tree/chosen/linux,booted-from-kexec ]
}

# Remember whether a boot through firmware looks like a kexec here, since the boot loader is a kernel.
remember_loader () {
	if [ "$kexecs" -gt 0 ]; then
		return 0
	elif shows_kexec; then
		make_lasting_dir && : >"${attempts%/*}/kexec-loader"
	else
		rm -f "${attempts%/*}/kexec-loader"
	fi
} 2>/dev/null

# Sets $began, when the running boot began; 0 where the clock shows a time before 2020, so was never set.
find_beginning () {
	read_uptime
	read_clock
	began=$((now - uptime))
	if [ "$began" -lt 1577836800 ]; then
		began=0
	fi
}

read_clock () {
	now=$(date +%s)
	is_number "$now" || now=0
}

read_uptime () {
	uptime=
	if [ -r /proc/uptime ]; then
		read -r uptime _ </proc/uptime
	fi
	uptime=${uptime%%.*}
	is_number "$uptime" || uptime=0
}

judge_boot () {
	find_beginning
	came_by=firmware
	if [ "$guard" != - ]; then
		guard="$((${guard%% *} + 1)) ${guard#* }"
	fi
	case $last in
	"under-way "*) judge_last ;;
	esac
	if [ "$came_by" = firmware ]; then
		kexecs=0
		firmware=$began
	else
		kexecs=$((kexecs + 1))
		if [ "$firmware" = 0 ]; then
			firmware=$began
		fi
	fi
	if [ "$guard" != - ] && [ "${guard%% *}" -ge "$guard_boots" ]; then
		guard=-
		why=-
	fi
}

# Only the id of the last attempt is an arrival: a line that was copied into the loader's configuration carries an old one
# for ever. The time of an attempt that was prepared when its kernel was loaded is that of the file.
judge_last () {
	rest=${last#under-way }
	id=${rest%% *}
	rest=${rest#* }
	case $rest in
	"0 "*) rest="$(stat -c %Y -- "$attempts") ${rest#0 }" ;;
	esac
	case $shown in
	*" kexec_initd.attempt=$id "*)
		came_by=kexec
		if [ -n "$failure" ]; then
			last="failed $id $rest"
			guard="0 $id $rest"
			why=$failure
		else
			last="arrived $id $rest"
			total=$((total + 1))
		fi
		return
		;;
	esac
	if shows_kexec && [ ! -e "${attempts%/*}/kexec-loader" ]; then
		came_by=kexec
		last="replaced $id $rest"
		return
	fi
	last="lost $id $rest"
	guard="0 $id $rest"
	why=-
}

# Is the guard open for what is to be loaded, whose key goes to $target?
is_guard_open () {
	code=guard
	target=$(
		{
			printf '%s %s\n' "$(stat -L -c '%s %Y' -- "$kernel")" "$kernel"
			if [ -n "$initrd" ]; then
				printf '%s %s\n' "$(stat -L -c '%s %Y' -- "$initrd")" "$initrd"
			fi
			printf '%s' "$edited"
		} | checksum
	)
	rest=${guard#* * * }
	if [ "$guard" = - ] || [ "${rest%% *}" != "$target" ] || [ "${guard%% *}" -ge "$guard_boots" ]; then
		return 0
	fi
	left="$((guard_boots - ${guard%% *})) more good boots"
	id=${guard#* }
	id=${id%% *}
	fate="{{ sentences.NEVER_ARRIVED }}"
	[ "$why" = - ] || fate="{{ sentences.ARRIVED_UNFIT.format("$why") }}"
	[ "$left" != "1 more good boots" ] || left="1 more good boot"
	no "{{ sentences.GUARD_CLOSED.format("$id", "${rest#* }", "$fate", "$left", "when $attempts is removed") }}"
}

# Is a limit reached, or the host on trial? Then sets $code and $reason.
is_limited () {
	count_seconds
	if [ "$max_kexecs" -gt 0 ] && [ "$kexecs" -ge "$max_kexecs" ]; then
		code="limit-kexecs"
		reason="{{ sentences.MAX_KEXECS.format("$kexecs", "$max_kexecs") }}"
	elif [ "$max_days" -gt 0 ] && [ "$seconds" -ge $((max_days * 86400)) ]; then
		code="limit-days"
		reason="{{ sentences.MAX_DAYS.format("$((seconds / 86400))", "$max_days") }}"
	elif [ "$total" -lt "$trial" ] && ! is_attended; then
		code=trial
		reason="{{ sentences.TRIAL.format("$total", "$trial", "the first word of /proc/uptime in $state/attended") }}"
	else
		return 1
	fi
}

# How many $seconds have passed since the last firmware boot, at least those of the running boot?
count_seconds () {
	read_uptime
	seconds=$uptime
	read_clock
	if [ "$firmware" -ge 1577836800 ] && [ $((now - firmware)) -gt "$seconds" ]; then
		seconds=$((now - firmware))
	fi
}

# Has the admin said within the last hour that he watches the next reboot?
is_attended () {
	since=
	again=
	if are_roots 5 "$state/attended" && [ -f "$state/attended" ]; then
		read -r since again <"$state/attended"
	fi
	if [ -n "$again" ] && [ "$again" != "$since" ]; then
		return 1
	fi
	since=${since%%.*}
	is_number "$since" && [ "$since" -le "$uptime" ] && [ $((uptime - since)) -le 3600 ]
}

# What the record will be when the loaded kernel gets under way, ready to be put in place.
prepare_attempt () {
	reason="cannot write to $state"
	before=$last
	last="under-way $attempt 0 $target $release"
	! write_record "$state/attempt" || reason=
	last=$before
	[ -z "$reason" ]
}
