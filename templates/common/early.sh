{% include "common/setting.sh" %}

say () {
	printf 'kexec-initd: %s\n' "$1"
}

{% include "common/bounded.sh" %}

{% include "common/loaded.sh" %}

{% include "common/dead-man.sh" %}

# Are the files from which the loaded kernel was chosen still the same? The stamp has a line for each,
# "DEVICE INODE SIZE MTIME CTIME PATH", or "- PATH" for one that was not there, and ends with "end". All are looked at by
# one call, since each costs as much as all together.
is_unchanged () {
	complete=
	seen=
	set --
	if [ ! -f "$state/stamp" ]; then
		return 1
	fi
	while IFS= read -r line; do
		case $line in
		end)
			complete=yes
			break
			;;
		"- /"*)
			if [ -e "${line#- }" ]; then
				return 1
			fi
			;;
		*)
			set -- "$@" "/${line#* /}"
			seen="$seen
$line"
			;;
		esac
	done <"$state/stamp"
	[ "$complete" = yes ] && [ "$(printf '\n' && stat -L -c '%d %i %s %Y %Z %n' -- "$@" 2>/dev/null)" = "$seen" ]
}

decide () {
	printf '%s\n' "$1" >"$state/decision"
}

# By the classic system call; a kernel that is locked down takes only the other one.
unload () {
	bounded 10 kexec -u || bounded 10 kexec -u -s
}

# The reason outlives the reboot for `status` to show it; a disk that is full or broken takes nothing away from that.
cold=${attempts%/*}/last-cold

keep_reason () {
	[ ! -d "$cold" ] && [ ! -d "$cold.new" ] && { [ -d "${cold%/*}" ] || mkdir -m 0700 "${cold%/*}"; } &&
		printf '%s\n' "$1" >"$cold.new" && mv -f "$cold.new" "$cold"
} 2>/dev/null

# go_cold CODE SENTENCE
go_cold () {
	unload
	decide "cold $2"
	bounded 10 keep_reason "$1 $2"
	say "reboot will go through firmware: $2"
}

# Python could not answer: a kernel without our stamp was loaded by the admin's own hand and is his wish.
decide_alone () {
	if is_loaded && [ ! -e "$state/stamp" ]; then
		decide kexec
		bounded 10 rm -f "$cold" "$cold.new"
	else
		go_cold failed "nothing fit is loaded, and the program that would load it failed (code $1)"
	fi
}

# put_record FILE: have it where the next boot looks for what has become of an attempt; whole or not at all.
put_record () {
	[ ! -d "$attempts" ] && [ ! -d "$attempts.new" ] && { [ -d "${attempts%/*}" ] || mkdir -m 0700 "${attempts%/*}"; } &&
		cp "$1" "$attempts.new" && sync "$attempts.new" && mv -f "$attempts.new" "$attempts"
} 2>/dev/null

# What was loaded has left its record ready. Without one in place there is no jump: nobody could tell that it went wrong.
begin_attempt () {
	[ -f "$state/attempt" ] && is_record <"$state/attempt" && bounded 15 put_record "$state/attempt"
}

# Is this a record, and not cut? Whether its checksum fits is judged when it is read.
is_record () {
	read -r header
	end=
	while read -r line; do
		end=$line
	done
	case $header,$end in
	"kexec-initd attempts 1,end "????????) ;;
	*) return 1 ;;
	esac
}

# Does nobody know yet whether the last attempt was the one that has led here?
is_unsettled () {
	[ -f "$attempts" ] && head -c 4096 "$attempts" | grep -q '^last under-way '
}

make_state_dir () {
	[ -d "$state" ] || mkdir -m 0700 "$state"
}

{% include loader %}

prepare () {
	start_dead_man
	make_state_dir
	rm -f "$state/decision"
	if [ -e /no-kexec-reboot ] || [ -L /no-kexec-reboot ]; then
		if is_unsettled; then
			bounded 30 settle_attempts
		fi
		rm -f /no-kexec-reboot
		go_cold cold-once "asked for by /no-kexec-reboot"
	elif is_loaded && is_unchanged && begin_attempt; then
		decide kexec
	else
		bounded 60 load_and_decide
		if [ ! -s "$state/decision" ]; then
			decide_alone "$result"
		fi
	fi
}

# The machine goes off: a boot that nobody has confirmed yet has arrived as far as it was let to.
settle () {
	if is_unsettled; then
		make_state_dir
		bounded 30 settle_attempts
	fi
}

# Not while the boot still reads its last programs from the disk; a reboot before then loads for itself.
preload () {
	make_state_dir
	# shellcheck disable=SC2016 # the inner shell expands its own arguments
	setsid sh -c 'sleep 5; exec nice -n 19 "$1" load' sh "$0" </dev/null >"$state/preload.log" 2>&1 &
}
