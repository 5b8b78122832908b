"""The shell and the Python side give the same answer: settings, command lines, kernels and initrds by the hundred."""

import os
import random
import re
import shlex
import subprocess
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence, Tuple

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from kexec_initd.cmdline.edit import check_one_off, edited
from kexec_initd.cmdline.words import with_attempt
from kexec_initd.errors import Refused
from kexec_initd.images.decompress import find_programs
from kexec_initd.images.initrd import check_initrd
from kexec_initd.images.kernel import check_kernel
from kexec_initd.settings import reader
from kexec_initd.settings.values import SETTINGS
from kexec_initd.system.host import Family
from tests.scripts.standalone import ATTEMPT, RELEASE, StandaloneJail, gzipped
from tests.scripts.test_standalone_load import GOOD
from tests.unit.images import bzimage, cpio, microcode, sign
from tests.unit.settings_lines import LINE, NOT_UNDERSTOOD, UNDERSTOOD

SETTINGS_PARTS = (
    *(
        "KEXEC",
        "KEXEC=",
        "PRELOAD=",
        "PURGATORY_CHECKS=",
        "UNPACK_INITRD=",
        "GUARD_BOOTS=",
        "PANIC=",
        "CMDLINE_APPEND=",
        "CMDLINE_REMOVE=",
        "TRIAL=",
        "MAX_DAYS=",
        "MAX_KEXECS=",
        "CHECK_ROUTE=",
        "CHECK_SECONDS=",
        "FORCE_PLATFORM=",
        "WATCHDOG=",
        "OTHER=",
        "export ",
        "export\t",
        "=",
        "yes",
        "no",
        "YES",
        "oFF",
    ),
    *(
        "true",
        "0",
        "1",
        "on",
        '"',
        "'",
        " ",
        "\t",
        "\r",
        "#",
        "# x",
        "\n",
        "\n",
        "\n",
        "\\",
        "$",
        "`",
        ";",
        "é",
        "*",
        "?",
        "[a]",
        "console=ttyS0",
        " -- ",
        "kexec_initd.x",
        "=@%",
        "\x7f",
    ),
)
SETTINGS_WORDS = (
    *(
        "yes",
        "no",
        "maybe",
        "aUto",
        "",
        "No",
        "$x",
        "a b",
        "1 ",
        "`x`",
        "\\",
        "7",
        "12",
        "29",
        "30",
        "300",
        "1000",
        "09",
        "?",
        " a  b ",
        "-n",
    ),
    *("x" * 1024, "x" * 1025, "a=b -- c", "--=", "kexec_initd.x=1", 'a="b -- c"', 'a="b'),
)
CMDLINE_PARTS = (
    *(
        b"kexec_initd.attempt",
        b"kexec_initd.attempt=1",
        b'"kexec_initd.attempt=2"',
        b"kexec_initd.append",
        b"kexec_initd.append old ",
        b'init="/x"',
        b"single",
        b'"-s"',
        b"kexec_initd.panic=30 panic=30",
        b"kexec_initd.panic=30",
        b"kexec_initd.panic=",
        b"panic=30",
        b"panic",
        b'"panic=5"',
        b'"panic',
        b'kexec_initd.attempt="a b"',
        b"=",
        b'"',
    ),
    *(
        b" ",
        b" ",
        b" ",
        b"  ",
        b"\t",
        b"\x0b",
        b"\xa0",
        b"--",
        b"root=/dev/sda1",
        b"quiet",
        b"%s",
        b"\\n",
        b"$(touch /x)",
    ),
    *(
        b"`",
        b"*",
        b"?",
        b"[a-z]",
        b"'",
        b"!",
        b"~",
        b"\xc3\xa9",
        b"\xff\xfe",
        b"\x81",
        b"\x88",
        b"\x80",
        b"\x01",
        b"-n",
    ),
)
BATCH = 500  # files for one shell, which has a limit of time
PROGRAMS = find_programs(Path("/"))


@pytest.fixture(
    params=["/bin/bash", *(pytest.param(shell, marks=pytest.mark.full) for shell in ("/bin/dash", "/bin/busybox"))]
)
def jail(request: pytest.FixtureRequest, tmp_path: Path) -> StandaloneJail:
    return StandaloneJail(tmp_path / "jail", request.param)


