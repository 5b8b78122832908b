"""A hostile environment has no effect on the command: it does what it does in a clean one, and nothing of it runs."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Tuple

import pytest

from tests.unit.fake_host import FakeHost, with_kernel

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAMS = (
    "stat",
    "cp",
    "mv",
    "sync",
    "kexec",
    "head",
    "grep",
    "rm",
    "sleep",
    "umount",
    "reboot",
    "python3",
    "runlevel",
)
VARIABLES: Dict[str, Dict[str, str]] = {
    "path": {"PATH": "/evil:."},
    "no path": {"PATH": ""},
    "shell": {"ENV": "/evil/profile", "BASH_ENV": "/evil/profile", "SHELLOPTS": "xtrace", "PS4": "$(: >/canary)"},
    "separators": {"IFS": "/abcdefgt"},
    "python": {"PYTHONPATH": "/evil", "PYTHONHOME": "/evil", "PYTHONSTARTUP": "/evil/jinja2.py", "PYTHONINSPECT": "1"},
    "loader": {"LD_PRELOAD": "/evil/none.so", "LD_LIBRARY_PATH": "/evil"},
    "language": {"LANG": "tr_TR.UTF-8", "LC_ALL": "xx_XX.nonsense", "LANGUAGE": "de:fr", "TZ": "/evil/profile"},
    "ours": {"state": "/evil", "attempts": "/evil/a", "settings": "/evil/s", "proc": "/evil", "cold": "/evil/c"},
    "decision": {
        "decision": "kexec",
        "why_cold": "x",
        "result": "0",
        "no_ifdown": "-x",
        "result_": "3",
        "modules": "evil",
    },
    "perl": {"PERL5LIB": "/evil", "PERL5OPT": "-Mevil"},
}
# How the shell is called that runs the script, which is "$@".
CALLS = {
    "umask 000": 'umask 000; exec "$@"',
    "umask 777": 'umask 777; exec "$@"',
    "input closed": 'exec "$@" <&-',
    "all closed": 'exec "$@" <&- >&- 2>&-',
    "directory gone": 'mkdir /tmp/gone && cd /tmp/gone && rmdir /tmp/gone && exec "$@"',
    "directory of evil": 'cd /evil && exec "$@"',
}
CASES: List[Tuple[str, Dict[str, str], str]] = [
    *((name, variables, 'exec "$@"') for name, variables in VARIABLES.items()),
    *((name, {}, call) for name, call in CALLS.items()),
]


VERBS = [["status", "--json"], ["target"]]
# What is compiled in the first call serves the others, which else would take most of their time for that.
CACHE = "sys.pycache_prefix = {!r}; sys.dont_write_bytecode = False"
MAIN = "import sys; " + CACHE + "; sys.path[:0] = {!r}; from kexec_initd.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: "-".join(verb))
def test_the_command_does_the_same_as_in_a_clean_environment(tmp_path: Path, verb: List[str]) -> None:
    fake = with_kernel(FakeHost(tmp_path / "host"))
    evil = tmp_path / "evil"
    evil.mkdir()
    for name in ("jinja2", "distro", "sh", "sitecustomize", "json", "sqlite3", "kexec_initd"):
        (evil / (name + ".py")).write_text("open({!r}, 'w')\n".format(str(tmp_path / "canary")))
    for name in PROGRAMS:
        (evil / name).write_text("#!/bin/sh\n: >{}\n".format(tmp_path / "canary"))
        (evil / name).chmod(0o755)
    (evil / "profile").write_text(": >{}\n".format(tmp_path / "canary"))
    paths = [str(CHECKOUT), *(path for path in sys.path if "site-packages" in path)]
    main = MAIN.format(str(tmp_path / "cache"), paths)
    seen = {}
    for name, variables, call in [("clean", {}, 'exec "$@"'), *CASES]:
        given = {key: value.replace("/evil", str(evil)).replace("/canary", str(tmp_path / "canary"))
                 for key, value in variables.items()}  # fmt: skip
        call = call.replace("/evil", str(evil)).replace("/tmp/gone", str(tmp_path / "gone"))
        argv = ["/bin/sh", "-c", call, "sh", "/usr/bin/env", *("{}={}".format(*pair) for pair in given.items())]
        argv += [sys.executable, "-I", "-B", "-c", main, *verb, "--root", str(fake.root)]
        done = subprocess.run(
            argv, env={"PATH": os.environ["PATH"]}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=60, check=False,
        )  # fmt: skip
        noise = b"" if name == "loader" else done.stderr  # ld.so says that it has left something out
        seen[name] = (done.returncode, b"" if name == "all closed" else done.stdout, noise)
        assert not (tmp_path / "canary").exists(), name
    code, said, noise = seen["clean"]
    for name, found in seen.items():
        expected = (code, b"" if name == "all closed" else said, b"" if name in ("all closed", "loader") else noise)
        assert found == expected, name
    assert said, "it says something at all"
