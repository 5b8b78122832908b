"""The one family of exceptions that library code raises; only `cli.main` turns it into text and an exit code.

Where one makes a reboot go cold, its `cold_code` is the code of that decision, as `codes` has it. The last step imports this.
"""

TYPE_CHECKING = False  # as in typing, whose import takes longer than all that the last step imports
if TYPE_CHECKING:
    from kexec_initd.codes import Code


class Error(Exception):
    """Something failed. `message` says what and where, `hint` in one sentence what to do about it."""

    exit_code = 1
    means = "failed"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    @property
    def cold_code(self) -> "Code":
        """The code of a decision for this reason."""
        from kexec_initd.codes import Code

        return Code(self.means)

    def __str__(self) -> str:
        return one_line("; ".join(part for part in (self.message, self.hint) if part))


class UsageError(Error):
    """The command line asks for something that does not exist or does not fit together."""

    exit_code = 2


class Refused(Error):
    """This host or this file is not fit for what was asked; nothing was changed."""

    exit_code = 3
    means = "unfit"


class Unreachable(Refused):
    """The way to a file is closed to us, or open to others; `hint` says what opens or closes it."""


def describe_error(error: Exception) -> str:
    """Return an error as a sentence, that of a system call with its path."""
    if isinstance(error, OSError) and error.strerror:
        return "{}: {}".format(error.filename, error.strerror) if error.filename else error.strerror
    return str(error)


def one_line(text: str) -> str:
    """Return `text` with what is not printable escaped: file names may hold newlines or terminal controls."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def shortened(text: str, limit: int = 200) -> str:
    """Return `text` for a line that people read: what is longer than `limit` ends in dots."""
    return text if len(text) <= limit else text[: limit - 3] + "..."
