"""The kernel command line: its words, and what the settings change of it."""
