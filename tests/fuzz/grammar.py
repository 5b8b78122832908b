"""GRUB scripts made at random by the grammar of GRUB, with the words that real ones have."""

import random
from typing import Callable, List

VARIABLES = ["default", "root", "prefix", "saved_entry", "next_entry", "chosen", "fallback", "x", "y", "feature_a"]
VALUES = [
    "0",
    "1",
    "1>0",
    "a",
    "b",
    "hd0,gpt1",
    "hd0,msdos1",
    "(hd0,1)",
    "",
    "saved",
    "'a b'",
    '"$x"',
    "$x$y",
    "xy",
    "/boot",
]
FILES = ["/boot/vmlinuz", "/vmlinuz", "/boot/initrd.img", "/initrd.img", "$prefix/grubenv", "/boot/*", "/nowhere", "$x"]
SIMPLE = [
    "insmod part_gpt",
    "load_env",
    "save_env saved_entry",
    "search --no-floppy --fs-uuid --set=root 1234-abcd",
    "search --set=x --label root",
    "true",
    "false",
    "echo 'Loading ...'",
    "blscfg",
    "source $prefix/custom.cfg",
    "configfile $prefix/custom.cfg",
    "chainloader +1",
    "export x default",
    "unset x",
    "return",
    "break",
    "continue",
    "regexp --set 1:x '^(.*)-(.*)$' \"$y\"",
    "increment x",
    "eval 'x=1; y=$x'",
    "f 1 2",
    "unknown_command a",
]
MAX_DEPTH = 5


def make_script(rng: random.Random) -> str:
    """Return a script with some entries."""
    parts = [_statement(rng, 0) for _ in range(rng.randint(1, 8))]
    parts += [_entry(rng, 1) for _ in range(rng.randint(1, 4))]
    rng.shuffle(parts)
    return "\n".join(parts) + "\n"


def _value(rng: random.Random) -> str:
    return rng.choice([*VALUES, "${}".format(rng.choice(VARIABLES)), "${{{}}}".format(rng.choice(VARIABLES))])


def _block(rng: random.Random, depth: int) -> str:
    separator = rng.choice(["\n", "\n", "; "])
    return separator.join(_statement(rng, depth + 1) for _ in range(rng.randint(1, 4)))


def _condition(rng: random.Random) -> str:
    one, two = _value(rng), _value(rng)
    name = rng.choice(FILES)
    tests = ["{} = {}", "x{} != x{}", "{} -eq {}", "-n {}", "-z {}", "-f {2}", "-s {2}", "-d {2}", "! {} = {}"]
    test = rng.choice(tests).format('"{}"'.format(one), two, name)
    other = rng.choice(tests).format(one, '"{}"'.format(two), name)
    return rng.choice(["[ {} ]", "test {}", "[ {} -a {} ]", "[ ( {} ) -o {} ]", "true", "f"]).format(test, other)


def _assignment(rng: random.Random, depth: int) -> str:
    return rng.choice(["set {}={}", "{}={}"]).format(rng.choice(VARIABLES), _value(rng))


def _if(rng: random.Random, depth: int) -> str:
    text = "if {}; then\n{}\n".format(_condition(rng), _block(rng, depth))
    if rng.random() < 0.2:
        text += "elif {}; then\n{}\n".format(_condition(rng), _block(rng, depth))
    if rng.random() < 0.5:
        text += "else\n{}\n".format(_block(rng, depth))
    return text + "fi"


def _for(rng: random.Random, depth: int) -> str:
    values = " ".join(_value(rng) for _ in range(rng.randint(1, 5)))
    return "for {} in {}; do\n{}\ndone".format(rng.choice(VARIABLES), values, _block(rng, depth))


def _while(rng: random.Random, depth: int) -> str:
    return "{} {}; do\n{}\ndone".format(rng.choice(["while", "until"]), _condition(rng), _block(rng, depth))


def _function(rng: random.Random, depth: int) -> str:
    return "function {} {{\n{}\n}}".format(rng.choice(["f", "g", "savedefault"]), _block(rng, depth))


def _submenu(rng: random.Random, depth: int) -> str:
    inner = "\n".join(_entry(rng, depth + 1) for _ in range(rng.randint(1, 3)))
    return "submenu {} {{\n{}\n}}".format(_value(rng) or "s", inner)


def _entry(rng: random.Random, depth: int) -> str:
    options = rng.choice(["", "--id {} ".format(_value(rng)), "--class a --unrestricted ", "--hotkey=a "])
    lines = [_statement(rng, MAX_DEPTH) for _ in range(rng.randint(0, 2))]
    lines.append("linux {} root={} ro {}".format(rng.choice(FILES), _value(rng), _value(rng)))
    if rng.random() < 0.8:
        lines.append("initrd {}".format(" ".join(rng.choice(FILES) for _ in range(rng.randint(1, 3)))))
    title = rng.choice(["'Debian GNU/Linux'", "a", "b", '"$x"'])
    return "menuentry {} {}{{\n{}\n}}".format(title, options, "\n".join(lines))


def _simple(rng: random.Random, depth: int) -> str:
    return rng.choice(SIMPLE)


COMPOUND: List[Callable[[random.Random, int], str]] = [_if, _if, _if, _for, _while, _function, _submenu, _entry]


def _statement(rng: random.Random, depth: int) -> str:
    plain = depth >= MAX_DEPTH or rng.random() < 0.6
    return rng.choice([_simple, _assignment] if plain else COMPOUND)(rng, depth)
