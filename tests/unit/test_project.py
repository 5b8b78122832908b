"""The version stands in one place and is repeated rightly; `pip install .` gives a working command."""

import configparser
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from kexec_initd import __version__

TOP = Path(__file__).resolve().parents[2]
SOURCES = (
    *("kexec_initd", "templates", "setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE"),
    *("docs", "debian"),
)
# The newest of each that runs on a Python, and the first that does not: what an old pip must not be left to choose from.
LAST = {
    "3.6": {"distro": "1.9.0", "jinja2": "3.0.3", "markupsafe": "2.0.1", "sh": "1.14.2"},
    "3.7": {"distro": "1.9.0", "jinja2": "3.1.6", "sh": "1.14.3"},
    "3.13": {"distro": "1.9.0", "jinja2": "3.1.6", "sh": "2.4.0"},
}
TOO_NEW = {"3.6": {"jinja2": "3.1.0", "markupsafe": "2.1.0", "sh": "2.0.0"}, "3.7": {"sh": "2.0.0"}, "3.13": {}}
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


@pytest.mark.parametrize("version", sorted(LAST))
def test_each_python_has_one_line_for_each_library_which_excludes_what_does_not_run_there(version: str) -> None:
    metadata = configparser.ConfigParser()
    metadata.read_string(read("setup.cfg"))
    lines = [Requirement(line) for line in metadata["options"]["install_requires"].strip().splitlines()]
    ours = [line for line in lines if line.marker is None or line.marker.evaluate({"python_version": version})]
    assert sorted(line.name for line in ours) == sorted(LAST[version])
    for line in ours:
        assert line.specifier.contains(LAST[version][line.name])
        assert line.name not in TOO_NEW[version] or not line.specifier.contains(TOO_NEW[version][line.name])


def test_the_classifiers_are_the_pythons_that_are_supported() -> None:
    minors = re.findall(r"Programming Language :: Python :: 3\.(\d+)$", read("setup.cfg"), re.MULTILINE)
    assert [int(minor) for minor in minors] == list(range(6, 14))
    assert "python_requires = >=3.6\n" in read("setup.cfg")


def test_security_names_what_the_rpm_bundles() -> None:
    pinned = re.findall(r"^(\w+)==([\d.]+) ", read("rpm/requirements.txt"), re.MULTILINE)
    assert len(pinned) == 4
    told = dict(re.findall(r"^\| (\w+) ([\d.]+) \|", read("SECURITY.md"), re.MULTILINE))
    assert told == dict(pinned)


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
    for page in ("5", "8"):
        name = "man{0}/kexec-initd.{0}".format(page)
        assert (target / "share/man" / name).read_text() == read("docs/kexec-initd." + page)
    assert (target / "share/kexec-initd/kexec-initd.default").read_text() == read("debian/kexec-initd.default")
    script = str(target / "bin" / "kexec-initd")
    said = run([sys.executable, "-I", "-c", command.format(str(target), script)], tmp_path)
    assert said == "kexec-initd {}\n".format(__version__)


if sys.version_info < (3, 7):

    @pytest.mark.slow
    @pytest.mark.parametrize("pip", ["9.0.3", "18.1"])
    def test_an_old_pip_installs_what_runs_here(tmp_path: Path, pip: str) -> None:
        """It is offered newer ones as well, and neither it nor its index knows that they do not run on this Python."""
        wheels, venv = str(tmp_path / "wheels"), tmp_path / "venv"
        fetch = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "-d", wheels]
        names = ["{}=={}".format(*item) for item in LAST["3.6"].items()]
        names += ["pip==" + pip, "setuptools==39.2.0", "wheel==0.37.1"]
        run(fetch + ["--no-deps", "--prefer-binary"] + names, tmp_path)
        run(fetch + ["--no-deps", "setuptools==59.6.0"], tmp_path)
        for name, version in TOO_NEW["3.6"].items():
            write_wheel(tmp_path / "wheels", name, version)
        source = tmp_path / "source"
        source.mkdir()
        for name in SOURCES:
            subprocess.check_call(["cp", "-R", str(TOP / name), str(source)])
        run([sys.executable, "-m", "venv", str(venv)], tmp_path)
        install = [str(venv / "bin/python"), "-m", "pip", "install", "--no-index", "--find-links", wheels]
        run(install + ["pip==" + pip, "setuptools==39.2.0"], tmp_path)
        run(install + [str(source)], tmp_path)
        assert run([str(venv / "bin/kexec-initd"), "--version"], tmp_path) == "kexec-initd {}\n".format(__version__)
        listed = run([str(venv / "bin/python"), "-m", "pip", "list", "--format", "freeze"], tmp_path)
        assert {line.lower() for line in listed.split()} > {line.lower() for line in names[:4]}


def write_wheel(directory: Path, name: str, version: str) -> None:
    """Write a package that says it does not run on Python 3.6."""
    info = "{}-{}.dist-info/".format(name, version)
    with zipfile.ZipFile(str(directory / "{}-{}-py3-none-any.whl".format(name, version)), "w") as wheel:
        words = "Metadata-Version: 2.1\nName: {}\nVersion: {}\nRequires-Python: >=3.7\n"
        wheel.writestr(info + "METADATA", words.format(name, version))
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(info + "RECORD", "")


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
