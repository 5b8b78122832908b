"""Configurations that Debian's grub-mkconfig generates: what we read in them is what was laid down and asked for.

Titles, ids and order are those of /etc/grub.d as the manual of GRUB describes them; which entry a value of
GRUB_DEFAULT means is what its section on that variable says.
"""

from typing import Iterator, List, Tuple

import pytest

from tests.install.grub_host import BOOT, BOOT_UUID, CONFIG, LVM, ROOT, ROOT_UUID, GrubHost, Volume
from tests.install.loader_host import MIDDLE, NEW, OLD, RELEASES, LoaderHost, make_host

SIMPLE = "Debian GNU/Linux"
ADVANCED = "Advanced options for Debian GNU/Linux"
ADVANCED_ID = "gnulinux-advanced-" + ROOT_UUID
COMMON = ("GRUB_DISTRIBUTOR=Debian", "GRUB_TIMEOUT=5", 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"')
ROOT_WORDS = "root=UUID=" + ROOT_UUID


@pytest.fixture(name="host", scope="module")
def _host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoaderHost]:
    with make_host(tmp_path_factory.mktemp("host")) as host:
        yield host


@pytest.fixture(name="grub")
def _grub(host: LoaderHost) -> GrubHost:
    return GrubHost(host)


def title(release: str, kind: str = "") -> str:
    return "Debian GNU/Linux, with Linux {}{}".format(release, kind and " ({})".format(kind))


def identity(release: str, kind: str = "advanced") -> str:
    return "gnulinux-{}-{}-{}".format(release, kind, ROOT_UUID)


def path(release: str, kind: str = "advanced") -> str:
    return "{}>{}".format(ADVANCED_ID, identity(release, kind))


def cmdline(grub: GrubHost, wanted: str) -> str:
    """Return the command line of an entry, without the kernel that GRUB puts in front."""
    found = [entry["cmdline"] for entry in grub.host.entries() if entry["title"] == wanted]
    return str(found[0]).split(" ", 1)[1]


def test_every_entry_is_read(grub: GrubHost) -> None:
    grub.generate(*COMMON, 'GRUB_CMDLINE_LINUX="net.ifnames=0"')
    words: List[Tuple[str, str, str, str]] = [(SIMPLE, "gnulinux-simple-" + ROOT_UUID, NEW, "ro net.ifnames=0 quiet")]
    for release in RELEASES:
        words += [
            (title(release), identity(release), release, "ro net.ifnames=0 quiet"),
            (
                title(release, "systemd"),
                identity(release, "init-systemd"),
                release,
                "ro net.ifnames=0 quiet init=/lib/systemd/systemd",
            ),
            (title(release, "recovery mode"), identity(release, "recovery"), release, "ro single net.ifnames=0"),
        ]
    assert grub.host.entries() == [
        {
            "title": name,
            "id": identifier,
            "kernel": "/boot/vmlinuz-" + release,
            "initrds": ["/boot/initrd.img-" + release],
            "cmdline": "BOOT_IMAGE=/boot/vmlinuz-{} {} {}".format(release, ROOT_WORDS, arguments),
            "loader": "grub2",
            "default": number == 0,
        }
        for number, (name, identifier, release, arguments) in enumerate(words)
    ]
    submenus = [ADVANCED]
    assert [name for name in grub.titles() if name not in submenus] == [name for name, *_ in words]


