"""The real package under the real rpm, on hosts in the shape of RHEL: installed, upgraded, removed, and every file as before."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Callable, Dict, List, Tuple

import pytest

import kexec_initd
from kexec_initd.install.offline import render_for
from kexec_initd.install.standalone import write_standalone
from tests.install.rhel import (
    FIXTURES,
    HALT,
    RC_LOCAL,
    RpmHost,
    build,
    build_initscripts,
    build_rpm,
    copy_checkout,
    make_content,
    make_host,
)
from tests.render.golden import expected
from tests.trees import put, snapshot
from tests.vm.cache import CHECKOUT

BEGIN = b"# BEGIN kexec-initd"
LOCK = "var/lock/subsys/kexec-initd"
SCRIPT = "etc/rc.d/init.d/kexec-initd"
UNINSTALL = "var/lib/kexec-initd/standalone/uninstall.sh"
Change = Callable[[RpmHost], None]
OURS = (
    *("etc/kexec-initd", "etc/sysconfig/kexec-initd", "usr/sbin/kexec-initd", "usr/share/kexec-initd"),
    *("usr/share/doc/kexec-initd-", "usr/share/man/man5/kexec-initd.5", "usr/share/man/man8/kexec-initd.8"),
    *("usr/lib/kernel", "usr/lib/systemd", "usr/share/bash-completion", "usr/share/zsh"),
)
NOT_ACTIVATED = "kexec-initd: not activated, see above; reboots stay as they are\n"


@pytest.fixture(name="rpm", scope="module")
def _rpm() -> Path:
    return build_rpm()


@pytest.fixture(name="later", scope="module")
def _later(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return our package in a later version."""
    return build_rpm(copy_checkout(tmp_path_factory.mktemp("later"), "99.0"))


def state(host: RpmHost) -> Dict[str, str]:
    """Return all of the tree but rpm's own database, and what the tests put there."""
    found = snapshot(host.tree)
    return {path: facts for path, facts in found.items() if not path.startswith(("var/lib/rpm", "packages", "tmp"))}


def hooks(host: RpmHost) -> Dict[str, Tuple[int, int]]:
    """Return inode and time of the last change of what hooks the host: equal means never touched."""
    links = ["etc/rc.d/rc{}.d/S99kexec-initd".format(level) for level in "2345"]
    links += ["etc/rc.d/rc{}.d/K01kexec-initd".format(level) for level in "06"]
    last = HALT if BEGIN in host.read(HALT) else "sbin/halt.local"
    facts = [(path, (host.tree / path).lstat()) for path in [SCRIPT, RC_LOCAL, last, *links]]
    return {path: (found.st_ino, found.st_ctime_ns) for path, found in facts}


def check_hooked(host: RpmHost) -> None:
    executes = b"kexec_command" in host.read(HALT)
    assert BEGIN in host.read(RC_LOCAL)
    assert (BEGIN in host.read(HALT)) is not executes
    if executes:
        assert b"Written by kexec-initd" in host.read("sbin/halt.local")
    assert (host.tree / LOCK).is_file()
    assert len(hooks(host)) == 9
    # Nothing is missing or changed, and Python has left nothing behind.
    assert host.rpm("-V", "kexec-initd") == ""
    assert not list((host.tree / "usr/share/kexec-initd").rglob("*.pyc"))


def check_removed(host: RpmHost, before: Dict[str, str]) -> None:
    host.rpm("-e", "kexec-initd")
    assert state(host) == before


TOLD = "kexec-initd is installed: once this system has booted, its reboots go through kexec\n"


# The tests below take a rhel-5, amazon-1 is like centos-6, and hosts like rhel-4 have no such Python but from elsewhere.
@pytest.mark.parametrize(
    "fixture", ["centos-6", *(pytest.param(name, marks=pytest.mark.full) for name in ("rhel-4", "rhel-5", "amazon-1"))]
)
def test_install_upgrade_erase(fixture: str, tmp_path: Path, rpm: Path, later: Path) -> None:
    host = make_host(tmp_path, fixture)
    before = state(host)
    for _ in range(2):
        assert host.rpm("-i", str(rpm)) == TOLD
        check_hooked(host)
        assert host.must("kexec-initd", "--version") == "kexec-initd {}\n".format(kexec_initd.__version__)
        hooked = hooks(host)
        assert host.rpm("-U", "--replacepkgs", str(rpm)) == ""
        assert host.rpm("-U", str(later)) == TOLD
        assert host.must("kexec-initd", "--version") == "kexec-initd 99.0\n"
        assert host.rpm("-U", "--oldpackage", str(rpm)) == TOLD
        assert hooks(host) == hooked
        check_hooked(host)
        check_removed(host, before)


