# What only a boot through firmware does, or counts, by the rules of kexec_initd's modules bootloader.firmware, fwupd and
# updates. What this shell cannot read and may ask for something makes the reboot cold.
efivars=/sys/firmware/efi/efivars
global=8be4df61-93ca-11d2-aa0d-00e098032b8c
shim=605dab50-e046-4300-abb6-3dd810dd8b23
fwupd=0abba7dc-e516-4167-bbf5-4d9d1c739416
history=/var/lib/fwupd/pending.db

# The files that show by being there, or by their identity, when something is asked for: a line of the stamp for each.
pending_files () {
	printf '%s\n' $efivars/BootNext-$global $efivars/OsIndications-$global $history $history-journal $history-wal \
		/boot/efi/EFI/UpdateCapsule /efi/EFI/UpdateCapsule /boot/EFI/UpdateCapsule
	for name in New SB PW Auth Del DB XNew XDel XAuth; do
		printf '%s\n' "$efivars/Mok$name-$shim"
	done
	environments
}

# The boot loaders' environments that are files.
environments () {
	printf '%s\n' /boot/grub/grubenv /boot/grub2/grubenv /boot/efi/EFI/BOOT/grubenv \
		/boot/efi/grub-mender-grubenv/mender_grubenv1/env /boot/efi/grub-mender-grubenv/mender_grubenv2/env \
		/boot/uboot.env /boot/firmware/uboot.env
	{
		if [ -f /etc/rauc/system.conf ]; then
			head -c 65536 /etc/rauc/system.conf | sed -n 's/^grubenv=\(\/[A-Za-z0-9_.\/-]*\)$/\1/p'
		fi
		if [ -f /etc/fw_env.config ]; then
			head -c 65536 /etc/fw_env.config | sed -n 's/^[[:space:]]*\(\/[A-Za-z0-9_.\/-]*\)[[:space:]].*/\1/p'
		fi
	} 2>/dev/null | grep -v '^/dev/' || :
}

# The value of an EFI variable, which may say something by then, changes without a trace.
is_silent () {
	for variable in "$efivars/OsIndications-$global" "$efivars"/fwupd*-"$fwupd"; do
		if [ -e "$variable" ]; then
			return 0
		fi
	done
	return 1
}

is_nothing_pending () {
	code=firmware
	is_firmware_content && is_fwupd_content || return 1
	code=update
	for file in $(environments); do
		if [ -f "$file" ]; then
			check_environment "$file" || return 1
		fi
	done
}

is_firmware_content () {
	if [ -f "$efivars/BootNext-$global" ]; then
		reason="the firmware has a wish for one boot only (BootNext)"
		return 1
	fi
	if [ -f "$efivars/OsIndications-$global" ]; then
		asked=$(number "$efivars/OsIndications-$global" 4 1)
		if [ $((${asked:-0} & 197)) -ne 0 ]; then
			reason="the firmware is asked for something (OsIndications, $asked)"
			return 1
		fi
	fi
	for name in New SB PW Auth Del DB XNew XDel XAuth; do
		if [ -f "$efivars/Mok$name-$shim" ]; then
			reason="a request of mokutil waits to be confirmed at the next boot (Mok$name)"
			return 1
		fi
	done
	for place in /boot/efi /efi /boot; do
		for file in "$place"/EFI/UpdateCapsule/*; do
			if [ -e "$file" ]; then
				reason="a firmware update waits in $place/EFI/UpdateCapsule"
				return 1
			fi
		done
	done
}

# What has not changed since the day before the last firmware boot was done by that.
is_fwupd_content () {
	for variable in "$efivars"/fwupd*-"$fwupd"; do
		if [ -f "$variable" ]; then
			case $(number "$variable" 52 1) in
			*[02468]) ;;
			*)
				reason="a firmware update of fwupd waits for the next boot"
				return 1
				;;
			esac
		fi
	done
	if [ ! -f "$history" ]; then
		return 0
	fi
	for file in "$history" "$history-journal" "$history-wal"; do
		written=$(stat -L -c %Y "$file" 2>/dev/null)
		if [ -s "$file" ] && { [ "$firmware" = 0 ] || [ "${written:-9999999999}" -ge $((firmware - 86400)) ]; }; then
			reason="an update of fwupd may wait: $history has changed, and only Python can read it"
			return 1
		fi
	done
}

# check_environment FILE: is no update on trial, or waiting? Before the first variable of U-Boot come four or five bytes.
check_environment () {
	found=$(head -c 1048576 "$1" 2>/dev/null | tr '\000' '\n' | sed -n \
		-e 's/^.\{0,5\}\(upgrade_available=1\)$/\1/p' -e 's/^.\{0,5\}\(ustate=[12]\)$/\1/p' \
		-e 's/^.\{0,5\}\(recovery_status=[!-~]\{1,20\}\)$/\1/p' \
		-e 's/^\([A-Za-z0-9]*_TRY=[1-9]\)$/\1/p' -e 's/^\(BOOT_[A-Za-z0-9]*_LEFT=[012]\)$/\1/p' | head -n 1)
	if [ -n "$found" ]; then
		reason="an update of the whole system is on trial ($found)"
		return 1
	fi
	order=$(head -c 1048576 "$1" 2>/dev/null | tr '\000' '\n' |
		sed -n -e 's/^ORDER=\([!-~]*\).*/\1/p' -e 's/^.\{0,5\}BOOT_ORDER=\([!-~]*\).*/\1/p' | head -n 1)
	case "$order, $(cat /proc/cmdline) " in
	,* | *" rauc.slot=$order "*) return 0 ;;
	esac
	reason="the boot loader may take another slot of RAUC than the running one (it begins with $order)"
	return 1
}
