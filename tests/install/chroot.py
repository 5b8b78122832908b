"""A Debian 12 under SysV init in a directory, with the real dpkg; nothing is mounted and nothing of this machine is reached.

Commands run in a mount and process namespace of their own, so that whatever a maintainer script mounts or starts is
gone with them, and policy-rc.d keeps every service from starting.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence

from tests.trees import put
from tests.vm.cache import make_once
from tests.vm.image import Recipe, bootstrap

PACKAGES = "sysvinit-core initscripts insserv sysv-rc kexec-tools python3 python3-jinja2 python3-distro python3-sh"
NAMESPACE = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C", "HOME": "/"}
LIMIT = 300
MERGED = ("bin", "lib", "sbin")  # links into /usr on a host, directories in a package


class Done(NamedTuple):
    """How a command ended and what it said, both streams together."""

    code: int
    said: str


class Chroot:
    """One tree to install in."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree

    def command(self, *argv: str) -> List[str]:
        """Return the command line that runs `argv` in the tree."""
        return [*NAMESPACE, "chroot", str(self.tree), *argv]

    def run(self, *argv: str) -> Done:
        """Run a command to its end, with no input: a question is an error."""
        done = subprocess.run(
            self.command(*argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=ENVIRONMENT,
            timeout=LIMIT,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode("utf-8", "replace"))

    def must(self, *argv: str) -> str:
        """Run a command that has to succeed and to ask nothing; return what it said."""
        done = self.run(*argv)
        assert done.code == 0, done.said
        assert "end of file on stdin" not in done.said, done.said
        return done.said

    def dpkg(self, *argv: str) -> str:
        """Run dpkg, which has to succeed. Packages are files of this machine and are copied into the tree."""
        names = []
        for word in argv:
            if word.endswith(".deb"):
                shutil.copy(word, str(self.tree / "root"))
            names.append("/root/" + Path(word).name if word.endswith(".deb") else word)
        return self.must("dpkg", *names)

    def verify(self) -> List[str]:
        """Return what `dpkg -V` finds in the packages whose scripts we stand in for; the base has no documentation."""
        said = self.run("dpkg", "-V", "initscripts", "kexec-tools").said
        return [line for line in said.splitlines() if not line.startswith("missing     /usr/share/")]


def copy_base(directory: Path, packages: str = PACKAGES) -> Chroot:
    """Return a fresh copy of the base tree with `packages` below `directory`. The base is made once and cached."""
    recipe = Recipe(packages=packages)
    base = make_once("chroot-" + recipe.key(), lambda partial: _make(recipe, partial)) / "tree"
    tree = directory / "tree"
    subprocess.run(["cp", "-a", "--reflink=auto", str(base), str(tree)], check=True)
    chroot = Chroot(tree)
    if (tree / "sbin/insserv").exists():
        # its lists have the order of the directory, which the file system that the base was made on may see in another way
        chroot.must("update-rc.d", "none", "remove")
    return chroot


def _make(recipe: Recipe, partial: Path) -> None:
    tar, tree = partial / "root.tar", partial / "tree"
    bootstrap(recipe, tar)
    tree.mkdir()
    subprocess.run(["tar", "-x", "--numeric-owner", "-f", str(tar), "-C", str(tree)], check=True)
    tar.unlink()
    put(tree / "usr/sbin/policy-rc.d", b"#!/bin/sh\nexit 101\n")
    shutil.rmtree(str(tree / "boot"), ignore_errors=True)
    (tree / "boot").mkdir()


def with_version(deb: Path, version: str, directory: Path) -> Path:
    """Return a copy of a package that says it has another version."""
    tree = directory / ("unpacked-" + version)
    subprocess.run(["dpkg-deb", "-R", str(deb), str(tree)], check=True)
    control = tree / "DEBIAN/control"
    lines = control.read_text().splitlines()
    control.write_text("".join("{}\n".format("Version: " + version if _is_version(line) else line) for line in lines))
    return _pack(tree, directory / "{}-{}.deb".format(deb.name.split("_")[0], version))


def repack(chroot: Chroot, package: str, directory: Path, suffix: str = "", edit: Optional[str] = None) -> Path:
    """Make a package again from what is installed in an untouched tree.

    With `suffix` it gets a later version; with `edit` its /etc/init.d/NAME of that name gets one more line.
    """
    tree = directory / (package + suffix)
    info = chroot.tree / "var/lib/dpkg/info"
    for name in (info / (package + ".list")).read_text().splitlines():
        _copy(chroot.tree / name.lstrip("/"), tree / name.lstrip("/"))
    (tree / "DEBIAN").mkdir(mode=0o755)
    for path in info.glob(package + ".*"):
        if path.suffix in (".conffiles", ".preinst", ".postinst", ".prerm", ".postrm", ".triggers"):
            shutil.copy2(str(path), str(tree / "DEBIAN" / path.suffix[1:]))
    if edit is not None:
        with (tree / "etc/init.d" / edit).open("a") as file:
            file.write("# of a later version\n")
    status = chroot.must("dpkg-query", "-s", package)
    (tree / "DEBIAN/control").write_text(_control(status, suffix))
    return _pack(tree, directory / "{}{}.deb".format(package, suffix))


def _control(status: str, suffix: str) -> str:
    """Return a control file from dpkg's status of a package."""
    lines: List[str] = []
    skipping = False
    for line in status.splitlines():
        skipping = skipping if line.startswith(" ") else line.startswith(("Status:", "Conffiles:"))
        if line and not skipping:
            lines.append(line + suffix if _is_version(line) else line)
    return "".join(line + "\n" for line in lines)


def _is_version(line: str) -> bool:
    return line.startswith("Version: ")


def _copy(source: Path, target: Path) -> None:
    if source.is_symlink() and source.name not in MERGED:
        target.symlink_to(os.readlink(str(source)))
    elif source.is_dir():
        target.mkdir(parents=True, exist_ok=True, mode=0o755)
    elif source.exists():
        shutil.copy2(str(source), str(target))


def _pack(tree: Path, deb: Path) -> Path:
    command = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "-b", str(tree), str(deb)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return deb


# As dh_installdeb(1) puts an rm_conffile into each of a package's scripts, deb-systemd's and others' words left out.
RM_CONFFILE = "#!/bin/sh\nset -e\n{}\n"


def dropping(deb: Path, paths: Sequence[str], directory: Path) -> Path:
    """Return a copy of a package, of a later version, that has dropped the configuration files `paths` (rm_conffile)."""
    tree = directory / "dropping"
    subprocess.run(["dpkg-deb", "-R", str(with_version(deb, "9:99", directory)), str(tree)], check=True)
    for path in paths:
        (tree / path.lstrip("/")).unlink()
    conffiles = tree / "DEBIAN/conffiles"
    conffiles.write_text("".join(line + "\n" for line in conffiles.read_text().split() if line not in paths))
    words = "\n".join('dpkg-maintscript-helper rm_conffile {} 9:99~ kexec-tools -- "$@"'.format(path) for path in paths)
    for name in ("preinst", "postinst", "postrm"):
        put(tree / "DEBIAN" / name, RM_CONFFILE.format(words).encode(), 0o755)
    return _pack(tree, directory / "dropping.deb")