def test_an_upgrade_of_initscripts_is_hooked_and_kept(tmp_path: Path, rpm: Path) -> None:
    host = make_host(tmp_path, "rhel-4")
    later = build_initscripts("rhel-4", "2", tmp_path, b"# of a later version\n")
    host.rpm("-i", str(rpm))
    host.rpm("-U", str(later))
    check_hooked(host)
    assert b"# of a later version\n" in host.read(HALT)
    host.rpm("-U", "--replacepkgs", str(later))
    check_hooked(host)
    host.rpm("-e", "kexec-initd")
    assert host.rpm("-V", "initscripts") == ""
    assert b"# of a later version\n" in host.read(HALT)


def test_a_halt_that_learns_of_kexec_is_hooked_as_such(tmp_path: Path, rpm: Path) -> None:
    host = make_host(tmp_path, "rhel-4")
    host.rpm("-i", str(rpm))
    host.rpm("-U", str(build_initscripts("rhel-5", "2", tmp_path)))
    check_hooked(host)
    host.rpm("-e", "kexec-initd")
    assert host.rpm("-V", "initscripts") == ""
    assert not (host.tree / "sbin/halt.local").exists()


def test_a_new_kernel_pkg_that_comes_later_is_hooked(tmp_path: Path, rpm: Path) -> None:
    host = make_host(tmp_path, "centos-6")
    program = host.tree / "sbin/new-kernel-pkg"
    put(make_content("grubby", "1", tmp_path) / "sbin/new-kernel-pkg", program.read_bytes())
    program.unlink()
    before = state(host)
    host.rpm("-i", str(rpm))
    assert not list(host.tree.glob("etc/kernel/*/zzz-kexec-initd"))
    host.rpm("-i", str(build("grubby", "1", tmp_path, files="/sbin/new-kernel-pkg")))
    assert {path.parent.name for path in host.tree.glob("etc/kernel/*/zzz-kexec-initd")} == {"postinst.d", "prerm.d"}
    host.rpm("-e", "kexec-initd", "grubby")
    assert state(host) == before


def test_under_systemd_it_waits_for_systemd_shutdown_and_is_hooked_there(tmp_path: Path, rpm: Path) -> None:
    host = make_host(tmp_path, "centos-6")
    (host.tree / "sbin/init").unlink()
    (host.tree / "sbin/init").symlink_to("../lib/systemd/systemd")
    (host.tree / "etc/redhat-release").write_text("CentOS Linux release 7.9.2009 (Core)\n")
    before = state(host)
    said = host.rpm("-i", str(rpm))
    assert said.count("\n") == 2
    assert "systemd" in said
    assert said.endswith(NOT_ACTIVATED)
    check_only_the_package(host, before)
    assert host.rpm("-U", str(build("kexec-tools", "2", tmp_path))) == ""
    put(host.tree / "usr/lib/systemd/systemd-shutdown", b"", 0o755)
    assert host.rpm("-i", str(build("systemd", "1", tmp_path))) == TOLD
    hooked = state(host)
    program, unit = "usr/lib/systemd/system-shutdown/kexec-initd", "etc/systemd/system/kexec-initd.service"
    assert program.encode() in host.read(unit) and host.read(program).startswith(b"#! /bin/sh")
    assert (SCRIPT in hooked, BEGIN in host.read(RC_LOCAL)) == (False, False)
    assert host.rpm("-U", "--replacepkgs", str(rpm)) == ""
    assert state(host) == hooked
    host.rpm("-e", "kexec-initd", "systemd")
    (host.tree / "usr/lib/systemd/systemd-shutdown").unlink()
    assert state(host) == before


def check_only_the_package(host: RpmHost, before: Dict[str, str]) -> None:
    after = state(host)
    assert {path for path in after if after[path] != before.get(path) and not path.startswith(OURS)} == set()


