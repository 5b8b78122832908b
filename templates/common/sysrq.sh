proc=/proc

# hold_sysrq: open sysrq's trigger from the beginning. RHEL's halt makes /proc read-only, and only what is open by then can still
# be written to. Descriptor 9 may have come from somebody else, unless it was opened before rc; a redirection that fails would end
# this shell.
hold_sysrq () {
	[ -n "$before_rc" ] || exec 9>&-
	if (: >"$proc/sysrq-trigger") 2>&-; then
		exec 9>"$proc/sysrq-trigger"
	fi
}

# reset_by_sysrq PAUSE: without another program, sync, mount read-only and reset, with PAUSE seconds between them. The
# kernel carries the first two out beside us, so that a dead disk holds nothing up. A message of the shell about any of it
# would wait for a console whose output is stopped.
reset_by_sysrq () {
	for key in s u b; do
		{ printf '%s' "$key" >&9 || printf '%s' "$key" >"$proc/sysrq-trigger"; } 2>&-
		sleep "$1"
	done
}
