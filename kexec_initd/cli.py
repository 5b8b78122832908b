"""The front door: arguments, exit codes, errors as one line. `main` tells the story; `verbs` has what each verb does."""

import argparse
import functools
import gc
import importlib
import os
from pathlib import Path
from typing import Optional, Sequence, Tuple

from kexec_initd import arguments
from kexec_initd.errors import Error, UsageError, describe_error
from kexec_initd.system.encoding import decode, escape_output, name_of, read_arguments
from kexec_initd.system.host import Host, gather
from kexec_initd.system.stdio import drop_output, open_standard_files, say

DONE, FAILED, USAGE, REFUSED = 0, 1, 2, 3
# Next to nothing of a large menu becomes garbage, and looking for that takes a tenth of the time.
COLLECT_AFTER = 200000


@functools.lru_cache(maxsize=None)
def make_parser(verb: str = "") -> arguments.Parser:
    """Return the parser of the command line; for a verb, that of its group, since a parser for each takes its time."""
    modules = [module for module, verbs in VERBS.items() if verb in verbs] or list(VERBS)
    return arguments.make_parser(
        {module: {verb: find_run(module, verb) for verb in VERBS[module]} for module in modules}
    )


def root_directory(text: str) -> Path:
    """Return the directory that `--root` names, absolute."""
    path = Path(decode(os.path.abspath(name_of(text))))
    if str(path) != os.fsdecode(name_of(path)):
        raise UsageError("--root {}: this locale has other names for it".format(text), "set LC_ALL=C.UTF-8")
    if not path.is_dir():
        raise UsageError("--root {}: there is no such directory".format(text))
    return path


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command line and return its exit code; an error is one line on standard error."""
    gc.set_threshold(COLLECT_AFTER)
    open_standard_files()
    escape_output()
    code, text = run(argv)
    drop_output()
    return fail(text, code)


def run(argv: Optional[Sequence[str]]) -> Tuple[int, str]:
    """Run the command line; return its exit code, and the error."""
    try:
        words = read_arguments() if argv is None else argv
        args = make_parser(words[0] if words else "").parse_args(words)
        host = gather(root_directory(getattr(args, "root", "/")))
        args.call = run  # what a report asks other verbs by
        return args.run(args, host) or DONE, ""
    except SystemExit:  # --help and --version
        return DONE, ""
    except Error as error:
        return error.exit_code, str(error)
    except BrokenPipeError:  # who has read enough is told nothing
        return FAILED, ""
    except OSError as error:
        return FAILED, describe_error(error)
    except KeyboardInterrupt:
        return FAILED, "interrupted"


def fail(text: str, code: int) -> int:
    """Report an error on standard error and return `code`."""
    if text:
        say(text)
    return code


def find_run(module: str, verb: str) -> arguments.Run:
    """Return what imports the verb's module when it is called: a look at the host shall not wait for what only a load needs."""

    def call(args: argparse.Namespace, host: Host) -> Optional[int]:
        code: Optional[int] = getattr(importlib.import_module("kexec_initd.verbs." + module), function_of(verb))(
            args, host
        )
        return code

    return call


def function_of(verb: str) -> str:
    """Return the name of the function that carries a verb out."""
    return "run_" + verb.replace("-", "_")


# Of each module of `verbs`, what it carries out.
VERBS = {
    "install": ("render", "install", "uninstall"),
    "load": ("load", "reboot-into", "unload", "trust", "trial"),
    "check": ("check",),
    "steer": ("cold", "on", "off"),
    "show": ("status", "settings", "entries", "target"),
    "report": ("report",),
    "history": ("history",),
    "init": ("preload", "prepare"),
}
