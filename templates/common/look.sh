# look_at DIRECTORY...: have one ls(1) see all that are_roots is going to be asked about these and what is in them; each call of its
# own would cost as much. $rooted: those to which only root can change the way; $fine: what is fit itself, as lines "PATH DIGITS".
# What is not there yet, or is not fit, is looked at when it is asked for.
look_at () {
	rooted=$newline
	fine=$newline
	ways=
	listing=$(list_all "$@" 2>/dev/null)
	set -f
	IFS=$newline
	for row in $listing; do
		IFS=' '
		# shellcheck disable=SC2086 # words are wanted
		set -- $row
		case $#,$1,${3-},${4-},${5-} in
		3,way,*) ways="$ways$newline$row" ;;
		9,d????-??-*,0,*,* | 9,d????w??-*,0,0,*) fine="$fine$9 0$newline" ;;
		9,-????-??-*,0,*,*) fine="$fine$9 ${#5}$newline" ;;
		esac
	done
	IFS=$newline
	for row in $ways; do
		row=${row#way }
		if is_way_fine "${row#* }"; then
			rooted="$rooted${row%% *}$newline"
		fi
	done
	set +f
	unset IFS
}

list_all () {
	for directory; do
		shift
		if cd -P "$directory/"; then
			printf 'way %s %s\n' "$directory" "$PWD"
			way=$PWD
			set -- "$@" "$directory" "$directory"/*
			while [ -n "$way" ]; do
				set -- "$@" "$way"
				way=${way%/*}
			done
		fi
	done
	exec ls -ldn / "$@"
}

is_way_fine () {
	way=$1
	while :; do
		case $fine in
		*"$newline${way:-/} 0$newline"*) ;;
		*) return 1 ;;
		esac
		[ -n "$way" ] || return 0
		way=${way%/*}
	done
}

# Take away whatever is there; mostly there is nothing, and no program is needed to see that.
clear_away () {
	if [ -e "$1" ] || [ -L "$1" ]; then
		rm -rf "$1"
	fi
}
