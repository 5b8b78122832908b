"""How GRUB's names of devices, pools and encrypted volumes lead to what is mounted here, and where they do not."""

from pathlib import Path
from typing import Dict, Optional, Tuple

import pytest

from kexec_initd.bootloader import Menu
from kexec_initd.bootloader.devices import Partition, find_luks, on_same_disk, parse_device
from kexec_initd.bootloader.grub2.menu import read, read_menu
from kexec_initd.bootloader.target import read_target
from kexec_initd.system.sysroot import Tree

UUID = "0f0e0d0c-0102-4304-8506-0708090a0b0c"
LUKS = "9f8e7d6c5b4a49388776655443322110"
GUID = 12345678901234567890
HEX = "{:016x}".format(GUID)


def host(root: Path, config: str, mounts: str, files: Tuple[str, ...], texts: Optional[Dict[str, str]] = None) -> Menu:
    """Read a configuration in /boot/grub of a host with these mounts, the empty `files` and others with a text."""
    contents = {"boot/grub/grub.cfg": config, "proc/mounts": mounts, "etc/os-release": "ID=debian\n"}
    contents.update(dict.fromkeys(files, ""))
    contents.update(texts or {})
    for name, text in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("->"):
            path.symlink_to(text[2:])
        else:
            path.write_text(text)
    menu = read_menu(Tree(root))
    assert menu is not None
    return menu


def kernel(menu: Menu) -> Optional[str]:
    """Return the kernel of the first entry, or why there is none."""
    entry = menu.offered[0].entry
    return str(entry.kernel) if entry else menu.offered[0].obstacle


ELSEWHERE = "/boot/k leads to another file system"
DATASET = "{} lies in a dataset of ZFS that is not mounted".format
ZFS = "rpool/ROOT/debian / zfs rw 0 0\nrpool/home /home zfs rw 0 0\n"
SAME_POOL = "rpool/a / zfs rw 0 0\nrpool/b /boot zfs rw 0 0\n"
TWO_POOLS = "rpool/ROOT/debian / zfs rw 0 0\nbpool/BOOT/debian /boot zfs rw 0 0\n"
NOT_MOUNTED = "the file system uuid={} is not mounted".format


@pytest.mark.parametrize(
    "mounts, script, expected",
    [
        (ZFS, "search --fs-uuid --set=root " + HEX + "; linux /ROOT/debian@/boot/k", "/boot/k"),
        (ZFS, "search -l rpool --set=root; linux /ROOT/debian@/boot/k", "/boot/k"),
        (ZFS, "search -l rpool --set=root; linux /ROOT/debian@//boot/./k", "/boot/k"),
        (ZFS, "linux $prefix/../k", None),
        (ZFS, "linux /ROOT/debian@/boot/k", "/boot/k"),
        (ZFS, "search -l rpool --set=root; linux /home@/k", "/home/k"),
        (ZFS, "linux /ROOT/other@/boot/k", DATASET("/ROOT/other@/boot/k")),
        (ZFS, "linux /ROOT/debian@old/boot/k", DATASET("/ROOT/debian@old/boot/k")),
        (ZFS, "linux /boot/k", DATASET("/boot/k")),
        (ZFS, "search -l tank --set=root; linux /ROOT/debian@/boot/k", "the file system label=tank is not mounted"),
        (ZFS, "search -u --set=root " + UUID + "; linux /ROOT/debian@/boot/k", NOT_MOUNTED(UUID)),
        (TWO_POOLS, "search -l bpool --set=root; linux /BOOT/debian@/k", "/boot/k"),
        (TWO_POOLS, "search -l rpool --set=root; linux /BOOT/debian@/k", DATASET("/BOOT/debian@/k")),
        (TWO_POOLS, "search -l rpool --set=root; linux /ROOT/debian@/boot/k", ELSEWHERE),
        (TWO_POOLS, "search -u --set=root " + HEX + "; linux /BOOT/debian@/k", NOT_MOUNTED(HEX)),
        ("rpool / zfs rw 0 0\n", "linux /@/boot/k", "/boot/k"),
        ("rpool/a@s / zfs ro 0 0\n", "linux /a@s/boot/k", "/boot/k"),
        (SAME_POOL, "search -l rpool --set=root; linux /a@/boot/k", ELSEWHERE),
    ],
)  # fmt: skip
def test_zfs(mounts: str, script: str, expected: Optional[str], tmp_path: Path) -> None:
    config = "menuentry x {{ {} }}\n".format(script)
    found = kernel(host(tmp_path, config, mounts, ("boot/k", "home/k")))
    assert found == expected if expected else found != "/boot/k"


