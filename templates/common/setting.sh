settings={{ settings | sh }}

# setting NAME: print what the settings give NAME, without its quotes; the file is read, and never run.
setting () {
	if [ -f "$settings" ]; then
		head -c 65536 "$settings" | find_setting "$1"
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
