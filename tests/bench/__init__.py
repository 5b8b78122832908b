"""How long a reboot takes: ours against Debian's, against a plain shell script and against a cold one, in one guest."""
