"""GRUB script: words, statements, variables, conditions, functions; what is not known stays unknown."""

from pathlib import Path
from typing import Optional, Tuple

import pytest

from kexec_initd.bootloader.grub2.lexer import Lexer
from kexec_initd.bootloader.grub2.parser import parse
from tests.unit.grub2_hosts import cmdline_of, menu_of, two_entries


@pytest.mark.parametrize(
    "words, cmdline",
    [
        ("a  b\tc", "a b c"),
        ("a\\ b", '"a b"'),
        ("'a  b'c", '"a  bc"'),
        ('"a b" c', '"a b" c'),
        ("$x", "one two"),
        ('"$x"', '"one two"'),
        ("${x}y", "one twoy"),
        ("a$x", "aone two"),
        ("'$x'", "$x"),
        ("\\$x", "$x"),
        ('"\\$x \\" \\\\ \\y"', '"$x \\" \\\\ \\\\y"'),
        ("$none a", "a"),
        ('"$none" a', " a"),
        ("a#b", "a#b"),
        ("a #b", "a"),
        ("a \\\n b", "a b"),
        ("a\\\nb", "ab"),
        ("'a\nb'", "a\nb"),
        ('"a\\\nb"', "ab"),
        ("a;", "a"),
        ("if then fi", "if then fi"),
        ("it\\'s", "it\\'s"),
        ("\\y41 '\\x4'", "y41 \\\\x4"),
        ("a\\\\b", "a\\\\b"),
        ('"a=b c"', '"a=b c"'),
        ("$1 $#", "t 1"),
        ("$2$3", ""),
        ("a=$", None),
        ("${x", None),
        ("a&b", None),
        ("a<b", None),
        ('"a', None),
    ],
)
def test_words_become_the_command_line_that_grub_makes(words: str, cmdline: Optional[str], tmp_path: Path) -> None:
    config = "set x='one two'\nmenuentry t {{\nlinux /k1 {}\n}}\n".format(words)
    if cmdline is None:
        menu = menu_of(tmp_path, config)
        assert menu.offered == () and menu.default is None
        assert menu.problem is not None and menu.problem.startswith("/boot/grub/grub.cfg:")
    else:
        assert cmdline_of(tmp_path, config) == cmdline


@pytest.mark.parametrize(
    "script",
    [
        "a b; c\nd",
        "if a; then b; fi",
        "if a; b\nthen\nc\nelif d; then e; else f; fi",
        "for x in 1 2; do a; done",
        "for x in; do a; done",
        "while a; do b; done; until a; do b; done",
        "function f {\na\n}",
        "menuentry x { a }\nmenuentry y {a;b;}",
        "! a",
        "",
        "a b ",
        "a \t\nb\t",
        "a 'x\ny' ",
        "# only\n\n  # comments",
    ],
)
def test_statements_that_grub_takes(script: str) -> None:
    assert parse(script, Lexer()).rejected is None


@pytest.mark.parametrize(
    "script, line",
    [
        ("a\nif b; then\nfi", 3),
        ("a\n}", 2),
        ("x { }", 1),
        ("if a; then b", 1),
        ("a && b", 1),
        ("a || b", 1),
        ("a | b", 1),
        ("a;;b", 1),
        (";", 1),
        ("then", 1),
        ("for 1x in a; do b; done", 1),
        ("function f { a }", 1),
        ("function if {\na\n}", 1),
        ("a [[ b ]]", 1),
        ("x 'a\n\n", 1),
        ("ok\n" + "if a; then " * 40 + "b" + "; fi" * 40, 2),
        ("ok\n\n" + "x { " * 40 + "b" + " }" * 40, 3),
    ],
)
def test_statements_that_grub_rejects(script: str, line: int) -> None:
    rejected = parse(script, Lexer()).rejected
    assert (rejected.line if rejected else None) == line


@pytest.mark.parametrize(
    "condition, holds",
    [
        ("[ a = a ]", True),
        ("[ a == b ]", False),
        ("test a != b", True),
        ("[ a < b ]", False),  # the line is lost: there are no redirections
        ("[ a '<' b ]", True),
        ("[ 10 -gt 9 ]", True),
        ("[ 0x10 -eq 16 ]", True),
        ("[ 010 -eq 8 ]", True),
        ("[ x -eq 0 ]", True),
        ("[ -1 -lt 0 ]", True),
        ('[ "" ]', False),
        ("[ x ]", True),
        ("[ ]", True),
        ('[ -n "" ]', False),
        ('[ -z "" ]', True),
        ("[ ! x = x ]", False),
        ("! [ x = x ]", False),
        ("[ a = b -o c = c ]", True),
        ("[ a = a -a c = d ]", False),
        ("[ a = b -o c = c -a d = e ]", False),
        ("[ ! ( a = b -o c = d ) ]", True),
        ("[ -f /k1 ]", True),
        ("[ -f /grub ]", False),
        ("[ -d /grub ]", True),
        ("[ -e /none ]", False),
        ("[ -s /k1 ]", False),
        ("[ -s /grub/grub.cfg ]", True),
        ("true", True),
        ("false", False),
        ("keystatus --shift", False),
        ("regexp '^[0-9]+$' 123", True),
        ("regexp a b", False),
        ("eval false", False),
        ("[ x$feature_menuentry_id = xy ]", True),
        ("[ -f (hd5,7)/k1 ]", None),
        ("cpuid -l", None),
        ("[ $grub_platform = efi ]", None),
        ("[ $grub_platform = efi -o a = a ]", True),
        ("[ $grub_platform = efi -a a = b ]", False),
        ("[ x$grub_platform = x ]", None),
    ],
)
def test_conditions(condition: str, holds: Optional[bool], tmp_path: Path) -> None:
    menu = menu_of(tmp_path, "if {}; then default=1; else default=0; fi\n{}".format(condition, two_entries()))
    assert menu.default == (None if holds is None else int(holds))
    assert (menu.problem is None) == (holds is not None)