def test_without_python_it_says_so_and_waits_for_one(tmp_path: Path, rpm: Path) -> None:
    host = make_host(tmp_path, "rhel-5")
    before = state(host)
    hide_python(host)
    said = host.rpm("-i", str(rpm))
    assert said.startswith("kexec-initd: there is no Python 3.6 or newer ")
    assert said.endswith("\n" + NOT_ACTIVATED)
    assert said.count("\n") == 2
    bring_python(host)
    check_only_the_package(host, before)
    host.rpm("-U", str(build("kexec-tools", "2", tmp_path)))
    check_hooked(host)
    check_removed(host, before)


def test_without_python_nothing_is_removed_that_could_not_be_given_back(tmp_path: Path, rpm: Path) -> None:
    host = make_host(tmp_path, "rhel-4")
    before = state(host)
    host.rpm("-i", str(rpm))
    hooked = hooks(host)
    hide_python(host)
    done = host.run(*host.rpm_command("-e", "kexec-initd"))
    assert done.code != 0
    assert "kexec-initd: the files of the system could not be restored, the package is not removed\n" in done.said
    assert host.rpm("-q", "kexec-initd").startswith("kexec-initd-")
    assert hooks(host) == hooked
    bring_python(host)
    check_removed(host, before)


def hide_python(host: RpmHost) -> None:
    for path in (host.tree / "usr/bin").glob("python3*"):
        path.rename(host.tree / "tmp" / path.name)


def bring_python(host: RpmHost) -> None:
    for path in (host.tree / "tmp").glob("python3*"):
        path.rename(host.tree / "usr/bin" / path.name)


def test_settings_and_hooks_of_the_admin_are_kept(tmp_path: Path, rpm: Path, later: Path) -> None:
    host = make_host(tmp_path, "rhel-5")
    host.rpm("-i", str(rpm))
    settings = host.tree / "etc/sysconfig/kexec-initd"
    settings.write_text("PRELOAD=no\n")
    hook = host.tree / "etc/kexec-initd/pre-jump.d/mine"
    hook.write_text("#!/bin/sh\n")
    host.rpm("-U", str(later))
    assert settings.read_text() == "PRELOAD=no\n"
    host.run(*host.rpm_command("-e", "kexec-initd"))
    assert host.run(*host.rpm_command("-q", "kexec-initd")).code == 1
    assert hook.exists()
    assert settings.with_name("kexec-initd.rpmsave").read_text() == "PRELOAD=no\n"


def test_every_python_runs_it_with_what_it_bundles(tmp_path: Path, rpm: Path) -> None:
    host = make_host(tmp_path, "rhel-5")
    host.rpm("-i", str(rpm))
    main = host.tree / "usr/share/kexec-initd/main.py"
    pythons = subprocess.run([str(CHECKOUT / "scripts/pythons")], stdout=subprocess.PIPE, text=True, check=True).stdout
    for line in pythons.splitlines():
        out = tmp_path / line.split()[0]
        command = ["render", "--root", str(FIXTURES / "rhel-5"), "--out", str(out)]
        subprocess.run([line.split()[1], "-I", "-B", "-W", "error", str(main), *command], check=True)
        assert (out / SCRIPT).read_bytes() == expected("rhel-5")[SCRIPT][1]


def test_modules_of_the_host_are_not_taken_for_what_is_bundled(tmp_path: Path, rpm: Path) -> None:
    host = make_host(tmp_path, "rhel-5")
    for directory in ("usr/lib/python3/dist-packages", "evil"):
        for name in ("jinja2", "markupsafe", "distro", "sh", "kexec_initd", "argparse"):
            put(host.tree / directory / (name + ".py"), b"raise SystemExit('taken from elsewhere')\n")
    assert host.rpm("-i", str(rpm)) == TOLD
    check_hooked(host)
    command = "cd /evil && PYTHONPATH=/evil PYTHONSTARTUP=/evil/sh.py kexec-initd install --dry-run"
    assert "taken from elsewhere" not in host.must("sh", "-c", command)


def install_standalone(host: RpmHost) -> None:
    write_standalone(render_for("rhel:5", None, True), host.tree / "root/kit")
    host.must("sh", "/root/kit/install.sh")
    put(host.tree / LOCK, b"", 0o644)  # as its script does at the next boot
    put(host.tree / "dev/.kexec-initd/stamp", b"", 0o600)