@pytest.mark.parametrize(
    "links, expected",
    [
        ({}, "/boot/k"),
        ({str(GUID): "sda3"}, "/boot/k"),
        ({str(GUID + 1): "sda3"}, NOT_MOUNTED(HEX)),
        ({str(GUID): "sda3", str(GUID + 1): "sdb1"}, NOT_MOUNTED(HEX)),
        ({HEX.upper(): "sdb1"}, NOT_MOUNTED(HEX)),
    ],
    ids=["no links", "ours", "another", "two", "ntfs"],
)
def test_the_guid_of_a_pool_is_believed_where_nothing_speaks_against_it(
    links: Dict[str, str], expected: str, tmp_path: Path
) -> None:
    texts = {"dev/disk/by-uuid/" + name: "->../../" + device for name, device in links.items()}
    texts.update(("dev/" + device, "") for device in links.values())
    script = "menuentry x {{ search -u --set=root {}; linux /ROOT/debian@/boot/k }}\n".format(HEX)
    assert kernel(host(tmp_path, script, ZFS, ("boot/k",), texts)) == expected


def test_a_pool_is_told_by_its_label_among_several(tmp_path: Path) -> None:
    names = {"sda3": GUID, "sdb1": GUID + 1}
    texts = {"dev/disk/by-uuid/" + str(guid): "->../../" + device for device, guid in names.items()}
    texts.update({"dev/disk/by-label/rpool": "->../../sda3", "dev/sda3": "", "dev/sdb1": ""})
    script = "menuentry x {{ search -u --set=root {}; linux /ROOT/debian@/boot/k }}\n".format(HEX)
    assert kernel(host(tmp_path, script, ZFS, ("boot/k",), texts)) == "/boot/k"
    other = script.replace(HEX, "{:016x}".format(GUID + 1))
    (tmp_path / "boot/grub/grub.cfg").write_text(other)
    menu = read_menu(Tree(tmp_path))
    assert menu is not None and menu.offered[0].entry is None


def test_grub_does_not_write_to_zfs(tmp_path: Path) -> None:
    block = {"boot/grub/grubenv": "# GRUB Environment Block\nnext_entry=x\n".ljust(1024, "#")}
    config = "load_env\nset default=$next_entry\nset next_entry=\nsave_env next_entry\n"
    config += "menuentry x { linux /ROOT/debian@/boot/k }\n"
    menu = host(tmp_path, config, ZFS, ("boot/k",), block)
    assert (menu.default, menu.changes, menu.one_shot) == (0, (), False)


def test_a_subvolume_of_btrfs_does_not_show_what_is_mounted_into_it(tmp_path: Path) -> None:
    mounts = "/dev/sda2 / btrfs rw,subvol=/@ 0 0\n/dev/sda2 /boot btrfs rw,subvol=/@boot 0 0\n"
    menu = host(tmp_path, "menuentry x { linux /@/boot/k }\nmenuentry y { linux /@boot/k }\n", mounts, ("boot/k",))
    assert [offered.obstacle for offered in menu.offered] == [ELSEWHERE, None]


PLAIN = "/dev/sda1 / ext4 rw 0 0\n"
TWO_DISKS = "/dev/sda1 / ext4 rw 0 0\n/dev/sdb1 /boot ext4 rw 0 0\n"
MAP = {"boot/grub/device.map": "# by hand\n(fd0)\t/dev/fd0\n(hd0)\t/dev/sdb\n(hd1)\t/dev/disk/by-id/ata-X\n"}
BY_ID = {"dev/disk/by-id/ata-X": "->../../sda", "dev/sda": "", "dev/sdb": ""}
UNKNOWN = "which device {} is cannot be known".format


