"""The one family of exceptions that library code raises; only `cli.main` turns it into text and an exit code.

Where one makes a reboot go cold, its `cold_code` is the code of that decision.
"""

from kexec_initd.codes import Code


class Error(Exception):
    """Something failed. `message` says what and where, `hint` in one sentence what to do about it."""

    exit_code = 1
    cold_code = Code.FAILED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return one_line("; ".join(part for part in (self.message, self.hint) if part))


class UsageError(Error):
    """The command line asks for something that does not exist or does not fit together."""

    exit_code = 2


class Refused(Error):
    """This host or this file is not fit for what was asked; nothing was changed."""

    exit_code = 3
    cold_code = Code.UNFIT


class Unreachable(Refused):
    """The way to a file is closed to us, or open to others; `hint` says what opens or closes it."""


def tell(error: Exception) -> str:
    """Return an error as a sentence, that of a system call with its path."""
    if isinstance(error, OSError) and error.strerror:
        return "{}: {}".format(error.filename, error.strerror) if error.filename else error.strerror
    return str(error)


def one_line(text: str) -> str:
    """Return `text` with what is not printable escaped: file names may hold newlines or terminal controls."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
