"""Entries that systemd's kernel-install writes, and loader.conf beside them: what we read is what bootctl reads.

bootctl list sorts the entries and looks up loader.conf's default by systemd's own code; it sees no EFI variables here.
"""

import json
import re
import shutil
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence

import pytest

from tests.install.loader_host import MIDDLE, NEW, OLD, RELEASES, LoaderHost, make_host
from tests.trees import put
from tests.vm.cache import CHECKOUT

TOKEN = "0123456789abcdef0123456789abcdef"
BOOTCTL = "env SYSTEMD_RELAX_ESP_CHECKS=1 bootctl --esp-path={0} list --json=short\necho =====\n" + (
    "env SYSTEMD_RELAX_ESP_CHECKS=1 bootctl --esp-path={0} list\n"
)
ADD = "env SYSTEMD_RELAX_ESP_CHECKS=1 kernel-install add {0} /boot/vmlinuz-{0} {1} /boot/initrd.img-{0}\n"
REMOVE = "env SYSTEMD_RELAX_ESP_CHECKS=1 kernel-install remove {0}\n"
PLUGIN = Path("usr/lib/kernel/install.d/91-kexec-initd.install")
COUNTED = "echo 3 >/etc/kernel/tries\n{}rm /etc/kernel/tries\n"


class Told(NamedTuple):
    """What bootctl says: the entries in their order, and the file of the default."""

    entries: List[Dict[str, Any]]
    default: Optional[str]


@pytest.fixture(name="made", scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoaderHost]:
    with make_host(tmp_path_factory.mktemp("host")) as host:
        yield host


@pytest.fixture(name="host")
def _host(made: LoaderHost) -> LoaderHost:
    """Return a host with kernels and an EFI system partition that nothing is installed on yet."""
    made.reset()
    made.write("etc/machine-id", TOKEN + "\n")
    made.write("etc/kernel/cmdline", "root=UUID=x  ro\nquiet\n")
    made.write("etc/fstab", "UUID=x / ext4 defaults 0 1\nUUID=y /efi vfat umask=0077 0 1\n")
    made.write("boot/ucode.img")
    for release in RELEASES:
        made.add_kernel(release)
        (made.tree / "lib/modules" / release).mkdir(parents=True)
    for name in ("EFI/systemd", "loader/entries", TOKEN):
        (made.tree / "efi" / name).mkdir(parents=True)
    made.write("efi/EFI/systemd/systemd-bootx64.efi")
    return made


def add(*releases: str, early: str = "") -> str:
    return "".join(ADD.format(release, early) for release in releases)


def run(host: LoaderHost, script: str, point: str = "/efi") -> Told:
    """Run the commands, then bootctl."""
    said, text = host.must_on_mounts([point], script + BOOTCTL.format(point)).split("=====\n")
    entries = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    default = re.search(r"title: .* \(default\).*(?:\n.+)*?\n *source: (.*)", text)
    assert len(entries) == len(re.findall("^ *source: ", text, re.MULTILINE))
    return Told(entries, default.group(1) if default else None)


def words_for(initrds: Sequence[str], options: str) -> str:
    """Return the command line that the loader makes of an entry; bootctl tells of the options alone."""
    return " ".join(["initrd=" + path.replace("/", "\\") for path in initrds] + [options])


def check(host: LoaderHost, told: Told) -> None:
    """Compare what we list with what bootctl does."""
    found = host.entries()
    assert [(entry["title"], entry["cmdline"]) for entry in found] == [
        (entry["title"], words_for(entry.get("initrd", []), entry["options"])) for entry in told.entries
    ]
    for ours, theirs in zip(found, told.entries):
        root = theirs["root"]
        assert theirs["path"] == "{}/loader/entries/{}".format(root, ours["id"])
        assert ours["kernel"] == root + theirs["linux"]
        assert ours["initrds"] == [root + path for path in theirs.get("initrd", [])]
    defaults = [entry["id"] for entry in found if entry["default"]]
    assert defaults == [told.default.rpartition("/")[2]] if told.default else []


def kernels(host: LoaderHost) -> Sequence[str]:
    """Return the releases in the order of the list, from the directories that the kernels lie in."""
    return [entry["kernel"].split("/")[-2] for entry in host.entries()]


def test_every_entry_is_read(host: LoaderHost) -> None:
    check(host, run(host, add(OLD, NEW, MIDDLE, early="/boot/ucode.img")))
    directory = "/efi/{}/{}/".format(TOKEN, MIDDLE)
    assert kernels(host) == list(RELEASES)
    assert host.entries()[1] == {
        "title": "Debian GNU/Linux 12 (bookworm)",
        "id": "{}-{}.conf".format(TOKEN, MIDDLE),
        "kernel": directory + "linux",
        "initrds": [directory + "ucode.img", directory + "initrd.img-" + MIDDLE],
        "cmdline": words_for(
            ["/{}/{}/{}".format(TOKEN, MIDDLE, name) for name in ("ucode.img", "initrd.img-" + MIDDLE)],
            "root=UUID=x ro quiet systemd.machine_id=" + TOKEN,
        ),
        "loader": "systemd-boot",
        "default": False,
    }
    assert host.target()["kernel"] == "/efi/{}/{}/linux".format(TOKEN, NEW)