@pytest.mark.parametrize(
    "mounts, texts, root, expected",
    [
        ("/dev/vda / ext4 rw 0 0\n", {}, "(hd0)", "/boot/k"),
        ("/dev/vda / ext4 rw 0 0\n", {}, "hd0,msdos1", UNKNOWN("hd0,msdos1")),
        ("/dev/nvme0n1 / ext4 rw 0 0\n", {}, "hd0", "/boot/k"),
        ("/dev/nvme0n1p2 / ext4 rw 0 0\n", {}, "hd0,gpt2", "/boot/k"),
        (PLAIN, {}, "hd0", UNKNOWN("hd0")),
        (PLAIN, {}, "hd0,1", "/boot/k"),
        (PLAIN, {}, "hd1,1", UNKNOWN("hd1,1")),
        (TWO_DISKS, {}, "hd0,1", UNKNOWN("hd0,1")),
        (TWO_DISKS, {**MAP, **BY_ID}, "hd0,1", "/boot/boot/k"),
        (TWO_DISKS, {**MAP, **BY_ID}, "hd1,msdos1", ELSEWHERE),
        (TWO_DISKS, {**MAP, **BY_ID}, "hd0,msdos2", UNKNOWN("hd0,msdos2")),
        (TWO_DISKS, {**MAP, **BY_ID}, "hd2,msdos1", UNKNOWN("hd2,msdos1")),
        (PLAIN, {**MAP, **BY_ID}, "hd1,1", "/boot/k"),
        (PLAIN, {**MAP, **BY_ID}, "hd0,1", UNKNOWN("hd0,1")),
        (PLAIN, MAP, "hd0,1", "/boot/k"),
        (PLAIN, {**MAP, **BY_ID, "proc/cmdline": "BOOT_IMAGE=(hd0,msdos1)/boot/k ro\n"}, "hd0,msdos1", "/boot/k"),
        (PLAIN, {**MAP, **BY_ID, "proc/cmdline": "BOOT_IMAGE=(hd0,msdos1)/boot/k ro\n"}, "hd1,msdos1", UNKNOWN("hd1,msdos1")),
        ("/dev/vda / ext4 rw 0 0\n", {"proc/cmdline": "BOOT_IMAGE=(hd0)/boot/k ro\n"}, "hd0", "/boot/k"),
    ],
)  # fmt: skip
def test_names_of_disks(mounts: str, texts: Dict[str, str], root: str, expected: str, tmp_path: Path) -> None:
    config = "menuentry x {{ set root='{}'; linux /boot/k }}\n".format(root)
    assert kernel(host(tmp_path, config, mounts, ("boot/k", "boot/boot/k"), texts)) == expected


def test_partitions_by_their_names() -> None:
    assert parse_device("/dev/sda12") == Partition("/dev/sda", 12)
    assert parse_device("/dev/xvdb") == Partition("/dev/xvdb", 0)
    assert parse_device("/dev/mmcblk0p2") == Partition("/dev/mmcblk0", 2)
    assert parse_device("/dev/mapper/a") is None and parse_device("UUID=1") is None
    assert on_same_disk("/dev/sda1", "/dev/sda2") is True
    assert on_same_disk("/dev/sda1", "/dev/sdb1") is False and on_same_disk("/dev/sda1", "/dev/md0") is False
    assert on_same_disk("/dev/sda1", "UUID=1") is None


STUB = "search --no-floppy {} --fs-uuid --set=dev {}\nset prefix=($dev)/grub2\nexport $prefix\nconfigfile $prefix/grub.cfg\n"
FSTAB = (
    "UUID=aaaa / ext4 defaults 0 0\nUUID={} /boot ext4 defaults 0 0\nUUID=AB-CD /boot/efi vfat defaults 0 0\n".format(
        UUID
    )
)


@pytest.mark.parametrize(
    "option, system, mounts, found",
    [
        ("--root-dev-only", "fedora", "", True),
        ("-r", "rocky\nID_LIKE='rhel fedora'", "", True),
        ("--root-dev-only", "fedora", "/dev/sda2 /boot ext4 rw 0 0\n/dev/sda1 /boot/efi vfat rw 0 0\n", True),
        ("--root-dev-only", "fedora", "/dev/sdb2 /boot ext4 rw 0 0\n/dev/sda1 /boot/efi vfat rw 0 0\n", False),
        ("--root-dev-only", "fedora", "/dev/mapper/v-boot /boot ext4 rw 0 0\n/dev/sda1 /boot/efi vfat rw 0 0\n", False),
        ("", "fedora", "/dev/sdb2 /boot ext4 rw 0 0\n/dev/sda1 /boot/efi vfat rw 0 0\n", True),
        ("--root-dev-only", "debian", "", False),
    ],
)
def test_a_search_on_the_disk_that_grub_came_from(
    option: str, system: str, mounts: str, found: bool, tmp_path: Path
) -> None:
    texts = {
        "boot/efi/EFI/x/grub.cfg": STUB.format(option, UUID),
        "boot/grub2/grub.cfg": "menuentry a { linux /k }\n",
        "etc/os-release": "ID={}\n".format(system),
        "etc/fstab": FSTAB,
        "sys/firmware/efi/x": "",
    }
    menu = host(tmp_path, "", "/dev/sda3 / ext4 rw 0 0\n" + mounts if mounts else "", ("boot/k",), texts)
    assert (menu.default is not None) == found
    assert found or menu.problem is not None


