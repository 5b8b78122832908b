# Is descriptor 3 a whole x86 kernel, the running one? Its size and its CRC-32 say so, see Documentation/arch/x86/boot.rst:
# `kexec -l` takes cut and damaged files without a word. Sets $cmdline_size.
check_kernel () {
	size=$(size_of /proc/self/fd/3 536870912)
	case ${size:+$(od -A n -v -t x1 -j 510 -N 8 /proc/self/fd/3 2>/dev/null | tr -d ' \n')} in
	55aa????48647253) ;;
	*) no "not an x86 kernel: it has no bzImage header" || return ;;
	esac
	[ "$size" -ge 616 ] || no "it is cut: the file has $size bytes" || return
	measure_kernel && check_version && prove_kernel
}

# $setup_size, $image_size and $protocol, as the header has them.
measure_kernel () {
	sectors=$(number /proc/self/fd/3 497 1)
	if [ "$sectors" = 0 ]; then
		sectors=4
	fi
	paragraphs=$(number /proc/self/fd/3 500 4)
	setup_size=$(((sectors + 1) * 512))
	image_size=$((setup_size + paragraphs * 16))
	[ "$image_size" -le "$size" ] || no "{{ sentences.CUT.format("$image_size", "$size") }}" || return
	protocol=$(number /proc/self/fd/3 518 2)
	{ [ "$protocol" -ge 516 ] && [ "$protocol" -le 767 ]; } || no "{{ sentences.ODD_PROTOCOL.format("$protocol") }}" || return
	case $(number /proc/self/fd/3 529 1) in
	*[02468]) no "{{ sentences.ZIMAGE }}" || return ;;
	esac
	cmdline_size=255
	if [ "$protocol" -ge 518 ]; then
		cmdline_size=$(number /proc/self/fd/3 568 4)
		case $cmdline_size in
		???????*) cmdline_size=999999 ;;
		esac
	fi
}

# The version in the header has to be the running one: the file may have changed since the boot.
check_version () {
	place=$(($(number /proc/self/fd/3 526 2) + 512))
	version=$(slice /proc/self/fd/3 "$place" 128 | tr '\000' '\n' | head -n 1)
	{ [ "$place" -gt 512 ] && [ "$place" -lt "$setup_size" ] && [ "${version%% *}" = "$release" ]; } ||
		no "{{ sentences.MISNAMED.format('$(printable "${version%% *}")', "$release") }}"
}

# Up to 2.6.29 a kernel has no CRC-32, and its size must do; from 6.15 on it has none again, and only Python can prove it.
prove_kernel () {
	if [ "$protocol" -lt 520 ]; then
		case $release in
		2.[0-5].* | 2.6.[0-9] | 2.6.[0-9][!0-9]* | 2.6.[12][0-9] | 2.6.[12][0-9][!0-9]*) return 0 ;;
		esac
		no "{{ sentences.WRONG_PROTOCOL.format("$release", "$protocol") }}" || return
	fi
	find_signing || return 1
	# gzip ends its output with the CRC-32 and the size of what it has read.
	found=$(unsigned_image | gzip -1c | tail -c 8 | od -A n -v -t x4 | tr -d ' \n')
	[ "$found" != "ffffffff$(printf '%08x' "$image_size")" ] || return 0
	case $release in
	6.1[5-9]* | 6.[2-9][0-9]* | [7-9].* | [1-9][0-9]*.*) no "it is newer than 6.14, and only Python can see whether it is whole" ;;
	*) no "{{ sentences.DAMAGED.format("0x${found%????????}") }}" ;;
	esac
}

# Where signing has changed the image: the four bytes at $checksum_at and the eight at $directory_at, empty without a PE
# header. Fails where the signature is not all there.
find_signing () {
	checksum_at=
	directory_at=
	header_at=$(number /proc/self/fd/3 60 4)
	if [ "$(slice /proc/self/fd/3 0 2 | od -A n -t x1 | tr -d ' \n')" != 4d5a ] ||
		[ "$((header_at + 26))" -gt "$setup_size" ] ||
		[ "$(od -A n -v -t x1 -j "$header_at" -N 4 /proc/self/fd/3 | tr -d ' \n')" != 50450000 ]; then
		return 0
	fi
	case $(number /proc/self/fd/3 "$((header_at + 24))" 2) in
	267) entries_at=$((header_at + 24 + 96)) ;;
	523) entries_at=$((header_at + 24 + 112)) ;;
	*) return 0 ;;
	esac
	if [ "$((entries_at + 40))" -gt "$setup_size" ]; then
		return 0
	fi
	case $(number /proc/self/fd/3 "$((entries_at - 4))" 4) in
	[0-4]) return 0 ;;
	esac
	checksum_at=$((header_at + 24 + 64))
	directory_at=$((entries_at + 32))
	table_at=$(number /proc/self/fd/3 "$directory_at" 4)
	table_size=$(number /proc/self/fd/3 "$((directory_at + 4))" 4)
	[ "$((table_at + table_size))" -le "$size" ] || no "{{ sentences.SIGNATURE_CUT.format("$size") }}"
}

# The image as it was before it was signed.
unsigned_image () {
	if [ -z "$checksum_at" ]; then
		slice /proc/self/fd/3 0 "$image_size"
		return
	fi
	slice /proc/self/fd/3 0 "$checksum_at"
	printf '\000\000\000\000'
	slice /proc/self/fd/3 "$((checksum_at + 4))" "$((directory_at - checksum_at - 4))"
	printf '\000\000\000\000\000\000\000\000'
	slice /proc/self/fd/3 "$((directory_at + 8))" "$((image_size - directory_at - 8))"
}