@pytest.mark.parametrize(
    "settings, wanted",
    [
        (["GRUB_DEFAULT=0"], SIMPLE),
        (["GRUB_DEFAULT=1"], title(NEW)),
        (["GRUB_DEFAULT='1>3'"], title(MIDDLE)),
        (["GRUB_DEFAULT='1>8'"], title(OLD, "recovery mode")),
        (["GRUB_DEFAULT=7"], SIMPLE),
        (["GRUB_DEFAULT='{}'".format(path(OLD))], title(OLD)),
        (["GRUB_DEFAULT='{}>3'".format(ADVANCED_ID)], title(MIDDLE)),
        (["GRUB_DEFAULT='{}>{}'".format(ADVANCED, title(MIDDLE))], title(MIDDLE)),
        (["GRUB_DEFAULT='{}'".format(SIMPLE)], SIMPLE),
        # Inside a submenu, which a name without its path does not reach.
        (["GRUB_DEFAULT='{}'".format(title(MIDDLE))], SIMPLE),
        (["GRUB_DEFAULT='{}'".format(path("4.19.0-1-amd64"))], title(NEW)),
        (["GRUB_DISABLE_SUBMENU=y", "GRUB_DEFAULT='{}'".format(title(MIDDLE))], title(MIDDLE)),
        (["GRUB_DISABLE_SUBMENU=y", "GRUB_DEFAULT=6"], title(OLD)),
        (["GRUB_DISABLE_RECOVERY=true", "GRUB_DEFAULT='1>2'"], title(MIDDLE)),
        (["GRUB_TIMEOUT_STYLE=hidden", "GRUB_TIMEOUT=0", "GRUB_DEFAULT='1>3'"], title(MIDDLE)),
        (["GRUB_TIMEOUT_STYLE=countdown", "GRUB_DEFAULT='1>3'"], title(MIDDLE)),
        (["GRUB_HIDDEN_TIMEOUT=2", "GRUB_TIMEOUT=0", "GRUB_DEFAULT='1>3'"], title(MIDDLE)),
        (["GRUB_ENABLE_CRYPTODISK=y", "GRUB_DEFAULT='1>3'"], title(MIDDLE)),
        (["GRUB_TERMINAL=serial", "GRUB_SERIAL_COMMAND='serial --speed=115200'", "GRUB_DEFAULT=0"], SIMPLE),
        (["GRUB_INIT_TUNE='480 440 1'", "GRUB_BADRAM='0x01234567,0xfefefefe'", "GRUB_DEFAULT='1>3'"], title(MIDDLE)),
        (["GRUB_TERMINAL=console", "GRUB_GFXPAYLOAD_LINUX=keep", "GRUB_DEFAULT='1>3'"], title(MIDDLE)),
    ],
)
def test_default(grub: GrubHost, settings: List[str], wanted: str) -> None:
    grub.generate(*COMMON, *settings)
    target = grub.host.target()
    assert (target["title"], target["problem"], target["one_shot"]) == (wanted, None, False)


def test_a_later_kernel_takes_the_first_place_until_it_is_removed(grub: GrubHost) -> None:
    grub.generate(*COMMON)
    later = "6.1.0-100-amd64"
    grub.host.add_kernel(later)
    grub.generate(*COMMON)
    assert grub.host.target()["kernel"] == "/boot/vmlinuz-" + later
    for file in (grub.host.tree / "boot").glob("*" + later):
        file.unlink()
    assert later in grub.host.target()["problem"]
    grub.generate(*COMMON)
    assert grub.host.target()["kernel"] == "/boot/vmlinuz-" + NEW


@pytest.mark.parametrize(
    "wish, wanted",
    [
        ("1>3", title(MIDDLE)),
        (path(OLD), title(OLD)),
        ("{}>{}".format(ADVANCED, title(OLD)), title(OLD)),
        ("0", SIMPLE),
    ],
)
def test_saved(grub: GrubHost, wish: str, wanted: str) -> None:
    grub.generate(*COMMON, "GRUB_DEFAULT=saved")
    assert grub.host.default() == SIMPLE
    grub.host.must("grub-set-default", wish)
    assert grub.environment() == {"saved_entry": wish}
    target = grub.host.target()
    assert (target["title"], target["one_shot"]) == (wanted, False)
    assert target["file"] == "/boot/grub/grubenv"


def test_saved_counts_only_where_it_is_asked_for(grub: GrubHost) -> None:
    grub.generate(*COMMON, "GRUB_DEFAULT=0")
    grub.host.must("grub-set-default", "1>3")
    assert grub.host.default() == SIMPLE


def test_the_entry_that_boots_is_saved(grub: GrubHost) -> None:
    assert "save_env saved_entry" in grub.generate(*COMMON, "GRUB_DEFAULT=saved", "GRUB_SAVEDEFAULT=true")
    grub.host.must("grub-set-default", path(MIDDLE))
    assert grub.host.target()["title"] == title(MIDDLE)


