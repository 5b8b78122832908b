# The host's own script that ours stands in for: whether the one that was kept may be restored. Without the last script of
# a shutdown init leaves the machine at a prompt, so it is believed by evidence only: the manifest, or dpkg, which writes an
# upgrade to where the original is kept.

# is_foreign PATH: is that a script, and not ours? One that is empty or full of zero bytes, as after a crash, is none.
is_foreign () {
	[ -f "$1" ] && ! is_ours "$1" && [ -n "$(tr -d ' \t\n\000' <"$1" | head -c 1)" ]
}

# read_original PATH: its line in the manifest, "CRC MODE UID GID" of what was kept.
read_original () {
	sed -n "s,^original $1 ,,p" "$home/manifest" 2>/dev/null
}

# print_originals: the lines that say what each original is, before it is kept and ever after.
print_originals () {
	sed -n 's/^replace //p;s/^optional //p;s/^wrap //p' "$data/list" 2>/dev/null | while read -r path _; do
		print_original "$path"
	done
}

print_original () {
	source=$(kept "$1")
	known=$(read_original "$1")
	if is_foreign "$1" && ! is_newer "$source" "$1"; then
		source=$1
	elif [ -n "$known" ]; then
		printf 'original %s %s\n' "$1" "$known"
		return
	fi
	[ ! -f "$source" ] || printf 'original %s %s %s\n' "$1" "$(checksum <"$source")" "$(stat -c '%a %u %g' "$source")"
}

# is_newer KEPT PATH: has dpkg written the kept one since?
is_newer () {
	is_foreign "$1" && ! is_same "$1" "$2" && ask_dpkg "$2" && [ -n "$diverted" ]
}

# ask_package PATH: set $package and $md5 to the installed package that brings that configuration file, and its content there.
ask_package () {
	package=
	md5=
	[ -f /var/lib/dpkg/status ] || return 0
	read -r package md5 <<END
$(awk -v path="$1" '
	/^Package: / { name = $2; state = "" }
	/^Status: / { state = $4 }
	/^ / && $1 == path && NF == 2 && state != "config-files" && state != "not-installed" { print name, $2; exit }
' /var/lib/dpkg/status)
END
}

# why_lost PATH: say what is wrong with its kept original; nothing where it may be restored.
why_lost () {
	original=$(kept "$1")
	known=$(read_original "$1")
	ask_package "$1"
	if [ -L "$original" ] || { [ -e "$original" ] && [ ! -f "$original" ]; }; then
		printf '%s is no regular file' "$original"
	elif [ ! -e "$original" ]; then
		printf '%s is missing' "$original"
	elif [ -n "$known" ] && [ "${known%% *}" = "$(checksum <"$original")" ]; then
		:
	elif is_ours "$original"; then
		printf '%s is one of our own scripts' "$original"
	elif ! is_foreign "$original"; then
		printf '%s is empty' "$original"
	elif [ -n "$known$md5" ] && [ "$md5" != "$(md5sum <"$original" | sed 's/ .*//')" ]; then
		printf '%s is not what was kept' "$original"
	fi
}

# is_missed PATH WORD: has something to be in its place when ours is gone? Not where its package was purged meanwhile.
is_missed () {
	ask_package "$1"
	! is_foreign "$(kept "$1")" && [ -z "$package" ] || return 0
	[ ! -f /var/lib/dpkg/status ] && { [ "$2" != wrap ] || [ -n "$(read_original "$1")" ]; }
}

# why_not_undo PATH WORD: say why ours has to stay, and what to do about it.
why_not_undo () {
	lost=$(why_lost "$1")
	[ -n "$lost" ] && ! is_foreign "$1" && is_missed "$1" "$2" || return 0
	printf '%s: %s cannot be restored; ' "$lost" "$1"
	original=$(kept "$1")
	! is_foreign "$original" || printf 'if it is as it should be, mv %s %s, then run this again; else ' "$original" "$1"
	if [ -z "$package" ]; then
		printf 'restore it from a backup, or put what is wanted there in the place of %s, then run this again' "$1"
		return
	fi
	ask_dpkg "$1" && [ -n "$diverted" ] || printf 'sh install.sh && '
	if [ -e "$original" ] || [ -L "$original" ]; then
		printf 'rm %s && ' "$original"
	elif [ ! -d "$originals" ]; then
		printf 'mkdir -p %s && ' "$originals"
	fi
	printf 'apt-get install --reinstall -o Dpkg::Options::=--force-confmiss %s, then run this again' "$package"
}

# restore ORIGINAL PATH: with the mode and the owner that it had, where somebody has changed them since.
restore () {
	known=$(read_original "$2")
	if [ "${known%% *}" = "$(checksum <"$1")" ]; then
		read -r _ mode owner group <<END
$known
END
		if [ "$(stat -c '%a %u %g' "$1")" != "$mode $owner $group" ]; then
			chown "$owner:$group" "$1" && chmod "$mode" "$1" || return 1
		fi
	elif [ ! -x "$1" ]; then
		chmod 0755 "$1" || return 1
	fi
	move "$1" "$2"
}
