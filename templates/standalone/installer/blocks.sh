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

# find_place FILE preload|dead-man|last: print the number of the line before which the block belongs: the first command, which a
# shell runs whatever comes then; what init waits for first in runlevel 6, by its table; or the last command, if it is
# `exec $command` and stands by itself. 0 where there is none.
find_place () {
	case $2 in
	preload) awk '!/^[ \t]*(#.*)?$/ { exit } { comments = NR } END { print comments + 1 }' "$1" ;;
	dead-man)
		awk -F : '
			/^[ \t]*[^# \t:][^:]*:/ && NF > 3 && tolower($3) == "wait" && ($2 == "" || $2 ~ /6/) { place = NR; exit }
			END { print place + 0 }
		' "$1"
		;;
	last)
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
		;;
	esac
}

ends_with_newline () {
	[ -z "$(tail -c 1 "$1")" ]
}

# print_with_block FILE BLOCK preload|dead-man|last: the file with the block where it belongs, in place of an older one.
print_with_block () {
	span=$(find_block "$1")
	if [ "$3" = last ] && [ "$span" != none ]; then
		print_around "$1" "$2" "${span% *}" "$((${span#* } + 1))"
		return
	fi
	print_without_block "$1" >"$staging/without"
	place=$(find_place "$staging/without" "$3")
	print_around "$staging/without" "$2" "$place" "$place"
}

# print_around FILE BLOCK PLACE REST: the block before the line PLACE of the file, and behind it the line REST and the others.
print_around () {
	head -n "$(($3 - 1))" "$1"
	if [ -n "$(tail -n "+$4" "$1" | head -c 1 | od -A n -t x1)" ] || ends_with_newline "$1"; then
		cat "$2"
		tail -n "+$4" "$1"
	else
		[ "$3" != "$4" ] || printf '\n'
		printf '%s' "$(cat "$2")"
	fi
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

print_block () {
	span=$(find_block "$1")
	sed -n "${span% *},${span#* }p" "$1"
}
