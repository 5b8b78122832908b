# are_roots DIGITS PATH...: are these, of one directory, regular files or directories that only root may change, and all the
# directories above them? None may be a link, and the size of a file has at most DIGITS digits; the way to them may lead over
# links. One ls(1), which is there in the last step, too, looks at all of them: each costs as much as all together.
{% if looked is defined %}
# What look_at has seen is not looked at again.
{% endif %}
are_roots () {
{% if looked is defined %}
	case $#,${rooted-} in
	2,*"$newline$2$newline"* | 2,*"$newline${2%/*}$newline"*)
		# shellcheck disable=SC2154 # set with $rooted, by look_at
		case $fine in
		*"$newline$2 "[0-$1]"$newline"*) return 0 ;;
		esac
		;;
	esac
{% endif %}
	digits=$1
	shift
	way=$(cd -P "${1%/*}/" 2>/dev/null && pwd -P) || return 1
	while [ -n "$way" ]; do
		set -- "$@" "$way"
		way=${way%/*}
	done
	# shellcheck disable=SC2012 # find(1) and stat(1) may be unmounted by now
	ls -ldn / "$@" 2>/dev/null | {
		left=$(($# + 1))
		while read -r mode _ owner group size _; do
			case $mode,$owner,$group,${#size} in
			d????-??-*,0,* | d????w??-*,0,0,*) left=$((left - 1)) ;;
			-????-??-*,0,*,[1-$digits]) left=$((left - 1)) ;;
			esac
		done
		[ "$left" -eq 0 ]
	}
}
