"""The machine below one root: files, processes, mounts, the console, and where we run."""