def answers(jail: StandaloneJail, corpus: Sequence[bytes], lines: str) -> List[str]:
    """Write `corpus` as corpus/0000 and on, run shell lines, each with $file set to the next; return what each has printed."""
    said: List[str] = []
    for start in range(0, len(corpus), BATCH):
        names = ["corpus/{:04}".format(number) for number in range(start, min(start + BATCH, len(corpus)))]
        for name, data in zip(names, corpus[start:]):
            jail.put(name, data)
        done = jail.drive("for file in {}; do\n{}\ndone\n".format(" ".join("/" + name for name in names), lines))
        said += done.said.splitlines()
        assert len(said) == min(start + BATCH, len(corpus)), done.said[-2000:]
    return said


def test_settings(jail: StandaloneJail) -> None:
    chance = random.Random(1)
    corpus = ["".join(chance.choice(SETTINGS_PARTS) for _ in range(chance.randint(0, 14))) for _ in range(500)]
    pairs = [(key, word) for key in SETTINGS for word in SETTINGS_WORDS]
    corpus += ["{0}={2}{1}{2}".format(*pair, chance.choice(("", '"', "'"))) for pair in pairs]
    compare_settings(jail, [*corpus, *NOT_UNDERSTOOD, *UNDERSTOOD])


@pytest.mark.full
@hypothesis_settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(corpus=st.lists(st.lists(LINE, max_size=6).map("\n".join), min_size=50, max_size=300))
def test_settings_that_hypothesis_makes(jail: StandaloneJail, corpus: List[str]) -> None:
    compare_settings(jail, corpus)


def compare_settings(jail: StandaloneJail, corpus: Sequence[str]) -> None:
    """See that both sides understand the same of each file, and doubt the same line."""
    lines = """
    settings=$file
    if read_settings; then
        printf '%s ' $kexec $preload $purgatory_checks $guard_boots $panic $max_kexecs $max_days $trial
        printf '%s ' $force_platform $check_route $check_seconds $unpack_initrd $watchdog $shutdown_limit
        printf '[%s][%s][%s][%s]\\n' "$cmdline_append" "$cmdline_remove" "$remove_modules" "$panic_kernel"
    else
        printf '%s\\n' "$doubt $shutdown_limit"
    fi
    """
    said = answers(jail, [text.encode("utf-8", "surrogateescape") for text in corpus], lines)
    for number, (text, answer) in enumerate(zip(corpus, said)):
        name = "/corpus/{:04}".format(number)
        expected = describe_settings(reader.parse(text, name)[0])
        if not re.fullmatch(r"[\n -&(-\[\]-~]*", text) and name in expected:  # repr() shows what plain shell leaves out
            answer, expected = (re.sub(":.* ", ": ", line) for line in (answer, expected))
        assert answer == expected, repr(text)


# What is beside the settings, or above them: files with their text, or what is done there.
DROP_INS: Tuple[Dict[str, str], ...] = (
    {},
    {"../kexec-initd": "KEXEC=no\n"},
    {"../kexec-initd": "KEXEC=no\nPANIC=5\n", "50-switch.conf": "KEXEC=yes\n"},
    {"../kexec-initd": "KEXEC=maybe\n", "a.conf": "PANIC=x\n", "b.conf": "SHUTDOWN_LIMIT=70"},
    {"10.conf": "PANIC=5\n", "9.conf": "PANIC=6\n", "B.conf": "PANIC=7\n", "_.conf": "PANIC=9\n", "a.conf": "PANIC=8"},
    dict.fromkeys((".x.conf", "x.conf~", "x.conf.dpkg-old", "x.conf.rpmnew", "README", "x.disabled"), "KEXEC=no\n"),
    {"README.conf": "PANIC=5\n", "x.conf": "# PANIC=6\n\n"},
    *({name: "KEXEC=no\n"} for name in ("50-gpu", "x.CONF", "x.cfg", "a b.conf", "-x.conf", "+.conf", "*", "*.conf", "x.conf/y")),
    {"old/x.conf": "", "z.conf": "PANIC=5\n"},
    *({"{}.conf".format(number): "PANIC={}\n".format(number + 1) for number in range(count)} for count in (100, 101)),
    *({"x.conf": "PANIC=5\n", "!": harm} for harm in ("chmod 666 x.conf", "chown 12345 x.conf", "ln -s x.conf y.conf")),
    *({"x.conf": "PANIC=5\n", "!": harm} for harm in ("chmod 777 .", "rm x.conf; mkfifo x.conf", "truncate -s 70000 x.conf")),
    {"!": "cd ..; rmdir kexec-initd.d; echo KEXEC=no >kexec-initd.d"},
    {"!": "cd ..; rmdir kexec-initd.d; ln -s nowhere kexec-initd.d"},
)  # fmt: skip


