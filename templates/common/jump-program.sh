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
	set -- /etc/kexec-initd/pre-jump.d/*
	if [ -e "$1" ]; then
		say "reboot goes through firmware: the runtime failed (code $result), and its hooks have not run"
	else
		say "the runtime failed (code $result), the shell goes on without it"
		jump_alone
	fi
}
