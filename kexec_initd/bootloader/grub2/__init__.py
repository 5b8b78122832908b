"""GRUB 2: its script, environment block and menu, read and followed without running anything."""