def test_drop_ins(jail: StandaloneJail) -> None:
    """Both sides read the same ones, by the same identity; nothing is set only where they read nothing."""
    for number, files in enumerate(DROP_INS):
        base = "{}/etc/default/kexec-initd.d".format(number)
        (jail.root / base).mkdir(parents=True)
        for name, text in files.items():
            if name != "!":
                jail.write("{}/{}".format(base, name), text)
        subprocess.run(["sh", "-c", files.get("!", ":")], cwd=str(jail.root / base), check=True)
    lines = """
    for number in {}; do
        settings=/$number/etc/default/kexec-initd
        read_settings
        if sets_nothing; then says=nothing; else says=; fi
        printf '%s\\n' "$kexec $panic $shutdown_limit:$settings_seen:$says:$doubt"
    done
    """.format(" ".join(map(str, range(len(DROP_INS)))))
    said = jail.drive(lines).said.splitlines()
    for number, (files, answer) in enumerate(zip(DROP_INS, said)):
        found = reader.read(jail.root / str(number), Family.DEBIAN)[0]
        values = "{} {} {}:{}".format(("no", "yes")[found.kexec], found.panic, found.shutdown_limit, found.seen)
        doubt = re.sub("(?<=/)(a) (b)|(?<=/)[*]", r"\1?\2", found.ignored or "").replace(
            str(jail.root / str(number)), ""
        )
        says = answer.split(":")[2]
        assert "{}:{}:{}".format(values, says, doubt) == answer.replace("/{}/etc".format(number), "/etc"), files
        assert not says or found._replace(seen=None) == reader.Settings(), files
    assert said[0].split(":")[2] == said[5].split(":")[2] == "nothing" and len(said) == len(DROP_INS)


def describe_settings(found: reader.Settings) -> str:
    """Return what the shell prints of the same settings; where it doubts, why, and the limit of the dead-man."""
    if found.ignored is not None:
        return "{} {}".format(found.ignored, found.shutdown_limit)
    fields = (
        *("kexec", "preload", "purgatory_checks", "guard_boots", "panic", "max_kexecs", "max_days", "trial"),
        *("force_platform", "check_route", "check_seconds", "unpack_initrd", "watchdog", "shutdown_limit"),
    )
    words = [("no", "yes")[value] if isinstance(value, bool) else str(value)
             for value in (getattr(found, field) for field in fields)]  # fmt: skip
    modules = " ".join(found.remove_modules)
    return " ".join(
        [*words, "[{}][{}][{}][{}]".format(found.cmdline_append, found.cmdline_remove, modules, found.panic_kernel)]
    )


# What the settings append and remove.
EDITS = (
    ("", ""),
    ('new "a b" panic=5', ""),
    ("a=b", 'quiet root "panic" %s'),
    ("", 'panic=5 x="y z" ro kexec $(touch'),
    ('init="/x"', "single -s"),
)


class Line(NamedTuple):
    """What Python makes of a running command line, or why it refuses to."""

    made: str
    refused: str


def make_line(text: str, append: str, remove: str, panic: int) -> Line:
    """Return the command line that Python makes of a running one."""
    try:
        check_one_off(edited(text, "", remove), append)
        return Line(with_attempt(edited(text, append, remove), ATTEMPT, panic), "")
    except Refused as error:
        return Line("", error.message)


