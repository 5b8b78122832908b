"""Damaged and made-up configurations by the thousand, read as the commands read them; `scripts/fuzz` runs it."""
