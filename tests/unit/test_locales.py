"""Bytes stay bytes in every locale: titles, paths and command lines, and nothing that is said ends in a traceback."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence

import pytest

from tests.unit.fake_host import FakeHost
from tests.unit.images import bzimage, cpio

TOP = Path(__file__).resolve().parents[2]
# What the locale would make something else of: UTF-8, no text, what is two characters of EUC-JP, its shifts, NBSP's byte.
ODD = (
    b"\xc3\xa9",
    b"\xe9\xff",
    b"\xa1\xc0\xa4\xa2",
    b"\x8e\xb1\x8f\xb0\xa1",
    b"\xc2\xa0",
    b"\xe2\x82\xac",
    b"\xfe\x80",
)
NAME = b"".join(ODD[:4])
KERNEL = b"/boot/linux-" + NAME
LINE = b"root=/dev/vda1 a=" + b" b=".join(ODD)
CONFIG = b"""DEFAULT one
LABEL one
MENU LABEL One %s
KERNEL %s
INITRD /boot/initrd-%s
APPEND %s
LABEL two
MENU LABEL Two %s
KERNEL /boot/missing-%s
""" % (NAME, KERNEL, NAME, LINE, NAME, NAME)
ENVIRONMENTS: Dict[str, Dict[str, str]] = {
    "C": {"LC_ALL": "C"},
    "C, no UTF-8": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "none, no UTF-8": {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "Latin-1": {"LC_ALL": "en_US.ISO-8859-1"},
    "EUC-JP": {"LC_ALL": "ja_JP.EUC-JP"},
    "UTF-8": {"LC_ALL": "C.UTF-8"},
}
# Each call with standard output and error in files of its own; all in one process, which takes long to begin.
DRIVER = """
import os, sys
from pathlib import Path
from kexec_initd import cli
from kexec_initd.stages import last_step
root, out, *calls = [os.fsencode(text).decode("utf-8", "surrogateescape") for text in sys.argv[1:]]
gather = cli.gather
cli.gather = lambda _: gather(Path(root))
for number, call in enumerate(calls):
    for fd in (1, 2):
        os.dup2(os.open("{}/{}-{}".format(out, number, fd), os.O_WRONLY | os.O_CREAT, 0o600), fd)
    code = last_step.main([], Path(root)) if call == "runtime" else cli.main(call.split("\\t"))
    sys.stdout.flush()
    os.write(os.open("{}/{}-code".format(out, number), os.O_WRONLY | os.O_CREAT, 0o600), str(code).encode())
"""


class Said(NamedTuple):
    """The exit code of a call, and what it wrote to standard output and error."""

    code: int
    out: bytes
    err: bytes


@pytest.fixture(scope="module")
def locales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Locales that this machine may not have, made once."""
    place = tmp_path_factory.mktemp("locales")
    localedef = shutil.which("localedef")
    if localedef is None or not os.path.isdir("/usr/share/i18n/charmaps"):
        pytest.skip("localedef and the package locales are missing")
    for name in ("en_US.ISO-8859-1", "ja_JP.EUC-JP"):
        language, _, charmap = name.partition(".")
        subprocess.run([localedef, "-i", language, "-f", charmap, str(place / name)], check=True)
    return place


@pytest.fixture
def host(fake: FakeHost) -> FakeHost:
    """A host whose boot loader's entry, kernel and initrd have such names."""
    root = os.fsencode(str(fake.root))
    os.mkdir(root + b"/boot/extlinux")
    files = {b"linux-" + NAME: bzimage("6.1.0-test"), b"initrd-" + NAME: gzip.compress(cpio()),
             b"extlinux/extlinux.conf": CONFIG, b"extlinux/ldlinux.sys": b""}  # fmt: skip
    for name, data in files.items():
        with open(root + b"/boot/" + name, "wb") as file:
            file.write(data)
    fake.write("lib/modules/6.1.0-test/modules.dep", "")
    return fake


