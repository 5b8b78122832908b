"""docs/codes.md has a section for each code of the policy, in its order, and quotes what the program says.

UPDATE_GOLDEN=1 writes its table anew.
"""

import ast
import os
import re
from pathlib import Path
from typing import Dict, Iterator, List, Pattern

import pytest

from kexec_initd.codes import Code
from kexec_initd.decision.policy import Facts, list_preconditions

TOP = Path(__file__).resolve().parents[2]
PAGE = TOP / "docs/codes.md"
TABLE = re.compile(r"(<!-- the table: .*? -->\n)(.*?)(<!-- its end -->\n)", re.DOTALL)
pytestmark = pytest.mark.once


def asked(by_hand: bool) -> List[List[Code]]:
    """Return the codes in the order in which they are asked for; those that share a place are one or the other."""
    orders = []
    for container in ("lxc", None):
        for code in (Code.FIRMWARE, Code.UPDATE, Code.NO_TARGET):
            facts = Facts(
                cold_once=True, switched_off="", settings="", container=container, chroot=True, platform="", unsupported="",
                hooks="", loaded_by_hand=by_hand, no_target=(code, ""), target="", guard="", limit_kexecs="", limit_days="",
                trial="",
            )  # fmt: skip
            orders.append([code for code, _ in list_preconditions(facts)])
    return [list(dict.fromkeys(place)) for place in zip(*orders)]


def table() -> Iterator[str]:
    yield "| | code | asked of |"
    yield "|---|---|---|"
    always = asked(by_hand=True)
    for number, codes in enumerate(asked(by_hand=False), 1):
        links = " or ".join("[{0}](#{0})".format(code) for code in codes)
        yield "| {} | {} | {} |".format(number, links, "every kernel" if codes in always else "what kexec-initd loads")


def sections() -> Dict[str, str]:
    return dict(re.findall(r"^### ([a-z-]+)\n(.*?)(?=^##|\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL))


def test_the_table_is_the_order_of_the_policy() -> None:
    text, rows = PAGE.read_text(), "".join(row + "\n" for row in table())
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(TABLE.sub(lambda match: match.group(1) + rows + match.group(3), text))
    found = TABLE.search(PAGE.read_text())
    assert found is not None and found.group(2) == rows


def test_each_code_has_its_section_in_the_order_in_which_it_is_asked_for() -> None:
    order = [code.value for places in asked(by_hand=False) for code in places]
    assert [name for name in sections() if name in order] == order
    assert set(sections()) == {code.value for code in Code}


@pytest.mark.parametrize("code", Code, ids=str)
def test_a_section_says_what_it_means_what_to_look_at_and_what_to_do(code: Code) -> None:
    words = re.findall(r"^\*\*(\w+[\w ]*)\*\* |^Says ", sections()[code.value], re.MULTILINE)
    assert [word for word in words if word] == ["Means", "Look at", "Do"]


def said() -> Iterator[Pattern[str]]:
    """Yield each sentence of the program, with anything for what it fills in; those of little else are left out."""
    for path in (TOP / "kexec_initd").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for text in {node.value, node.value.split(";")[0]}:
                    parts = re.split(r"\{.*?\}", text)
                    if "\n" not in text and max(map(len, parts)) > 7:
                        yield re.compile("(?:.+ )?" + ".+".join(map(re.escape, parts)))


def test_what_is_quoted_is_what_the_program_says() -> None:
    quoted = "\n".join(re.findall(r"^Says (.*?)\n\n", "".join(sections().values()), re.MULTILINE | re.DOTALL))
    sentences, patterns = re.findall(r"`([^`]+)`", quoted), list(said())
    assert len(sentences) > 35
    assert [text for text in sentences if not any(is_said(text, pattern) for pattern in patterns)] == []


def is_said(text: str, pattern: Pattern[str]) -> bool:
    """Tell whether a sentence is what a pattern says, which is more than a few words of it."""
    return (
        pattern.fullmatch(text) is not None
        and len(re.sub(r"\(.*?\)\?|[.+\\]", "", pattern.pattern)) * 5 > len(text) * 2
    )
