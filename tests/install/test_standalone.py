"""The standalone installer in a directory: exact undo, kills and failures at every step, odd files of the admin."""

import functools
import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, List, Sequence, Tuple

import pytest

from kexec_initd.install.standalone import SCRIPTS
from kexec_initd.state import checksum
from tests.damage import KINDS, clear, cuts, flips
from tests.install.standalone import Site, copy
from tests.scripts.standalone import ALONE
from tests.trees import dpkg_status, put

VERBS = ("install", "uninstall")
TARGETS = ["debian:12", "rhel:6", "rhel:4"]
NOTHING = "kexec-initd: nothing to do: it is "
LIST = "var/lib/kexec-initd/standalone/list"
DAMAGED_LIST = (
    "kexec-initd: /{} is missing, damaged, or not root's alone: run install.sh again, and then this\n".format(LIST)
)
BACKUPS = "var/backups/kexec-initd"
DIVERSIONS = "/var/lib/dpkg/diversions"
MANIFEST = "var/lib/kexec-initd/manifest"
DAMAGED = (
    "kexec-initd: /{} is damaged, or not root's alone: restore it from a backup, or remove it and run this again\n"
)


@pytest.fixture(params=ALONE)
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("target", TARGETS)
def test_install_and_uninstall(shell: str, tmp_path: Path, target: str) -> None:
    site = Site(tmp_path, shell, target)
    planned = site.must(site.install("--dry-run"))
    site.check_old()
    assert site.must(site.install()).startswith(planned)
    once = site.facts()
    assert site.install() == (0, NOTHING + "installed\n")
    planned = site.must(site.uninstall("--dry-run"))
    assert site.facts() == once
    assert site.must(site.uninstall()).startswith(planned)
    site.check_old()
    assert site.uninstall() == (0, NOTHING + "not installed\n")
    site.check_old()


def test_what_install_writes_is_what_was_rendered(tmp_path: Path, shell: str) -> None:
    site = Site(tmp_path, shell)
    site.must(site.install())
    for path in sorted((site.root / "root/kit/files").rglob("*")):
        place = site.root / path.relative_to(site.root / "root/kit/files")
        if path.is_file() and not path.is_symlink():
            assert place.read_bytes() == path.read_bytes()
            assert place.stat().st_mode & 0o7777 == 0o755
    assert (
        "diversion of /etc/init.d/reboot to /etc/kexec-initd/originals/reboot by kexec-initd"
        in site.facts()["diversions"]
    )
    block = (site.root / "root/kit/blocks/etc/rc.local").read_text()
    assert (
        site.root / "etc/rc.local"
    ).read_text() == "#!/bin/sh -e\n#\n# rc.local\n\n" + block + "foo || :\n\nexit 0\n"


def test_without_insserv_the_links_are_made_by_hand(tmp_path: Path, shell: str) -> None:
    site = Site(tmp_path, shell)
    (site.root / "etc/init.d/.depend.stop").unlink()
    (site.root / "bin/update-rc.d").write_text("exit 1\n")
    site.keep()
    assert "link /etc/rc6.d/K01kexec-initd to" in site.must(site.install())
    assert os.readlink(str(site.root / "etc/rc6.d/K01kexec-initd")) == "../init.d/kexec-initd"
    site.must(site.uninstall())
    site.check_old()


def test_an_old_dpkg_divert_does_not_know_its_default(tmp_path: Path, shell: str) -> None:
    site = Site(tmp_path, shell)
    fake = site.root / "bin/dpkg-divert"
    fake.write_text(fake.read_text().replace("  --no-rename  do not", "").replace(" --no-rename", ""))
    site.must(site.install())
    site.must(site.uninstall())
    site.check_old()


def edit_list(kit: Path, edit: Callable[[str], str]) -> None:
    """Have `edit` change the list of `kit`, which stays a whole one."""
    lines = checksum.unseal((kit / "list").read_bytes()).decode()
    (kit / "list").write_bytes(checksum.seal(edit(lines).encode()))


