"""The documents: links lead somewhere, files that are named are there, each why has its page in the index, the map is right."""

import re
from pathlib import Path
from typing import Iterator, List, Set, Tuple

import pytest

from tests.unit.test_rooms import BASE, MODULES, ROOMS

TOP = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md"), *(TOP / "tests").rglob("*.md")], key=lambda path: str(path)
)
WHYS = [path for path in sorted((TOP / "docs/why").glob("*.md")) if path.name != "README.md"]
LINK = re.compile(r"\[[^]\n]*\]\(([^)\s]+)\)")
# A file of the project, as seen from the top, from the package, from the templates or from the tests.
NAMED = re.compile(r"`((?:[a-z_0-9-]+/)+[a-z_0-9.-]*[a-z0-9])(?:::\w+)?`")
PLACES = ("", "kexec_initd", "templates", "tests")
FIRST = {path.name for place in PLACES for path in (TOP / place).iterdir() if path.is_dir()} - {"build", "dist"}

pytestmark = pytest.mark.once


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def anchors(path: Path) -> Set[str]:
    """Return what a link may name within a document: its headings, as they are shortened for that."""
    titles = re.findall(r"^#+ (.*)$", read(path), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def leads_nowhere(document: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = document.parent / name if name else document
    return not target.exists() or (bool(anchor) and anchor not in anchors(target))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(TOP)))
def test_links_lead_somewhere(document: Path) -> None:
    links = [link for link in LINK.findall(read(document)) if "://" not in link]
    assert [link for link in links if leads_nowhere(document, link)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(TOP)))
def test_files_that_are_named_are_there(document: Path) -> None:
    names = [name for name in NAMED.findall(read(document)) if name.partition("/")[0] in FIRST]
    assert [name for name in names if not any((TOP / place / name).exists() for place in PLACES)] == []


def test_there_are_links_and_names_to_look_at() -> None:
    text = "".join(map(read, DOCUMENTS))
    assert len(LINK.findall(text)) > 60 < len(NAMED.findall(text))


@pytest.mark.parametrize("page", WHYS, ids=lambda path: str(path.stem))
def test_a_page_answers_one_question_on_one_page(page: Path) -> None:
    lines = read(page).splitlines()
    assert lines[0].startswith("# Why ") and len(lines) <= 60
    assert "({})".format(page.name) in read(page.parent / "README.md")


def drawn() -> Iterator[Tuple[str, List[str]]]:
    """Yield each room of the map, with the modules and directories that it names there."""
    (picture,) = re.findall(r"^ cli .*?^```", read(TOP / "docs/architecture.md"), re.MULTILINE | re.DOTALL)
    upper, rooms, base = re.split(r"^ ─+\n", picture, flags=re.MULTILINE)
    room = ""
    for line in rooms.splitlines():
        name, modules = re.split(r"\s{2,}", line)[:2]
        room = name.strip().rstrip("/") or room
        yield room, re.findall(r"\w+", modules)
    yield "", re.split(r"\s{2,}", upper.strip())[:2]
    yield "base", re.split(r"\s{2,}", base.strip())[:4]


def test_the_map_has_every_room_in_its_order_and_no_module_that_is_not_there() -> None:
    rooms = [room for room, _ in drawn()]
    assert list(dict.fromkeys(rooms)) == [*ROOMS[1:-1], ROOMS[0], ROOMS[-1]]
    names = [
        "{}.{}".format(room, module) if room not in ("", "base") else module
        for room, found in drawn()
        for module in found
    ]
    assert len(names) > 50 and set(names) > BASE
    assert [name for name in names if name not in MODULES and name + ".__init__" not in MODULES] == []


def test_each_of_twenty_questions_is_answered_by_a_section() -> None:
    rows = re.findall(r"^\| (\d+) \|.*\|([^|]*)\|$", read(TOP / "docs/questions.md"), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 21))
    assert [number for number, where in rows if not re.search(r"\]\(\w+\.md#", where)] == []


def test_the_man_page_has_the_symptoms_of_the_page() -> None:
    titles = re.findall(r"^## (.*)$", read(TOP / "docs/troubleshooting.md"), re.MULTILINE)
    (section,) = re.findall(
        r"^\.Sh TROUBLESHOOTING\n(.*?)^\.Sh ", read(TOP / "docs/kexec-initd.8"), re.MULTILINE | re.DOTALL
    )
    items = re.findall(r"^\.It (.*)$", section, re.MULTILINE)
    assert len(titles) > 20 and [item.replace(r"\(dq", '"') for item in items] == titles


@pytest.mark.parametrize("page", ["troubleshooting", "codes", "questions", "migration"])
def test_the_pages_of_help_are_in_both_packages_and_are_linked(page: str) -> None:
    for name in ("debian/kexec-initd.docs", "rpm/kexec-initd.spec", "README.md", "docs/README.md"):
        assert page + ".md" in read(TOP / name), name
