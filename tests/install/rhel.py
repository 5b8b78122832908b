"""Trees in the shape of RHEL with the real rpm; nothing is mounted and nothing of this machine is reached.

The programs are Debian's, without jinja2, distro and sh. The files that decide are those of a fixture root in
tests/render, and belong to packages made here: stand-ins for initscripts, kexec-tools and bash that carry no program.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Iterable, List

from tests.install.chroot import Chroot, copy_base
from tests.vm.cache import CHECKOUT

PACKAGES = "rpm python3"
FIXTURES = CHECKOUT / "tests/render/hosts"
HALT = "etc/rc.d/init.d/halt"
RC_LOCAL = "etc/rc.d/rc.local"
# What makes a Debian of the base, and what is a link there and a directory in RHEL.
DEBIAN = (
    *("etc/init.d", "etc/rc?.d", "etc/os-release", "usr/lib/os-release", "etc/debian_version", "etc/dpkg"),
    *("var/lib/dpkg", "var/run", "var/lock", "run"),
)
DIRECTORIES = (
    *("packages", "var/run", "var/lock/subsys", "var/lib/rpm", "etc/rpm", "etc/sysconfig"),
    *("usr/share/man/man5", "usr/share/man/man8"),
)
SPEC = """\
Name: {name}
Version: {version}
Release: 1
Summary: A stand-in
License: MIT
BuildArch: noarch
AutoReqProv: no
{tags}

%description
A stand-in.

%install
mkdir -p %{{buildroot}}
cp -a {content}/. %{{buildroot}}

%files
%defattr(-, root, root, 0755)
{files}
"""


class RpmHost(Chroot):
    """One tree with a database of rpm's."""

    def rpm(self, *argv: str) -> str:
        """Run rpm, which has to succeed; return what it said. Packages are files of this machine and are copied in."""
        return self.must(*self.rpm_command(*argv))

    def rpm_command(self, *argv: str) -> List[str]:
        """Return the command line of rpm in the tree. Debian's rpm asks to be told that this is meant."""
        words = []
        for word in argv:
            if word.endswith(".rpm"):
                shutil.copy(word, str(self.tree / "packages"))
            words.append("/packages/" + Path(word).name if word.endswith(".rpm") else word)
        return ["rpm", "--force-debian", *words]

    def read(self, path: str) -> bytes:
        """Return the content of a file."""
        return (self.tree / path).read_bytes()


def make_host(directory: Path, fixture: str) -> RpmHost:
    """Return a fresh host below `directory`, in the shape of a fixture root of tests/render."""
    tree = copy_base(directory, PACKAGES).tree
    remove(tree, DEBIAN)
    for name in DIRECTORIES:
        (tree / name).mkdir(parents=True, exist_ok=True)
    place_database(tree)
    # /sbin is a link in the base, which holds. What is left out comes in packages, or is a directory made above.
    left_out = shutil.ignore_patterns("rc.d", "var")
    shutil.copytree(FIXTURES / fixture, tree, symlinks=True, dirs_exist_ok=True, ignore=left_out)
    host = RpmHost(tree)
    bash = build("bash", "1", directory, tags="Provides: /bin/sh")
    host.rpm(
        "-i", str(bash), str(build("kexec-tools", "1", directory)), str(build_initscripts(fixture, "1", directory))
    )
    return host


def remove(tree: Path, patterns: Iterable[str]) -> None:
    """Remove whatever fits one of `patterns`, directories with all that is in them."""
    for pattern in patterns:
        for path in tree.glob(pattern):
            shutil.rmtree(str(path)) if path.is_dir() and not path.is_symlink() else path.unlink()


def place_database(tree: Path) -> None:
    """Have the tree's rpm, which is Debian's, keep its database where RHEL's does and not in root's home."""
    (tree / "etc/rpm").mkdir(exist_ok=True)
    (tree / "etc/rpm/macros").write_text("%_dbpath /var/lib/rpm\n")


def build_initscripts(fixture: str, version: str, directory: Path, addition: bytes = b"") -> Path:
    """Build the stand-in for initscripts with what the fixture has below /etc/rc.d, and `addition` in its halt."""
    content = make_content("initscripts", version, directory)
    shutil.copytree(FIXTURES / fixture / "etc/rc.d", content / "etc/rc.d")
    for level in "0123456":
        (content / "etc/rc.d/rc{}.d".format(level)).mkdir(exist_ok=True)
    first, rest = (content / HALT).read_bytes().split(b"\n", 1)
    (content / HALT).write_bytes(first + b"\n" + addition + rest)
    return build("initscripts", version, directory, files="/etc/rc.d\n%config(noreplace) /" + RC_LOCAL)


def make_content(name: str, version: str, directory: Path) -> Path:
    """Return the directory for the files of a stand-in."""
    content = directory / "{}-{}.content".format(name, version)
    content.mkdir(exist_ok=True)
    return content


def build(name: str, version: str, directory: Path, files: str = "", tags: str = "") -> Path:
    """Build a stand-in below `directory`, with the lines `files` of its list and further tags."""
    spec = directory / (name + ".spec")
    content = make_content(name, version, directory)
    spec.write_text(SPEC.format(name=name, version=version, content=content, files=files, tags=tags))
    return rpmbuild(spec, directory)


def rpmbuild(spec: Path, directory: Path) -> Path:
    """Build the package of a spec below `directory`."""
    name = "%%{NAME}-%%{VERSION}.rpm"
    defines = ["_topdir {}/rpmbuild".format(directory), "_rpmdir {}".format(directory), "_build_name_fmt " + name]
    words = [word for define in defines for word in ("--define", define)]
    done = subprocess.run(
        ["rpmbuild", "-bb", *words, str(spec)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return next(Path(line.split(" ", 1)[1]) for line in done.stdout.splitlines() if line.startswith("Wrote: "))


def build_rpm(checkout: Path = CHECKOUT) -> Path:
    """Build our package, or take the one of this very tree, and return it."""
    said = subprocess.run([str(checkout / "scripts/build-rpm")], check=True, stdout=subprocess.PIPE).stdout
    return checkout / said.decode().strip().splitlines()[-1]


def copy_checkout(directory: Path, version: str) -> Path:
    """Return a copy of what our package is built from, with another version."""
    checkout = directory / ("checkout-" + version)
    junk = shutil.ignore_patterns(".*", "__pycache__", "dist", "venvs", "cache", "vm-logs", "tests")
    shutil.copytree(CHECKOUT, checkout, symlinks=True, ignore=junk)
    init = checkout / "kexec_initd/__init__.py"
    init.write_text(re.sub(r'__version__ = ".*"', '__version__ = "{}"'.format(version), init.read_text()))
    return checkout
