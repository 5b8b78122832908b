# dpkg's word on a file. A diversion keeps the next upgrade of the package from stopping at a question about our script;
# files are moved by us, since dpkg-divert would leave none at all for a moment.

has_dpkg () {
	[ -f /var/lib/dpkg/status ] && command -v dpkg-divert >/dev/null
}

# ask_dpkg PATH: set $diversion to "TARGET by PACKAGE", and $diverted where that is us.
ask_dpkg () {
	diversion=
	diverted=
	has_dpkg || return 0
	if ! said=$(dpkg-divert --list "$1"); then
		problem="dpkg-divert does not say who has diverted $1"
		return 1
	fi
	diversion=$(printf '%s\n' "$said" | sed -n "s,^local diversion of $1 to \\(.*\\),\\1 by the administrator,p;s,^diversion of $1 to ,,p")
	if [ "$diversion" = "$(kept "$1") by kexec-initd" ]; then
		diverted=yes
	fi
}

# why_not_divert PATH: say who else has a word on that file.
why_not_divert () {
	if ! ask_dpkg "$1"; then
		printf '%s' "$problem"
	elif [ -n "$diversion" ] && [ -z "$diverted" ]; then
		printf '%s is diverted to %s' "$1" "$diversion"
	elif ! has_dpkg; then
		return
	elif command -v dpkg-statoverride >/dev/null && [ -n "$(dpkg-statoverride --list "$1")" ]; then
		printf '%s has a dpkg-statoverride' "$1"
	fi
}

# divert PATH --add|--remove: older ones do not know --no-rename, which is what they do; newer ones want it said.
divert () {
	rename=
	case $(dpkg-divert --help) in
	*--no-rename*) rename=--no-rename ;;
	esac
	dpkg-divert --quiet ${rename:+"$rename"} --package kexec-initd "$2" --divert "$(kept "$1")" "$1"
}
