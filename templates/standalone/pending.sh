# What only a boot through firmware does, or counts, by the rules of kexec_initd's modules bootloader.firmware, fwupd and
# updates. What this shell cannot read and may ask for something makes the reboot cold.

# The files that show by being there, or by their identity, when something is asked for: a line of the stamp for each.
pending_files () {
	printf '%s\n' {{ tables.boot_next }} \
		{{ tables.indications }} {{ tables.fwupd_history }} \
		{{ tables.capsules | join(" ") }}
	for name in {{ tables.key_requests | join(" ") }}; do
		printf '%s\n' "{{ tables.key_begin }}$name{{ tables.key_end }}"
	done
	environments
}

# The boot loaders' environments that are files.
environments () {
	printf '%s\n' {{ tables.environments | join(" \\\n\t\t") }}
	{
		[ ! -f {{ tables.rauc_config }} ] || head -c 65536 {{ tables.rauc_config }} | sed -n 's/^grubenv=\(\/[A-Za-z0-9_.\/-]*\)$/\1/p'
		[ ! -f {{ tables.u_boot_config }} ] || head -c 65536 {{ tables.u_boot_config }} | sed -n 's/^[[:space:]]*\(\/[A-Za-z0-9_.\/-]*\)[[:space:]].*/\1/p'
	} 2>/dev/null | grep -v '^/dev/' || :
}

# The value of an EFI variable, which may say something by then, changes without a trace.
is_silent () {
	for variable in {{ tables.indications }} {{ tables.fwupd_begin }}*{{ tables.fwupd_end }}; do
		[ ! -e "$variable" ] || return 0
	done
	return 1
}

is_nothing_pending () {
	code=firmware
	is_firmware_content && is_fwupd_content || return 1
	code=update
	for file in $(environments); do
		[ ! -f "$file" ] || check_environment "$file" || return 1
	done
}

is_firmware_content () {
	[ ! -f {{ tables.boot_next }} ] || no "{{ sentences.BOOT_NEXT }}" || return
	asked=$(number {{ tables.indications }} 4 1)
{% for row in tables.wishes %}
	[ $((${asked:-0} & {{ row.0 }})) -eq 0 ] || no "{{ sentences.INDICATED.format(row.1) }}" || return
{% endfor %}
	for name in {{ tables.key_requests | join(" ") }}; do
		[ ! -f "{{ tables.key_begin }}$name{{ tables.key_end }}" ] || no "{{ sentences.KEY_REQUEST.format("$name") }}" || return
	done
	for place in {{ tables.capsules | join(" ") }}; do
		for file in "$place"/*; do
			[ ! -e "$file" ] || no "{{ sentences.CAPSULE.format("$place") }}" || return
		done
	done
}

# What has not changed since the day before the last firmware boot was done by that.
is_fwupd_content () {
	for variable in {{ tables.fwupd_begin }}*{{ tables.fwupd_end }}; do
		name=${variable##*/}
		case $(number "$variable" {{ tables.fwupd_status }} 1) in
		*[02468]) ;;
		*) [ ! -f "$variable" ] || no "{{ sentences.FWUPD.format("${name%" + tables.fwupd_end + "}") }}" || return ;;
		esac
	done
	for file in {{ tables.fwupd_history }}; do
		if [ ! -f "$file" ] && [ "$file" = "${file%-*}" ]; then
			return 0
		fi
		written=$(stat -L -c %Y "$file" 2>/dev/null)
		if [ -s "$file" ] && { [ "$firmware" = 0 ] || [ "${written:-9999999999}" -ge $((firmware - 86400)) ]; }; then
			no "an update of fwupd may wait: ${file%-*} has changed, and only Python can read it" || return
		fi
	done
}

# check_environment FILE: is no update on trial, or waiting? Before the first variable of U-Boot come four or five bytes.
check_environment () {
	held=$(head -c {{ tables.environment_limit }} "$1" 2>/dev/null | tr '\000' '\n' | sed -n \
		-e 's/^.\{0,5\}\(upgrade_available=1\)$/\1/p' -e 's/^.\{0,5\}\(ustate=[12]\)$/\1/p' \
		-e 's/^.\{0,5\}\(recovery_status=[!-~]\{1,20\}\)$/\1/p' \
		-e 's/^\([A-Za-z0-9]*_TRY=[1-9]\)$/\1/p' -e 's/^\(BOOT_[A-Za-z0-9]*_LEFT=[012]\)$/\1/p' \
		-e 's/^\(ORDER=[!-~]*\).*/\1/p' -e 's/^.\{0,5\}BOOT_\(ORDER=[!-~]*\).*/\1/p')
	order=
	for found in $held; do
		case $found in
		ORDER=*) order=${order:-"${found#*=}"} ;;
		recovery_status=*) no "{{ sentences.NOT_COMPLETE.format("$found") }}" || return ;;
		*) no "{{ sentences.ON_TRIAL.format("$found") }}" || return ;;
		esac
	done
	case "$order, $(cat /proc/cmdline) " in
	,* | *" rauc.slot=$order "*) ;;
	*) no "the boot loader may take another slot of RAUC than the running one (it begins with $order)" ;;
	esac
}
