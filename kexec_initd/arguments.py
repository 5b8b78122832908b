"""The arguments of the command; kexec-initd(8) documents them."""

import argparse
import functools
from typing import Any, Callable, Dict, Iterable, Mapping, NoReturn, Optional

from kexec_initd import __version__
from kexec_initd.errors import UsageError, shortened
from kexec_initd.system.host import Host, InitSystem
from kexec_initd.system.stdio import emit

WIDTH = 78  # for what argparse lays out but never shows
EPILOG = "Exit status: 0 done, 1 failed, 2 usage, 3 refused: the host or a file is not fit, and nothing was changed."
CHECK_EPILOG = (
    "Exit status: 0 a reboot goes through kexec and nothing needs attention, 1 it is cold or something does, 2 usage, "
    "3 not root, or not a host that can be hooked; with --prometheus 0 for 1, too."
)

Run = Callable[[argparse.Namespace, Host], Optional[int]]
Add = Callable[[str, str], argparse.ArgumentParser]


class Parser(argparse.ArgumentParser):
    """Reports bad usage as every other error: one line; help that cannot be written is an error as any other.

    It asks how wide the terminal is for help alone: that imports modules for archives. `verbs` has the parser of each verb.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=functools.partial(argparse.HelpFormatter, width=WIDTH), **options)
        self.verbs: Dict[str, argparse.ArgumentParser] = {}

    def format_help(self) -> str:
        """Return the help, as wide as the terminal."""
        self.formatter_class = argparse.HelpFormatter
        return super().format_help()

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print what help and version are; argparse itself does not say whether that succeeded."""
        emit(message, end="")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Raise UsageError for a verb that is none, and name the one that may be meant."""
        if action.dest != "verb" or action.choices is None or value in action.choices:
            super()._check_value(action, value)
            return
        near = find_near(value, action.choices)
        hint = "did you mean {}?".format(near) if near else "see {} --help".format(self.prog)
        raise UsageError('there is no verb "{}"'.format(shortened(value)), hint)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return the arguments. Raises UsageError; for an option that is none it names the one that may be meant."""
        first = args[0] if args else ""
        if first.startswith("-") and not any(option.startswith(first) for option in self._option_string_actions):
            self.refuse(first, "")
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.refuse(unknown[0], found.verb)
        return found

    def refuse(self, word: str, verb: str) -> NoReturn:
        """Raise UsageError for a word that `verb`, or without one the command itself, does not know."""
        parser = self.verbs[verb] if verb else self
        near = find_near(word.partition("=")[0], parser._option_string_actions) if word.startswith("-") else None
        what = "{}no {} {}".format(
            verb + " has " if verb else "there is ", "option" if word.startswith("-") else "argument", shortened(word)
        )
        raise UsageError(what, "did you mean {}?".format(near) if near else "see {} --help".format(parser.prog))

    def error(self, message: str) -> NoReturn:
        """Raise UsageError, which `main` reports."""
        raise UsageError(message, "see {} --help".format(self.prog))


def find_near(word: str, words: Iterable[str]) -> Optional[str]:
    """Return the one of `words` that `word` may have been meant for."""
    import difflib  # only where something is wrong already

    return next(iter(difflib.get_close_matches(word.lower().replace("_", "-"), list(words), 1, 0.7)), None)


def make_parser(groups: Mapping[str, Mapping[str, Run]]) -> Parser:
    """Return the parser of the command line for some groups of verbs, which gives `run` the function of the verb."""
    runs = {verb: run for group in groups.values() for verb, run in group.items()}
    parser = Parser(prog="kexec-initd", description="Make the plain `reboot` go through kexec.", epilog=EPILOG)
    parser.add_argument("--version", action="version", version="kexec-initd " + __version__)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)
    verbs.required = True

    def add(name: str, text: str) -> argparse.ArgumentParser:
        verb = verbs.add_parser(name, help=text, description=text + ".", epilog=EPILOG)
        verb.set_defaults(run=runs[name])
        parser.verbs[name] = verb
        return verb

    for group in groups:
        GROUPS[group](add)
    return parser


