"""The extlinux.conf that Debian's u-boot-update writes for U-Boot: what we read is what was laid down and asked for.

The settings are those of /etc/default/u-boot, see u-boot-update(8).
"""

from typing import Iterator, List, Tuple

import pytest

from tests.install.loader_host import MIDDLE, NEW, OLD, RELEASES, LoaderHost, make_host

NAME = "Debian GNU/Linux 12 (bookworm) "
RESCUE = " (rescue target)"


@pytest.fixture(name="made", scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoaderHost]:
    with make_host(tmp_path_factory.mktemp("host")) as host:
        yield host


@pytest.fixture(name="host")
def _host(made: LoaderHost) -> LoaderHost:
    made.reset()
    made.write("etc/fstab", "# the root\nUUID=x / ext4 defaults 0 1\n")
    for release in RELEASES:
        made.add_kernel(release)
    return made


def update(host: LoaderHost, *settings: str) -> None:
    host.write("etc/default/u-boot", "".join(line + "\n" for line in settings))
    host.must("u-boot-update")


def test_every_entry_is_read(host: LoaderHost) -> None:
    update(host)
    kinds = [("", "", "root=UUID=x ro quiet"), ("r", RESCUE, "root=UUID=x ro single")]
    assert host.entries() == [
        {
            "title": NAME + release + suffix,
            "id": "l{}{}".format(number, letter),
            "kernel": "/boot/vmlinuz-" + release,
            "initrds": ["/boot/initrd.img-" + release],
            "cmdline": words,
            "loader": "u-boot",
            "default": number == 0 and letter == "",
        }
        for number, release in enumerate(RELEASES)
        for letter, suffix, words in kinds
    ]


@pytest.mark.parametrize(
    "settings, wanted",
    [
        ([], NAME + NEW),
        (["U_BOOT_DEFAULT=l1"], NAME + MIDDLE),
        (["U_BOOT_DEFAULT=l2r"], NAME + OLD + RESCUE),
        (["U_BOOT_PROMPT=1", "U_BOOT_TIMEOUT=0", "U_BOOT_DEFAULT=l1"], NAME + MIDDLE),
        (["U_BOOT_MENU_LABEL='My  own: label'", "U_BOOT_DEFAULT=l2"], "My  own: label " + OLD),
        (["U_BOOT_ALTERNATIVES=recovery", "U_BOOT_DEFAULT=l0r"], NAME + NEW + RESCUE),
        (["U_BOOT_ALTERNATIVES=default", "U_BOOT_DEFAULT=l1"], NAME + MIDDLE),
    ],
)
def test_default(host: LoaderHost, settings: List[str], wanted: str) -> None:
    update(host, *settings)
    target = host.target()
    assert (target["title"], target["problem"], target["one_shot"]) == (wanted, None, False)


@pytest.mark.parametrize(
    "settings, wanted",
    [
        (["U_BOOT_PARAMETERS='rw  console=ttyS0,115200n8 dyndbg=\"file a.c +p\"'"], "rw  console=ttyS0,115200n8"),
        (["U_BOOT_ROOT=root=LABEL=r", "U_BOOT_PARAMETERS=ro"], "root=LABEL=r ro"),
    ],
)
def test_command_line(host: LoaderHost, settings: List[str], wanted: str) -> None:
    update(host, *settings)
    assert wanted in host.target()["cmdline"]


def test_only_one_kernel(host: LoaderHost) -> None:
    update(host, "U_BOOT_ENTRIES=1", "U_BOOT_ALTERNATIVES=default")
    assert [entry["title"] for entry in host.entries()] == [NAME + NEW]


def test_the_command_line_of_the_kernels(host: LoaderHost) -> None:
    host.write("etc/kernel/cmdline", "root=/dev/sda2 ro splash\n")
    update(host)
    assert host.target()["cmdline"] == "root=/dev/sda2 ro splash"


def test_a_kernel_without_an_initrd(host: LoaderHost) -> None:
    (host.tree / "boot" / ("initrd.img-" + NEW)).unlink()
    update(host)
    target = host.target()
    assert (target["kernel"], target["initrds"]) == ("/boot/vmlinuz-" + NEW, [])


@pytest.mark.parametrize("point", [(), ("/boot",)], ids=["together", "boot-on-its-own"])
def test_device_trees(host: LoaderHost, point: Tuple[str, ...]) -> None:
    """They are no part of what is loaded: kexec hands on the running one."""
    for release in RELEASES:
        host.write("usr/lib/linux-image-{}/some.dtb".format(release))
        host.write("boot/usr/lib/linux-image-{}/some.dtb".format(release))
    if point:
        host.append("etc/fstab", "UUID=y /boot ext4 defaults 0 2\n")
    host.must_on_mounts(point, "u-boot-update")
    assert "fdtdir /usr/lib/linux-image-{}/".format(NEW) in host.read("boot/extlinux/extlinux.conf")
    assert ("linux /boot/" in host.read("boot/extlinux/extlinux.conf")) is not bool(point)
    target = host.target()
    assert (target["title"], target["kernel"]) == (NAME + NEW, "/boot/vmlinuz-" + NEW)
    assert target["initrds"] == ["/boot/initrd.img-" + NEW]


def test_a_default_that_is_gone(host: LoaderHost) -> None:
    """Broken on purpose: a kernel that is not there any more is not what the tests above would find."""
    update(host)
    (host.tree / "boot" / ("vmlinuz-" + NEW)).unlink()
    assert host.target()["kernel"] != "/boot/vmlinuz-" + NEW
