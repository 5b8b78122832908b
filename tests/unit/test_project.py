"""The version stands in one place and is repeated rightly; `pip install .` gives a working command."""

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kexec_initd import __version__

TOP = Path(__file__).resolve().parents[2]
SOURCES = ("kexec_initd", "templates", "setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE")
JUNK = shutil.ignore_patterns("__pycache__", ".*_cache")


def read(name: str) -> str:
    return (TOP / name).read_text(encoding="utf-8")


def test_both_changelogs_begin_with_this_version() -> None:
    versions = re.findall(r"^## \[(\d.*?)\] - \d{4}-\d\d-\d\d$", read("CHANGELOG.md"), re.MULTILINE)
    assert versions[0] == __version__
    assert read("debian/changelog").startswith("kexec-initd ({}) ".format(__version__))


def test_metadata_takes_the_version_from_the_package() -> None:
    metadata = configparser.ConfigParser()
    metadata.read_string(read("setup.cfg"))
    assert metadata["metadata"]["version"] == "attr: kexec_initd.__version__"


def test_every_package_is_named_in_the_metadata() -> None:
    metadata = configparser.ConfigParser()
    metadata.read_string(read("setup.cfg"))
    packages = {".".join(path.parent.relative_to(TOP).parts) for path in (TOP / "kexec_initd").rglob("__init__.py")}
    assert set(metadata["options"]["packages"].split()) == packages | {"kexec_initd.templates"}


@pytest.mark.slow
def test_pip_installs_a_working_command_with_every_template(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for name in SOURCES:
        if (TOP / name).is_dir():
            shutil.copytree(str(TOP / name), str(source / name), ignore=JUNK)
        else:
            shutil.copy(str(TOP / name), str(source / name))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index"]
    run(pip + ["--no-deps", "--no-build-isolation", "--target", str(target), str(source)], tmp_path)
    installed = target / "kexec_initd" / "templates"
    assert tree(installed) == tree(TOP / "templates")
    # Isolated as root would run it, so the target is named in code instead of in the environment.
    command = "import sys; sys.path.insert(0, {!r}); sys.argv = ['kexec-initd', '--version']; exec(open({!r}).read())"
    script = str(target / "bin" / "kexec-initd")
    said = run([sys.executable, "-I", "-c", command.format(str(target), script)], tmp_path)
    assert said == "kexec-initd {}\n".format(__version__)


def run(argv: "list[str]", directory: Path) -> str:
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PIP_TARGET")}
    done = subprocess.run(
        argv, cwd=str(directory), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def tree(top: Path) -> "dict[str, bytes]":
    paths = [path for path in top.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {str(path.relative_to(top)): path.read_bytes() for path in paths}