@pytest.mark.parametrize("setting", ["GRUB_DEFAULT=saved", "GRUB_DEFAULT=0"])
def test_once(grub: GrubHost, setting: str) -> None:
    """A wish for one boot is taken, and named as one; when it has been taken back, the saved entry is next."""
    grub.generate(*COMMON, setting)
    lasting = title(OLD) if setting.endswith("saved") else SIMPLE
    grub.host.must("grub-set-default", path(OLD))
    grub.host.must("grub-reboot", path(MIDDLE))
    assert grub.environment() == {"saved_entry": path(OLD), "next_entry": path(MIDDLE)}
    target = grub.host.target()
    assert (target["title"], target["one_shot"], target["problem"]) == (title(MIDDLE), True, None)
    assert target["kernel"] == "/boot/vmlinuz-" + MIDDLE
    assert grub.host.default() == title(MIDDLE)
    grub.host.must("grub-editenv", "/boot/grub/grubenv", "set", "next_entry=")  # as GRUB does when it starts
    target = grub.host.target()
    assert (target["title"], target["one_shot"], target["problem"]) == (lasting, False, None)


@pytest.mark.parametrize(
    "setting, wanted",
    [
        ("GRUB_CMDLINE_LINUX=''", ROOT_WORDS + " ro quiet"),
        ("GRUB_CMDLINE_LINUX='console=tty0  console=ttyS0,115200n8'", "ro console=tty0 console=ttyS0,115200n8 quiet"),
        # GRUB takes the quotation marks off, and puts them around each word that has a blank in it.
        ("GRUB_CMDLINE_LINUX='dyndbg=\"file a.c +p\"'", 'ro "dyndbg=file a.c +p" quiet'),
        ("GRUB_CMDLINE_LINUX=\"dyndbg='file a.c +p' b\"", 'ro "dyndbg=file a.c +p" b quiet'),
        ("GRUB_CMDLINE_LINUX='memmap=2G\\$4G'", "ro memmap=2G$4G quiet"),
        # A dollar that is not escaped is a variable of GRUB's, here without a value.
        ("GRUB_CMDLINE_LINUX='memmap=2G$nothing'", "ro memmap=2G quiet"),
        # GRUB reads two backslashes as one, and puts one before each on the command line.
        ("GRUB_CMDLINE_LINUX='a\\\\b'", "ro a\\\\b quiet"),
        ("GRUB_CMDLINE_LINUX='a=1;b=2'", "ro a=1"),
        ("GRUB_CMDLINE_LINUX='umlaut=ä'", "ro umlaut=ä quiet"),
        ("GRUB_CMDLINE_LINUX_DEFAULT='splash \"a b\"'", 'ro splash "a b"'),
        ("GRUB_DISABLE_LINUX_UUID=true", "root=/dev/vda2 ro quiet"),
    ],
)
def test_command_line(grub: GrubHost, setting: str, wanted: str) -> None:
    grub.generate(*COMMON, setting)
    assert cmdline(grub, title(MIDDLE)).endswith(wanted)
    assert cmdline(grub, title(MIDDLE)).startswith("root=")


def test_microcode_comes_before_the_initrd(grub: GrubHost) -> None:
    for name in ("intel-ucode.img", "mine.img"):
        grub.host.write("boot/" + name)
    grub.generate(*COMMON, "GRUB_EARLY_INITRD_LINUX_CUSTOM=mine.img")
    assert [entry["initrds"] for entry in grub.host.entries() if entry["title"] == title(MIDDLE)] == [
        ["/boot/intel-ucode.img", "/boot/mine.img", "/boot/initrd.img-" + MIDDLE]
    ]


def test_a_kernel_without_an_initrd(grub: GrubHost) -> None:
    (grub.host.tree / "boot" / ("initrd.img-" + NEW)).unlink()
    grub.generate(*COMMON)
    target = grub.host.target()
    assert (target["kernel"], target["initrds"]) == ("/boot/vmlinuz-" + NEW, [])
    # Without an initrd a kernel knows no UUID of a file system.
    assert "root=/dev/vda2" in target["cmdline"] or "root=PARTUUID=" in target["cmdline"]


@pytest.mark.parametrize("where", ["etc/grub.d/40_custom", "boot/grub/custom.cfg"])
def test_entries_by_hand(grub: GrubHost, where: str) -> None:
    grub.generate(*COMMON)
    text = (
        "submenu 'By hand' --id hand {{\n menuentry 'One' {{ linux /boot/vmlinuz-{0} a }}\n"
        ' menuentry "Two" --id=two {{\n  linux /boot/vmlinuz-{0} b\n  initrd /boot/initrd.img-{0}\n }}\n}}\n'
    ).format(OLD)
    if where.startswith("etc"):
        grub.host.append(where, text)
    else:
        grub.host.write(where, text)
    grub.generate(*COMMON, "GRUB_DEFAULT='hand>two'")
    target = grub.host.target()
    assert (target["title"], target["kernel"]) == ("Two", "/boot/vmlinuz-" + OLD)
    assert (target["initrds"], target["cmdline"].split()[1:]) == (["/boot/initrd.img-" + OLD], ["b"])
    assert [entry["title"] for entry in grub.host.entries()][-2:] == ["One", "Two"]


