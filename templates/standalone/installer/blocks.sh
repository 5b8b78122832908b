# Blocks of ours in scripts of the host, put in and taken out so that every other byte stays as it was. A block that follows
# a text without final newline carries none itself, so that the newline between them is known to be ours.

# find_block FILE: print the numbers of its first and last line, "none" or "damaged".
find_block () {
	awk '
		function is_mark(word) {
			return $0 == word || index($0, word ":") == 1 || index($0, word " ") == 1
		}
		is_mark("# BEGIN kexec-initd") { begins++; begin = NR }
		is_mark("# END kexec-initd") { ends++; end = NR }
		END {
			if (begins == 0 && ends == 0)
				print "none"
			else if (begins == 1 && ends == 1 && begin < end)
				print begin, end
			else
				print "damaged"
		}
	' "$1"
}

# find_last FILE: print the number of the line with the last command, if it is `exec $command` and stands by itself; 0 if not.
find_last () {
	awk '
		/^[ \t]*(#.*)?$/ { next }
		{ before = last; last = $0; place = NR }
		END {
			fits = last ~ /^[ \t]*exec[ \t]+"?[$][{]?command([^A-Za-z0-9_].*)?$/
			if (before ~ /(\\|&&|[|])[ \t]*$/)
				fits = 0
			print fits ? place : 0
		}
	' "$1"
}

# find_awaited FILE: print the number of the first line of /etc/inittab for which init waits in runlevel 6; 0 where there is none.
find_awaited () {
	awk -F : '
		/^[ \t]*[^# \t:][^:]*:/ && NF > 3 && tolower($3) == "wait" && ($2 == "" || $2 ~ /6/) { place = NR; exit }
		END { print place + 0 }
	' "$1"
}

ends_with_newline () {
	[ -z "$(tail -c 1 "$1")" ]
}

# print_with_block FILE BLOCK preload|dead-man|last: the file with the block in place of an older one: before the first command,
# which a shell runs whatever comes then; before what init waits for; or before the last command.
print_with_block () {
	if [ "$3" != last ]; then
		print_without_block "$1" >"$staging/without" && print_with_block_early "$staging/without" "$2" "$3"
		return
	fi
	span=$(find_block "$1")
	place=$(find_last "$1")
	if [ "$span" != none ]; then
		place=${span% *}
		rest=$((${span#* } + 1))
	elif [ "$place" != 0 ]; then
		rest=$place
	else
		cat "$1"
		if [ -s "$1" ] && ! ends_with_newline "$1"; then
			printf '\n%s' "$(cat "$2")"
		else
			cat "$2"
		fi
		return
	fi
	head -n "$((place - 1))" "$1"
	if [ -n "$(tail -n "+$rest" "$1" | head -c 1 | od -A n -t x1)" ] || ends_with_newline "$1"; then
		cat "$2"
	else
		printf '%s' "$(cat "$2")"
	fi
	tail -n "+$rest" "$1"
}

# print_with_block_early FILE BLOCK preload|dead-man: the file, which has none, with the block behind the comments with which it
# begins, or before what init waits for.
print_with_block_early () {
	case $3 in
	preload) before=$(awk '!/^[ \t]*(#.*)?$/ { exit } { comments = NR } END { print comments + 0 }' "$1") ;;
	dead-man) before=$(($(find_awaited "$1") - 1)) ;;
	esac
	if [ -z "$(tail -n "+$((before + 1))" "$1" | head -c 1 | od -A n -t x1)" ] && ! ends_with_newline "$1"; then
		cat "$1"
		printf '\n%s' "$(cat "$2")"
		return
	fi
	head -n "$before" "$1"
	cat "$2"
	tail -n "+$((before + 1))" "$1"
}

# print_without_block FILE: the file as it was before, where nobody has changed it since.
print_without_block () {
	span=$(find_block "$1")
	if [ "$span" = none ]; then
		cat "$1"
		return
	fi
	begin=${span% *}
	end=${span#* }
	if [ "$begin" -gt 1 ] && ! ends_with_newline "$1" && [ -z "$(tail -n "+$((end + 1))" "$1" | head -c 1)" ]; then
		head -c "$(($(head -n "$((begin - 1))" "$1" | wc -c) - 1))" "$1"
		return
	fi
	head -n "$((begin - 1))" "$1"
	tail -n "+$((end + 1))" "$1"
}

# print_block FILE: the block itself.
print_block () {
	span=$(find_block "$1")
	sed -n "${span% *},${span#* }p" "$1"
}
