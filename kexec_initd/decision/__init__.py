"""Kexec or cold, and into what: the facts, the selection of the entry, the policy."""
