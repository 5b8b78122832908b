# The admin's programs, before the jump and after the boot that it has led to, by the rules of kexec_initd's module system.hooks.

# find_hooks DIRECTORY: have its programs, whose names are words, in their order in $hooks. Fails where something else is there
# that may have been meant to run, and sets why_cold; what editors and package managers leave behind is no such thing.
find_hooks () {
	LC_ALL=C # which letters there are, and in which order
	export LC_ALL
	hooks=
	why_cold=
	if [ ! -e "$1" ] && [ ! -L "$1" ]; then
		why_cold="${1%/*} is no directory"
		[ -d "${1%/*}" ] || { [ ! -e "${1%/*}" ] && [ ! -L "${1%/*}" ]; }
		return
	fi
	file=$(follow "$1")
	if [ ! -d "$1" ] || ! are_roots 9 "$file" || [ ! -r "$1" ]; then
		why_cold="$1 is no directory that only root can change: its programs cannot run"
		return 1
	fi
	for hook in "$1"/*; do
		if [ -e "$hook" ] || [ -L "$hook" ]; then
			take_hook "$1" "${hook##*/}"
		fi
	done
	[ -z "$why_cold" ]
}

# take_hook DIRECTORY NAME
take_hook () {
	case $2 in
	{{ tables.leftovers }}) return ;;
	*[!A-Za-z0-9_-]*)
		why_cold=${why_cold:-"{{ sentences.LEFT_OUT.format('$1/$(plain "$2")', sentences.ODD_NAME) }}"}
		return
		;;
	esac
	file=$(follow "$1/$2")
	if are_roots 9 "$file" && [ -f "$file" ] && [ -x "$file" ]; then
		hooks="$hooks $2"
	else
		why_cold=${why_cold:-"{{ sentences.LEFT_OUT.format("$1/$2", "it is no program of root that only root can change") }}"}
	fi
}

# plain NAME: what can be told of it on any console.
plain () {
	left=$1
	while [ -n "$left" ]; do
		next=${left#?}
		case ${left%"$next"} in
		[A-Za-z0-9_.,:@+=~-]) printf '%s' "${left%"$next"}" ;;
		*) printf '?' ;;
		esac
		left=$next
	done
}