def test_memory_test(grub: GrubHost) -> None:
    grub.host.write("boot/memtest86+x64.bin")
    grub.generate(*COMMON, "GRUB_DEFAULT='Memory test (memtest86+x64.bin)'")
    assert "Memory test (memtest86+x64.bin)" in grub.titles()
    target = grub.host.target()
    assert (target["title"], target["kernel"]) == ("Memory test (memtest86+x64.bin)", None)
    grub.generate(*COMMON)
    assert grub.host.target()["title"] == SIMPLE


def test_xen(grub: GrubHost) -> None:
    grub.host.write("boot/xen-4.17-amd64.gz")
    grub.host.write("boot/config-" + MIDDLE, "CONFIG_XEN_DOM0=y\n")
    grub.generate(*COMMON)
    assert grub.host.target()["title"] == SIMPLE
    grub.generate(*COMMON, "GRUB_DEFAULT='Debian GNU/Linux, with Xen hypervisor'")
    target = grub.host.target()
    assert (target["title"], target["kernel"]) == ("Debian GNU/Linux, with Xen hypervisor", None)
    assert "hypervisor" in target["problem"] or "multiboot" in target["problem"]


@pytest.mark.parametrize("name", ["Joe's", 'The "Box"', "A & B <x>", "Dollar $root", "Ünï"])
def test_names(grub: GrubHost, name: str) -> None:
    """The distributor stands in every title, quoted by grub_quote of grub-mkconfig."""
    grub.host.write("etc/distributor", name + "\n")
    grub.generate(*COMMON, 'GRUB_DISTRIBUTOR="$(cat /etc/distributor)"', "GRUB_DEFAULT='1>3'")
    titles = [entry["title"] for entry in grub.host.entries()]
    assert titles[0] == name + " GNU/Linux"
    assert grub.host.default() == "{} GNU/Linux, with Linux {}".format(name, MIDDLE)


@pytest.mark.parametrize(
    "volumes, root, uuid, once",
    [((BOOT, ROOT), ROOT_WORDS, BOOT_UUID, True), ((BOOT, LVM), "root=/dev/mapper/vg-root", BOOT_UUID, True)],
    ids=["plain", "lvm"],
)
def test_boot_on_its_own(host: LoaderHost, volumes: Tuple[Volume, ...], root: str, uuid: str, once: bool) -> None:
    grub = GrubHost(host, volumes)
    text = grub.generate(*COMMON, "GRUB_DEFAULT=saved")
    assert "\tlinux\t/vmlinuz-{} {}".format(NEW, root) in text
    assert uuid in text
    grub.host.must("grub-set-default", "1>3")
    target = grub.host.target()
    assert (target["title"], target["kernel"]) == (title(MIDDLE), "/boot/vmlinuz-" + MIDDLE)
    assert target["initrds"] == ["/boot/initrd.img-" + MIDDLE]
    assert target["cmdline"].startswith("BOOT_IMAGE=/vmlinuz-{} {} ro".format(MIDDLE, root))
    grub.host.must("grub-reboot", "1>6")
    assert grub.host.target()["one_shot"] is once


def test_a_wish_that_grub_cannot_take_back(host: LoaderHost) -> None:
    """GRUB writes to no logical volume: next_entry stays, and is booted each time."""
    grub = GrubHost(host, (LVM,))
    text = grub.generate(*COMMON, "GRUB_DEFAULT=saved")
    assert "insmod lvm" in text
    grub.host.must("grub-reboot", "1>3")
    target = grub.host.target()
    assert (target["title"], target["one_shot"], target["kernel"]) == (title(MIDDLE), False, "/boot/vmlinuz-" + MIDDLE)


def test_a_broken_configuration_decides_nothing(grub: GrubHost) -> None:
    """The negative: with one brace less nothing is chosen, so that the tests above can fail."""
    text = grub.generate(*COMMON)
    broken = text.replace("}}\nsubmenu '{}'".format(ADVANCED), "submenu '{}'".format(ADVANCED), 1)
    assert broken != text
    grub.host.write(CONFIG, broken)
    assert grub.host.target()["kernel"] is None
