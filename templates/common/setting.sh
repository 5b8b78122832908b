{% include "common/roots.sh" %}

settings={{ settings | sh }}

# setting NAME: print what the settings give NAME. Their one reader has written it down, in a file that no program is needed
# to read: each line is there twice. Before it has, there are the defaults where nothing is set. Fails where nobody knows.
setting () {
	if [ -e "$state/settings" ] || [ -L "$state/settings" ]; then
		are_roots 5 "$state/settings" && [ -f "$state/settings" ] && find_setting "$1" <"$state/settings"
	elif sets_nothing; then
		case $1 in
		SHUTDOWN_LIMIT) printf 1800 ;;
		REMOVE_MODULES) ;;
		*) return 1 ;;
		esac
	else
		return 1
	fi
}

find_setting () {
	while IFS= read -r line && IFS= read -r again && [ "$line" = "$again" ]; do
		case $line in
		"$1 "*)
			printf '%s' "${line#* }"
			return
			;;
		esac
	done
	return 1
}

# Are there no settings, or nothing but comments, in the file and in the drop-ins? What is none, but may have been meant for one, is
# for their reader to judge.
sets_nothing () {
	holds_nothing "$settings" || return
	if [ ! -e "$settings.d" ] && [ ! -L "$settings.d" ]; then
		return 0
	fi
	[ -d "$settings.d" ] && [ -r "$settings.d" ] && are_roots 9 "$(follow "$settings.d")" || return
	for drop_in in "$settings.d"/*; do
		case ${drop_in##*/} in
		*.conf) holds_nothing "$drop_in" || return ;;
		{{ tables.leftovers }}) ;;
		*) [ ! -e "$drop_in" ] && [ ! -L "$drop_in" ] || return ;;
		esac
	done
}

holds_nothing () {
	if [ ! -e "$1" ] && [ ! -L "$1" ]; then
		return 0
	fi
	file=$(follow "$1")
	are_roots 5 "$file" && [ -f "$file" ] && holds_comments <"$file"
}

# A carriage return within a line is the end of one elsewhere.
holds_comments () {
	return_key=$(printf '\r')
	while read -r line || [ -n "$line" ]; do
		case ${line%"$return_key"} in
		*"$return_key"*) return 1 ;;
		'' | '#'*) ;;
		*) return 1 ;;
		esac
	done
}
