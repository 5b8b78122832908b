"""The real package under the real dpkg: installed, upgraded, removed and purged, and every file as it was before."""

from pathlib import Path
from typing import Dict

import pytest

from kexec_initd.install.offline import render_for
from kexec_initd.install.standalone import write_standalone
from tests.install.chroot import Chroot, copy_base, dropping, repack, with_version
from tests.trees import put, snapshot
from tests.vm.packages import build_deb

KEPT = "etc/kexec-initd/originals/reboot"
MARK = b"# Written by kexec-initd"


@pytest.fixture(name="deb", scope="module")
def _deb() -> Path:
    return build_deb()


@pytest.fixture(name="chroot")
def _chroot(tmp_path: Path) -> Chroot:
    return copy_base(tmp_path)


def etc(chroot: Chroot) -> Dict[str, str]:
    """Return what /etc holds, without the times."""
    return snapshot(chroot.tree / "etc", times=False)


def reboot(chroot: Chroot) -> bytes:
    return (chroot.tree / "etc/init.d/reboot").read_bytes()


def check_silent(chroot: Chroot) -> None:
    """Dpkg finds nothing changed, and nothing half done."""
    assert chroot.verify() == []
    assert chroot.must("dpkg", "--audit") == ""


def check_installed(chroot: Chroot) -> None:
    assert MARK in reboot(chroot)
    assert "by kexec-initd" in chroot.must("dpkg-divert", "--list", "/etc/init.d/reboot")
    links = sorted(path.name for path in (chroot.tree / "etc/rc6.d").iterdir() if path.name != "README")
    order = [name[3:] for name in links]
    assert order.index("kexec-initd") < order.index("umountfs") < order.index("umountroot") < order.index("reboot")
    assert order[-1] == "reboot"
    inittab = (chroot.tree / "etc/inittab").read_text()
    assert "\nkx6:6:once:/etc/init.d/kexec-initd dead-man\n# END kexec-initd\nl6:6:wait:/etc/init.d/rc 6\n" in inittab
    assert chroot.verify() in ([], ["??5?????? c /etc/rc.local"])  # a conffile of initscripts
    assert chroot.must("dpkg", "--audit") == ""
    assert "nothing to do" in chroot.must("kexec-initd", "install", "--dry-run")


def purge(chroot: Chroot, before: Dict[str, str]) -> None:
    chroot.dpkg("--purge", "kexec-initd")
    check_silent(chroot)
    assert etc(chroot) == before
    assert chroot.must("dpkg-divert", "--list", "*kexec-initd*") == ""
    assert not (chroot.tree / "var/lib/kexec-initd").exists()


def test_install_reinstall_upgrade_remove_purge(chroot: Chroot, deb: Path, tmp_path: Path) -> None:
    before = etc(chroot)
    initscripts = repack(chroot, "initscripts", tmp_path)
    chroot.dpkg("-i", str(deb))
    check_installed(chroot)
    installed = etc(chroot)
    for options in (["--force-confnew", "--force-confmiss"], ["--force-confold"], []):
        chroot.dpkg(*options, "-i", str(initscripts))
        check_installed(chroot)
        assert etc(chroot) == installed
    chroot.dpkg("-i", str(with_version(deb, "99.0", tmp_path)))
    check_installed(chroot)
    assert etc(chroot) == installed
    switch = chroot.tree / "etc/default/kexec-initd.d/50-switch.conf"
    switch.write_text("KEXEC=no\n")
    chroot.dpkg("--remove", "kexec-initd")
    assert MARK not in reboot(chroot) and switch.exists()
    check_silent(chroot)
    purge(chroot, before)


@pytest.mark.full
def test_installed_again_after_removal(chroot: Chroot, deb: Path) -> None:
    before = etc(chroot)
    for _ in range(2):
        chroot.dpkg("-i", str(deb))
        check_installed(chroot)
        chroot.dpkg("--remove", "kexec-initd")
        check_silent(chroot)
    purge(chroot, before)


def test_an_upgrade_of_initscripts_in_between_is_kept(chroot: Chroot, deb: Path, tmp_path: Path) -> None:
    later = repack(chroot, "initscripts", tmp_path, "+later", edit="reboot")
    chroot.dpkg("-i", str(deb))
    chroot.dpkg("-i", str(later))
    check_installed(chroot)
    assert b"# of a later version\n" in (chroot.tree / KEPT).read_bytes()
    chroot.dpkg("--purge", "kexec-initd")
    assert reboot(chroot).endswith(b"# of a later version\n")
    check_silent(chroot)


def test_an_upgrade_of_kexec_tools_in_between_is_kept(chroot: Chroot, deb: Path, tmp_path: Path) -> None:
    later = repack(chroot, "kexec-tools", tmp_path, "+later", edit="kexec")
    chroot.dpkg("-i", str(deb))
    chroot.dpkg("-i", str(later))
    check_installed(chroot)
    assert MARK in (chroot.tree / "etc/init.d/kexec").read_bytes()
    chroot.dpkg("--purge", "kexec-initd")
    assert (chroot.tree / "etc/init.d/kexec").read_bytes().endswith(b"# of a later version\n")
    check_silent(chroot)


def test_a_script_edited_before_is_given_back(chroot: Chroot, deb: Path, tmp_path: Path) -> None:
    initscripts = repack(chroot, "initscripts", tmp_path)
    put(chroot.tree / "etc/init.d/reboot", reboot(chroot) + b"# mine \xff\n", 0o700)
    before = etc(chroot)
    chroot.dpkg("-i", str(deb))
    assert MARK in reboot(chroot)
    chroot.dpkg("-i", str(initscripts))
    chroot.dpkg("--purge", "kexec-initd")
    assert etc(chroot) == before


