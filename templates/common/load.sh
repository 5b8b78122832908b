# Each takes the place of the process that it runs in: a time limit that kills this one has then killed the program.
settle_attempts () {
	exec {{ program | words }} prepare >/dev/null
}

{% if systemd is not defined and openrc is not defined %}
read_limit () {
	exec {{ program | words }} prepare --settings >/dev/null
}

{% endif %}
load_and_decide () {
	exec {{ program | words }} prepare
}

load_at_boot () {
	exec {{ program | words }} preload
}
