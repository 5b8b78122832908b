"""The kernel that is loaded: by which call, from which files, with what record and which watchdog."""
