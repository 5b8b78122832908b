"""The signed repositories: what is in them is installed with the signature checked, and what was changed is refused."""

import shutil
from pathlib import Path
from typing import Iterator, List, Tuple

import pytest

from tests.install.chroot import Chroot, copy_base
from tests.install.repositories import Keyring, build_repos, end_agent, make_keyring, run
from tests.install.rhel import build_rpm
from tests.vm.cache import CHECKOUT
from tests.vm.packages import build_deb

SOURCE = "Types: deb\nURIs: file:/srv/apt\nSuites: ./\nSigned-By: /etc/apt/keyrings/kexec-initd.asc\n"


@pytest.fixture(name="repos", scope="module")
def _repos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tuple[Keyring, Path]]:
    directory = tmp_path_factory.mktemp("repos")
    build_deb()
    build_rpm()
    ring = make_keyring(directory / "gnupg")
    for _ in range(2):  # one that is there is replaced
        made = build_repos(ring, directory / "made")
        assert (made.returncode, made.stdout) == (0, "{}\n".format(directory / "made"))
    yield ring, directory / "made"
    end_agent(ring)


@pytest.fixture(name="host")
def _host(repos: Tuple[Keyring, Path], tmp_path: Path) -> Chroot:
    """Return a Debian that knows our repository, and its key, and no other."""
    host = copy_base(tmp_path)
    shutil.copytree(str(repos[1] / "apt"), str(host.tree / "srv/apt"))
    (host.tree / "etc/apt/keyrings").mkdir(exist_ok=True)
    shutil.copy(str(repos[1] / "key.asc"), str(host.tree / "etc/apt/keyrings/kexec-initd.asc"))
    for path in (host.tree / "etc/apt").glob("sources.list*/*"):
        path.unlink()
    (host.tree / "etc/apt/sources.list").write_text("")
    (host.tree / "etc/apt/sources.list.d/kexec-initd.sources").write_text(SOURCE)
    return host


def damage(path: Path, place: int = -1) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))


def test_apt_installs_upgrades_and_removes_from_it(host: Chroot) -> None:
    host.must("apt-get", "update", "--error-on=any")
    host.must("apt-get", "install", "-y", "kexec-initd")
    assert "nothing to do" in host.must("kexec-initd", "install", "--dry-run")
    assert "0 upgraded" in host.must("apt-get", "dist-upgrade", "-y")
    host.must("apt-get", "purge", "-y", "kexec-initd")


def test_apt_refuses_a_package_that_was_changed(host: Chroot) -> None:
    host.must("apt-get", "update", "--error-on=any")
    damage(next((host.tree / "srv/apt").glob("kexec-initd_*.deb")))
    done = host.run("apt-get", "install", "-y", "kexec-initd")
    assert done.code == 100
    assert "Hash Sum mismatch" in done.said
    assert not (host.tree / "usr/sbin/kexec-initd").exists()


@pytest.mark.parametrize("name, words", [("Packages.gz", "Hash Sum mismatch"), ("InRelease", "signature")])
def test_apt_refuses_an_index_that_was_changed(host: Chroot, name: str, words: str) -> None:
    for other in ("Packages", "Release.gpg"):
        (host.tree / "srv/apt" / other).unlink()
    damage(host.tree / "srv/apt" / name, 120)
    done = host.run("apt-get", "update", "--error-on=any")
    assert done.code == 100
    assert words in done.said, done.said
    assert host.run("apt-get", "install", "-y", "kexec-initd").code == 100


def test_rpm_and_gpg_know_what_was_signed(repos: Tuple[Keyring, Path], tmp_path: Path) -> None:
    ring, made = repos
    index = made / "yum/repodata/repomd.xml"
    assert ring.gpg("--verify", str(index) + ".asc", str(index)).returncode == 0
    changed = tmp_path / "repomd.xml"
    changed.write_bytes(index.read_bytes() + b"\n")
    assert ring.gpg("--verify", str(index) + ".asc", str(changed)).returncode == 1

    rpm = ["rpm", "--dbpath", str(tmp_path / "db")]
    assert run(["rpmkeys", *rpm[1:], "--import", str(made / "key.asc")], ring.environment()).returncode == 0
    packages = sorted((made / "yum").glob("*.rpm"))
    assert [path.name.rsplit("-", 2)[0] for path in packages if "noarch" in path.name] == [
        "kexec-initd", "kexec-initd-legacy",
    ]  # fmt: skip
    for package in packages:
        checked = run([*rpm, "--checksig", str(package)], ring.environment())
        assert (checked.returncode, checked.stdout) == (0, "{}: digests signatures OK\n".format(package))
    bad = Path(shutil.copy(str(packages[0]), str(tmp_path)))
    damage(bad)
    assert "NOT OK" in run([*rpm, "--checksig", str(bad)], ring.environment()).stdout
    unsigned = run([*rpm, "--checksig", str(build_rpm())], ring.environment())
    assert "signatures" not in unsigned.stdout, "dist/ itself was changed"


@pytest.mark.parametrize("case, code, words", [
    ("no key", 1, "gpg has no secret key Tests of kexec-initd <tests@kexec-initd.invalid>, see gpg --list-secret-keys"),
    ("no package", 1, "there is no .deb in dist/: run ./scripts/build-deb first"),
    ("another's directory", 1, "{} is there, and this command has not made it: name another directory"),
])  # fmt: skip
def test_what_is_missing_is_said_in_one_line(
    repos: Tuple[Keyring, Path], tmp_path: Path, case: str, code: int, words: str
) -> None:
    target, checkout, ring = tmp_path / "out", CHECKOUT, repos[0]
    if case == "no key":
        (tmp_path / "empty").mkdir(mode=0o700)
        ring = Keyring(tmp_path / "empty")
    elif case == "no package":
        checkout = tmp_path / "checkout"
        shutil.copytree(str(CHECKOUT / "scripts"), str(checkout / "scripts"))
    else:
        target.mkdir()
    done = build_repos(ring, target, checkout)
    assert (done.returncode, done.stdout) == (
        code, "{}/scripts/build-repos: {}\n".format(checkout, words.format(target))
    )  # fmt: skip
    assert not target.exists() or not list(target.iterdir())


@pytest.mark.parametrize(
    "argv", [[], ["/nowhere"], ["--key", "k"], ["/nowhere", "--key"], ["/nowhere", "/else", "--key", "k"]]
)
def test_other_usage_is_answered_with_the_right_one(repos: Tuple[Keyring, Path], argv: List[str]) -> None:
    done = run([str(CHECKOUT / "scripts/build-repos"), *argv], repos[0].environment())
    assert done.returncode == 2
    assert done.stdout.startswith("usage: scripts/build-repos DIR --key KEYID\n")