def chosen(root: Path, script: str) -> Tuple[Optional[int], Optional[str]]:
    menu = menu_of(root, script + "\n" + two_entries())
    return menu.default, menu.problem


@pytest.mark.parametrize(
    "script",
    [
        "set default=1",
        "default=1",
        "set 'default=1' other=2",
        "x=1; set default=$x",
        "for default in 0 1; do true; done",
        "function f { default=$1; return; default=0\n}\nf 1",
        "function f { return 1\n}\nif f; then default=0; else default=1; fi",
        "for x in 1 2 3; do if [ $x = 2 ]; then break; fi; default=$x; done",
        "for x in 0 1 2; do if [ $x = 2 ]; then continue; fi; default=$x; done",
        "x=; while [ $x != aaa ]; do x=a$x; done; default=1",
        "until true; do default=0; done; default=1",
        "function f { set default=$2\n}\nset a='0 1'\nf $a",
        "false; if [ $? = 0 ]; then default=0; else default=1; fi",
        "set root=hd7; search --set=root --fs-uuid bb; if [ -f /k1 ]; then default=1; fi",
        "search --no-floppy -l x; default=1",
        "search --file /k2 --set=y; if [ -f ($y)/k2 ]; then default=1; fi",
        "eval 'default=1'",
        "unset default; default=1; export default",
        "if loadfont x; then gfxmode=auto; insmod a; fi; default=1",
        "if cpuid -l; then x=1; else x=2; fi; default=1",
        "regexp -s 1:default '([0-9])' a1",
        "insmod regexp; for f in /k1*; do default=1; done",
        "default=1; default=1>x",
        "default=b",
        "default=b\nsubmenu x { menuentry b { linux /k2 } }; x=",
    ],
)
def test_the_second_entry_is_chosen(script: str, tmp_path: Path) -> None:
    if "1>x" in script:
        script = "default='1>x'"
    menu = menu_of(tmp_path, script + "\n" + two_entries())
    assert menu.problem is None
    assert menu.default is not None and menu.offered[menu.default].title == "b"


@pytest.mark.parametrize(
    "script, problem",
    [
        ("frobnicate", "/boot/grub/grub.cfg:1: what the command frobnicate does is not known"),
        ("for x in /k*; do default=1; done", "the order of the files that /k* fits"),
        ("for x in /k1*; do default=1; done", "whether /k1* is taken for a pattern"),
        ("default=$grub_platform", "the default depends on grub_platform"),
        ("if cpuid -l; then default=1; fi", "the default depends on the-result-of-cpuid"),
        ("while cpuid; do true; done", "a loop whose condition is not known"),
        ("for x in $grub_cpu; do true; done", "a loop over <grub_cpu>"),
        ("$grub_cpu", "the command <grub_cpu>"),
        ("eval $grub_cpu", "eval of <grub_cpu>"),
        ("set $grub_cpu=1", "which variable <grub_cpu>=1 sets"),
        ("while true; do x=1; done", "the configuration takes too many steps"),
        ("x=1; while true; do x=$x$x; done", "the configuration takes too many steps"),
        ("x=" + "a" * 600000 + "\nx=$x$x", "the value of x is too long"),
        ("function f { f\n}\nf", "scripts and functions are nested too deep"),
        ("source /grub/grub.cfg", "scripts and functions are nested too deep"),
        ("source (hd4,2)/x", "another configuration: which device hd4,2 is cannot be known"),
        ("linux /k1; boot", "/boot/grub/grub.cfg:1: boot outside of an entry"),
        ("halt", "/boot/grub/grub.cfg:1: halt outside of an entry"),
        ("default=1x", "versions of GRUB differ in what the default '1x' means"),
        ("default=01", "versions of GRUB differ in what the default '01' means"),
        ("if cpuid; then menuentry x { true }; fi", "whether the menu has the entry x is not known"),
        ("if cpuid; then menuentry x { true }; fi; default=9", "whether the menu has an entry 9 is not known"),
        ("function f { if cpuid; then return; fi\n}\nf", "whether this is left depends on the-result-of-cpuid"),
        ("menuentry --frob x { true }", "the option --frob"),
        ("x=1\n\neval 'x=2\nfrobnicate'", "/boot/grub/grub.cfg:4: what the command frobnicate does is not known"),
        ("read x", "/boot/grub/grub.cfg:1: read outside of an entry"),
        ('menuentry "$grub_cpu" { true }; default=b', "the name of an entry depends on grub_cpu"),
    ],
)
def test_in_doubt_there_is_no_default(script: str, problem: str, tmp_path: Path) -> None:
    assert chosen(tmp_path, script) == (None, problem)
