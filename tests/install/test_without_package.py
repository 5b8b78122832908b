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
SOURCES = (
    *("LICENSE", "README.md", "pyproject.toml", "setup.cfg", "setup.py"),
    *("debian", "docs", "kexec_initd", "templates"),
)
PINS = CHECKOUT / "tests/requirements/python3.txt"
HERE = ("env", "PIP_NO_INDEX=1", "PIP_FIND_LINKS=/srv/wheels", "sh", "/srv/source/scripts/install-venv")
LINKS = ("sbin/kexec-initd", "share/man/man5/kexec-initd.5", "share/man/man8/kexec-initd.8")
SETTINGS = "/etc/default/kexec-initd"


def download(directory: Path) -> None:
    """Fetch what pip needs on the Python of the base, Debian 12's."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "-d", str(directory)]
    where = ["--only-binary", ":all:", "--python-version", "3.11", "--platform", "manylinux2014_x86_64"]
    names = ["distro", "jinja2", "markupsafe", "setuptools", "sh", "wheel"]
    subprocess.run([*pip, *where, "--no-deps", "-c", str(PINS), *names], check=True)


def make_host(tmp_path: Path) -> Chroot:
    """Return a Debian with the source in it, and what pip would fetch."""
    host = copy_base(tmp_path, PACKAGES)
    source = host.tree / "srv/source"
    (source / "scripts").mkdir(parents=True)
    shutil.copy(str(CHECKOUT / "scripts/install-venv"), str(source / "scripts"))
    for name in SOURCES:
        subprocess.run(["cp", "-R", str(CHECKOUT / name), str(source / name)], check=True)
    wheels = make_once("wheels-" + digest([PINS.read_bytes(), Path(__file__).read_bytes()]), download)
    shutil.copytree(str(wheels), str(host.tree / "srv/wheels"))
    return host


def etc(host: Chroot) -> Dict[str, str]:
    """Return what /etc holds; insserv's lists have another order after each change of a directory in memory."""
    found = snapshot(host.tree / "etc", times=False)
    return {path: facts for path, facts in found.items() if "/.depend." not in path}


def test_an_environment_of_its_own(tmp_path: Path) -> None:
    host = make_host(tmp_path)
    assert list((host.tree / "usr/lib").glob("python3.*/EXTERNALLY-MANAGED"))
    before = etc(host)
    for _ in range(2):  # once more is an upgrade
        said = host.must(*HERE)
        assert said == "kexec-initd is in /opt/kexec-initd; kexec-initd install activates it\n"
        assert host.must("sh", "-c", "cat $(readlink -f /usr/local/share/man/man8/kexec-initd.8)").startswith(".")
        assert host.must("grep", "-c", "^#[A-Z_]*=", SETTINGS) != "0\n"
        host.must("sh", "-c", "echo KEXEC=yes >>" + SETTINGS)
        host.must("/usr/local/sbin/kexec-initd", "install")
    assert b"/opt/kexec-initd/bin/python" in (host.tree / "etc/init.d/kexec-initd").read_bytes()
    assert "nothing to do" in host.must("/usr/local/sbin/kexec-initd", "install", "--dry-run")
    assert (host.tree / SETTINGS[1:]).read_text().endswith("KEXEC=yes\nKEXEC=yes\n"), "the admin's settings are kept"

    host.must(*HERE, "--remove")
    (host.tree / SETTINGS[1:]).unlink()
    for directory in ("pre-jump.d", "arrival.d", "."):
        (host.tree / "etc/kexec-initd" / directory).rmdir()
    assert etc(host) == before
    assert not (host.tree / "opt/kexec-initd").exists()
    assert not any((host.tree / "usr/local" / link).is_symlink() for link in LINKS)


def test_what_is_no_environment_is_left_alone(tmp_path: Path) -> None:
    host = make_host(tmp_path)
    for argv, code, words in (
        (["/srv"], 1, "/srv is there, and is no virtual environment: name another directory"),
        (["--remove"], 1, "there is no kexec-initd in /opt/kexec-initd"),
        (["--remove", "/etc"], 1, "/etc is there, and is no virtual environment: name another directory"),
    ):
        done = host.run(*HERE, *argv)
        assert (done.code, done.said) == (code, "/srv/source/scripts/install-venv: {}\n".format(words))
    assert host.run(*HERE, "relative").code == 2
    done = host.run("env", "PYTHON=/bin/false", *HERE)
    assert "/bin/false is no Python 3.6 or newer" in done.said