def test_command_lines(jail: StandaloneJail) -> None:
    chance = random.Random(2)
    corpus = [b"".join(chance.choice(CMDLINE_PARTS) for _ in range(chance.randint(0, 12))) for _ in range(800)]
    corpus += [b"x" * length for length in (2010, 2011, 2047)] + [bytes([value]) * 2 + b" a" for value in range(1, 256)]
    (jail.root / "out").mkdir()
    cases = "".join(
        "{}) cmdline_append={} cmdline_remove={} ;;\n".format(number, *map(shlex.quote, edit))
        for number, edit in enumerate(EDITS)
    )
    lines = """
    settings=/none
    read_settings
    cat "$file" >/proc/cmdline
    cmdline_size=2047
    case $((1${file##*/} %% 5)) in
    %s
    esac
    panic=$(($(wc -c <"$file") %% 2 * 30))
    reason=
    if make_command_line; then printf '%%s' "$text" >"/out/${file##*/}"; fi
    printf '%%s\\n' "$reason"
    """
    said = answers(jail, [text + b"\n" for text in corpus], lines % cases)
    refused = 0
    for number, (text, reason) in enumerate(zip(corpus, said)):
        line = make_line(os.fsdecode(text), *EDITS[number % len(EDITS)], len(text + b"\n") % 2 * 30)
        expected = os.fsencode(line.made)
        if line.refused:
            refused += 1
            assert reason == line.refused, text
        elif len(expected) > 2047:
            assert reason.startswith("the command line has "), text
        else:
            assert (jail.root / "out/{:04}".format(number)).read_bytes() == expected, (text, reason)
    assert 50 < refused < 400


def accepts_kernel(path: Path) -> bool:
    """Tell whether Python takes this for the running kernel, by a proof that a shell can make, too."""
    fd = os.open(str(path), os.O_RDONLY)
    try:
        found = check_kernel(fd, "x86_64", PROGRAMS)
        return found.version == RELEASE and found.proof in ("crc", "size")
    except Refused:
        return False
    finally:
        os.close(fd)


def accepts_initrd(path: Path) -> bool:
    """Tell whether Python takes this for an initrd."""
    fd = os.open(str(path), os.O_RDONLY)
    try:
        check_initrd(fd, PROGRAMS)
        return True
    except Refused:
        return False
    finally:
        os.close(fd)


def damaged(chance: random.Random, data: bytes, start: int, stop: int, grown: bool = False) -> bytes:
    """Return `data` with one byte changed between two offsets, or cut, or `grown`."""
    kind = chance.randint(0, 9)
    if kind == 0:
        return data[: chance.randint(0, len(data))]
    if grown and kind == 1:
        return data + bytes([chance.randint(0, 255)]) * chance.randint(1, 600)
    place = chance.randint(start, stop - 1)
    return data[:place] + bytes([chance.randint(0, 255)]) + data[place + 1 :]


def test_kernels(jail: StandaloneJail) -> None:
    chance = random.Random(3)
    whole = [
        bzimage(RELEASE),
        sign(bzimage(RELEASE)),
        bzimage(RELEASE, magic=None),
        sign(bzimage(RELEASE, magic=0x10B), 0x10B),
    ]
    whole += [bzimage(RELEASE, protocol) for protocol in (0x0203, 0x0204, 0x0207, 0x0208, 0x0300)]
    corpus = whole + [
        damaged(chance, chance.choice(whole), *chance.choice([(0, 320), (0x1F0, 0x270)]), grown=True)
        for _ in range(220)
    ]
    lines = 'reason=; size=; if check_kernel 3<$file; then echo good; else echo "$reason"; fi'
    said = answers(jail, corpus, "release={}; {}".format(RELEASE, lines))
    good = [accepts_kernel(jail.root / "corpus/{:04}".format(number)) for number in range(len(corpus))]
    assert [number for number, answer in enumerate(said) if (answer == "good") != good[number]] == []
    assert 20 < sum(good) < 200 and "" not in said


def test_initrds(jail: StandaloneJail) -> None:
    chance = random.Random(4)
    whole = [*GOOD.values(), microcode() + gzipped(cpio()), microcode() + bytes(512) + cpio()]
    corpus = whole + [damaged(chance, data, 0, min(len(data), 400)) for data in whole * 12]
    lines = 'reason=; if check_initrd 4<$file; then echo good; else echo "$reason"; fi'
    if (jail.root / "bin/cpio").is_symlink():
        (jail.root / "bin/cpio").unlink()
        jail.copy("/usr/bin/cpio")  # that of busybox does not see all damage
    said = answers(jail, corpus, "release={}; {}".format(RELEASE, lines))
    good = [accepts_initrd(jail.root / "corpus/{:04}".format(number)) for number in range(len(corpus))]
    # What the shell takes Python takes. The programs differ in what they say to bytes behind an archive, the kernel ignores them.
    assert [number for number, answer in enumerate(said) if answer == "good" and not good[number]] == []
    assert all(answer == "good" for answer in said[: len(whole)])
    doubted = sum(good) - said.count("good")
    assert doubted < sum(good) // 4 and "" not in said
