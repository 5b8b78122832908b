"""The words that systemd-boot adds to a command line, and where they stand in what it was read from."""

import re

ADDED = "initrd=\\"


def with_efi_paths(text: str) -> str:
    """Return `text`, and once more with all paths as EFI writes them."""
    return text + "\n" + re.sub(r"[/\\]+", r"\\", text)


def source_of(word: str) -> str:
    """Return what of a word must stand in the input: of an added initrd= the path, before which a slash may be added."""
    return word[len(ADDED) :] if word.startswith(ADDED) else word
