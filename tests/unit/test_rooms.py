"""The rooms of the package: imports run down the list only, in no circle; names are unique, modules and functions short."""

import ast
from pathlib import Path
from typing import Dict, Iterator, List, Set

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "kexec_initd"
# From the top down; docs/architecture.md draws them. What is in no room is the front door, but for what all may use.
ROOMS = (
    "", "verbs", "stages", "check", "decision", "install", "kexec", "bootloader", "images", "history", "settings", "cmdline",
    "state", "system", "base",
)  # fmt: skip
BASE = {"boot_entry", "codes", "errors", "sentences"}
MODULES = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}

pytestmark = pytest.mark.once


def room_of(module: str) -> str:
    return "base" if module in BASE else module.partition(".")[0] if "." in module else ""


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield each module of the package that is imported anywhere in `tree`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == PACKAGE.name:
            base = (node.module or "").partition(".")[2]
            for name in node.names:
                path = ".".join(part for part in (base, name.name) if part)
                yield next(module for module in (path, base, base + ".__init__", "__init__") if module in MODULES)


ARROWS: Dict[str, Set[str]] = {module: set(imported(tree)) for module, tree in TREES.items()}


def test_imports_run_down_the_list_of_rooms() -> None:
    order = {room: number for number, room in enumerate(ROOMS)}
    assert {room_of(module) for module in MODULES} == set(ROOMS)
    arrows = [(module, other) for module in ARROWS for other in ARROWS[module] if other != "__init__"]
    assert len(arrows) > 400
    assert [arrow for arrow in arrows if order[room_of(arrow[0])] > order[room_of(arrow[1])]] == []


def test_no_module_leads_back_to_itself() -> None:
    done: Set[str] = set()

    def visit(module: str, way: List[str]) -> None:
        assert module not in way, way
        if module not in done:
            for other in sorted(ARROWS[module]):
                visit(other, [*way, module])
            done.add(module)

    for module in sorted(ARROWS):
        visit(module, [])
    assert len(done) == len(MODULES)


def test_few_modules_lie_outside_of_the_rooms() -> None:
    assert len([module for module in MODULES if "." not in module]) <= 8


def test_no_two_classes_share_a_name() -> None:
    names = [node.name for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert len(names) > 100
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_modules_and_functions_are_short() -> None:
    assert [name for name, path in MODULES.items() if len(path.read_text(encoding="utf-8").splitlines()) > 300] == []
    functions = [
        (node.end_lineno - node.lineno + 1, module, node.name)
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.end_lineno is not None
    ]
    assert [function for function in functions if function[0] > 40] == []


def test_every_module_says_what_it_is_in_its_first_line() -> None:
    assert [name for name, tree in TREES.items() if not (ast.get_docstring(tree) or "").split("\n")[0]] == []
