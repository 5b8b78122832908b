{% include "common/dead-man.sh" %}

# Are the files from which the loaded kernel was chosen still the same? The stamp has a line for each,
# "DEVICE INODE SIZE MTIME CTIME PATH", or "- PATH" for one that was not there. All are looked at by one call, since each
# costs as much as all together.
is_unchanged () {
	if ! are_roots 5 "$state/stamp" || [ ! -f "$state/stamp" ] || ! read_whole <"$state/stamp"; then
		return 1
	fi
	seen=
	came=
	paths=
	set -f
	IFS=$newline
	for line in $body; do
		case $line in
		"= /"*) ;; # a unit of systemd's, which may come and go
		"- /"*)
			if [ -e "${line#- }" ]; then
				came=yes
			fi
			;;
		*)
			paths=$paths/${line#* /}$newline
			seen=$seen$newline$line
			;;
		esac
	done
	# shellcheck disable=SC2086 # lines are wanted
	set -- $paths
	set +f
	unset IFS
	[ -z "$came" ] && [ "$(printf '\n' && stat -L -c '%d %i %s %Y %Z %n' -- "$@" 2>/dev/null)" = "$seen" ]
}

# Have in $seen which settings are there now, the file, the directory beside it and the drop-ins, as the module settings.sources says
# it: one look at all of them.
see_settings () {
	LC_ALL=C # the order of the names
	export LC_ALL
	set -- "$settings.d"/*.conf
	[ "$#" -le {{ tables.most_drop_ins }} ] || set --
	# shellcheck disable=SC2046 # words are wanted
	set -- $(stat -L -c '%d %i %s %Y %Z' -- "$settings" "$settings.d" "$@" 2>/dev/null)
	seen="$*"
	seen=${seen:--}
}

# What is written down of settings that are others by now says nothing.
forget_old_settings () {
	if are_roots 9 "$state" && { [ -e "$state/settings" ] || [ -L "$state/settings" ]; }; then
		see_settings
		[ "$(setting SETTINGS)" = "$seen" ] || rm -rf "$state/settings"
	fi
}

{% if systemd is defined %}
{% include "systemd/generated.sh" %}

{% endif %}
# May the decision be made without another look at settings and hooks?
is_as_decided () {
	is_unchanged &&{% if systemd is defined %} ! has_new_unit &&{% endif %} setting REMOVE_MODULES >/dev/null && find_hooks /etc/kexec-initd/pre-jump.d
}

decide () {
	printf '%s\n' "$1" >"$state/decision"
}

# By the classic system call; a kernel that is locked down takes only the other one. Old versions of kexec end with 0 for what
# they do not know.
unload () {
	[ -n "$(command -v kexec)" ] || return
	if ! heard 10 kexec -u || is_loaded; then
		heard 10 kexec -u -s
	fi
}

# The reason outlives the reboot for `status` to show it; a disk that is full or broken takes nothing away from that.
cold=${attempts%/*}/last-cold
# When the reboot was first seen, for `history`.
leaving=${attempts%/*}/leaving

# Is what is lasting there, and not only the mount point below it? Sets $missed. fstab(5) does not have every file system, as
# datasets of ZFS; what install has left beside it tells of those, too.
# shellcheck disable=SC2034 # it is told where no Python tells
is_lasting_there () {
	missed="${attempts%/*} has no manifest: it is not the one that install has made, whose file system is not mounted"
	if [ -d /etc/kexec-initd/originals ] && [ ! -e "${attempts%/*}/manifest" ] && [ ! -e "${attempts%/*}/manifest.json" ]; then
		return 1
	fi
	[ -r /etc/fstab ] || return 0
	while read -r device where _ options _; do
		where=${where%/}
		missed="$where is in /etc/fstab, but not mounted"
		case $device,$options, in
		"#"* | *,noauto,*) continue ;;
		esac
		case $attempts in
		"${where:-none}"/*)
			is_mounted "$where" || return 1
			;;
		esac
	done </etc/fstab
}

is_mounted () {
	while read -r _ place _; do
		if [ "$place" = "$1" ]; then
			return 0
		fi
	done </proc/mounts
	return 1
}

make_lasting_dir () {
	is_lasting_there && { [ -d "${attempts%/*}" ] || mkdir -m 0700 "${attempts%/*}"; } && are_roots 9 "${attempts%/*}"
}

keep_reason () {
	[ ! -d "$cold" ] && make_lasting_dir && rm -f "$cold.new" && printf '%s\n' "$1" >"$cold.new" && mv -f "$cold.new" "$cold"
} 2>/dev/null

# note CODE SENTENCE: one line for the system's log. Nobody waits for it, since a log that is full or dead takes none ever again; a
# signal from whoever ends processes ends this one at once. A subshell, since dash keeps open what it closes for a function.
note () {
{% if systemd is defined %}
	[ -e /run/systemd/journal/socket ] || return 0
	(bounded 4 tell_journal "$1" "$2") </dev/null >/dev/null 2>&1 8>&- 9>&- &
{% else %}
	[ -S /dev/log ] || return 0
	(bounded 4 logger -t kexec-initd -p daemon.notice "$2 [$1]") </dev/null >/dev/null 2>&1 8>&- 9>&- &
{% endif %}
} 2>/dev/null

# go_cold CODE SENTENCE
go_cold () {
	decide "cold $2"
	unload
	bounded 10 keep_reason "$1 $2"
	say "reboot goes through firmware: $2"
	note "$1" "reboot goes through firmware: $2"
}

# A kernel without any record of ours was loaded by the admin's own hand and is his wish.
is_by_hand () {
	for record in "$state/stamp" "$state/loaded.json" "$state/attempt"; do
		if [ -e "$record" ] || [ -L "$record" ]; then
			return 1
		fi
	done
	is_loaded
}

# Python could not answer.
decide_alone () {
	if ! is_by_hand; then
		go_cold failed "nothing fit is loaded, and the program that would load it failed (code $1)"
	elif ! setting REMOVE_MODULES >/dev/null; then
		go_cold failed "the program that would read $settings failed (code $1)"
	else
		decide kexec
		note by-hand "reboot goes through kexec: a kernel that was loaded by hand"
		bounded 10 rm -f "$cold" "$cold.new"
	fi
}

# put_record COMMAND...: have what that prints where the next boot looks for what has become of an attempt; whole or not at all.
put_record () {
	umask 077
	[ ! -d "$attempts" ] && make_lasting_dir && { [ ! -e "$attempts.new" ] && [ ! -L "$attempts.new" ] || rm -f "$attempts.new"; } &&
		"$@" >"$attempts.new" && sync "$attempts.new" && mv -f "$attempts.new" "$attempts"
} 2>/dev/null

# What was loaded has left its record ready. Without one in place there is no jump: nobody could tell that it went wrong.
# What it replaces is kept, since a decision may be taken back.
begin_attempt () {
	are_roots 4 "$state/attempt" && [ -f "$state/attempt" ] && is_record <"$state/attempt" &&
		clear_away "$state/before" && { [ ! -e "$attempts" ] || cp "$attempts" "$state/before"; } &&
		bounded 15 put_record printf %s "$whole"
}

withdraw_attempt () {
	if [ -f "$state/before" ]; then
		bounded 15 put_record cat "$state/before"
	else
		bounded 15 rm -f "$attempts"
	fi
}

# Has a package's hook marked a change since the stamp $1 was taken, or has somebody loaded since?
is_overtaken () {
	now=$(cat "$state/stamp" 2>/dev/null)
	[ "${now%end ????????}" = "$1" ] || return 0
	mark=$(stat -L -c '%d %i %s %Y %Z' -- "$state/changed" 2>/dev/null) || mark=-
	case $newline$1 in
	*"$newline$mark $state/changed$newline"*) return 1 ;;
	*" $state/changed$newline"*) return 0 ;;
	esac
	return 1
}

# Has what is loaded been decided for? What marks a change after the decision makes it cold, so that one more look at what
# may have come before it is enough.
decide_for_loaded () {
	is_loaded && is_as_decided || return 1
	stamped=$body
	begin_attempt || return 1
	decide kexec
	if is_overtaken "$stamped"; then
		rm -f "$state/decision"
		withdraw_attempt
		return 1
	fi
	note target "reboot goes through kexec: what is loaded has not changed"
}

is_record () {
	read_whole || return 1
	case $body in
	"kexec-initd attempts 1$newline"*) ;;
	*) return 1 ;;
	esac
}

# Does nobody know yet whether the last attempt was the one that has led here?
is_unsettled () {
	[ -f "$attempts" ] && head -c 4096 "$attempts" | grep -q '^last under-way '
}

# A directory of somebody else, or a link to one, is nothing to believe or to write into.
make_state_dir () {
	{ [ -d "$state" ] || mkdir -m 0700 "$state" 2>/dev/null; } && are_roots 9 "$state"
}

{% include loader %}

# It holds for one reboot, whatever it is; prints what to say where it stays.
take_flag () {
	rm -f /no-kexec-reboot || rmdir /no-kexec-reboot || printf ', which cannot be removed and holds until it is'
} 2>/dev/null

# put_leaving: the line of this boot, with its uptime, and its time of the clock as that of the file: no program is needed for either.
# It is there twice, so that it shows whether it is whole.
put_leaving () {
	read -r boot </proc/sys/kernel/random/boot_id && read -r release </proc/sys/kernel/osrelease && read -r up _ </proc/uptime &&
		[ -d "${attempts%/*}" ] && is_lasting_there && are_roots 9 "${attempts%/*}" && [ ! -L "$leaving" ] &&
		{ [ -f "$leaving" ] || [ ! -e "$leaving" ]; } || return
	umask 077
	printf '%s\n' "$boot $up $release" "$boot $up $release" >"$leaving"
}

# What is dirty goes to the disks while the services stop, so that the last step's sync finds little to write; the time of this
# moment with it. Nobody waits for this process: it has a session and no open file of ours, and sendsigs leaves it out. On a server
# that is gone it hangs, and holds up nothing but the unmounting of that server's file systems, which hangs by itself where there is
# something left to write.
sync_early () {
	{
		put_leaving
		exec setsid sync
	} </dev/null >/dev/null 2>&1 8>&- 9>&- &
	spare kexec-initd-sync "$!"
} 2>/dev/null

prepare () {
	look_at "$state" "${attempts%/*}" /etc/kexec-initd/pre-jump.d
	sync_early
	forget_old_settings
	start_dead_man
	if ! make_state_dir; then
		# Without a decision the last step goes cold.
		unload
		bounded 10 keep_reason "unfit $state is no directory that only root may change"
		say "reboot goes through firmware: $state is no directory that only root may change; remove it"
		return
	fi
	clear_away "$state/decision"
	# From here on nobody else begins a load, and who ends one after the decision takes it back.
	: >"$state/stopping"
	if [ -e /no-kexec-reboot ] || [ -L /no-kexec-reboot ]; then
		if is_unsettled || ! setting SHUTDOWN_LIMIT >/dev/null; then
			bounded 30 settle_attempts
		fi
		go_cold cold-once "{{ sentences.COLD_ONCE }}$(take_flag)"
{% if systemd is defined %}
	elif find_wish; then
		bounded 30 settle_this_boot
		go_cold firmware "systemd was asked for what only a boot through firmware does ($wish)"
{% endif %}
	elif ! decide_for_loaded; then
		heard 60 load_and_decide
		if [ ! -s "$state/decision" ]; then
			decide_alone "$result"
		fi
	fi
	renew_dead_man
}

{% if systemd is not defined and openrc is not defined %}
# init itself starts this, beside rc and before it: that may wait for a console whose output is stopped, or for a script that does.
# `prepare`, within the session of rc, takes over.
watch_rc () {
	if make_state_dir; then
		if is_rc_watched; then
			return
		fi
		forget_old_settings
	fi
	start_dead_man
	if ! setting SHUTDOWN_LIMIT >/dev/null; then
		bounded 30 read_limit
		renew_dead_man
	fi
}

{% endif %}
# The machine goes off: a boot that nobody has confirmed yet has arrived as far as it was let to.
settle () {
	if is_unsettled && make_state_dir; then
		bounded 30 settle_attempts
	fi
}

# preload [PID]: not before that process, the script that calls this at the end of the boot, is over, however it ends, nor
# while the boot still reads its last programs from the disk; but a script that never ends is not waited for any longer than
# five minutes. A reboot before then loads for itself.
preload () {
	if ! make_state_dir; then
		say "nothing is loaded at boot: $state is no directory that only root may change; remove it"
		return
	fi
	rm -rf "$state/preload.log" "$state/preloaded"
	# That it was called, in which boot and when, is what `status` and `history` look at: no reading of a script could tell.
	{
		read -r up _ </proc/uptime || up=
		read -r boot </proc/sys/kernel/random/boot_id && printf '%s\n' "$boot${up:+ $up}" >"$state/preloaded"
	} 2>/dev/null
	# shellcheck disable=SC2016 # the inner shell expands its own arguments
	setsid sh -c '
		waited=0
		while [ -n "$2" ] && [ "$waited" -lt 300 ] && kill -0 "$2" 2>/dev/null; do
			sleep 2
			waited=$((waited + 2))
		done
		sleep 5
		exec nice -n 19 "$1" load
	' sh "$0" "$1" </dev/null >"$state/preload.log" 2>&1 &
}
