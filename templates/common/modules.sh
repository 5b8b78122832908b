# remove_modules NAMES: the kernel modules that would not survive the jump, in this order; each must be gone then. What is no
# module's name is none of ours to guess at. Sets why_cold.
remove_modules () {
	case " $1" in
	*[!A-Za-z0-9_[:space:]-]* | *[[:space:]]-*)
		why_cold="{{ sentences.NO_MODULE.format("$1") }}"
		return 1
		;;
	esac
	for module in $1; do
		if has_module "$module"; then
			heard 12 modprobe -r "$module"
		fi
		if has_module "$module"; then
			why_cold="{{ sentences.STUCK_MODULE.format("$module") }}"
			return 1
		fi
	done
}

# Is a module there, by the name that the kernel has for it: modprobe(8) takes a hyphen for an underscore?
has_module () {
	wanted=$1
	while [ "$wanted" != "${wanted#*-}" ]; do
		wanted=${wanted%%-*}_${wanted#*-}
	done
	while read -r name _; do
		if [ "$name" = "$wanted" ]; then
			return 0
		fi
	done </proc/modules
	return 1
} 2>/dev/null
