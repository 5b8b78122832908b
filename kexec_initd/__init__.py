"""kexec-initd: the plain `reboot` starts the next kernel through kexec."""

__version__ = "0.4.0"
