"""Completion in bash and zsh: every verb and option of the command, the entries of the boot loader, and nothing said on failure.

`UPDATE_GOLDEN=1` writes the tables in both files anew.
"""

import argparse
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

import pytest

from kexec_initd import cli
from kexec_initd.arguments import Parser
from kexec_initd.install.offline import DISTRIBUTIONS

TOP = Path(__file__).resolve().parents[2]
BASH, ZSH = TOP / "completion/kexec-initd", TOP / "completion/_kexec-initd"
PARSER: Parser = cli.make_parser()
PARSERS: Dict[str, argparse.ArgumentParser] = {"": PARSER, **PARSER.verbs}
NAMES = "0\tLinux\n1/2\tolder: one\n6.1.0-test\tLinux\n"

pytestmark = pytest.mark.once


def options(parser: argparse.ArgumentParser) -> Iterator[Tuple[str, argparse.Action]]:
    for action in parser._actions:
        for option in action.option_strings:
            if option.startswith("--"):
                yield option, action


def words(verb: str) -> List[Tuple[str, str]]:
    """Return what may stand behind a verb, or in the place of one, each with its help."""
    found = [(option, action.help or "") for option, action in options(PARSERS[verb])]
    return found if verb else [(name, sub.description or "") for name, sub in PARSER.verbs.items()] + found


def values() -> Dict[str, str]:
    """Return, of each option that takes a value, what that is."""
    found = {}
    for parser in PARSERS.values():
        for option, action in options(parser):
            if action.nargs != 0:
                kind = " ".join(action.choices) if action.choices else action.metavar or ""
                found[option] = " ".join(sorted(DISTRIBUTIONS)) if option == "--for" else str(kind).split("[")[0]
    return found


def table(helped: bool) -> str:
    """Return both tables as shell; with the help of each word where the shell shows it."""
    lines = ["_kexec_initd_words() {", "\tcase $1 in"]
    for verb in PARSERS:
        shown = [
            "{}:{}".format(name, re.sub(r"['`]", "", text).partition(" (")[0]) if helped else name
            for name, text in words(verb)
        ]
        quoted = (
            "print -rl -- " + " ".join("'{}'".format(word) for word in shown) if helped else "echo " + " ".join(shown)
        )
        lines.append("\t{}) {} ;;".format(verb or "''", quoted))
    lines += ["\tesac", "}", "", "_kexec_initd_values() {", "\tcase $1 in"]
    lines += ["\t{}) echo {} ;;".format(option, kind) for option, kind in values().items()]
    return "\n".join([*lines, "\tesac", "}", ""])


@pytest.mark.parametrize("path, helped", [(BASH, False), (ZSH, True)])
def test_the_tables_are_those_of_the_command(path: Path, helped: bool) -> None:
    text = path.read_text(encoding="utf-8")
    begin, end = text.index("# BEGIN table\n") + len("# BEGIN table\n"), text.index("# END table\n")
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text[:begin] + table(helped) + text[end:], encoding="utf-8")
    else:
        assert text[begin:end] == table(helped), "UPDATE_GOLDEN=1 writes it anew"


def faked(tmp_path: Path, script: str) -> Dict[str, str]:
    """Return the environment of a shell that finds a fake of the command."""
    program = tmp_path / "kexec-initd"
    program.write_text("#!/bin/sh\n[ \"$*\" = 'entries --names' ] || exit 9\n" + script)
    program.chmod(0o755)
    return dict(os.environ, PATH="{}:{}".format(tmp_path, os.environ["PATH"]), LC_ALL="C")


ENTRIES = "printf '{}'\n".format(NAMES)
DENIED = "echo 'kexec-initd: cannot read' >&2; exit 1\n"


