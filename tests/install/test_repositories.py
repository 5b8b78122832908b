"""The signed repositories: what is in them is installed with the signature checked, and what was changed is refused."""

import shutil
from pathlib import Path
from typing import Iterator, List, Tuple

import pytest

from tests.install.chroot import Chroot, copy_base
from tests.install.repositories import Keyring, make_keyring
from tests.install.rhel import build_rpm
from tests.vm.cache import CHECKOUT
from tests.vm.packages import build_deb

KEY = "/etc/apt/keyrings/kexec-initd.asc"
USAGE = "usage: scripts/build-repos DIR --key KEYID\n"


@pytest.fixture(name="repos", scope="module")
def _repos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tuple[Keyring, Path]]:
    directory = tmp_path_factory.mktemp("repos")
    build_deb()
    build_rpm()
    ring = make_keyring(directory / "gnupg")
    for _ in range(2):  # one that is there is replaced
        made = ring.build_repos(directory / "made")
        assert (made.returncode, made.stdout) == (0, "{}\n".format(directory / "made"))
    yield ring, directory / "made"
    ring.run("gpgconf", "--kill", "all")


@pytest.fixture(name="host")
def _host(repos: Tuple[Keyring, Path], tmp_path: Path) -> Chroot:
    """Return a Debian that knows our repository, and its key, and no other."""
    host = copy_base(tmp_path)
    shutil.copytree(str(repos[1] / "apt"), str(host.tree / "srv/apt"))
    (host.tree / KEY[1:]).parent.mkdir(exist_ok=True)
    shutil.copy(str(repos[1] / "key.asc"), str(host.tree / KEY[1:]))
    (host.tree / "etc/apt/sources.list").write_text("deb [signed-by={}] file:/srv/apt ./\n".format(KEY))
    return host


def damage(path: Path, place: int = -1) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))


def test_apt_installs_from_it_and_refuses_a_package_that_was_changed(host: Chroot) -> None:
    host.must("apt-get", "update", "--error-on=any")
    deb = next((host.tree / "srv/apt").glob("kexec-initd_*.deb"))
    damage(deb)
    done = host.run("apt-get", "install", "-y", "kexec-initd")
    assert (done.code, "Hash Sum mismatch" in done.said) == (100, True), done.said
    assert not (host.tree / "usr/sbin/kexec-initd").exists()
    damage(deb)
    host.must("apt-get", "install", "-y", "kexec-initd")
    assert "nothing to do" in host.must("kexec-initd", "install", "--dry-run")
    assert "0 upgraded" in host.must("apt-get", "dist-upgrade", "-y")
    host.must("apt-get", "purge", "-y", "kexec-initd")


@pytest.mark.parametrize("name, words", [("Packages.gz", "Hash Sum mismatch"), ("InRelease", "signature")])
def test_apt_refuses_an_index_that_was_changed(host: Chroot, name: str, words: str) -> None:
    for other in ("Packages", "Release.gpg"):
        (host.tree / "srv/apt" / other).unlink()
    damage(host.tree / "srv/apt" / name, 120)
    done = host.run("apt-get", "update", "--error-on=any")
    assert (done.code, words in done.said) == (100, True), done.said
    assert host.run("apt-get", "install", "-y", "kexec-initd").code == 100


def test_rpm_and_gpg_know_what_was_signed(repos: Tuple[Keyring, Path], tmp_path: Path) -> None:
    ring, made = repos
    index = made / "yum/repodata/repomd.xml"
    assert ring.run("gpg", "--verify", str(index) + ".asc", str(index)).returncode == 0
    damage(Path(shutil.copy(str(index), str(tmp_path))))
    assert ring.run("gpg", "--verify", str(index) + ".asc", str(tmp_path / index.name)).returncode == 1
    assert ring.run("rpmkeys", "--dbpath", str(tmp_path), "--import", str(made / "key.asc")).returncode == 0
    packages = sorted((made / "yum").glob("*.rpm"))
    assert {path.name for path in packages} == {path.name for path in (CHECKOUT / "dist").glob("*.rpm")}
    for package in packages:
        bad = Path(shutil.copy(str(package), str(tmp_path)))
        damage(bad)
        for path, words in ((package, "digests signatures OK"), (bad, "NOT OK")):
            assert words in ring.run("rpm", "--dbpath", str(tmp_path), "--checksig", str(path)).stdout
    unsigned = ring.run("rpm", "--dbpath", str(tmp_path), "--checksig", str(build_rpm()))
    assert "signatures" not in unsigned.stdout, "dist/ itself was changed"


@pytest.mark.parametrize("case, words", [
    ("no key", "gpg has no secret key Tests of kexec-initd <tests@kexec-initd.invalid>, see gpg --list-secret-keys"),
    ("no package", "there is no .deb in dist/: run ./scripts/build-deb first"),
    ("another's directory", "{} is there, and this command has not made it: name another directory"),
])  # fmt: skip
def test_what_is_missing_is_said_in_one_line(
    repos: Tuple[Keyring, Path], tmp_path: Path, case: str, words: str
) -> None:
    target = tmp_path / ("empty" if case == "another's directory" else "out")
    checkout = tmp_path if case == "no package" else CHECKOUT
    shutil.copytree(str(CHECKOUT / "scripts"), str(tmp_path / "scripts"))
    (tmp_path / "empty").mkdir(mode=0o700)
    ring = Keyring(tmp_path / "empty") if case == "no key" else repos[0]
    done = ring.build_repos(target, checkout)
    assert done.returncode == 1
    assert done.stdout == "{}/scripts/build-repos: {}\n".format(checkout, words.format(target))
    assert not target.exists() or not list(target.iterdir())


@pytest.mark.parametrize("argv", [[], ["/nowhere"], ["--key", "k"], ["/nowhere", "--key"], ["/a", "/b", "--key", "k"]])
def test_other_usage_is_answered_with_the_right_one(repos: Tuple[Keyring, Path], argv: List[str]) -> None:
    done = repos[0].run(str(CHECKOUT / "scripts/build-repos"), *argv)
    assert (done.returncode, done.stdout[: len(USAGE)]) == (2, USAGE)
