"""GRUB 2's fixtures damaged, and scripts made at random: an answer in time, and nothing that was not in the input."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Dict, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexec_initd.bootloader import Menu
from kexec_initd.bootloader.grub2.lexer import Lexer
from kexec_initd.bootloader.grub2.menu import read_menu
from kexec_initd.bootloader.grub2.parser import parse
from kexec_initd.errors import Error
from kexec_initd.system.sysroot import Tree
from tests.bootloader.hosts import unpack
from tests.bootloader.test_fixtures_grub2 import HOSTS
from tests.processor import is_too_long

pytestmark = [pytest.mark.once, pytest.mark.slow]

CONFIGS = ("boot/**/*.cfg", "boot/**/grubenv", "boot/loader/entries/*", "proc/*", "etc/*")
WORDS = r"""
if then elif else fi for in do done while until function { } ; ! [ ] [[ ]] && || | & < > # \ ' " $ ${ } =
menuentry submenu linux initrd set unset export source configfile search --set=root --fs-uuid --label
load_env save_env --file --id --unrestricted --class blscfg return break continue eval regexp --set 1:a
chainloader cpuid keystatus test -f -e -d -s -n -z -a -o ( ) = != -eq -gt $default ${saved_entry} $root
$prefix $1 $@ $# $? * ? /boot/* (hd0,1) (hd0,gpt2) () / ../ 0 1 1>2 > >> 99999999999 default=1 x=$x$x
next_entry= fallback=1 superusers=a while true;do x=1$x;done grubenv title options $kernelopts
"""
TOKENS = [*WORDS.split(), "\n", "\n", "\0", "\r", "\udcff", " ", "while true;do x=1$x;done"]
LONG = 1.0  # seconds of processor time for one answer


def changed(text: str, rng: random.Random) -> str:
    """Return `text` with one change."""
    at, to = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
    lines = text.split("\n")
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
    changes: List[Callable[[], str]] = [
        lambda: text[:at] + text[min(to, at + 40) :],
        lambda: text[:at] + rng.choice(TOKENS) + text[at:],
        lambda: text[:at] + " " + rng.choice(TOKENS) + " " + rng.choice(TOKENS) + " " + text[at:],
        lambda: "\n".join(lines[:first] + lines[second : second + 1] + lines[first + 1 :]),
        lambda: "\n".join(lines[:first] + lines[first + 1 :]),
        lambda: text[:to] + text[at:],
        lambda: text[:at],
        lambda: text[:at] + (rng.choice(TOKENS) + " ") * rng.choice([3, 300]) + text[at:],
    ]
    return rng.choice(changes)()


def mutated(text: str, rng: random.Random) -> str:
    """Return `text` with a few changes."""
    for _ in range(rng.randint(1, 4)):
        text = changed(text, rng)
    return text


def check(root: Path, menu: Menu, known: str) -> None:
    """Hold a menu against what it was read from."""
    assert menu.default is None or 0 <= menu.default < len(menu.offered)
    assert (menu.default is None) == (menu.problem is not None)
    for offered in menu.offered:
        assert (offered.entry is None) != (offered.obstacle is None)
        for path in (offered.entry.kernel, *offered.entry.initrds) if offered.entry else ():
            assert os.path.isfile(str(root) + str(path))
            assert all(part in known for part in path.name.split("-")), path


def damage(host: str, tmp_path: Path, rng: random.Random, cases: int) -> Dict[str, int]:
    """Read a fixture host with one of its files changed, again and again; return what came of it."""
    root = tmp_path / host
    unpack(host, root)
    files = sorted({path for pattern in CONFIGS for path in root.glob(pattern) if path.is_file()})
    originals = {path: path.read_bytes().decode("utf-8", "surrogateescape") for path in files}
    counts = {"decided": 0, "undecided": 0, "refused": 0}
    for _ in range(cases):
        path = rng.choice(files)
        text = mutated(originals[path], rng)
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        start = time.process_time()
        try:
            menu = read_menu(Tree(root))
            if menu is not None:
                check(root, menu, "\n".join([*originals.values(), text, text.replace("\\\n", "").replace("\r", "")]))
                counts["undecided" if menu.default is None else "decided"] += 1
        except Error:
            counts["refused"] += 1
        assert not is_too_long(time.process_time() - start, LONG), text
        path.write_bytes(originals[path].encode("utf-8", "surrogateescape"))
    return counts


@pytest.mark.parametrize("host", HOSTS)
def test_damaged_configurations(host: str, tmp_path: Path) -> None:
    # Each Python has damage of its own: together they see more than ten thousand.
    damage(host, tmp_path, random.Random("{} {}.{}".format(host, *sys.version_info)), 25)


@pytest.mark.full
@pytest.mark.parametrize("host", HOSTS)
def test_damaged_configurations_at_length(host: str, tmp_path: Path) -> None:
    damage(host, tmp_path, random.Random(host + "full"), 500)


def test_damage_leads_to_different_answers(tmp_path: Path) -> None:
    counts = damage("grub2/debian-12-saved", tmp_path, random.Random(1), 250)
    assert counts["decided"] > 10
    assert counts["undecided"] > 10


@given(st.lists(st.sampled_from(TOKENS) | st.text(max_size=4), max_size=40), st.sampled_from(["", " "]))
def test_any_text_gets_an_answer(tmp_path_factory: pytest.TempPathFactory, tokens: List[str], space: str) -> None:
    root = tmp_path_factory.getbasetemp() / "any"
    (root / "boot/grub").mkdir(parents=True, exist_ok=True)
    (root / "boot/vmlinuz").write_text("")
    text = space.join(tokens) + "\nmenuentry x { linux /boot/vmlinuz }\n"
    (root / "boot/grub/grub.cfg").write_bytes(text.encode("utf-8", "surrogateescape"))
    start = time.process_time()
    menu = read_menu(Tree(root))
    assert not is_too_long(time.process_time() - start, LONG)
    assert menu is not None
    check(root, menu, text)


SCRIPT_WORDS = r"""
a b if then fi else elif for x in do done while until function { } ; 'q' "d" ' " $x ${y} $ # [ ] [[ ! = & | < > case
$1 a=b * "$x"
"""
SCRIPT = [
    *SCRIPT_WORDS.split(),
    *["\\", "\\\n", "\n", "\n", "\n", "\t", "if a; then\nb\nfi\n", "function f {\na\n}\n", "x { a }\n"],
    *["for x in a b; do c; done\n", "while a; do b; done"],
]


def test_grub_script_check_takes_the_same_scripts() -> None:
    rng = random.Random("peer")
    taken = 0
    for _ in range(400):
        tokens = [
            rng.choice(SCRIPT) + rng.choice(["", " ", " "]) for _ in range(rng.randint(1, rng.choice([4, 10, 25])))
        ]
        # A script of nothing but blanks is an error to the program, and so is a backslash at the very end.
        text = "ok\n" + "".join(tokens) + "\nok\n"
        peer = subprocess.run(["grub-script-check"], input=text.encode(), stderr=subprocess.PIPE)
        assert (parse(text, Lexer()).rejected is None) == (peer.returncode == 0), text
        taken += peer.returncode == 0
    assert 50 < taken < 350