def complete(tmp_path: Path, line: List[str], script: str = ENTRIES) -> List[str]:
    """Return what bash offers for the last of the words."""
    code = (
        'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kexec_initd; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", code, "bash", str(BASH), "kexec-initd", *line], env=faked(tmp_path, script),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, check=True, timeout=60, cwd=str(tmp_path),
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("verb", list(PARSERS))
def test_bash_completes_every_verb_and_option(tmp_path: Path, verb: str) -> None:
    names = [name for name, _ in words(verb)]
    assert complete(tmp_path, [verb, ""] if verb else [""], DENIED) == names
    for name in names:
        assert name in complete(tmp_path, [verb, name[:-1]] if verb else [name[:-1]], DENIED)


CASES: Dict[str, Tuple[List[str], List[str]]] = {
    "entries": (["load", ""], [*(name for name, _ in words("load")), "0", "1/2", "6.1.0-test"]),
    "behind an option": (["reboot-into", "-v", "1"], ["1/2"]),
    "option": (["load", "--dr"], ["--dry-run"]),
    "file": (["load", "./kex"], ["./kexec-initd"]),
    "choice": (["render", "--init", "sys"], ["sysvinit", "systemd"]),
    "choice behind =": (["render", "--init", "=", "up"], ["upstart"]),
    "distribution": (["render", "--for", "ub"], ["ubuntu"]),
    "directory": (["status", "--root", "d"], ["dir"]),
    "no verb": (["frobnicate", ""], []),
}


@pytest.mark.parametrize("case", CASES)
def test_bash_completes_what_belongs_there(tmp_path: Path, case: str) -> None:
    (tmp_path / "dir").mkdir()
    line, wanted = CASES[case]
    assert complete(tmp_path, line) == wanted


# What is typed is read back up to a word that is only whole once its command has run.
DRIVE = r"""
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z 'PS1=; LISTMAX=10000; COLUMNS=200 LINES=500; fpath=(HERE $fpath); autoload -U compinit; compinit -u -D'
zpty -w z "bindkey '^I' list-choices; echo re''ady"
zpty -r z out '*ready*'
for line last; do
	zpty -w -n z "$line"$'\t'
	# What is typed while a list is made would end that.
	zpty -r z out "*$last*"
	print -r -- "$out"
	zpty -w -n z $'\025'
	zpty -w z "echo do''ne"
	zpty -r z out '*done*'
	print -r -- "$out"
done
zpty -d z
"""


def drive_zsh(tmp_path: Path, typed: Dict[str, str]) -> str:
    """Return what zsh shows when a tab is typed behind each of these lines, up to what comes last, in a terminal of zpty's."""
    shutil.copy(str(ZSH), str(tmp_path / "_kexec-initd"))
    script = tmp_path / "drive"
    script.write_text(DRIVE.replace("HERE", str(tmp_path)))
    done = subprocess.run(
        ["zsh", "-f", str(script), *(word for pair in typed.items() for word in pair)], stdout=subprocess.PIPE,
        env=dict(faked(tmp_path, ENTRIES), TERM="vt100"), stderr=subprocess.STDOUT,
        universal_newlines=True, timeout=120, check=True, cwd=str(tmp_path),
    )  # fmt: skip
    return re.sub("\x00|\x1b\\[[0-9;?]*[a-zA-Z]", "", done.stdout)


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh; scripts/packages-dev has it")
def test_zsh_completes_verbs_options_and_entries(tmp_path: Path) -> None:
    assert subprocess.call(["zsh", "-n", str(ZSH)]) == 0
    said = drive_zsh(tmp_path, {
        "kexec-initd ": "validate a kernel", "kexec-initd status --": "the host is below", "kexec-initd load ": "6.1.0-test",
        "kexec-initd render --init ": "upstart",
    })  # fmt: skip
    for part in [
        *PARSER.verbs,
        "--json",
        "1/2",
        "older: one",
        "6.1.0-test",
        "sysvinit",
        "list what the boot loader offers",
    ]:
        assert part in said, part
    assert "command not found" not in said
