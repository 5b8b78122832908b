# Is descriptor 4 a whole initrd with a program /init? First come archives that are not compressed, with microcode, and zero
# bytes; then one compressed archive up to the end, see Documentation/driver-api/early-userspace/buffer-format.rst.
check_initrd () {
	size=$(size_of /proc/self/fd/4 999999999) || no "the file is empty or larger than is sensible" || return
	offset=0
	entries=0
	has_init=
	while find_data && [ "$offset" -lt "$size" ]; do
		magic=$(od -A n -v -t x1 -j "$offset" -N 9 /proc/self/fd/4 | tr -d ' \n')
		case $((offset % 4)),$magic in
		0,30373037303[12]*) skip_archive || return 1 ;;
		*)
			find_program && unpack
			return
			;;
		esac
	done
	[ "$offset" -ge "$size" ] || return
	[ -n "$has_init" ] || no "{{ sentences.NO_INIT }}"
}

# Move $offset over zero bytes: to the next other one, or to the end. (To busybox' awk a number with zeros before it is octal.)
find_data () {
	found=$(
		od -A d -v -t x1 -j "$offset" -N 65536 /proc/self/fd/4 2>/dev/null |
			awk '{ sub(/^0+/, "", $1); for (i = 2; i <= NF; i++) if ($i != "00") { printf "%d\n", $1 + i - 2; exit } }'
	)
	if [ -n "$found" ]; then
		offset=$found
	elif [ "$((size - offset))" -le 65536 ]; then
		offset=$size
	else
		no "byte $offset starts more zero bytes than make sense"
	fi
}

# Walk over the archive at $offset. A shell is slow at that: one with many files is none of microcode.
skip_archive () {
	name=
	while [ "$name" != 'TRAILER!!!' ]; do
		entries=$((entries + 1))
		[ "$entries" -le 200 ] || no "it is not compressed, and has too many files for a shell to look at" || return
		skip_entry || return
	done
}

# Walk over one entry: a header of 110 characters, the name with its NUL, the content, both filled up to four bytes.
skip_entry () {
	header=$(slice /proc/self/fd/4 "$offset" 110 | tr '\000' '\n')
	case ${#header},$header in
	110,07070[12]*) header=${header#??????} ;;
	*) header=none ;;
	esac
	case $header in
	*[!0-9A-Fa-f]*) no "{{ sentences.ODD_ENTRY.format("$entries") }}" || return ;;
	esac
	mode=$((0x$(printf '%s' "$header" | cut -c 9-16) & 0170000))
	content=$(printf '%s' "$header" | cut -c 49-56)
	length=$((0x$(printf '%s' "$header" | cut -c 93-96)))
	name=$(slice /proc/self/fd/4 "$((offset + 110))" "$length" | tr '\000' '\n')
	{ [ "$length" -le 4096 ] && [ "${#name}" -eq "$((length - 1))" ]; } || no "{{ sentences.ODD_ENTRY_NAME.format("$entries") }}" || return
	case $content in
	[0-3]*) offset=$(((offset + 110 + length + 3) / 4 * 4 + (0x$content + 3) / 4 * 4)) ;;
	*) offset=$((size + 1)) ;;
	esac
	[ "$offset" -le "$size" ] || no "the cpio archive is cut: it ends after $entries entries without a trailer" || return
	case $mode,$name in
	32768,init | 32768,./init | 32768,/init | 40960,init | 40960,./init | 40960,/init) has_init=yes ;;
	esac
}

# The program for the compressed archive that begins with $magic goes to $program.
find_program () {
	case $magic in
	1f8b*) program=gzip ;;
	425a68*) program=bzip2 ;;
	fd377a585a00??0[01]* | 5d0000*) program=xz ;;
	fd377a585a00*) no "the xz archive at byte $offset has a check that the kernel cannot read" || return ;;
	28b52ffd*) program=zstd ;;
	02214c18*) program=lz4 ;;
	894c5a4f000d0a1a0a) program=lzop ;;
	*) no "byte $offset starts neither a cpio nor a compressed archive" || return ;;
	esac
	for needed in "$program" cpio; do
		[ -n "$(command -v "$needed")" ] || no "it is compressed with $program, and there is no program $needed to check it" || return
	done
}

# Say what the listing of an archive shows: a program /init, messages of cpio, modules of kernels, ours among them or not.
judge_names () {
	awk -v release="$release" '
		/^cpio: / { strange = 1 }
		$0 == "init" || $0 == "./init" || $0 == "/init" { inits = 1 }
		/^(\.?\/)?(usr\/)?lib\/modules\/[^\/]+\/./ {
			sub(/^(\.?\/)?(usr\/)?lib\/modules\//, "")
			sub(/\/.*/, "")
			if ($0 == release)
				ours = 1
			else if (!seen[$0]++)
				others = others (others ? ", " : "") $0
		}
		END {
			if (strange)
				print "strange"
			else if (others && !ours)
				print "foreign " others
			else
				print inits ? "whole" : "empty"
		}
	'
}

# Unpack everything from $offset on once, without keeping it. Whoever finds a fault says so on descriptor 5. cpio passes over
# some damage with no more than a message, so each message counts.
unpack () {
	found=$(
		{
			{
				tail -c "+$((offset + 1))" /proc/self/fd/4 | "$program" -dc 2>/dev/null || printf 'damaged\n' >&5
			} | {
				cpio -it --quiet 2>&1 || printf 'cpio: failed\n'
				cat >/dev/null
			} | judge_names
		} 5>&1
	)
	case $found in
	*damaged*) no "the $program archive at byte $offset is damaged" ;;
	foreign*) no "{{ sentences.FOREIGN_MODULES.format('$(printable "${found#foreign }")', "$release") }}" ;;
	whole) ;;
	empty) [ -n "$has_init" ] || no "{{ sentences.NO_INIT }}" ;;
	*) no "the content of a compressed archive is no whole cpio archive" ;;
	esac
}
