{% include "common/roots.sh" %}

settings={{ settings | sh }}

# setting NAME: print what the settings give NAME, without its quotes; the file is read, and never run. Fails where others than
# root may have written it.
setting () {
	if [ -e "$settings" ] || [ -L "$settings" ]; then
		file=$(follow "$settings")
		are_roots 5 "$file" && [ -f "$file" ] && find_setting "$1" <"$file"
	fi
}

find_setting () {
	found=
	while read -r line || [ -n "$line" ]; do
		case $line in
		"$1"=\"*\"*)
			found=${line#*\"}
			found=${found%%\"*}
			;;
		"$1"=\'*\'*)
			found=${line#*\'}
			found=${found%%\'*}
			;;
		"$1"=*)
			found=${line#*=}
			found=${found%%[[:space:]]*}
			;;
		esac
	done
	printf '%s' "$found"
}
