"""All that `check` tells of a host: whether a reboot would be a kexec, why not, and what it would wait for."""
