# Run the hooks in order, those whose names run-parts(8) takes; one that others than root may write is left out.
run_hooks () {
	for hook in /etc/kexec-initd/pre-jump.d/*; do
		case ${hook##*/} in
		*[!A-Za-z0-9_-]*) continue ;;
		esac
		# -rwxr-xr-x: neither group nor others may write it, and root may run it.
		# shellcheck disable=SC2012 # find(1) and stat(1) may be unmounted by now
		case $(ls -ldnL "$hook" | { read -r mode _ owner _ && printf '%s %s' "$mode" "$owner"; }) in
		-??[xs]?-??-*\ 0) ;;
		*)
			say "hook $hook left out: it is no program of root that only root can write"
			continue
			;;
		esac
		bounded 15 "$hook"
		if [ "$result" -ne 0 ]; then
			say "reboot goes through firmware: $hook failed with exit code $result"
			return 1
		fi
	done
}
