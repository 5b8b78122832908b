{% set looked = true %}
{% include "common/are_roots.sh" %}

# follow PATH: where a link leads; anything else as it is.
follow () {
	if [ -L "$1" ]; then
		readlink -f -- "$1"
	else
		printf '%s' "$1"
	fi
}
