jump () {
	if run_hooks; then
		jump_alone
	fi
}
