newline='
'

# checksum: the CRC-32 of what is read, in hexadecimal; gzip writes it behind its output, the lowest byte first.
checksum () {
	gzip -1c | tail -c 8 | od -A n -v -t x1 -N 4 | {
		read -r first second third fourth
		printf '%s' "$fourth$third$second$first"
	}
}

{% if loader is not defined or "standalone" in loader %}
# print_whole BODY: its lines, and below them that they are all.
print_whole () {
	printf '%send %s\n' "$1" "$(printf '%s' "$1" | checksum)"
}

{% endif %}
# read_whole <FILE: have what print_whole was given in $body, and all of the file in $whole; anything else fails. Not by `read`,
# which takes each byte by a call of its own.
read_whole () {
	whole=$(cat && printf .)
	whole=${whole%.}
	body=${whole%end ????????"$newline"}
	[ -n "$body" ] && [ "$whole" = "${body}end $(printf '%s' "$body" | checksum)$newline" ]
}
