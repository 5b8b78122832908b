# Has a generator of systemd's made a unit that may load a kernel, and that the stamp in $body does not know?
has_new_unit () {
	for unit in /run/systemd/generator*/*.wants/*kexec*.service /run/systemd/generator*/*.requires/*kexec*.service \
		/run/systemd/generator*/*.upholds/*kexec*.service; do
		case ${unit##*/},$newline$body in
		kexec-initd.* | kexec-initd-load@* | systemd-kexec.* | *,*"$newline= $unit$newline"*) ;;
		*)
			if [ -e "$unit" ] || [ -L "$unit" ]; then
				return 0
			fi
			;;
		esac
	done
	return 1
}
