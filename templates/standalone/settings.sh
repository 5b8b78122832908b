# The settings, by the grammar of kexec_initd's modules settings.reader, settings.values and settings.sources: no file is ever run, and a line
# that is not understood may have said KEXEC=no. Sets $doubt to what makes every reboot cold then.
read_settings () {
{% for row in tables.settings %}
	{{ row.field }}={{ row.default }}
{% endfor %}
	doubt=
	spaces=$(printf ' \t\v\f\r\240')$newline # as the kernel has them
	gap=$(printf ' \t')
	return_key=$(printf '\r')
	controls=$(printf '\001\002\003\004\005\006\007\010\013\014\015\016\017\020\021\022\023\024\025\026\027\030\031\032\033\034\035\036\037\177')
	see_settings # first: a file that is written meanwhile then counts as another one
	settings_seen=$seen
	read_source "$settings"
	if [ -e "$settings.d" ] || [ -L "$settings.d" ]; then
		read_drop_ins
	fi
	[ -z "$doubt" ]
}

# read_source FILE: take what it says, if it is there.
read_source () {
	source=$1
	if [ ! -e "$1" ] && [ ! -L "$1" ]; then
		return
	fi
	reason="$1 {{ sentences.NOT_REGULAR }}"
	if [ ! -f "$1" ] || ! read_lines <"$1"; then
		ignore "$reason"
	fi
}

ignore () {
	doubt=${doubt:-"{{ sentences.IGNORED.format("$1") }}"}
}

read_drop_ins () {
	if [ ! -d "$settings.d" ] || ! are_roots 9 "$(readlink -f -- "$settings.d")"; then
		ignore "{{ sentences.NO_DROP_INS.format("$settings.d") }}"
		return
	fi
	set -- "$settings.d"/*.conf
	if [ "$#" -gt {{ tables.most_drop_ins }} ]; then
		ignore "{{ sentences.TOO_MANY.format("$settings.d", tables.most_drop_ins) }}"
		return
	fi
	for drop_in in "$settings.d"/*; do
		case ${drop_in##*/} in
		[!A-Za-z0-9_]*.conf | *[!A-Za-z0-9_.@+-]*.conf) is_no_drop_in "$drop_in" ;;
		*.conf) read_source "$drop_in" ;;
		{{ tables.leftovers }}) ;;
		*) is_no_drop_in "$drop_in" ;;
		esac
	done
}

is_no_drop_in () {
	if [ -e "$1" ] || [ -L "$1" ]; then
		ignore "{{ sentences.LEFT_OUT.format('$settings.d/$(plain "${1##*/}")', sentences.NO_DROP_IN) }}"
	fi
}

# note_settings: write down what the last step needs of them, each line twice, as `setting` reads it.
note_settings () {
	(
		umask 077
		note_setting SETTINGS "$settings_seen"
		note_setting SHUTDOWN_LIMIT "$shutdown_limit"
		# shellcheck disable=SC2046 # each a word: there is one blank between them then, and none behind
		set -- $(expand_modules)
		[ -n "$doubt" ] || note_setting REMOVE_MODULES "$*"
	) >"$state/settings.new" && { [ ! -d "$state/settings" ] || rm -rf "$state/settings"; } && mv -f "$state/settings.new" "$state/settings"
}

# Print the modules to remove, with those of graphics behind the word for them.
expand_modules () {
	for word in $remove_modules; do
		case $word in
		{{ tables.auto }}) word="$word {{ tables.graphics }}" ;;
		esac
		printf '%s ' "$word"
	done
}

note_setting () {
	printf '%s %s\n%s %s\n' "$1" "$2" "$1" "$2"
}

# shellcheck disable=SC2295 # a set of characters, a pattern indeed
read_lines () {
	reason="$source cannot be read"
	is_trusted 0 "$source" || return
	[ "$(head -c $(({{ tables.settings_limit }} + 1)) /proc/self/fd/0 | wc -c)" -le {{ tables.settings_limit }} ] ||
		no "{{ sentences.IS_TOO_LARGE.format("$source", tables.settings_limit) }}" || return
	[ "$(wc -c </proc/self/fd/0)" -eq "$(tr -d '\000' </proc/self/fd/0 | wc -c)" ] || no "{{ sentences.HAS_NUL.format("$source") }}" || return
	at=0
	while IFS= read -r line || [ -n "$line" ]; do
		at=$((at + 1))
		line=${line%"$return_key"}
		line=${line#"${line%%[!$gap]*}"}
		line=${line%"${line##*[!$gap]}"}
		case $line in
		*[$controls]*) in_doubt "{{ sentences.IS_NO_LINE.format('$(quoted "$line")') }}" ;;
		'' | '#'*) ;;
		*) read_line "$line" ;;
		esac
	done
}

# in_doubt WHY: the line $at may have said anything.
in_doubt () {
	doubt=${doubt:-"{{ sentences.NOT_UNDERSTOOD.format("$source", "$at", "$1") }}"}
}

quoted () {
	printf "'%s'" "$(printable "$1" | cut -c 1-80)"
}

