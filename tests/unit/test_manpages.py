"""The man pages say what the program does: every verb, option, exit code and setting, and none that is not there."""

import argparse
import re
from pathlib import Path
from typing import Dict, Set

import pytest

from kexec_initd import cli
from kexec_initd.codes import Code
from kexec_initd.errors import Error, Refused, UsageError
from kexec_initd.settings import values
from kexec_initd.settings.reader import Settings, parse
from kexec_initd.state.store import LASTING, Lasting, Volatile

TOP = Path(__file__).resolve().parents[2]
COMMAND = (TOP / "docs/kexec-initd.8").read_text(encoding="utf-8")
SETTINGS = (TOP / "docs/kexec-initd.5").read_text(encoding="utf-8")
SHIPPED = (TOP / "debian/kexec-initd.default").read_text(encoding="utf-8")
README = (TOP / "README.md").read_text(encoding="utf-8")


def verbs() -> Dict[str, argparse.ArgumentParser]:
    """Return the parser of each verb."""
    for action in cli.make_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise AssertionError("the parser has no verbs")


def options(parser: argparse.ArgumentParser) -> Set[str]:
    """Return the long options that `parser` accepts."""
    return {option for action in parser._actions for option in action.option_strings if option.startswith("--")}


def section(page: str, title: str) -> str:
    """Return the source of one section of an mdoc page."""
    found = re.search(
        r'^\.S[hs] "?{}"?\n(.*?)(?=^\.S[hs] |\Z)'.format(re.escape(title)), page, re.MULTILINE | re.DOTALL
    )
    assert found, title
    return found.group(1)


def flags(text: str) -> Set[str]:
    """Return the long options that mdoc source names: `.Fl -root` is --root."""
    return {"--" + name for name in re.findall(r"Fl -([a-z-]+)", text)}


def synopsis() -> Dict[str, str]:
    """Return the synopsis of each verb; of one that has several, all of them."""
    found: Dict[str, str] = {}
    for part in section(COMMAND, "SYNOPSIS").split(".Nm\n"):
        if part.startswith(".Cm "):
            found[part.split()[1]] = found.get(part.split()[1], "") + part
    return found


def defaults() -> Dict[str, str]:
    """Return each setting with its default, as the file would spell it."""
    words = {True: "yes", False: "no", (): "no"}
    found = {name.upper(): value for name, value in Settings()._asdict().items() if name not in ("ignored", "seen")}
    return {
        name: words[value] if isinstance(value, (bool, tuple)) or value == 0 else str(value)
        for name, value in found.items()
    }


def test_verbs_are_those_of_the_program() -> None:
    assert set(re.findall(r"^\.It Cm ([\w-]+)$", section(COMMAND, "Verbs"), re.MULTILINE)) == set(verbs())


def test_options_are_those_of_the_program() -> None:
    real = options(cli.make_parser()).union(*(options(verb) for verb in verbs().values()))
    items = "\n".join(re.findall(r"^\.It (.*Fl .*)$", section(COMMAND, "Options"), re.MULTILINE))
    assert flags(items) == real


@pytest.mark.parametrize("verb", sorted(verbs()))
def test_synopsis_has_the_options_of_each_verb(verb: str) -> None:
    documented = synopsis().get(verb)
    if documented is None:
        assert "Called" in section(COMMAND, "Verbs").split(".It Cm {}\n".format(verb))[1].split(".It ")[0]
        documented = ""
    assert flags(documented) == options(verbs()[verb]) - {"--help"}


def test_synopsis_names_only_real_verbs() -> None:
    assert set(synopsis()) <= set(verbs())


def test_exit_codes_are_those_of_the_program() -> None:
    codes = {0: "done", Error.exit_code: "failed", UsageError.exit_code: "usage", Refused.exit_code: "refused"}
    found = re.findall(r"^\.It (\d+)\n(\w+)", section(COMMAND, "EXIT STATUS"), re.MULTILINE)
    assert {int(code): word for code, word in found} == codes
    assert codes == {cli.DONE: "done", cli.FAILED: "failed", cli.USAGE: "usage", cli.REFUSED: "refused"}


def test_settings_are_those_of_the_program_with_their_defaults() -> None:
    text = section(SETTINGS, "DESCRIPTION")
    found = re.findall(r"^\.It Ev (\w+) .*?^The default is(?:\n\.Cm (\w+) \.| none\.)$", text, re.MULTILINE | re.DOTALL)
    assert dict(found) == defaults()


def test_the_table_of_what_plain_shell_supports_has_every_setting() -> None:
    rows = re.findall(r"^\.It Ev (\w+) Ta (yes|no)$", section(SETTINGS, "WITHOUT PYTHON"), re.MULTILINE)
    assert rows == [(name, "no" if setting.python else "yes") for name, setting in values.SETTINGS.items()]


def test_the_shipped_file_shows_every_setting_with_its_default() -> None:
    shown = dict(re.findall(r"^#([A-Z_]+)=(.*)$", SHIPPED, re.MULTILINE))
    assert shown == defaults()
    assert parse(SHIPPED) == (Settings(), [])
    assert parse(re.sub(r"^#(?=[A-Z_]+=)", "", SHIPPED, flags=re.MULTILINE)) == (Settings(), [])


def test_the_shipped_file_shows_how_what_may_have_blanks_is_quoted() -> None:
    examples = dict(re.findall(r"^# ([A-Z_]+)=(.*)$", SHIPPED, re.MULTILINE))
    blanks = {name for name, setting in values.SETTINGS.items() if setting.parse("a b") is not None}
    assert {name for name in examples if name in values.SETTINGS} == blanks
    for name, example in examples.items():
        found, warnings = parse("{}={}".format(name, example))
        assert (found.ignored, warnings) == (None, []) and " " in example and example[0] == example[-1] in "'\""
    assert all("kexec-initd settings" in text for text in (SHIPPED, SETTINGS, README))


def test_the_readme_shows_every_setting_with_its_default() -> None:
    assert dict(re.findall(r"^\| `([A-Z_]+)` \| (?:`(\w+)`|none) \|", README, re.MULTILINE)) == defaults()


def test_the_codes_of_decisions_are_those_of_the_program() -> None:
    found = re.findall(r"^\.It Li ([a-z-]+)$", section(COMMAND, "REASONS"), re.MULTILINE)
    assert sorted(found) == sorted(code.value for code in Code)


def test_the_files_of_the_state_are_those_of_the_program() -> None:
    listed = re.findall(r"^\.It Pa (\S+)$", section(COMMAND, "FILES"), re.MULTILINE)
    assert {name for name in listed if name.startswith(LASTING)} == {
        "{}/{}".format(LASTING, file.value) for file in Lasting
    }
    assert {name for name in listed if "/" not in name} == {file.value for file in Volatile}


@pytest.mark.parametrize("name", ["kexec-initd.5", "kexec-initd.8"])
def test_the_name_of_the_page_is_its_title(name: str) -> None:
    title, number = name.rsplit(".", 1)
    assert ".Dt {} {}\n".format(title.upper(), number) in (TOP / "docs" / name).read_text(encoding="utf-8")
