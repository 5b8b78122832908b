"""Without a package, on a Debian whose Python is externally managed: an environment that stays, with all that belongs to it."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict

from tests.install.chroot import Chroot, copy_base
from tests.trees import snapshot
from tests.vm.cache import CHECKOUT, digest, make_once

PACKAGES = "sysvinit-core initscripts insserv sysv-rc kexec-tools python3 python3-venv"
SOURCES = "LICENSE README.md pyproject.toml setup.cfg setup.py debian docs kexec_initd templates"
PINS = CHECKOUT / "tests/requirements/python3.txt"
INSTALL = ("env", "PIP_NO_INDEX=1", "PIP_FIND_LINKS=/srv/wheels", "sh", "/srv/source/scripts/install-venv")
COMMAND, SETTINGS = "/usr/local/sbin/kexec-initd", "/etc/default/kexec-initd"


def download(directory: Path) -> None:
    """Fetch what pip needs on the Python of the base, Debian 12's."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "-d", str(directory)]
    where = ["--only-binary", ":all:", "--python-version", "3.11", "--platform", "manylinux2014_x86_64"]
    names = ["distro", "jinja2", "markupsafe", "setuptools", "sh", "wheel"]
    subprocess.run([*pip, *where, "--no-deps", "-c", str(PINS), *names], check=True)


def make_host(tmp_path: Path) -> Chroot:
    """Return a Debian with the source in it, and what pip would fetch."""
    host = copy_base(tmp_path, PACKAGES)
    assert list((host.tree / "usr/lib").glob("python3.*/EXTERNALLY-MANAGED"))
    (host.tree / "srv/source/scripts").mkdir(parents=True)
    for name in [*SOURCES.split(), "scripts/install-venv"]:
        subprocess.run(["cp", "-R", str(CHECKOUT / name), str(host.tree / "srv/source" / name)], check=True)
    wheels = make_once("wheels-" + digest([PINS.read_bytes(), Path(__file__).read_bytes()]), download)
    shutil.copytree(str(wheels), str(host.tree / "srv/wheels"))
    return host


def etc(host: Chroot) -> Dict[str, str]:
    """Return what /etc holds; insserv's lists have another order after each change of a directory in memory."""
    found = snapshot(host.tree / "etc", times=False)
    return {path: facts for path, facts in found.items() if "/.depend." not in path}


def test_an_environment_of_its_own(tmp_path: Path) -> None:
    host = make_host(tmp_path)
    before = etc(host)
    for _ in range(2):  # once more is an upgrade
        assert host.must(*INSTALL) == "kexec-initd is in /opt/kexec-initd; kexec-initd install activates it\n"
        assert host.must("sh", "-c", "cat $(readlink -f /usr/local/share/man/man8/kexec-initd.8)").startswith(".")
        host.must("sh", "-c", "echo KEXEC=yes >>" + SETTINGS)
        host.must(COMMAND, "install")
    assert b"/opt/kexec-initd/bin/python" in (host.tree / "etc/init.d/kexec-initd").read_bytes()
    assert "nothing to do" in host.must(COMMAND, "install", "--dry-run")
    settings = (host.tree / SETTINGS[1:]).read_text()
    assert settings == (CHECKOUT / "debian/kexec-initd.default").read_text() + "KEXEC=yes\n" * 2, "the admin's are kept"

    host.must(*INSTALL, "--remove")
    host.must("rm", SETTINGS)
    host.must("rmdir", "/etc/kexec-initd/pre-jump.d", "/etc/kexec-initd/arrival.d", "/etc/kexec-initd")
    assert etc(host) == before
    assert not (host.tree / "opt/kexec-initd").exists()
    assert not [path for path in (host.tree / "usr/local").rglob("*") if path.is_symlink() and "kexec" in path.name]


def test_what_is_no_environment_is_left_alone(tmp_path: Path) -> None:
    host = make_host(tmp_path)
    for argv, words in (
        (["/srv"], "/srv is there, and is no virtual environment: name another directory"),
        (["--remove"], "there is no kexec-initd in /opt/kexec-initd"),
        (["--remove", "/etc"], "/etc is there, and is no virtual environment: name another directory"),
    ):
        assert host.run(*INSTALL, *argv) == (1, "/srv/source/scripts/install-venv: {}\n".format(words))
    assert host.run(*INSTALL, "relative").code == 2
    assert "/bin/false is no Python 3.6 or newer" in host.run("env", "PYTHON=/bin/false", *INSTALL).said