# read_line LINE: take one assignment.
# shellcheck disable=SC2295 # a set of characters, a pattern indeed
read_line () {
	value=$1
	case $value in
	export[$gap]*)
		value=${value#export}
		value=${value#"${value%%[!$gap]*}"}
		;;
	esac
	name=${value%%=*}
	case $name in
	"$value" | [!A-Za-z_]* | *[!A-Za-z0-9_]*) name= ;;
	esac
	value=${value#*=}
	split_value
	case $quote$value in
	\"*[\$\`\\]*) name= ;;
	esac
	case $rest in
	'' | [$gap]*) rest=${rest#"${rest%%[!$gap]*}"} ;;
	*) name= ;;
	esac
	set_to=$value
	case $name,$rest in
	?*, | ?*,'#'*) set_value || in_doubt "{{ sentences.IS_NO_VALUE.format("$name", '$(quoted "$set_to")', "$wrong") }}" ;;
	*) in_doubt "{{ sentences.IS_NO_LINE.format('$(quoted "$1")') }}" ;;
	esac
}

# Take the quotes off $value, and what follows it apart into $rest.
split_value () {
	quote=
	case $value in
	\"*\"* | \'*\'*)
		rest=${value#?}
		quote=${value%"$rest"}
		value=${rest%%"$quote"*}
		rest=${rest#*"$quote"}
		;;
	*)
		rest=${value#"${value%%[!A-Za-z0-9_.,:/+=@%-]*}"}
		value=${value%"$rest"}
		;;
	esac
}

# set_value: have $name be $value, which each check brings into its one form; fails where that is none for it.
set_value () {
	case $name in
{% for row in tables.settings %}
	{{ row.name }}) wrong="{{ row.wrong }}" && {{ row.check }} && {{ row.field }}=$value ;;
{% endfor %}
	*) look_for_meant ;;
	esac
}

is_switch () {
	case $value in
	{{ tables.yes }}) value=yes ;;
	{{ tables.no }}) value=no ;;
	*) return 1 ;;
	esac
}

is_switch_or_auto () {
	case $value in
	[Aa][Uu][Tt][Oo]) value=auto ;;
	*) is_switch ;;
	esac
}

is_kernel () {
	case $value in
	{{ tables.yes }} | {{ tables.no }}) is_switch ;;
	'' | ' '* | *[!\ -~]*) return 1 ;;
	*) [ "${#value}" -le {{ tables.setting_length }} ] ;;
	esac
}

# is_within LEAST MOST: is $value one?
is_within () {
	case $value in
	'' | 0* | *[!0-9]* | ??????*) return 1 ;;
	esac
	[ "$value" -ge "$1" ] && [ "$value" -le "$2" ]
}

is_no_or_within () {
	case $value in
	{{ tables.no }}) value=0 ;;
	*) is_within "$1" "$2" ;;
	esac
}

# shellcheck disable=SC2086,SC2295 # words are wanted; a set of characters, a pattern indeed
is_modules () {
	value=${value#"${value%%[!$gap]*}"}
	value=${value%"${value##*[!$gap]}"}
	case $value in
	{{ tables.yes }}) return 1 ;;
	{{ tables.no }}) value= ;;
	esac
	case " $value" in
	*[!A-Za-z0-9_$gap-]* | *[$gap]-*) return 1 ;;
	esac
	[ "${#value}" -le {{ tables.setting_length }} ] || return 1
	set -- $value
	value=
	for word; do
		case $word in
		[Aa][Uu][Tt][Oo]) word={{ tables.auto }} ;;
		esac
		value=$value${value:+ }$word
	done
}

# Can $value be put on the command line, or taken away from it?
# shellcheck disable=SC2295 # a set of characters, a pattern indeed
is_parameters () {
	case $value in
	*[!\ -~]*) return 1 ;;
	esac
	[ "${#value}" -le {{ tables.setting_length }} ] || return 1
	value=${value#"${value%%[! ]*}"}
	value=${value%"${value##*[! ]}"}
	tail=$value
	while [ -n "$tail" ]; do
		tail=${tail#"${tail%%[!$spaces]*}"}
		next_word
		parameter "$word"
		case $open,$key,$given in
		yes,* | ,--, | ,kexec_initd.*) return 1 ;;
		esac
	done
}

# One of ours may have been meant by $name, which differs by its case, or by a letter or two.
look_for_meant () {
	upper=$(printf '%s' "$name" | LC_ALL=C tr '[:lower:]' '[:upper:]')
	for known in {% for row in tables.settings %}{{ row.name }} {% endfor %}; do
		case $upper in
		??? | ?? | ?) [ "${upper%"${upper#?}"}" = "${known%"${known#?}"}" ] || continue ;;
		esac
		if is_near "$upper" "$known" 2; then
			in_doubt "{{ sentences.IS_NO_SETTING.format("$name", "$known") }}"
			return
		fi
	done
}

# is_near WORD WORD EDITS: do that number of letters put in, left out or replaced make one of the other?
is_near () {
	if [ "${#1}" -gt "$((${#2} + $3))" ] || [ "${#2}" -gt "$((${#1} + $3))" ]; then
		return 1
	fi
	while [ -n "$1" ] && [ "${1%"${1#?}"}" = "${2%"${2#?}"}" ]; do
		set -- "${1#?}" "${2#?}" "$3"
	done
	[ -z "$1$2" ] || { [ "$3" -gt 0 ] && is_near_without "$1" "$2" "$(($3 - 1))"; }
}

is_near_without () {
	is_near "${1#?}" "$2" "$3" || is_near "$1" "${2#?}" "$3" || is_near "${1#?}" "${2#?}" "$3"
}
