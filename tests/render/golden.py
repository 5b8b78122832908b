"""What rendering gives, kept: a table says which hosts get which file at which path, and each distinct file is kept once.

UPDATE_GOLDEN=1 in the environment of pytest has both written anew before the tests run.
"""

import os
import shutil
from pathlib import Path
from typing import Dict, List, Tuple

from kexec_initd.cli import main
from kexec_initd.install.render import render_all, write_tree
from kexec_initd.install.standalone import SCRIPTS
from kexec_initd.system.host import gather
from tests.render.kept import DIFF, FILES, keep, read

HERE = Path(__file__).resolve().parent
TABLE = HERE / "table.txt"
# What is there before an installation, by the name of a host.
HOSTS = {path.name: path for path in sorted((HERE / "hosts").iterdir())}
# Other machines, known by their distribution's name alone.
TARGETS = (
    *("ubuntu:10.04", "ubuntu:12.04", "ubuntu:13.04", "ubuntu:14.04", "debian:7", "debian:8", "debian:12", "devuan"),
    *("rhel:4", "rhel:5", "rhel:6", "centos:6", "oracle:6", "amazon:1"),
)
KINDS = ("packaged", "standalone")
# Of each path, whether it is a "link" or whether it is "executable" or "plain", and its target or content.
Files = Dict[str, Tuple[str, bytes]]


def generate(target: str, kind: str, out: Path) -> Path:
    """Have the files for another machine written to `out`, and return that."""
    assert main(["render", "--for", target, "--out", str(out)] + ["--standalone"] * (kind == "standalone")) == 0
    return out


def read_files(directory: Path) -> Files:
    """Return what differs between hosts below a directory."""
    found = {}
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if name in ("README", *SCRIPTS):
            continue
        if path.is_symlink():
            found[name] = ("link", os.readlink(str(path)).encode())
        elif path.is_file():
            found[name] = ("executable" if path.stat().st_mode & 0o100 else "plain", path.read_bytes())
    return found


def read_table() -> List[Tuple[str, str, str, List[str]]]:
    """Return the rows of the table: path, kind, target of a link or name of a kept file, hosts."""
    rows = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines()]
    return [(path, kind, what, hosts.split(", ")) for path, kind, what, hosts in rows]


def expected(name: str) -> Files:
    """Return what the host of that name, or "TARGET KIND", is to get."""
    mine = [row for row in read_table() if name in row[3]]
    return {path: (kind, what.encode() if kind == "link" else read(what)) for path, kind, what, _ in mine}


def update(directory: Path) -> None:
    """Take for expected what is rendered now, below `directory` first."""
    everything = {}
    for name, root in HOSTS.items():
        write_tree(render_all(gather(root)), directory / name)
        everything[name] = read_files(directory / name)
    for target in TARGETS:
        for kind in KINDS:
            name = "{} {}".format(target, kind)
            everything[name] = read_files(generate(target, kind, directory / name))
    _write(everything)


def _write(everything: Dict[str, Files]) -> None:
    shutil.rmtree(str(FILES), ignore_errors=True)
    FILES.mkdir()
    names = _keep_all(everything)
    rows: Dict[str, List[str]] = {}
    for host, files in everything.items():
        for path, (kind, content) in files.items():
            what = content.decode() if kind == "link" else names[content]
            rows.setdefault("\t".join((path, kind, what)), []).append(host)
    TABLE.write_text("".join("{}\t{}\n".format(row, ", ".join(hosts)) for row, hosts in rows.items()), encoding="utf-8")


def _keep_all(everything: Dict[str, Files]) -> Dict[bytes, str]:
    """Keep each distinct file by its own name and the first host that gets it; the longest first, from which others differ."""
    first: Dict[bytes, Tuple[str, str]] = {}
    for host, files in everything.items():
        for path, (kind, content) in files.items():
            if kind != "link":
                first.setdefault(content, (path, host.replace(" ", "-").replace(":", "-")))
    names = {}
    for content, (path, host) in sorted(first.items(), key=lambda item: -item[0].count(b"\n")):
        name = "{}.{}".format(path.rpartition("/")[2], host)
        if (FILES / name).exists() or (FILES / (name + DIFF)).exists():
            name = "{}.{}".format(path.replace("/", "-"), host)
        names[content] = keep(name, content)
    return names