@pytest.mark.parametrize(
    "line, wanted",
    [
        ("", NEW),
        ("default *", NEW),
        ("default *-{}.conf".format(MIDDLE), MIDDLE),
        ("default {}-{}.conf".format(TOKEN, OLD), OLD),
        ("default {}-5.10.*".format(TOKEN), OLD),
        ("default {}-?.1.0-9-*.conf".format(TOKEN), MIDDLE),
        ("default {}-6.1.0-[0-9]-*".format(TOKEN), MIDDLE),
        ("default\t*{}*\n#default *".format(OLD), OLD),
        ("default *{}*\ndefault *{}*".format(OLD, MIDDLE), MIDDLE),
        ("default no-such-entry", NEW),
        ("console-mode max\ntimeout 3\neditor no", NEW),
    ],
)
def test_default(host: LoaderHost, line: str, wanted: str) -> None:
    host.write("efi/loader/loader.conf", "timeout 3\n" + line + "\n")
    told = run(host, add(*RELEASES))
    check(host, told)
    assert (told.default or "").endswith(wanted + ".conf")
    assert host.target()["kernel"].split("/")[-2] == wanted


def test_a_kernel_is_removed(host: LoaderHost) -> None:
    check(host, run(host, add(*RELEASES)))
    check(host, run(host, REMOVE.format(NEW)))
    assert kernels(host) == [MIDDLE, OLD]
    assert host.target()["kernel"] == "/efi/{}/{}/linux".format(TOKEN, MIDDLE)


def test_a_name_of_our_own(host: LoaderHost) -> None:
    """Without the machine's id in its name an entry does not name it either."""
    host.write("etc/kernel/entry-token", "mine\n")
    (host.tree / "efi/mine").mkdir()
    told = run(host, add(OLD, NEW))
    check(host, told)
    assert told.default == "/efi/loader/entries/mine-{}.conf".format(NEW)
    target = host.target()
    assert target["kernel"] == "/efi/mine/{}/linux".format(NEW)
    initrd = "/mine/{0}/initrd.img-{0}".format(NEW)
    assert target["cmdline"] == words_for([initrd], "root=UUID=x ro quiet")


def test_other_keys_sort_before_ours(host: LoaderHost) -> None:
    """What has a sort-key comes by that; what has none comes last, by its name."""
    for name, key in (("zz", "sort-key aaa\n"), ("aa", "sort-key zzz\n"), ("zzz", "")):
        host.write(
            "efi/loader/entries/{}.conf".format(name),
            "title {0}\n{1}version 1\nlinux /{2}/{3}/linux\noptions {0}\n".format(name, key, TOKEN, OLD),
        )
    told = run(host, add(*RELEASES))
    check(host, told)
    assert [entry["title"] for entry in host.entries()] == ["zz"] + ["Debian GNU/Linux 12 (bookworm)"] * 3 + [
        "aa",
        "zzz",
    ]
    assert host.target()["title"] == "zz"


def test_tries_that_are_left(host: LoaderHost) -> None:
    """The loader counts them down when it boots the entry: a reboot through kexec would take one away unseen."""
    told = run(host, COUNTED.format(add(NEW)) + add(MIDDLE, OLD))
    assert [entry.get("triesLeft") for entry in told.entries] == [3, None, None]
    assert (told.default or "").endswith(NEW + "+3.conf")
    assert kernels(host) == list(RELEASES)
    target = host.target()
    assert target["kernel"] is None
    assert "tries" in target["problem"]


def test_no_tries_left(host: LoaderHost) -> None:
    run(host, COUNTED.format(add(NEW)) + add(MIDDLE, OLD))
    entries = host.tree / "efi/loader/entries"
    name = "{}-{}".format(TOKEN, NEW)
    (entries / (name + "+3.conf")).rename(entries / (name + "+0-3.conf"))  # as the loader does at each boot
    told = run(host, "")
    check(host, told)
    assert kernels(host) == [MIDDLE, OLD, NEW]
    assert host.target()["kernel"] == "/efi/{}/{}/linux".format(TOKEN, MIDDLE)


@pytest.mark.parametrize("tries", ["", "echo 3 >/etc/kernel/tries\n"])
def test_what_a_kexec_has_put_on_the_line_stays_out_of_a_new_entry(host: LoaderHost, tries: str) -> None:
    """Without a line of its own kernel-install takes the running one."""
    (host.tree / "etc/kernel/cmdline").unlink()
    ours = "kexec_initd.attempt=0123456789abcdef kexec_initd.panic=30 panic=30 "
    host.write("boot/line", ours + "root=UUID=x ro quiet kexec_initd.append debug\n")
    script = "mount --bind /boot/line /proc/cmdline\n" + tries + add(NEW)
    assert "kexec_initd.attempt=" in run(host, script).entries[0]["options"]
    with (CHECKOUT / "kernel-install" / PLUGIN.name).open("rb") as source:
        put(host.tree / PLUGIN, source.read(), 0o755)
    try:
        told = run(host, script)
    finally:
        (host.tree / PLUGIN).unlink()
    assert [entry["options"] for entry in told.entries] == ["root=UUID=x ro quiet systemd.machine_id=" + TOKEN]


def test_on_the_boot_partition(host: LoaderHost) -> None:
    """Where the EFI system partition is mounted at /boot, entries name files as they lie there."""
    shutil.rmtree(str(host.tree / "efi"))
    host.write("etc/fstab", "UUID=x / ext4 defaults 0 1\nUUID=y /boot vfat umask=0077 0 1\n")
    host.write("boot/EFI/systemd/systemd-bootx64.efi")
    (host.tree / "boot" / TOKEN).mkdir()
    told = run(host, add(*RELEASES), "/boot")
    check(host, told)
    assert host.target()["kernel"] == "/boot/{}/{}/linux".format(TOKEN, NEW)