def test_a_diversion_or_an_override_of_the_admin_is_respected(chroot: Chroot, deb: Path) -> None:
    chroot.dpkg("--unpack", str(deb))
    path = "/etc/init.d/reboot"
    original = reboot(chroot)
    chroot.must("dpkg-divert", "--local", "--no-rename", "--divert", "/etc/reboot.mine", "--add", path)
    done = chroot.run("kexec-initd", "install")
    assert (done.code, done.said.count("\n")) == (3, 1)
    assert "diverted to /etc/reboot.mine by a local diversion" in done.said
    chroot.must("dpkg-divert", "--local", "--no-rename", "--remove", path)
    chroot.must("dpkg-statoverride", "--add", "root", "root", "0750", path)
    done = chroot.run("kexec-initd", "install")
    assert (done.code, done.said.count("\n")) == (3, 1)
    assert "dpkg-statoverride" in done.said
    chroot.must("dpkg-statoverride", "--remove", path)
    assert reboot(chroot) == original
    assert not (chroot.tree / "var/lib/kexec-initd").exists()
    chroot.must("kexec-initd", "install")


def test_initscripts_purged_before_us(chroot: Chroot, deb: Path) -> None:
    original = reboot(chroot)
    chroot.dpkg("-i", str(deb))
    chroot.dpkg("--purge", "--force-all", "initscripts")
    chroot.dpkg("--purge", "kexec-initd")
    assert reboot(chroot) == original  # dpkg does not purge a conffile that is diverted: nobody's, but not ours
    assert not (chroot.tree / "etc/kexec-initd").exists()


DROPPED = ("/etc/init.d/kexec", "/etc/init.d/kexec-load")


@pytest.mark.parametrize("edited", [False, True])
def test_scripts_that_kexec_tools_drops_leave_nothing_of_ours(
    chroot: Chroot, deb: Path, tmp_path: Path, edited: bool
) -> None:
    later = dropping(repack(chroot, "kexec-tools", tmp_path), DROPPED, tmp_path)
    mine = (chroot.tree / DROPPED[0][1:]).read_bytes() + b"# mine\n"
    if edited:
        put(chroot.tree / DROPPED[0][1:], mine, 0o755)
    chroot.dpkg("-i", str(deb))
    chroot.dpkg("-i", str(later))
    left = {path.name for path in (chroot.tree / "etc/init.d").iterdir() if path.name.startswith("kexec")}
    assert left == {"kexec-initd"}
    assert [path.name for path in (chroot.tree / KEPT).parent.iterdir()] == ["reboot"]
    assert "kexec" not in chroot.must("dpkg-divert", "--list", "/etc/init.d/kexec*").replace("kexec-initd", "")
    saved = [path.read_bytes() for path in (chroot.tree / "var/backups/kexec-initd").glob("kexec.*")]
    assert saved == ([mine] if edited else [])
    assert "nothing to do" in chroot.must("kexec-initd", "install", "--dry-run")
    chroot.dpkg("--purge", "kexec-initd")
    # dpkg forgets a conffile that was dropped with the next version of its package.
    assert chroot.verify() in ([], ["missing   c /etc/init.d/kexec-load", "missing   c /etc/init.d/kexec"])
    assert chroot.must("dpkg", "--audit") == ""
    assert not (chroot.tree / "etc/kexec-initd").exists()


def test_the_package_takes_over_what_install_sh_has_put_in_place(chroot: Chroot, deb: Path) -> None:
    before = etc(chroot)
    write_standalone(render_for("debian:12", None, True), chroot.tree / "root/kit")
    chroot.must("sh", "/root/kit/install.sh")
    assert MARK in reboot(chroot)
    chroot.dpkg("-i", str(deb))
    check_installed(chroot)
    assert not (chroot.tree / "var/lib/kexec-initd/standalone").exists()
    purge(chroot, before)


def test_what_install_sh_has_put_in_place_stays_where_the_package_is_refused(chroot: Chroot, deb: Path) -> None:
    before = etc(chroot)
    write_standalone(render_for("debian:12", None, True), chroot.tree / "root/kit")
    chroot.must("sh", "/root/kit/install.sh")
    standing = etc(chroot)
    (chroot.tree / "run/systemd/system").mkdir(parents=True)
    said = chroot.dpkg("-i", str(deb))
    assert "init system systemd" in said and "not activated" in said
    assert {path: fact for path, fact in etc(chroot).items() if path in standing} == standing
    (chroot.tree / "run/systemd/system").rmdir()
    chroot.must("kexec-initd", "install", "--take-over")
    check_installed(chroot)
    purge(chroot, before)


def test_what_install_sh_has_put_in_place_outlives_a_package_that_could_not_take_it_over(
    chroot: Chroot, deb: Path
) -> None:
    before = etc(chroot)
    write_standalone(render_for("debian:12", None, True), chroot.tree / "root/kit")
    chroot.must("sh", "/root/kit/install.sh")
    standing = etc(chroot)
    uninstall = chroot.tree / "var/lib/kexec-initd/standalone/uninstall.sh"
    uninstall.rename(uninstall.with_name("moved"))
    said = chroot.dpkg("-i", str(deb))
    assert "installed here by install.sh" in said and "not activated" in said
    chroot.dpkg("--purge", "kexec-initd")
    assert {path: fact for path, fact in etc(chroot).items() if "/default/" not in path} == standing
    uninstall.with_name("moved").rename(uninstall)
    chroot.must("sh", "/var/lib/kexec-initd/standalone/uninstall.sh")
    assert etc(chroot) == before