def remove_kit(host: RpmHost) -> None:
    """Take away what install.sh came from, and what its script had left for this boot."""
    shutil.rmtree(str(host.tree / "root/kit"))
    shutil.rmtree(str(host.tree / "dev/.kexec-initd"), ignore_errors=True)
    (host.tree / LOCK).unlink(missing_ok=True)


def test_the_package_takes_over_what_install_sh_has_put_in_place(tmp_path: Path, rpm: Path) -> None:
    host = make_host(tmp_path, "rhel-5")
    before = state(host)
    install_standalone(host)
    host.rpm("-i", str(rpm))
    check_hooked(host)
    assert not (host.tree / "var/lib/kexec-initd/standalone").exists()
    assert not list(host.tree.glob("*/*kexec-initd/removed"))
    shutil.rmtree(str(host.tree / "root/kit"))
    check_removed(host, before)


def test_what_install_sh_has_put_in_place_stays_where_the_package_is_refused(tmp_path: Path, rpm: Path) -> None:
    host = make_host(tmp_path, "rhel-5")
    install_standalone(host)
    standing = state(host)
    (host.tree / "run/systemd/system").mkdir(parents=True)
    said = host.rpm("-i", str(rpm))
    assert "init system systemd" in said and "not activated" in said
    assert {path: fact for path, fact in state(host).items() if path in standing} == standing


def hide_uninstall(host: RpmHost) -> None:
    (host.tree / UNINSTALL).rename(host.tree / "tmp/uninstall.sh")


def bring_uninstall(host: RpmHost) -> None:
    (host.tree / "tmp/uninstall.sh").rename(host.tree / UNINSTALL)


@pytest.mark.parametrize(
    "hide, bring, told",
    [
        (hide_uninstall, bring_uninstall, "installed here by install.sh"),
        (hide_python, bring_python, "there is no Python 3.6"),
    ],
)
def test_what_install_sh_has_put_in_place_outlives_a_package_that_could_not_take_it_over(
    tmp_path: Path, rpm: Path, hide: Change, bring: Change, told: str
) -> None:
    host = make_host(tmp_path, "rhel-5")
    before = state(host)
    install_standalone(host)
    standing = state(host)
    hide(host)
    said = host.rpm("-i", str(rpm))
    assert told in said and said.endswith(NOT_ACTIVATED)
    assert "is kept: sh /" + UNINSTALL in host.rpm("-e", "kexec-initd")
    bring(host)
    assert state(host) == standing
    host.must("sh", "/" + UNINSTALL)
    remove_kit(host)
    assert state(host) == before


def query(rpm: Path, form: str) -> str:
    return subprocess.run(["rpm", "-qp", "--qf", form, str(rpm)], stdout=subprocess.PIPE, text=True, check=True).stdout


def test_the_rpm_of_old_hosts_can_read_it(rpm: Path) -> None:
    assert query(rpm, "%{PAYLOADFORMAT} %{PAYLOADCOMPRESSOR}") == "cpio gzip"
    assert {len(digest) for digest in query(rpm, "[%{FILEMD5S} ]").split()} == {32}
    features = {name for name in query(rpm, "[%{REQUIRENAME}\n]").split() if name.startswith("rpmlib(")}
    assert features == {"rpmlib(CompressedFileNames)", "rpmlib(PayloadFilesHavePrefix)"}


def test_the_same_tree_gives_the_same_package(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path, "1.0")
    other = tmp_path / "elsewhere"
    shutil.copytree(checkout, other)
    for path in other.rglob("*"):
        os.utime(path)
    assert build_rpm(checkout).read_bytes() == build_rpm(other).read_bytes()


def test_the_source_package_gives_the_same_package(tmp_path: Path, rpm: Path) -> None:
    """As rpmbuild makes it anywhere, without a network; --nodeps, since no Python is an .rpm here."""
    source = rpm.with_name(rpm.name.replace("noarch", "src"))
    subprocess.run(
        ["rpmbuild", "--rebuild", "--nodeps", "--define", "_topdir {}".format(tmp_path), str(source)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    (made,) = (tmp_path / "RPMS/noarch").iterdir()
    assert dump(made) == dump(rpm)


def dump(rpm: Path) -> List[List[str]]:
    """Return path, digest, mode and owner of each file of a package."""
    said = subprocess.check_output(["rpm", "-qp", "--dump", str(rpm)], universal_newlines=True)
    return [[line.split()[field] for field in (0, 3, 4, 5, 6)] for line in said.splitlines()]
