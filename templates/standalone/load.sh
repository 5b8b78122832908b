# Loading without Python, by the rules of kexec_initd's modules decision.assess, decision.policy and kexec.load: in doubt a
# reboot is cold. Whatever says no sets $reason, and $code.

{% include "standalone/machine.sh" %}

{% include "standalone/settings.sh" %}

{% include "standalone/cmdline.sh" %}

{% include "standalone/arrival.sh" %}

{% include "standalone/attempts.sh" %}

{% include "standalone/history.sh" %}

{% include "standalone/kernel.sh" %}

{% include "standalone/initrd.sh" %}

{% include "standalone/pending.sh" %}

# One load at a time, so that a reboot right after the boot waits for the preload and finds its work done. The lock is a
# symbolic link to the process that holds it: made in one step, and known to be stale when that process is gone.
lock_loading () {
	code=failed
	{ [ -e /proc/self/stat ] && make_state_dir; } ||
		no "/proc is not mounted, or $state is no directory that only root may change" || return
	read -r holder _ </proc/self/stat
	if [ -d "$state/loading" ]; then
		rm -rf "$state/loading"
	fi
	tries=15
	while ! ln -s "$holder" "$state/loading" 2>/dev/null; do
		other=$(readlink "$state/loading")
		if [ -n "$other" ] && [ ! -d "/proc/$other" ] && ! is_kexec_running; then
			rm -f "$state/loading"
		elif [ "$tries" -eq 0 ]; then
			no "another load is still under way after 15 s" || return
		else
			tries=$((tries - 1))
			sleep 1
		fi
	done
	rm -rf "$state/said" "$state/settled" "$state/stamp.new"
}

# Does a kexec(8) go on loading whose shell was killed?
is_kexec_running () {
	for process in /proc/[0-9]*; do
		if read -r _ name _ <"$process/stat" && [ "$name" = "(kexec)" ]; then
			return 0
		fi
	done
	return 1
} 2>/dev/null

# is_closed MARK: is it too late for a load, beside a shutdown that has left this mark, or beside a removal? The rules of
# kexec_initd's module kexec.lock.
is_closed () {
	if [ -e "$state/removed" ]; then
		reason="{{ sentences.REMOVED }}"
	elif [ -e "$state/$1" ]; then
		reason="{{ sentences.SHUTTING_DOWN }}"
	else
		return 1
	fi
}

# What cannot be unloaded stays known as ours.
drop_loaded () {
	if is_loaded; then
		unload
	fi
	is_loaded || rm -f "$state/stamp" "$state/attempt"
}

# identity PATH: what changes when a file is replaced or written, as the stamp has it.
identity () {
	found=$(stat -L -c '%d %i %s %Y %Z' -- "$1" 2>/dev/null) || found=-
	printf '%s %s\n' "$found" "$1"
}

