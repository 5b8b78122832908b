# The program takes the last step; where Python is gone, broken, killed or hung, the shell takes it by itself.
jump () {
	if ! read_modules; then
		say "reboot goes through firmware: $why_cold"
		return
	fi
	heard 60 {{ runtime | words }} ${no_ifdown:+"$no_ifdown"} ${modules:+-- "$modules"}
	# 3: refused, 10: went cold; it has said why.
	case $result in
	3 | 10) return ;;
	esac
	failure="the runtime failed (code $result)"
	if ! find_hooks /etc/kexec-initd/pre-jump.d; then
		say "reboot goes through firmware: $failure, and $why_cold"
	elif [ -n "$hooks" ]; then
		say "reboot goes through firmware: $failure, and its hooks have not run"
	else
		say "$failure, the shell goes on without it"
		jump_alone
	fi
}
