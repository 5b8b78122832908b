run_hooks () {
	if ! find_hooks /etc/kexec-initd/pre-jump.d; then
		say "reboot goes through firmware: $why_cold"
		return 1
	fi
	for hook in $hooks; do
		heard 15 "/etc/kexec-initd/pre-jump.d/$hook"
		if [ "$result" -ne 0 ]; then
			say "reboot goes through firmware: /etc/kexec-initd/pre-jump.d/$hook {{ sentences.FAILED.format("$result") }}"
			return 1
		fi
	done
}

jump () {
	if run_hooks; then
		jump_alone
	fi
}