# The lines of the stamp for all that may hold settings.
see_sources () {
	identity "$settings"
	identity "$settings.d"
	set -- "$settings.d"/*.conf
	[ "$#" -le {{ tables.most_drop_ins }} ] || return 0
	for file; do
		if [ -e "$file" ] || [ -L "$file" ]; then
			identity "$file"
		fi
	done
}

# write_stamp TEXT: say what was loaded. A stamp without its end says that something of ours was, and nothing more.
write_stamp () {
	(
		umask 077
		printf '%s' "$1" >"$state/stamp.new"
	) && { [ ! -d "$state/stamp" ] || rm -rf "$state/stamp"; } && mv -f "$state/stamp.new" "$state/stamp"
}

# The names of the running kernel's files: $kernel, and $initrd, empty where it was booted without one.
find_files () {
	kernel=$(readlink -f -- "/boot/vmlinuz-$release")
	[ -f "$kernel" ] || no "{{ sentences.NO_KERNEL.format("/boot/vmlinuz-$release") }}" || return
	named=${kernel##*/vmlinuz-}
	case $named in
	"$release" | "$release".old | "$release".efi | "$release".signed | "$release".efi.signed) ;;
	[0-9]*.[0-9]*) named=/ ;;
	esac
	case $kernel in
	*/"vmlinuz-$named") ;;
	*) named=/ ;;
	esac
	case $named,$kernel in
	/,* | *[!A-Za-z0-9._+~:,/-]*)
		no "/boot/vmlinuz-$release leads to a file that is not named vmlinuz-VERSION, or for another kernel" || return
		;;
	esac
	tried=
	# shellcheck disable=SC2043 # where there is but one name
	for name in {{ initrds | words }}; do
		initrd=${kernel%/*}/${name%VERSION*}$named${name#*VERSION}
		[ ! -f "$initrd" ] || return 0
		tried="$tried${tried:+ or }$initrd"
	done
	# ramdisk_image of struct boot_params: what the boot loader gave the running kernel.
	[ "$(number /sys/kernel/boot_params/data 540 4)" = 0 ] || no "{{ sentences.NO_INITRD.format("$tried") }}" || return
	initrd=
}

# From here on descriptor 3 is the kernel and 4 the initrd: what is checked is what is loaded.
check_and_load () {
	is_trusted 3 "$kernel" || return
	check_kernel || no "$kernel: $reason" || return
	if [ -n "$initrd" ]; then
		is_trusted 4 "$initrd" || return
		check_initrd || no "$initrd: $reason" || return
	fi
	make_command_line && is_guard_open && ! is_limited && code=failed && run_kexec && prepare_attempt
}

# try_kexec OPTION...: load in one way; once more after the kernel was asked to gather memory, where there was too little.
# What kexec says goes through a file: a pipe would be held open by one that hangs.
try_kexec () {
	set -- "$@" "--command-line=$text"
	if [ -n "$initrd" ]; then
		set -- "$@" --initrd=/proc/self/fd/4
	fi
	bounded 40 kexec -l "$@" /proc/self/fd/3 >"$state/said" 2>&1
	if [ "$result" -ne 0 ] && grep -q -e 'Cannot allocate memory' -e 'Cannot assign requested address' \
		-e 'Could not find a free area of memory' -e 'locate_hole failed' "$state/said"; then
		gather_memory
		bounded 40 kexec -l "$@" /proc/self/fd/3 >"$state/said" 2>&1
	fi
	[ "$result" -eq 0 ] || no "${reason:+$reason; }kexec -l failed with code $result: $(head -n 1 "$state/said" | tr -cd ' -~')"
}

gather_memory () {
	if [ -f /proc/sys/vm/drop_caches ]; then
		echo 3 >/proc/sys/vm/drop_caches
	fi
	if [ -f /proc/sys/vm/compact_memory ]; then
		echo 1 >/proc/sys/vm/compact_memory
	fi
} 2>/dev/null

# The ways of kexec_initd's module kexec.method: only the file load where only signed kernels are taken, else the classic one
# first. A load that was killed for its time is not tried in another way.
load_somehow () {
	by_file=
	classic=
	unchecked=
	case $help in
	*--kexec-syscall*--kexec-file-syscall* | *--kexec-file-syscall*--kexec-syscall*)
		by_file=-s
		classic=-c
		;;
	*--kexec-file-syscall*) by_file=-s ;;
	esac
	case $purgatory_checks,$help in
	no,*--no-checks*) unchecked=--no-checks ;;
	esac
	if ! takes_signed_only; then
		try_kexec ${classic:+"$classic"} ${unchecked:+"$unchecked"} ||
			{ [ "$result" -lt 128 ] && [ -n "$by_file" ] && try_kexec -s; }
	else
		[ -n "$by_file" ] || no "this kexec has no file load" || return
		try_kexec -s
	fi
}

# What is loaded goes first: otherwise a load that only reports success would leave it there and pass for it.
run_kexec () {
	! is_loaded || unload
	! is_loaded || no "what is loaded cannot be unloaded" || return
	reason=
	signed_only=
	bounded 5 kexec --help >"$state/said" 2>&1
	help=$(cat "$state/said")
	if ! load_somehow; then
		reason=$reason${signed_only:+" ($signed_only)"}
	elif ! is_loaded; then
		reason="kexec reported success, but the kernel has nothing loaded"
	else
		reason=
	fi
	rm -f "$state/said"
	[ -z "$reason" ]
}

# Load the running kernel in place of what is loaded. The stamp is taken before anything is read.
load_running () {
	is_nothing_pending || return 1
	code=no-target
	find_files || return 1
	stamp=$(
		identity "$kernel"
		if [ -n "$initrd" ]; then
			identity "$initrd"
		fi
		see_sources
		identity "$state/changed"
		identity "$attempts"
		for file in {{ set_aside | words }} {{ steps | words }} $(pending_files); do
			identity "$file"
		done
		# Time passes without a trace on the disk.
		if [ "$max_days" -gt 0 ] || [ "$total" -lt "$trial" ] || is_silent; then
			printf '? /\n'
		fi
	)
	write_stamp "a load is under way"
	code=unfit
	reason="cannot open $kernel $initrd"
	if check_and_load 3<"$kernel" 4<"${initrd:-/dev/null}" && write_stamp "$(print_whole "$stamp$newline")$newline"; then
		return 0
	fi
	drop_loaded
	return 1
}

is_settled () {
	code=guard
	reason=$unsettled
	[ -z "$unsettled" ]
}

# Load what is not loaded yet, and write the attempt down.
load_and_begin () {
	is_settled && { { is_loaded && is_unchanged; } || load_running; } || return 1
	code=failed
	reason="cannot write the record of attempts $attempts"
	read_whole <"$state/stamp" && stamped=$body && begin_attempt && decide kexec || return 1
	if is_overtaken "$stamped"; then
		rm -f "$state/decision"
		withdraw_attempt
		code=changed
		no "{{ sentences.OVERTAKEN }}" || return
	fi
	note target "reboot goes through kexec: kernel $release"
}

read_limit () {
	LC_ALL=C
	export LC_ALL
	read_settings
	note_settings
}

decide_by_hand () {
	is_by_hand && decide kexec && note by-hand "reboot goes through kexec: a kernel that was loaded by hand"
}

# Is nothing set that no shell can do? A reboot that was to have it would not; `auto` asks for what can be done.
is_supported () {
	code=unsupported
{% for row in tables.settings if row.python and row.decides %}
	[ "${{ row.field }}" = {{ row.default }} ] || [ "${{ row.field }}" = auto ] || no "{{ row.name }} is set, and only Python can {{ row.python }}" || return
{% endfor %}
}

may_kexec () {
	is_all_ours || return 1
	code=switched-off
	[ "$kexec" = yes ] || no "{{ sentences.SWITCHED_OFF }}" || return
	code=settings
	[ -z "$doubt" ] || no "$doubt" || return
	is_whole_machine && is_hooked_init && is_fit_platform && can_kexec || return
	code=hooks
	find_hooks /etc/kexec-initd/pre-jump.d || no "$why_cold" || return
	is_supported
}

load_and_decide () {
	LC_ALL=C
	export LC_ALL
	if ! lock_loading; then
		go_cold "$code" "$reason"
		return
	fi
	unsettled=
	failure=
	settle_attempts || unsettled=$reason
	if ! may_kexec || ! { decide_by_hand || load_and_begin; }; then
		go_cold "$code" "$reason"
	fi
	# It has sent this reboot through firmware, if need be: the next one begins anew.
	if [ -n "$damaged" ]; then
		rm -f -- "$attempts" 2>/dev/null || rmdir -- "$attempts"
	fi
	rm -f "$state/loading"
}

load_at_boot () {
	LC_ALL=C
	export LC_ALL
	check_arrival
	if ! lock_loading; then
		say "$reason"
		return
	fi
	case $(runlevel 2>/dev/null) in
	*\ [1-5S]) rm -f "$state/stopping" "$state/decision" ;; # of a shutdown that was called off
	esac
	unsettled=
	if is_closed stopping; then
		say "nothing is loaded at boot: $reason"
	else
		load_or_say
		say_unsupported
	fi
	rm -f "$state/loading"
}

# What no reboot depends on is only told.
say_unsupported () {
{% for row in tables.settings if row.python and not row.decides %}
	[ "${{ row.field }}" = {{ row.default }} ] || say "{{ row.name }} is set, and only Python can {{ row.python }}"
{% endfor %}
}

load_or_say () {
	if settle_attempts; then
		keep_history
	else
		unsettled=$reason
	fi
	if ! may_kexec; then
		# An init system that is not hooked would execute what is loaded, with no look at it.
		[ "$code" != init ] || [ ! -e "$state/stamp" ] || drop_loaded
		say "nothing is loaded at boot, reboot goes through firmware: $reason"
		note "$code" "nothing is loaded at boot, reboot goes through firmware: $reason"
	elif [ "$preload" != yes ]; then
		say "nothing is loaded at boot: PRELOAD=no in the settings"
	elif is_by_hand || { is_loaded && is_unchanged; }; then
		say "already loaded"
	elif ! is_settled || ! load_running; then
		say "nothing is loaded at boot: $reason"
		note "$code" "nothing is loaded at boot: $reason"
	elif is_closed decision; then
		drop_loaded
		say "nothing is loaded at boot: $reason"
	else
		say "loaded kernel $release"
		note loaded "loaded kernel $release"
	fi
}
