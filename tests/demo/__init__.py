"""The demonstration: the package in a guest of its own, a plain `reboot` through kexec, and a cold one beside it."""
