"""Standard input, output and error of the command: open whatever the caller has closed, and told once when they take nothing."""

import os
import sys

from kexec_initd.errors import Error, one_line


def open_standard_files() -> None:
    """Have all three descriptors open that a caller may have closed: what is opened next would take their places."""
    fd = open_nothing()
    while fd <= 2:
        os.set_inheritable(fd, True)
        fd = open_nothing()
    os.close(fd)
    sys.stdout = sys.stdout or os.fdopen(os.dup(1), "w")
    sys.stderr = sys.stderr or os.fdopen(os.dup(2), "w")


def open_nothing() -> int:
    """Return a descriptor of /dev/null; where that is missing, as in a chroot, of a directory, which takes no output."""
    try:
        return os.open(os.devnull, os.O_RDWR)
    except OSError:
        return os.open("/", os.O_RDONLY)


def emit(text: str, end: str = "\n") -> None:
    """Print on standard output, now. Raises Error where that takes nothing, BrokenPipeError where nobody reads any more."""
    try:
        print(text, end=end, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Error("cannot write to standard output: {}".format(error.strerror))


def drop_output() -> None:
    """Have the interpreter's end not try again to write what could not be written."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(open_nothing(), sys.stdout.fileno())


def say(text: str, kind: str = "") -> None:
    """Print one line on standard error, as far as it takes one; a terminal has our name, or the `kind` of line, in a colour."""
    name, text = "kexec-initd:", one_line(text)
    try:
        if sys.stderr.isatty():
            from kexec_initd.system import colour

            if kind:
                kind = colour.paint(kind, colour.CAUTION, sys.stderr)
            else:
                name = colour.paint(name, colour.BAD, sys.stderr)
        print(" ".join(part for part in (name, kind, text) if part), file=sys.stderr, flush=True)
    except OSError:
        os.dup2(open_nothing(), sys.stderr.fileno())


def warn(text: str) -> None:
    """Print a warning on standard error."""
    say(text, "warning:")
