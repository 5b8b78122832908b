"""Many kexec reboots of one guest in a row, started by scripts/soak: nothing may grow."""