def _add_installing(add: Add) -> None:
    inits = [init.value for init in InitSystem if init is not InitSystem.UNKNOWN]
    verb = add_root(add("render", "write what install would write for this host"))
    verb.add_argument("--out", metavar="DIR", help="write the files below DIR, not to standard output")
    verb.add_argument("--for", dest="target", metavar="FAMILY[:RELEASE]", help="for another machine, as ubuntu:12.04")
    verb.add_argument(
        "--init",
        choices=inits,
        help="the init system there (default: what that release came with)",
    )
    verb.add_argument("--standalone", action="store_true", help="plain shell with its own installer: no Python there")
    verb.add_argument("--deb", metavar="FILE", help="with --standalone, a package for all hosts of that family")
    verb.add_argument("--rpm", metavar="FILE", help="the same for RHEL and its kin")
    verb = add_talk(add_dry_run(add_root(add("install", "hook the init system, so that reboot goes through kexec"))))
    verb.add_argument("--force", action="store_true", help="also where the platform is known not to survive a kexec")
    verb.add_argument(
        "--take-over", action="store_true", help="in place of what install.sh has installed, if all is fit"
    )
    add_talk(add_dry_run(add_root(add("uninstall", "restore every file as it was"))))


def _add_loading(add: Add) -> None:
    verb = add_talk(add_dry_run(add("load", "validate a kernel and its initrd, and load them now")))
    text = "an entry of the boot loader, or a kernel file (default: what the boot loader would boot)"
    verb.add_argument("name", nargs="?", metavar="ENTRY|KERNEL", help=text)
    verb = add_talk(add_dry_run(add("reboot-into", "reboot now, through kexec and once, into another entry")))
    text = "its position, id or title as entries prints them, or the version of its kernel"
    verb.add_argument("name", metavar="ENTRY", help=text)
    add_talk(add("unload", "unload the kernel that is loaded"))
    add_talk(add("trust", "go through kexec again although an attempt never arrived"))
    add_talk(add("trial", "on trial, make the next reboot go through kexec: you are watching"))


def _add_check(add: Add) -> None:
    verb = add_root(add("check", "show whether a reboot goes through kexec, each precondition and what to do"))
    verb.epilog = CHECK_EPILOG
    form = verb.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--prometheus", action="store_true", help="print metrics for node_exporter's textfile collector")
    verb.add_argument(
        "--advise", action="store_true", help="also name what the reboot waits for, with an estimate of each"
    )


def _add_steering(add: Add) -> None:
    verb = add_talk(add("cold", "have the next reboot go through firmware, once"))
    verb.add_argument("--cancel", action="store_true", help="take that back")
    add_talk(add("on", "let reboots go through kexec until further notice"))
    add_talk(add("off", "let reboots go through firmware until further notice, and unload what is loaded"))


def _add_showing(add: Add) -> None:
    verb = add_root(add("status", "show what is installed and loaded, what a reboot would do and why"))
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    verb = add_root(add("settings", "list the settings that hold, and where each comes from"))
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    verb = add_root(add("entries", "list what the boot loader offers, and what it would boot next"))
    form = verb.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON list")
    form.add_argument("--names", action="store_true", help="print the words that name an entry, a line each")
    verb = add_root(add("target", "show what the boot loader would boot next, and where that comes from"))
    verb.add_argument("--json", action="store_true", help="print one JSON object")


def _add_reporting(add: Add) -> None:
    verb = add_root(add("report", "collect what a report of a bug needs into one archive, with secrets masked"))
    verb.add_argument("file", nargs="?", metavar="FILE", help="write it there (default: a name with the date, here)")
    verb.add_argument("--list", action="store_true", help="only list what would be in it")


def _add_history(add: Add) -> None:
    verb = add_root(
        add("history", "list the reboots that have been, how long each took and how much time kexec has saved")
    )
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    verb.add_argument("--svg", metavar="FILE", help="draw them as a timeline into FILE")


def _add_called(add: Add) -> None:
    """Add what the init scripts call."""
    add("preload", "load what a reboot will start (called at the end of the boot)")
    verb = add("prepare", "decide the reboot that is under way (called early in a shutdown)")
    verb.add_argument("--settings", action="store_true", help="only write down the settings that scripts need")


def add_root(verb: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Give `verb` the option --root."""
    verb.add_argument("--root", default="/", metavar="DIR", help="the host is below DIR (default: /)")
    return verb


def add_dry_run(verb: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Give `verb` the option --dry-run."""
    verb.add_argument("--dry-run", action="store_true", help="only say what would be done")
    return verb


def add_talk(verb: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Give `verb` the options --quiet and --verbose."""
    talk = verb.add_mutually_exclusive_group()
    talk.add_argument("-q", "--quiet", action="store_true", help="say only what is wrong")
    talk.add_argument("-v", "--verbose", action="store_true", help="say more of what is done")
    return verb


# By the module of `verbs` that carries them out.
GROUPS = {
    "install": _add_installing,
    "load": _add_loading,
    "check": _add_check,
    "steer": _add_steering,
    "show": _add_showing,
    "report": _add_reporting,
    "history": _add_history,
    "init": _add_called,
}
