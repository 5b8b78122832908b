# Run the hooks in order, those whose names run-parts(8) takes; one that others than root may write is left out.
run_hooks () {
	for hook in /etc/kexec-initd/pre-jump.d/*; do
		case ${hook##*/} in
		*[!A-Za-z0-9_-]*) continue ;;
		esac
		file=$(follow "$hook")
		if ! are_roots 9 "$file" || [ ! -f "$file" ] || [ ! -x "$file" ]; then
			say "hook $hook left out: it is no program of root that only root can write"
			continue
		fi
		heard 15 "$hook"
		if [ "$result" -ne 0 ]; then
			say "reboot goes through firmware: $hook failed with exit code $result"
			return 1
		fi
	done
}