LOCKED = "cryptomount -u {}; set root='cryptouuid/{}'; linux /boot/k".format(LUKS, LUKS)
MAPPED = "/dev/mapper/sda2_crypt / ext4 rw 0 0\n"
DASHED = "-".join([LUKS[:8], LUKS[8:12], LUKS[12:16], LUKS[16:20], LUKS[20:]])
PROOFS = {
    "crypttab": {"etc/crypttab": "# x\nsda2_crypt UUID={} none luks\n".format(DASHED)},
    "sysfs": {
        "sys/block/dm-0/dm/name": "sda2_crypt\n",
        "sys/block/dm-0/dm/uuid": "CRYPT-LUKS2-{}-sda2_crypt\n".format(LUKS),
    },
    "udev": {
        "dev/disk/by-id/dm-uuid-CRYPT-LUKS1-{}-sda2_crypt".format(LUKS): "->../../dm-0",
        "dev/mapper/sda2_crypt": "->../dm-0",
        "dev/dm-0": "",
    },
}
ENCRYPTED = "encrypted (cryptomount)"


@pytest.mark.parametrize("proof", sorted(PROOFS))
@pytest.mark.parametrize(
    "script",
    [
        LOCKED,
        "cryptomount -u {}; search -u --set=root {}; linux /boot/k".format(DASHED.upper(), UUID),
        "cryptomount -a; search -u --set=root {}; linux /boot/k".format(UUID),
    ],
)
def test_what_is_unlocked_in_an_entry_and_mounted_here_can_be_loaded(proof: str, script: str, tmp_path: Path) -> None:
    texts = {**PROOFS[proof], "etc/fstab": "UUID={} / ext4 defaults 0 1\n".format(UUID)}
    texts["dev/disk/by-uuid/" + UUID] = "->../../dm-0" if proof == "udev" else "->../../mapper/sda2_crypt"
    texts.setdefault("dev/mapper/sda2_crypt", "")
    assert kernel(host(tmp_path, "menuentry x {{ {} }}\n".format(script), MAPPED, ("boot/k",), texts)) == "/boot/k"


@pytest.mark.parametrize(
    "script, mounts, texts",
    [
        (LOCKED, MAPPED, {}),
        (LOCKED, MAPPED, {"etc/crypttab": "other UUID={}\n".format(DASHED)}),
        (LOCKED, MAPPED, {"etc/crypttab": "sda2_crypt UUID={}\n".format(DASHED[::-1])}),
        (LOCKED, PLAIN, PROOFS["sysfs"]),
        ("cryptomount hd0,2; linux /boot/k", MAPPED, PROOFS["sysfs"]),
        ("cryptomount -a; linux /boot/k", PLAIN, PROOFS["sysfs"]),
    ],
)
def test_what_is_unlocked_in_an_entry_without_proof_is_left_to_grub(
    script: str, mounts: str, texts: Dict[str, str], tmp_path: Path
) -> None:
    menu = host(tmp_path, "menuentry x {{ {} }}\n".format(script), mounts, ("boot/k",), texts)
    assert kernel(menu) == ENCRYPTED


def test_a_logical_volume_is_followed_down_to_what_is_encrypted(tmp_path: Path) -> None:
    texts = {
        "sys/block/dm-1/dm/name": "vg-root\n",
        "sys/block/dm-1/dm/uuid": "LVM-xyz\n",
        "sys/block/dm-1/slaves/dm-0/x": "",
        "sys/block/dm-0/dm/name": "crypt\n",
        "sys/block/dm-0/dm/uuid": "CRYPT-LUKS2-{}-crypt\n".format(LUKS),
        "sys/block/dm-0/slaves/dm-1/x": "",  # a loop
    }
    script = "menuentry x {{ cryptomount -u {}; set root=lvm/vg-root; linux /boot/k }}\n".format(LUKS)
    menu = host(tmp_path, script, "/dev/mapper/vg-root / ext4 rw 0 0\n", ("boot/k",), texts)
    assert kernel(menu) == "/boot/k"
    assert find_luks(Tree(tmp_path), "/dev/dm-1") == {LUKS}


