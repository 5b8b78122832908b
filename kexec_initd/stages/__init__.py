"""The moments of a machine's life: the end of its boot, the early step of a shutdown, the last step."""
