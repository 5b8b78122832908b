"""Golden tests: what install would write for each host below tests/render/hosts.

A new directory there is a new test, once UPDATE_GOLDEN=1 in the environment has had the expected files written.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Iterator, Tuple

import pytest

from kexec_initd import sentences
from kexec_initd.install.layout import UNIT_SUFFIX
from kexec_initd.install.render import render_all, write_tree
from kexec_initd.install.shell_tables import find_tables
from kexec_initd.install.templates import find_templates
from kexec_initd.system.host import gather
from tests.render.golden import HOSTS, expected, read_files, read_table
from tests.render.kept import read

# What comes from outside is quoted; what a table of ours holds is plain.
QUOTED = re.compile(r"[a-z_]+ \| (sh|words)|.*(tables|sentences|row|sign)\..+")
PAGE = 60
WIDTH = 128
SHELLS = [["dash"], ["bash"], ["busybox", "sh"]]


@pytest.mark.parametrize("name", HOSTS)
def test_rendered_files_are_as_expected(name: str, tmp_path: Path) -> None:
    files = render_all(gather(HOSTS[name]))
    write_tree(files, tmp_path)
    table = HOSTS[name] / "etc/inittab"
    own = {table.stat().st_mode & 0o777} if table.exists() else set()
    assert {file.mode for file in files if file.path != "/etc/inittab" and not file.path.endswith(UNIT_SUFFIX)} == {
        0o755
    }
    assert {file.mode for file in files if file.path == "/etc/inittab"} <= own
    assert read_files(tmp_path) == expected(name) != {}


@pytest.mark.once
@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize("name", HOSTS)
def test_rendered_files_are_valid_in_every_shell(name: str, shell: Tuple[str], tmp_path: Path) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip("{} is not installed here".format(shell[0]))
    for file in render_all(gather(HOSTS[name])):
        if file.path == "/etc/inittab" or file.path.endswith(UNIT_SUFFIX):
            continue  # no shell's
        script = tmp_path / "script"
        script.write_bytes(file.content)
        subprocess.run([*shell, "-n", str(script)], check=True)


def test_the_last_script_of_every_host_is_one_page() -> None:
    ours = {
        host: read(kept) for path, _, kept, hosts in read_table() if path.endswith("init.d/reboot") for host in hosts
    }
    assert sum(host in HOSTS for host in ours) > 4 < sum(host not in HOSTS for host in ours)
    for script in ours.values():
        lines = script.decode("utf-8", "replace").splitlines()
        assert len(lines) <= PAGE and max(map(len, lines)) <= WIDTH


def test_the_document_shows_the_last_script_whole_and_explains_each_line() -> None:
    written = (find_templates().parent / "docs/reboot-script.md").read_text(encoding="utf-8")
    script = expected("debian-12")["etc/init.d/reboot"][1].decode("utf-8")
    assert "```sh\n{}```\n".format(script) in written
    explained = [0]
    for first, last in re.findall("^\\| ([0-9]+)(?:–([0-9]+))? \\| ", written, re.MULTILINE):
        explained += range(int(first), int(last or first) + 1)
    empty = [number for number, line in enumerate(script.splitlines(), 1) if not line]
    assert sorted(explained + empty) == list(range(len(script.splitlines()) + 1))


@pytest.mark.parametrize("name", sorted(set(HOSTS) - {"gentoo"}))  # which has neither insserv nor headers
def test_insserv_reads_the_same_header(name: str) -> None:
    root = HOSTS[name]
    headers = []
    for file in render_all(gather(root)):
        before = root / file.path.lstrip("/")
        if file.path.startswith("/etc/init.d/") and before.exists() and b"reboot; " not in before.read_bytes():
            headers.append(before.read_bytes().split(b"### END INIT INFO")[0].split(b"### BEGIN INIT INFO")[1])
            assert headers[-1] in file.content
    # RHEL's scripts stay where they are, and have no such header; systemd needs none.
    assert bool(headers) == (not name.startswith(("amazon", "centos", "rhel")) and not name.endswith("systemd"))


def test_every_placeholder_is_quoted_or_a_checked_header() -> None:
    for path in find_templates().rglob("*"):
        if path.is_file() and path.suffix != ".py":
            text = path.read_text()
            found = [part.split("}}")[0].strip() for part in text.split("{{")[1:]]
            quoted = QUOTED if path.suffix != ".svg" else re.compile(r".* \| e")
            assert [part for part in found if not quoted.fullmatch(part)] in ([], ["lsb_header"]), path
            assert set(re.findall(r"for (?:row|sign) in (\w+)", text)) <= {"tables", "row"} | (
                {"rows"} if path.suffix == ".svg" else set()
            ), path


def test_no_template_says_again_what_it_is_filled_with() -> None:
    tables = find_tables()
    texts = [*flatten([part for name, part in tables.items() if name != "settings"]), *tables["one_off"].split(" | ")]
    texts += [row.wrong for row in tables["settings"]] + [
        word for text in texts for word in text.split() if "/" in word
    ]
    texts += [part for name, text in vars(sentences).items() if name.isupper() for part in text.split("{}")]
    for path in find_templates().glob("*/*"):
        if path.parent.name != "legacy" and path.is_file() and "install" not in path.name:
            lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
            code = "\n".join(lines)
            assert [text for text in texts if len(text.strip()) > 11 and text.strip(" /") in code] == [], path


def test_what_a_table_holds_is_plain_in_double_quotes() -> None:
    texts = list(flatten(find_tables()))
    assert len(texts) > 5
    assert [text for text in texts if not re.fullmatch(r"[ !#%-\[\]-_a-~]*", text)] == []


def flatten(table: object) -> Iterator[str]:
    """Give every string of a table."""
    if isinstance(table, str):
        yield table
    elif isinstance(table, dict):
        yield from flatten(tuple(table.values()))
    elif isinstance(table, (tuple, list)):
        for part in table:
            yield from flatten(part)