@pytest.mark.parametrize(
    "texts, expected",
    [
        ({"boot/grub/i386-pc/normal.mod": "", "sys/firmware/acpi/x": ""}, "/boot/k"),
        ({"boot/efi/EFI/debian/grubx64.efi": "", "sys/firmware/efi/x": ""}, "/boot/k"),
        ({"boot/efi/EFI/debian/grubaa64.efi": "", "sys/firmware/efi/x": ""}, "devicetree"),
        ({"boot/efi/EFI/a/grubaa64.efi": "", "boot/efi/EFI/b/grubx64.efi": "", "sys/firmware/efi/x": ""}, "devicetree"),
        ({}, "devicetree"),
    ],
)
def test_a_device_tree_means_nothing_on_x86(texts: Dict[str, str], expected: str, tmp_path: Path) -> None:
    menu = host(tmp_path, "menuentry x { devicetree /d; linux /boot/k }\n", PLAIN, ("boot/k",), texts)
    assert kernel(menu) == expected


@pytest.mark.parametrize("blocks", ["512+1", "+1", "8+1,24+1"])
def test_variables_outside_of_any_file_are_told_as_such(blocks: str, tmp_path: Path) -> None:
    block = {"boot/grub/grubenv": "# GRUB Environment Block\nenv_block={}\n".format(blocks).ljust(1024, "#")}
    config = "load_env\nload_env -f ($root)$env_block\nmenuentry x { linux /boot/k }\n"
    problem = host(tmp_path, config, PLAIN, ("boot/k",), block).problem or ""
    assert "GRUB has saved lies in the blocks {} of the disk, outside of any file (env_block)".format(blocks) in problem


SNAPSHOTS = "menuentry a { linux /boot/k }\nsubmenu s { configfile $prefix/more.cfg }\n"
MORE = "submenu t { menuentry u { linux /boot/k } }\nmenuentry v { linux /boot/k }\n"


@pytest.mark.parametrize("default, chosen", [("0", "a"), ("a", "a"), ("1", None), ("1>0", None), ("s>t>u", None)])
def test_a_menu_that_a_submenu_shows_has_a_choice_of_its_own(
    default: str, chosen: Optional[str], tmp_path: Path
) -> None:
    texts = {"boot/grub/more.cfg": MORE}
    menu = host(tmp_path, "default='{}'\n{}".format(default, SNAPSHOTS), PLAIN, ("boot/k",), texts)
    assert [offered.path for offered in menu.offered] == ["0", "1>0>0", "1>1"]
    assert (menu.offered[menu.default].title if menu.default is not None else None) == chosen
    assert chosen or "the submenu shows the menu of /boot/grub/more.cfg" in (menu.problem or "")


def test_menus_that_lead_to_each_other_come_to_an_end(tmp_path: Path) -> None:
    texts = {
        "boot/grub/more.cfg": MORE
        + "submenu back { configfile $prefix/grub.cfg }\nsubmenu on { configfile $prefix/more.cfg }\n"
    }
    config = "export prefix root\nsubmenu s { configfile $prefix/more.cfg }\n" + SNAPSHOTS + "default=1\n"
    menu = host(tmp_path, config, PLAIN, ("boot/k",), texts)
    assert menu.problem is None and menu.default is not None and menu.offered[menu.default].title == "a"


def test_whether_another_menu_is_shown_may_depend_on_the_machine(tmp_path: Path) -> None:
    texts = {"boot/grub/more.cfg": MORE}
    menu = host(tmp_path, "if cpuid -l; then configfile $prefix/more.cfg; fi\n" + SNAPSHOTS, PLAIN, ("boot/k",), texts)
    assert menu.problem == "whether this is left depends on the-result-of-cpuid"


def test_the_target_of_a_host_with_a_menu_of_snapshots(tmp_path: Path) -> None:
    host(tmp_path, SNAPSHOTS, PLAIN, ("boot/k", "boot/grub/i386-pc/normal.mod"), {"boot/grub/more.cfg": MORE})
    target = read_target(Tree(tmp_path)).target
    assert target.entry is not None and target.title == "a"
    reading = read(Tree(tmp_path))
    assert reading is not None and len(reading.menu.offered) == 3
