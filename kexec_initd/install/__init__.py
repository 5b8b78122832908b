"""Which files hook kexec-initd into an init system, what is in them, and how they come and go."""
