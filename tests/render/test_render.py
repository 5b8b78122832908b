"""Golden tests: what install would write for each host below tests/render/NAME/root is tests/render/NAME/expected.

A new directory is a new test. With UPDATE_GOLDEN=1 in the environment the expected files are written instead.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Dict, Tuple

import pytest

from kexec_initd.install.render import find_templates, render_all, write_tree
from kexec_initd.system.host import gather

HERE = Path(__file__).resolve().parent
HOSTS = sorted(path.parent.name for path in HERE.glob("*/root"))
QUOTED = re.compile(r"[a-z_]+ \| (sh|words)")
SHELLS = [["dash"], ["bash"], ["busybox", "sh"]]


def read_tree(directory: Path) -> Dict[str, Tuple[str, bytes]]:
    """Return mode and content of each file; of the mode what git keeps."""
    return {
        str(path.relative_to(directory)): ("executable" if path.stat().st_mode & 0o100 else "plain", path.read_bytes())
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("name", HOSTS)
def test_rendered_files_are_as_expected(name: str, tmp_path: Path) -> None:
    files = render_all(gather(HERE / name / "root"))
    write_tree(files, tmp_path)
    own = (HERE / name / "root/etc/inittab").stat().st_mode & 0o777
    assert {file.mode for file in files if file.path != "/etc/inittab"} == {0o755}
    assert {file.mode for file in files if file.path == "/etc/inittab"} <= {own}
    expected = HERE / name / "expected"
    if os.environ.get("UPDATE_GOLDEN"):
        shutil.rmtree(str(expected), ignore_errors=True)
        shutil.copytree(str(tmp_path), str(expected))
    assert read_tree(tmp_path) == read_tree(expected)


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize("name", HOSTS)
def test_rendered_files_are_valid_in_every_shell(name: str, shell: Tuple[str], tmp_path: Path) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip("{} is not installed here".format(shell[0]))
    for file in render_all(gather(HERE / name / "root")):
        if file.path == "/etc/inittab":
            continue  # no shell's
        script = tmp_path / "script"
        script.write_bytes(file.content)
        subprocess.run([*shell, "-n", str(script)], check=True)


@pytest.mark.parametrize("name", HOSTS)
def test_insserv_reads_the_same_header(name: str) -> None:
    root = HERE / name / "root"
    for file in render_all(gather(root)):
        before = root / file.path.lstrip("/")
        if file.path.startswith("/etc/init.d/") and before.exists() and b"reboot; " not in before.read_bytes():
            header = before.read_bytes().split(b"### END INIT INFO")[0].split(b"### BEGIN INIT INFO")[1]
            assert header in file.content


def test_every_placeholder_is_quoted_or_a_checked_header() -> None:
    for path in find_templates().rglob("*"):
        if path.is_file() and path.suffix != ".py":
            text = path.read_text()
            found = [part.split("}}")[0].strip() for part in text.split("{{")[1:]]
            assert [part for part in found if not QUOTED.fullmatch(part)] in ([], ["lsb_header"]), path