def with_sizes(kit: Path, listed: str) -> str:
    """Return a list that says the sizes that the files of `kit` have now."""
    lines = listed.splitlines()
    for number, (word, name, *_) in enumerate(line.split() + ["", ""] for line in lines):
        if word == "size":
            lines[number] = "size {} {}".format(name, (kit / name).stat().st_size)
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("target", TARGETS)
def test_an_upgrade_and_a_file_that_is_no_longer_in_it(tmp_path: Path, shell: str, target: str) -> None:
    site = Site(tmp_path, shell, target)
    kit = site.root / "root/kit"
    copy(kit, site.root / "root/newer")
    extra = "create /etc/extra\nlink /etc/link extra\n"
    edit_list(kit, lambda listed: listed.replace("create ", extra + "create ", 1))
    put(kit / "files/etc/extra", b"#!/bin/sh\n#\n# Written by kexec-initd\n")
    for path in (site.root / "root/newer").rglob("*"):
        if path.is_file() and not path.is_symlink() and path.name not in ("list", *SCRIPTS):
            path.write_text(path.read_text().replace("# END kexec-initd", "# newer\n# END kexec-initd") + "# newer\n")
    for path in (site.root / "root/newer/blocks").rglob("*"):
        if path.is_file():
            path.write_text(path.read_text().replace("# END kexec-initd\n# newer\n", "# END kexec-initd\n"))
    edit_list(site.root / "root/newer", functools.partial(with_sizes, site.root / "root/newer"))
    site.must(site.install())
    assert (site.root / "etc/extra").exists()
    assert (site.root / "etc/link").is_symlink() == target.startswith("rhel")
    site.must(site.run("/root/newer/install.sh"))
    assert not (site.root / "etc/extra").exists() and not (site.root / "etc/link").is_symlink()
    assert not (site.root / BACKUPS).exists()
    assert (site.root / "etc/init.d/kexec-initd").read_text().endswith("# newer\n")
    assert site.run("/root/newer/install.sh") == (0, NOTHING + "installed\n")
    site.must(site.uninstall())
    site.check_old()


class Stage(Site):
    """A host before and after install, whose changing programs can be harmed."""

    def __init__(self, directory: Path, shell: str, target: str) -> None:
        super().__init__(directory, shell, target)
        self.shell, self.target = shell, target
        self.wrap()
        self.must(self.install())
        self.steps = {"install": self.count()}
        self.installed = directory / "installed"
        for name in ("etc", "sbin", "var"):
            copy(self.root / name, self.installed / name)
        self.after = self.facts()
        self.harm(0, "before")
        self.must(self.uninstall())
        self.steps["uninstall"] = self.count()
        self.check_old()
        names = (
            path for path in self.before if path.startswith(("etc/init.d/", "etc/rc.d/init.d/", "sbin/", "etc/rc"))
        )
        self.scripts = [path for path in names if self.before[path].startswith("-")]

    def count(self) -> int:
        """Return how many changing programs the last run has called."""
        return int((self.root / "count").read_text())

    def check_whole(self) -> None:
        """Every script of the host is the old or the new one; none is missing for a moment."""
        facts = self.facts()
        for path in self.scripts:
            assert content(facts[path]) in (content(self.before[path]), content(self.after[path])), path

    def check_new(self) -> None:
        """The installation is complete and nothing else is there; times and the order of diversions do not count."""
        facts = self.facts()
        diversions = [sorted(found.pop("diversions", "").splitlines()) for found in (facts, dict(self.after))]
        assert diversions[0] == diversions[1]
        after = {path: content(fact) for path, fact in self.after.items() if path != "diversions"}
        assert {path: content(fact) for path, fact in facts.items()} == after

    def perform(self, verb: str) -> int:
        """Run a verb and return its exit code."""
        return (self.install() if verb == "install" else self.uninstall()).code

    def finish(self, verb: str) -> None:
        """Run a verb unharmed: it has to leave what it always leaves."""
        self.harm(0, "before")
        self.must(self.install() if verb == "install" else self.uninstall())
        if verb == "install":
            self.check_new()
        else:
            self.check_old()


def content(fact: str) -> Tuple[str, ...]:
    """Return a file's facts without its times."""
    words = fact.split()
    return tuple(words[:3] + words[-1:])


