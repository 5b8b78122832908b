"""The record of each kexec, and which reboots go cold for that."""
