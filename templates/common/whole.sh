newline='
'

# checksum: the CRC-32 of what is read, in hexadecimal; gzip writes it behind its output, the lowest byte first.
checksum () {
	gzip -1c | tail -c 8 | od -A n -v -t x1 -N 4 | {
		read -r first second third fourth
		printf '%s' "$fourth$third$second$first"
	}
}

# print_whole BODY: its lines, and below them that they are all.
print_whole () {
	printf '%send %s\n' "$1" "$(printf '%s' "$1" | checksum)"
}

# read_whole <FILE: have what print_whole was given in $body; anything else fails.
read_whole () {
	body=
	line=
	next=
	while IFS= read -r next; do
		body=$body$line
		line=$next$newline
	done
	[ -z "$next" ] && [ -n "$body" ] && [ "$line" = "end $(printf '%s' "$body" | checksum)$newline" ]
}