def call(host: FakeHost, locales: Path, environment: str, *calls: Sequence[bytes]) -> List[Said]:
    out = host.root.parent / "said"
    shutil.rmtree(str(out), ignore_errors=True)
    out.mkdir()
    argv = [os.fsencode(sys.executable), b"-c", DRIVER.encode(), os.fsencode(str(host.root)), os.fsencode(str(out))]
    env = dict(ENVIRONMENTS[environment], LOCPATH=str(locales), PATH=os.environ["PATH"], PYTHONPATH=str(TOP))
    subprocess.run([*argv, *map(b"\t".join, calls)], env=env, cwd="/", check=True)
    texts = [
        [(out / "{}-{}".format(number, what)).read_bytes() for what in ("code", 1, 2)] for number in range(len(calls))
    ]
    return [Said(int(code), printed, told) for code, printed, told in texts]


QUESTIONS = [[verb, *words] for verb in (b"status", b"entries", b"target") for words in ([], [b"--json"])]
LOAD = [b"load", b"One " + NAME]
ERRORS = [[b"load", b"Two " + NAME], [b"load", b"/boot/x-" + NAME], [b"load", NAME], [b"load", b"--" + NAME]]


@pytest.mark.slow
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_bytes_stay_bytes_and_nothing_is_a_traceback(host: FakeHost, locales: Path, environment: str) -> None:
    said = call(host, locales, environment, *QUESTIONS, *ERRORS, LOAD, [b"status", b"--json"], [b"prepare"])
    questions, errors = said[: len(QUESTIONS)], said[len(QUESTIONS) : -3]
    assert [(one.code, one.err, one.out == b"") for one in questions] == [(0, b"", False)] * len(QUESTIONS)
    entries = json.loads(questions[3].out.decode("ascii"))
    assert [os.fsencode(entries[0][field]) for field in ("title", "kernel", "cmdline")] == [
        b"One " + NAME,
        KERNEL,
        LINE,
    ]
    assert os.fsencode(entries[1]["obstacle"]) == b"/boot/missing-" + NAME + b" is missing"
    for one in errors:
        assert (one.code != 0, one.out, one.err.count(b"\n"), one.err[:13]) == (True, b"", 1, b"kexec-initd: ")
    assert (said[-3].code, said[-3].err.count(b"\n")) == (0, 1)
    assert b"goes through firmware all the same: kexec-initd is not installed" in said[-3].err
    check_loaded(host)
    # What was loaded is what would be loaded.
    assert os.fsencode(json.loads(said[-2].out.decode("ascii"))["loaded_cmdline"]).endswith(LINE)
    assert (said[-1], (host.root / "run/kexec-initd/decision").read_bytes()) == (Said(0, b"", b""), b"kexec\n")


def check_loaded(host: FakeHost) -> None:
    """The command line that kexec was given, and the stamp, have the bytes of the configuration."""
    (loaded,) = [call for call in (host.root / "calls").read_bytes().split(b"\n") if b"\0-l\0" in call]
    (line,) = [word for word in loaded.split(b"\0") if word.startswith(b"--command-line=")]
    assert line.endswith(b" " + LINE) and line.count(LINE) == 1
    lines = (host.root / "run/kexec-initd/stamp").read_bytes().split(b"\n")
    for path in (KERNEL, b"/boot/initrd-" + NAME):
        assert [line for line in lines if line.endswith(b" " + path) and not line.startswith(b"- ")]


@pytest.mark.slow
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_last_step_says_names_in_every_locale(host: FakeHost, locales: Path, environment: str) -> None:
    hook = os.fsencode(str(host.root)) + b"/etc/kexec-initd/pre-jump.d/10-" + NAME
    os.makedirs(os.path.dirname(hook))
    with open(hook, "wb") as file:
        file.write(b"#!/bin/sh\n")
    host.write("sys/kernel/kexec_loaded", "1\n")
    (done,) = call(host, locales, environment, [b"runtime"])
    assert (done.code, done.err, done.out.count(b"\n")) == (10, b"", 1)
    assert b"pre-jump.d/10-" in done.out and b" is left out: " in done.out