STRIDES = [7, pytest.param(1, marks=pytest.mark.full)]


def numbers(stage: Stage, verb: str, stride: int) -> List[int]:
    """Return the steps to try: every `stride`-th under dash, fewer under the other shells.

    Putting a file in place takes five steps, so that a multiple of five would always meet the same one of them.
    """
    return list(range(1, stage.steps[verb] + 1, stride if stage.shell == "/bin/dash" else 14))


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_killed_at_every_step(tmp_path: Path, shell: str, target: str, verb: str, stride: int) -> None:
    stage = Stage(tmp_path, shell, target)
    steps = numbers(stage, verb, stride)
    killed = 0
    for number, step in enumerate(steps):
        stage.reset(stage.pristine if verb == "install" else stage.installed)
        # Right after a step is right before the next: both ways to be killed, each finished in both ways.
        stage.harm(step, ("before", "after")[number % 2])
        killed += stage.perform(verb) == -9
        stage.check_whole()
        stage.finish(VERBS[number // 2 % 2])
    assert killed > len(steps) // 2


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("target", TARGETS)
def test_an_install_that_fails_takes_everything_back(tmp_path: Path, shell: str, target: str, stride: int) -> None:
    stage = Stage(tmp_path, shell, target)
    failed = 0
    steps = numbers(stage, "install", stride)
    for step in steps:
        stage.reset(stage.pristine)
        stage.harm(step, "fail")
        code = stage.perform("install")
        assert code in (0, 1, 3)
        if code == 0:  # everything was in place before it failed: what is left is a lock of a process that is gone
            stage.finish("install")
            continue
        failed += 1
        if "var/lib/kexec-initd" in stage.facts():
            stage.finish("uninstall")
        stage.check_old()
    assert failed > len(steps) // 3


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("target", TARGETS)
def test_an_uninstall_that_fails_is_finished_by_the_next(tmp_path: Path, shell: str, target: str, stride: int) -> None:
    stage = Stage(tmp_path, shell, target)
    for step in numbers(stage, "uninstall", stride):
        stage.reset(stage.installed)
        stage.harm(step, "fail")
        assert stage.perform("uninstall") in (0, 1)
        stage.check_whole()
        stage.finish("uninstall")


ODD: Dict[str, Tuple[bytes, int]] = {
    "no-newline": (b"#!/bin/sh\ntouch /x", 0o755),
    "no-newline-exit": (b"#!/bin/sh\ntouch /x\nexit 0", 0o755),
    "exit-in-the-middle": (b"#!/bin/sh\nif true; then\n\texit 0\nfi\ntouch /x\n", 0o700),
    "exit-first": (b"#!/bin/sh\nexit 0\ntouch /x\n", 0o755),
    "exit-then-comment": (b"#!/bin/sh\nfoo\nexit 0 # done\n\n# more\n\n", 0o755),
    "continued": (b"#!/bin/sh\ntrue &&\nexit 0\n", 0o755),
    "empty": (b"", 0o755),
    "bytes": (b"#!/bin/sh\n# \xff\xfe caf\xe9\n\x0c\nexit 0\n", 0o755),
    "spaces": (b"#! /bin/bash -e\n  exit 0  \n", 0o755),
}
UNFIT: Dict[str, Tuple[bytes, int, str]] = {
    "crlf": (b"#!/bin/sh\r\nexit 0\r\n", 0o755, "has the line ends of DOS"),
    "not-executable": (b"#!/bin/sh\nexit 0\n", 0o644, "is not executable"),
    "python": (b"#!/usr/bin/python\nprint 1\n", 0o755, "is run by /usr/bin/python, not by a shell"),
    "nul": (b"#!/bin/sh\n\0\n", 0o755, "holds NUL bytes"),
    "damaged": (b"#!/bin/sh\n# BEGIN kexec-initd\nexit 0\n", 0o755, "holds a damaged block"),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_rc_local_is_served_and_comes_back(tmp_path: Path, shell: str, name: str) -> None:
    site = Site(tmp_path, shell)
    text, mode = ODD[name]
    put(site.root / "etc/rc.local", text, mode)
    os.chown(str(site.root / "etc/rc.local"), 0, 8)
    (site.root / "etc/rc.local").chmod(mode)
    site.keep()
    said = site.must(site.install())
    assert "warning" not in said
    served = (site.root / "etc/rc.local").read_bytes()
    block = (site.root / "root/kit/blocks/etc/rc.local").read_bytes()
    assert block.strip() in served and served.replace(block.strip(), b"").split() == text.split()
    assert (site.root / "etc/rc.local").stat().st_mode & 0o7777 == mode
    site.must(site.uninstall())
    site.check_old()


@pytest.mark.parametrize("name", UNFIT)
def test_unfit_rc_local_is_left_alone_with_one_line(tmp_path: Path, shell: str, name: str) -> None:
    site = Site(tmp_path, shell)
    put(site.root / "etc/rc.local", *UNFIT[name][:2])
    site.keep()
    warnings = [line for line in site.must(site.install()).splitlines() if "warning" in line]
    assert len(warnings) == 1 and UNFIT[name][2] in warnings[0] and "/etc/rc.local" in warnings[0]
    assert site.facts()["etc/rc.local"] == site.before["etc/rc.local"]
    site.must(site.uninstall())
    site.check_old()


@pytest.mark.parametrize("kind", ["symlink", "directory", "hard-link", "immutable"])
def test_rc_local_that_is_no_plain_file(tmp_path: Path, shell: str, kind: str) -> None:
    site = Site(tmp_path, shell)
    place = site.root / "etc/rc.local"
    if kind == "hard-link":
        os.link(str(place), str(site.root / "etc/other"))
    elif kind == "immutable":
        site.jail.write("bin/lsattr", '#!/bin/sh\n[ "$2" != /etc/rc.local ] || echo "----i--------e-- $2"\n', 0o755)
    else:
        place.unlink()
        place.symlink_to("passwd") if kind == "symlink" else place.mkdir()
    site.keep()
    said = site.must(site.install())
    assert len(re.findall("warning: .*/etc/rc.local ", said)) == 1
    assert site.facts()["etc/rc.local"] == site.before["etc/rc.local"]
    site.must(site.uninstall())
    site.check_old()


@pytest.mark.parametrize("target", ["debian:12", "rhel:6"])
def test_without_rc_local_one_is_made_and_goes_again(tmp_path: Path, shell: str, target: str) -> None:
    site = Site(tmp_path, shell, target)
    name = "etc/rc.local" if target.startswith("debian") else "etc/rc.d/rc.local"
    (site.root / name).unlink()
    site.keep()
    site.must(site.install())
    assert (site.root / name).read_text().startswith("#!/bin/sh\n# BEGIN kexec-initd")
    site.must(site.uninstall())
    site.check_old()


def test_halt_local_of_the_admin_is_kept_and_comes_back(tmp_path: Path, shell: str) -> None:
    site = Site(tmp_path, shell, "rhel:6")
    put(site.root / "sbin/halt.local", b"#!/bin/sh\r\necho odd", 0o750)
    site.keep()
    site.must(site.install())
    assert (site.root / "etc/kexec-initd/originals/halt.local").read_bytes() == b"#!/bin/sh\r\necho odd"
    site.must(site.uninstall())
    site.check_old()


REFUSED: Dict[str, Tuple[str, str, str]] = {
    "family": ("rhel:6", "rm /etc/redhat-release", "not of the family rhel"),
    "systemd": ("debian:12", "mkdir -p /run/systemd/system", "init system is not sysvinit"),
    "upstart": ("debian:12", "mkdir -p /etc/init; cp /etc/inittab /etc/init/rc-sysinit.conf", "init system is not sysvinit"),
    "reboot-missing": ("debian:12", "rm /etc/init.d/reboot", "/etc/init.d/reboot is missing"),
    "reboot-symlink": ("debian:12", "mv /etc/init.d/reboot /etc/x; ln -s ../x /etc/init.d/reboot", "is a symbolic link"),
    "reboot-no-script": ("debian:12", "printf '#!/usr/bin/perl' >/etc/init.d/reboot", "is run by /usr/bin/perl, not by a shell"),
    "ours-exists": ("debian:12", "echo other >/etc/init.d/kexec-initd", "exists and is not ours"),
    "hook-exists": ("debian:12", "d=/etc/kernel/postrm.d; mkdir -p $d; echo other >$d/zzz-kexec-initd", "is not ours"),
    "diverted": ("debian:12", "echo diversion of /etc/init.d/reboot to /x by molly >" + DIVERSIONS, "is diverted to /x by molly"),
    "diverted-locally": ("debian:12", "echo local diversion of /etc/init.d/reboot to /x >" + DIVERSIONS, "to /x by the admin"),
    "arm64": ("debian:12", "rm /bin/uname; echo echo aarch64 >/bin/uname; chmod +x /bin/uname", "this is aarch64: "),
    "python": ("debian:12", "mkdir /var/lib/kexec-initd; echo >/var/lib/kexec-initd/manifest.json", "Python is installed"),
    "halt-executes": ("rhel:4", "sed -i 's/# no kexec/kexec -e -x/' /etc/rc.d/init.d/halt", "executes a loaded kernel itself"),
    "halt-does-not": ("rhel:6", "sed -i s/kexec/other/g /etc/rc.d/init.d/halt", "does not execute a loaded kernel"),
    "halt-without-local": ("rhel:6", "sed -i /halt.local/d /etc/rc.d/init.d/halt", "does not ask /sbin/halt.local"),
    "halt-ends-else": ("rhel:4", "echo 'echo end' >>/etc/rc.d/init.d/halt", "does not end in a plain"),
    "halt-symlink": ("rhel:4", "mv /etc/rc.d/init.d/halt /etc/x; ln -s /etc/x /etc/rc.d/init.d/halt", "is a symbolic link"),
    "halt-crlf": ("rhel:4", "sed -i 's/$/\r/' /etc/rc.d/init.d/halt", "has the line ends of DOS"),
    "no-installer": ("debian:12", "rm /root/kit/installer.sh", "installer.sh is missing, or not whole"),
    "installer-cut": ("debian:12", "f=/root/kit/installer.sh; head -n 200 $f >/x; cat /x >$f", "installer.sh is missing, or not"),
    "no-list": ("debian:12", "rm /root/kit/list", "list is missing"),
    "list-cut": ("debian:12", "f=/root/kit/list; head -n 9 $f >/x; cat /x >$f", "list is missing, or not whole"),
    "cut": ("debian:12", "f=/root/kit/files/etc/init.d/reboot; head -c 1500 $f >/x; cat /x >$f", "not whole"),
    "cut-between-functions": (
        "debian:12", "f=/root/kit/files/etc/init.d/reboot; sed '/^}$/q' $f >/x; sh -n /x && cat /x >$f", "not whole",
    ),
    "file-missing": ("debian:12", "rm /root/kit/files/etc/init.d/reboot", "not whole"),
    "no-shell": (
        "debian:12", "cd /root/kit/blocks/etc; sed 's/./(/g' rc.local >/x; cat /x >rc.local", "no valid shell",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_one_line_and_nothing_changed(tmp_path: Path, shell: str, name: str) -> None:
    target, harm, reason = REFUSED[name]
    site = Site(tmp_path, shell, target)
    site.jail.write("harm.sh", harm)
    site.must(site.run("/harm.sh"))
    site.keep()
    for args in ((), ("--dry-run",)):
        done = site.install(*args)
        assert done.code == 3 and reason in done.said and done.said.count("\n") == 1
        site.check_old()


def test_only_root(tmp_path: Path, shell: str) -> None:
    site = Site(tmp_path, shell)
    tmp_path.chmod(0o755)
    for script in ("install", "uninstall"):
        command = ["chroot", "--userspec=1000:1000", str(site.root), "/bin/sh", "/root/kit/{}.sh".format(script)]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        assert (done.returncode, done.stderr) == (3, "kexec-initd: only root can do this\n")


@pytest.mark.parametrize("args", [["--root"], ["--dry-run", "x"], ["--help"], [""]])
def test_usage(tmp_path: Path, args: List[str]) -> None:
    site = Site(tmp_path, "/bin/dash")
    for script in ("install.sh", "uninstall.sh"):
        assert site.run("/root/kit/" + script, *args) == (2, "usage: sh {} [--dry-run]\n".format(script))
    site.check_old()


def test_what_an_admin_has_edited_is_saved(tmp_path: Path, shell: str) -> None:
    site = Site(tmp_path, shell)
    site.must(site.install())
    for name in ("reboot", "kexec-initd"):
        with (site.root / "etc/init.d" / name).open("a") as file:
            file.write("# mine\n")
    place = site.root / "etc/rc.local"
    place.write_text(place.read_text().replace("foo", "bar").replace("|| :\nfi", "|| : # mine\nfi"))
    site.must(site.uninstall())
    saved = {path.name.split(".")[0]: path for path in (site.root / BACKUPS).iterdir()}
    assert sorted(saved) == ["kexec-initd", "rc", "reboot"]
    assert all("# mine" in path.read_text() for path in saved.values())
    assert place.read_text() == "#!/bin/sh -e\n#\n# rc.local\n\nbar || :\n\nexit 0\n"
    facts = site.facts()
    same = {path: fact for path, fact in facts.items() if path != "etc/rc.local" and "var/backups/" not in path}
    assert same == {path: fact for path, fact in site.before.items() if path != "etc/rc.local"}


def test_an_edit_is_saved_by_an_install_too(tmp_path: Path, shell: str) -> None:
    site = Site(tmp_path, shell)
    site.must(site.install())
    once = site.facts()
    with (site.root / "etc/init.d/reboot").open("a") as file:
        file.write("# mine\n")
    site.must(site.install())
    assert len(list((site.root / BACKUPS).iterdir())) == 1
    assert content(site.facts()["etc/init.d/reboot"]) == content(once["etc/init.d/reboot"])


def test_what_dpkg_has_brought_meanwhile_comes_back(tmp_path: Path, shell: str) -> None:
    site = Site(tmp_path, shell)
    site.must(site.install())
    put(site.root / "etc/kexec-initd/originals/reboot", b"#!/bin/sh\n# newer\n")
    dpkg_status(site.root, {"initscripts": ("installed", {"/etc/init.d/reboot": b"#!/bin/sh\n# newer\n"})})
    assert site.install() == (0, NOTHING + "installed\n")
    site.must(site.uninstall())
    assert (site.root / "etc/init.d/reboot").read_bytes() == b"#!/bin/sh\n# newer\n"


def test_what_another_package_has_put_over_a_wrapped_script_stays(tmp_path: Path, shell: str) -> None:
    site = Site(tmp_path, shell, "rhel:6")
    put(site.root / "sbin/halt.local", b"#!/bin/sh\n# old\n")
    site.must(site.install())
    put(site.root / "sbin/halt.local", b"#!/bin/sh\n# newer\n")
    site.must(site.uninstall())
    assert (site.root / "sbin/halt.local").read_bytes() == b"#!/bin/sh\n# newer\n"
    assert not (site.root / "etc/kexec-initd").exists()


def test_what_we_have_loaded_is_unloaded(tmp_path: Path, shell: str) -> None:
    site = Site(tmp_path, shell)
    site.must(site.install())
    site.must(site.uninstall())
    assert site.jail.calls() == []
    site.must(site.install())
    site.jail.write("run/kexec-initd/stamp", "end\n")
    site.must(site.uninstall())
    assert site.jail.calls() == ["kexec -u"]
    assert not (site.root / "run/kexec-initd/stamp").exists()


def test_two_at_once(tmp_path: Path, shell: str) -> None:
    site = Site(tmp_path, shell)
    site.jail.write("var/lib/kexec-initd/x", "")
    with subprocess.Popen(["sleep", "60"]) as holder:
        (site.root / "var/lib/kexec-initd/lock").symlink_to("{}-".format(holder.pid))
        done = site.install()
        assert done.code == 1 and "another install or uninstall is under way" in done.said
        holder.kill()
    site.must(site.install())


def test_an_admins_own_directory_stays(tmp_path: Path, shell: str) -> None:
    site = Site(tmp_path, shell)
    (site.root / "etc/kexec-initd").mkdir(mode=0o750)
    (site.root / "etc/kexec-initd").chmod(0o750)
    site.keep()
    site.must(site.install())
    site.must(site.uninstall())
    site.check_old()


@pytest.mark.parametrize("name", ["postinst.d", "prerm.d"])
def test_a_hook_is_put_where_new_kernel_pkg_would_run_it(tmp_path: Path, shell: str, name: str) -> None:
    site = Site(tmp_path, shell, "rhel:6")
    put(site.root / "sbin/new-kernel-pkg", "run /etc/kernel/{}/*\n".format(name).encode())
    (site.root / "etc/kernel").mkdir(mode=0o700)
    site.keep()
    site.must(site.install())
    assert [path.name for path in sorted((site.root / "etc/kernel").rglob("*"))] == [name, "zzz-kexec-initd"]
    site.must(site.uninstall())
    site.check_old()


def test_hooks_of_others_and_their_directories_stay(tmp_path: Path, shell: str) -> None:
    site = Site(tmp_path, shell)
    put(site.root / "etc/kernel/postinst.d/zz-update-grub", b"#!/bin/sh\n")
    (site.root / "etc/initramfs/post-update.d").mkdir(parents=True)
    site.keep()
    site.must(site.install())
    put(site.root / "etc/kernel/postrm.d/later", b"#!/bin/sh\n")
    site.must(site.uninstall())
    assert (site.root / "etc/kernel/postrm.d/later").exists()
    shutil.rmtree(str(site.root / "etc/kernel/postrm.d"))
    site.check_old()


def test_edited_hooks_of_one_name_are_all_saved(tmp_path: Path, shell: str) -> None:
    site = Site(tmp_path, shell)
    site.must(site.install())
    for number, hook in enumerate(sorted((site.root / "etc").rglob("zzz-kexec-initd"))):
        hook.write_text(hook.read_text() + "# {}\n".format(number))
    site.must(site.uninstall())
    saved = [path.read_text()[-4:] for path in (site.root / BACKUPS).iterdir()]
    assert sorted(saved) == ["# 0\n", "# 1\n", "# 2\n"]


def test_the_kit_may_be_gone_before_the_uninstall(tmp_path: Path, shell: str) -> None:
    site = Site(tmp_path, shell)
    site.must(site.install())
    shutil.rmtree(str(site.root / "root/kit"))
    site.must(site.uninstall())
    site.check_old()


def check_refused(
    site: Site,
    place: Path,
    damages: Iterable[Tuple[object, Callable[[], object]]],
    said: str,
    verbs: Sequence[str] = VERBS,
) -> None:
    """Each of the damages to `place` is refused in a line, at once, with nothing changed; then take it away."""
    clear(place)
    before = site.facts()
    for case, damage in damages:
        clear(place)
        damage()
        for verb, args in itertools.product(verbs, ((), ("--dry-run",))):
            assert getattr(site, verb)(*args) == (3, said), (case, verb, args)
        clear(place)
        assert site.facts() == before, case


def contents(place: Path, good: bytes, step: int) -> Iterator[Tuple[bytes, Callable[[], object]]]:
    """Yield what damage can make of a file's content, and what puts it there; scripts/test_state_files.py takes each byte."""
    for data in [*flips(good, step), *cuts(good, step)]:
        yield data, functools.partial(put, place, data, 0o644)


def test_a_damaged_manifest_is_refused(tmp_path: Path, shell: str) -> None:
    site = Site(tmp_path, shell)
    site.must(site.install())
    place = site.root / MANIFEST
    good = place.read_bytes()
    assert good.count(b"\nmade ") > 2
    check_refused(site, place, contents(place, good, 37), DAMAGED.format(MANIFEST))
    put(place, good, 0o644)
    assert site.install() == (0, NOTHING + "installed\n")
    site.must(site.uninstall())
    site.check_old()


def test_something_else_in_the_place_of_the_manifest_is_refused(tmp_path: Path, shell: str) -> None:
    site = Site(tmp_path, shell)
    site.must(site.install())
    place = site.root / MANIFEST
    good = place.read_bytes()
    put(place.with_name("manifest.aside"), good, 0o600)
    kinds = ((kind, functools.partial(KINDS[kind], place)) for kind in KINDS if kind != "missing")
    check_refused(site, place, kinds, DAMAGED.format(MANIFEST))
    assert place.with_name("manifest.aside").read_bytes() == good
    place.with_name("manifest.aside").rename(place)
    site.must(site.uninstall())
    site.check_old()


@pytest.mark.parametrize("name", [MANIFEST, "var/lib/kexec-initd/standalone/list"])
@pytest.mark.parametrize(
    "change", [(b"standalone 1\n", b"standalone 2\n"), (b"standalone 1\n", b"standalone 10\nmore\n")]
)
def test_what_a_newer_version_has_written_is_said_to_be_so(
    tmp_path: Path, shell: str, name: str, change: Tuple[bytes, bytes]
) -> None:
    site = Site(tmp_path, shell)
    site.must(site.install())
    place = site.root / name
    put(place, checksum.seal(checksum.unseal(place.read_bytes()).replace(*change)), 0o600)
    before = site.facts()
    said = "kexec-initd: /{} was written by a newer version of kexec-initd: install that version again\n".format(name)
    verbs = [site.uninstall, site.install] if name == MANIFEST else [site.uninstall]
    for verb in verbs:
        assert verb() == (3, said)
        assert site.facts() == before


def test_a_list_that_is_newer_than_its_script_is_said_to_be_so(tmp_path: Path, shell: str) -> None:
    site = Site(tmp_path, shell)
    place = site.root / "root/kit/list"
    put(place, checksum.seal(checksum.unseal(place.read_bytes()).replace(b"standalone 1\n", b"standalone 2\n")), 0o644)
    assert site.install() == (
        3,
        "kexec-initd: /root/kit/list was written by a newer version of kexec-initd than this script: copy the whole directory\n",
    )
    site.check_old()


@pytest.mark.parametrize("verb", VERBS)
def test_a_lost_manifest_stops_neither(tmp_path: Path, shell: str, verb: str) -> None:
    """What is not known any more is which directories were made."""
    site = Site(tmp_path, shell)
    site.must(site.install())
    once = site.facts()
    (site.root / MANIFEST).unlink()
    site.must(getattr(site, verb)())
    if verb == "install":
        hooked = [path for path in once if not path.startswith("var/lib/kexec-initd")]
        assert [path for path in hooked if site.facts()[path] != once[path]] == []
        site.must(site.uninstall())
    left = site.facts()
    assert all(fact.startswith("d") for path, fact in left.items() if path not in site.before)
    assert {path: left[path] for path in site.before} == site.before


def test_a_damaged_list_is_brought_anew_by_install(tmp_path: Path, shell: str) -> None:
    site = Site(tmp_path, shell)
    site.must(site.install())
    place = site.root / LIST
    good = place.read_bytes()
    check_refused(site, place, contents(place, good, 487), DAMAGED_LIST, ["uninstall"])
    put(place, good.replace(b"replace /etc/init.d/reboot", b"replace /etc/init.d/kexec "), 0o644)
    site.must(site.install())
    assert place.read_bytes() == good
    site.must(site.uninstall())
    site.check_old()


def test_something_else_in_the_place_of_the_list_is_replaced_by_install(tmp_path: Path, shell: str) -> None:
    site = Site(tmp_path, shell)
    site.must(site.install())
    place = site.root / LIST
    good = place.read_bytes()
    put(place.with_name("list.aside"), good, 0o600)
    kinds = {kind: functools.partial(KINDS[kind], place) for kind in KINDS}
    check_refused(site, place, kinds.items(), DAMAGED_LIST, ["uninstall"])
    for make in kinds.values():
        clear(place)
        make()
        site.must(site.install())
        assert place.read_bytes() == good
        put(place.with_name("list.aside"), good, 0o600)
    place.with_name("list.aside").unlink()
    site.must(site.uninstall())
    site.check_old()
