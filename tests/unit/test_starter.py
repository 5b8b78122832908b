"""Who has started the machine: single hosts, beside the table of all in test_starter_table."""

import json
import uuid
from pathlib import Path
from typing import Dict, Optional

import pytest

from kexec_initd.bootloader.evidence import Evidence, read_record
from kexec_initd.bootloader.firmware_record import keep
from kexec_initd.bootloader.load_option import LoadOption, parse_load_option
from kexec_initd.bootloader.menu import find_menu
from kexec_initd.bootloader.target import find_target, read_target
from kexec_initd.history.attempts import format_record, read, record_boot
from kexec_initd.history.guard import Attempt, Last, Outcome
from kexec_initd.kexec.load import load_entry
from kexec_initd.settings.reader import Settings
from kexec_initd.stages.shutdown import preload, prepare
from kexec_initd.state import checksum, store
from kexec_initd.state.store import Lasting
from kexec_initd.system.host import gather
from kexec_initd.system.sysroot import Tree
from tests.unit.fake_host import FakeHost, with_kernel
from tests.unit.starting_hosts import (
    COLD,
    DEBIAN,
    ENTRIES,
    ESP,
    IPV4,
    MAC,
    NEW,
    NUMBER,
    OLD,
    OURS,
    READERS,
    ROOT,
    UNMOUNTED,
    Files,
    answer,
    firmware,
    grub,
    legacy,
    loader_variable,
    option,
    problem,
    write,
)

PROGRAM = "\\EFI\\{}\\grubx64.efi"
STUB = "search.fs_uuid {} root\nset prefix=($root)'/boot/grub'\nconfigfile $prefix/grub.cfg\n"
SHARED: Files = dict(
    DEBIAN,
    **{
        "etc/fstab": "UUID=aa / ext4 defaults 0 1\nUUID=bb /mnt/other ext4 defaults 0 2\n",
        "dev/disk/by-uuid/aa": "-> ../../sda2",
        "dev/sda2": "",
        "dev/disk/by-uuid/bb": "-> ../../sda5",
        "dev/sda5": "",
        "proc/mounts": ESP + "/dev/sda5 /mnt/other ext4 rw 0 0\n",
        "boot/grub/grub.cfg": grub("6.1-old", title="Ours"),
        "boot/grub/x86_64-efi/normal.mod": "",
        "boot/efi/EFI/MX/grubx64.efi": "",
        "boot/efi/EFI/debian/grubx64.efi": "",
        "boot/efi/EFI/debian/grub.cfg": STUB.format("bb"),
        "mnt/other/boot/grub/grub.cfg": grub("6.2-new", title="Theirs"),
        "mnt/other/boot/vmlinuz-6.2-new": "",
        "mnt/other/boot/initrd.img-6.2-new": "",
    },
)


@pytest.mark.parametrize("stub", [None, "aa"])
@pytest.mark.parametrize("mounted", [True, False])
@pytest.mark.parametrize("started", ["MX", "debian"])
def test_on_a_shared_system_partition_the_started_directory_decides(
    tmp_path: Path, started: str, mounted: bool, stub: Optional[str]
) -> None:
    """The other system's stub is on the partition as well, and the distribution calls itself by that one's name."""
    files = dict(SHARED, **firmware({1: option("x", PROGRAM.format(started)), 2: option("y")}, [1, 2], 1))
    if not mounted:
        files["proc/mounts"] = ESP
        files["dev/disk/by-uuid/bb"] = "-> ../../gone"
    if stub:
        files["boot/efi/EFI/MX/grub.cfg"] = STUB.format(stub)
    write(tmp_path, files)
    target = find_target(Tree(tmp_path))
    if started == "MX":
        assert (target.title, str(target.entry and target.entry.kernel)) == ("Ours", "/boot/" + OLD)
    elif mounted:
        assert target.title == "Theirs"
    else:
        assert target.entry is None


PARTITIONS: Files = {
    "dev/sda1": "",
    "dev/sdb1": "",
    "dev/disk/by-partuuid/" + str(OURS): "-> ../../sda1",
    "dev/disk/by-partuuid/" + str(UNMOUNTED): "-> ../../sdb1",
}


@pytest.mark.parametrize(("partition", "wanted"), [(OURS, NEW), (UNMOUNTED, OLD), (None, NEW)])
def test_of_two_system_partitions_the_started_one_counts(
    tmp_path: Path, partition: Optional[uuid.UUID], wanted: str
) -> None:
    """The mounted one has another system's stub in a directory of the same name."""
    entry = option("debian", PROGRAM.format("debian"), partition=partition)
    write(tmp_path, dict(SHARED, **PARTITIONS, **firmware({1: entry}, [1], 1)))
    assert answer(tmp_path) == wanted


@pytest.mark.parametrize(("partition", "wanted"), [(OURS, "linux"), (UNMOUNTED, COLD), (None, "linux")])
@pytest.mark.parametrize("entry", [True, False])
def test_systemd_boot_reads_the_partition_that_it_was_started_from(
    tmp_path: Path, partition: Optional[uuid.UUID], wanted: str, entry: bool
) -> None:
    program = "\\EFI\\systemd\\systemd-bootx64.efi"
    files = dict(DEBIAN, **ENTRIES, **PARTITIONS, **{"proc/mounts": ESP})
    if entry:
        files.update(firmware({1: option("Linux", program, partition=partition)}, [1], 1, "systemd-boot 255"))
    else:
        names = {"LoaderInfo": "systemd-boot 255", "LoaderImageIdentifier": program}
        names["LoaderDevicePartUUID"] = str(partition or "").upper()
        files.update(
            {loader_variable(name): bytes(4) + (text + "\0").encode("utf-16-le") for name, text in names.items()}
        )
    assert answer(write(tmp_path, files)) == wanted


def test_the_same_directory_on_another_partition_in_front_is_another_loader(tmp_path: Path) -> None:
    entries = {1: option("debian", PROGRAM.format("debian"), partition=OURS)}
    entries[2] = option("debian", PROGRAM.format("debian"), partition=UNMOUNTED)
    write(tmp_path, dict(SHARED, **PARTITIONS, **firmware(entries, [1, 2], 2)))
    assert problem(tmp_path) == 'the firmware would start "debian" (\\EFI\\debian\\grubx64.efi) first'
    write(tmp_path, firmware(entries, [2, 1], 2))
    assert answer(tmp_path) == OLD


def test_the_stub_of_fedora_searches_on_the_disk_of_its_root(tmp_path: Path) -> None:
    files = dict(SHARED, **firmware({1: option("Fedora", PROGRAM.format("fedora"))}, [1], 1))
    files["boot/efi/EFI/fedora/grubx64.efi"] = ""
    files["etc/os-release"] = "ID=fedora\n"
    files["boot/grub/grub.cfg"] = "search --no-floppy --fs-uuid --set=root aa\n" + grub("6.1-old")
    files["boot/efi/EFI/fedora/grub.cfg"] = (
        "search --no-floppy --root-dev-only --fs-uuid --set=dev aa\nset prefix=($dev)/boot/grub\n"
        "export $prefix\nconfigfile $prefix/grub.cfg\n"
    )
    assert answer(write(tmp_path, files)) == OLD


COPIES = [  # beside Microsoft's directory: what the usual program holds, and whether it is the loader that was started
    ("shim", True),
    ("another one", False),
]


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize(("content", "copy"), COPIES)
def test_the_usual_program_in_front_is_a_copy_or_another_loader(
    tmp_path: Path, content: str, copy: bool, alone: bool
) -> None:
    entries = {1: option("UEFI OS", "\\EFI\\BOOT\\BOOTX64.EFI"), 2: option("debian", "\\EFI\\debian\\shimx64.efi")}
    files = dict(DEBIAN, **READERS["grub2"], **firmware(entries, [1, 2], 2))
    files.update({"proc/mounts": ESP, "boot/efi/EFI/BOOT/BOOTX64.EFI": content})
    files["boot/efi/EFI/debian/shimx64.efi"] = "shim"
    if not alone:
        files["boot/efi/EFI/Microsoft/Boot/bootmgfw.efi"] = ""
    assert answer(write(tmp_path, files)) == (OLD if copy or alone else COLD)


BESIDE = ["EFI/BOOT/refind.conf", "EFI/BOOT/limine.conf", "EFI/BOOT/elilo.conf", "limine.conf", "limine/limine.cfg"]


@pytest.mark.parametrize("name", BESIDE)
def test_a_configuration_for_the_usual_program_tells_whose_copy_it_is(tmp_path: Path, name: str) -> None:
    files = dict(DEBIAN, **READERS["grub2"], **firmware({1: option("UEFI OS")}, [1], 1))
    write(tmp_path, dict(files, **{"proc/mounts": ESP, "boot/efi/EFI/BOOT/BOOTX64.EFI": "", NUMBER: "114\n"}))
    assert answer(tmp_path) == OLD
    write(tmp_path, {"boot/efi/" + name: ""})
    assert "has started this machine" in problem(tmp_path)


def test_what_a_loader_says_of_itself_stands_in_where_the_firmware_says_nothing(tmp_path: Path) -> None:
    write(tmp_path, dict(DEBIAN, **READERS["grub2"], **{"proc/mounts": ESP}))
    write(tmp_path, {loader_variable("LoaderImageIdentifier"): bytes(4) + "\\EFI\\Linux\\x.efi\0".encode("utf-16-le")})
    assert problem(tmp_path) == "an EFI stub has started this machine, and what it would start is not known here"


ORDINARY: Dict[str, Files] = {
    "BIOS, GRUB 2": dict(READERS["grub2"], **{NUMBER: "114\n"}),
    "BIOS, GRUB legacy": dict(READERS["legacy"], **{NUMBER: "113\n"}),
    "BIOS, extlinux": dict(READERS["extlinux"], **{NUMBER: "52\n"}),
    "EFI, GRUB legacy": dict(
        {"boot/efi/EFI/redhat/grub.conf": legacy("6.1-old"), "boot/efi/EFI/redhat/grub.efi": "", NUMBER: "80\n"},
        **firmware({1: option("Red Hat", "\\EFI\\redhat\\grub.efi")}, [1], 1),
    ),
    "U-Boot without a number": READERS["u-boot"],
    "U-Boot with EFI": dict(READERS["grub2"], **firmware({0: option("mmc 0")}, [0], 0)),
    "a cloud's guest": dict(
        READERS["grub2"],
        **firmware(
            {0: option("PXE", nodes=MAC + IPV4), 1: option("Disk"), 2: option("x", "\\EFI\\BOOT\\BOOTX64.EFI")},
            [0, 1, 2],
            2,
        ),
        **{"boot/efi/EFI/BOOT/BOOTX64.EFI": "", NUMBER: "114\n"},
    ),
    "EFI without its variables": dict(READERS["grub2"], **{NUMBER: "114\n", "sys/firmware/efi/fw_vendor": "0x1\n"}),
    "systemd-boot without variables": dict(ENTRIES, **{NUMBER: "33\n", "sys/firmware/efi/fw_vendor": "0x1\n"}),
    "no entry was started": dict(READERS["grub2"], **firmware({1: option("PXE", nodes=MAC)}, [1])),
    "an entry that is gone": dict(
        READERS["grub2"], **firmware({1: option("debian", PROGRAM.format("debian"))}, [1], 9)
    ),
    "an empty menu": dict(READERS["grub2"], **firmware({}, [], 7)),
}


@pytest.mark.parametrize("host", ORDINARY)
def test_ordinary_hosts_are_not_kept_from_a_kexec(tmp_path: Path, host: str) -> None:
    write(tmp_path, dict(DEBIAN, **ORDINARY[host], **{"proc/mounts": ESP}))
    assert find_target(Tree(tmp_path)).problem is None


SIGNS = [
    "boot/grub.cfg",
    "boot/map",
    "etc/lilo.conf",
    "boot/ldlinux.sys",
    "boot/grub/i386-pc/normal.mod",
    "boot/grub/grubenv",
]
SIGNS += [
    "boot/extlinux/ldlinux.c32",
    "boot/limine.conf",
    "boot/limine/limine.conf",
    "boot/refind_linux.conf",
    "etc/elilo.conf",
]
SIGNS += [
    "boot/efi/EFI/refind/refind_x64.efi",
    "boot/loader/loader.conf",
    "boot/boot.scr",
    "boot/uEnv.txt",
    "etc/zipl.conf",
]
SIGNS += ["boot/boot/grub/grub.cfg", "grub/grub.cfg", "boot/efi/grub/grub.cfg", "boot/efi/EFI/debian/grubaa64.efi"]
SIGNS += ["boot/grub2/grubenv", "boot/boot/grub.cfg", "efi/EFI/systemd/systemd-bootx64.efi", "etc/yaboot.conf"]


@pytest.mark.parametrize("sign", SIGNS)
def test_names_decide_nothing_where_something_shows_a_loader(tmp_path: Path, sign: str) -> None:
    assert answer(write(tmp_path, DEBIAN)) == NEW
    write(tmp_path, {sign: "x"})
    told = problem(tmp_path)
    assert ("/" + sign).startswith(told.partition(" ")[0])
    assert told.endswith("its configuration is not found")


@pytest.mark.parametrize(
    "word", ["auto BOOT_IMAGE=Linux", "BOOT_IMAGE=vmlinuz-lts", "initrd=\\initrd.img", "BOOTIF=01-aa"]
)
def test_names_decide_nothing_behind_a_word_of_a_loader(tmp_path: Path, word: str) -> None:
    write(tmp_path, dict(DEBIAN, **{"proc/cmdline": "{} {}\n".format(word, ROOT)}))
    assert answer(tmp_path) == COLD


AFTER: Files = {NUMBER: "209\n", "proc/cmdline": "kexec_initd.attempt=0123456789abcdef {}\n".format(ROOT)}


def test_without_a_record_a_kexec_tells_nothing(tmp_path: Path) -> None:
    write(tmp_path, dict(DEBIAN, **READERS["extlinux"], **AFTER))
    assert "a kexec has started this machine" in problem(tmp_path)
    write(tmp_path, {"proc/cmdline": "BOOT_IMAGE=/boot/vmlinuz-6.1-old {}\n".format(ROOT)})
    assert answer(tmp_path) == OLD


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[1]", b"\xff", checksum.dump({"number": "x"}), checksum.dump({"more": 1})]
)
def test_a_damaged_record_means_cold_until_the_next_boot_through_firmware(tmp_path: Path, data: bytes) -> None:
    write(tmp_path, dict(DEBIAN, **READERS["extlinux"], **{NUMBER: "52\n"}))
    keep(Tree(tmp_path))
    write(tmp_path, AFTER)
    assert answer(tmp_path) == OLD
    store.write(tmp_path, Lasting.STARTER, data)
    keep(Tree(tmp_path))
    if data != b"{}":  # as one in which nothing was found
        assert "is damaged" in problem(tmp_path)
    write(tmp_path, {NUMBER: "52\n"})
    keep(Tree(tmp_path))
    write(tmp_path, AFTER)
    assert answer(tmp_path) == OLD


def test_the_record_outlives_the_variables_and_a_second_kexec(tmp_path: Path) -> None:
    variables = firmware({1: option("rEFInd", "\\EFI\\refind\\refind_x64.efi", partition=OURS)}, [1], 1)
    write(tmp_path, dict(DEBIAN, **READERS["grub2"], **variables))
    keep(Tree(tmp_path))
    write(tmp_path, dict(AFTER, **dict.fromkeys(variables)))
    for _ in range(2):
        keep(Tree(tmp_path))
        assert problem(tmp_path).startswith("rEFInd has started this machine")


@pytest.mark.parametrize("number", [None, "0\n"])
def test_without_a_number_only_the_last_attempts_own_id_shows_a_kexec(tmp_path: Path, number: Optional[str]) -> None:
    """A machine with an EFI stub, then with GRUB 2; in between the kexecs, and lines that were copied from a running one."""

    def boot(serial: int, words: str) -> Evidence:
        write(tmp_path, {"proc/sys/kernel/random/boot_id": "{}\n".format(serial), "proc/cmdline": words + "\n"})
        keep(Tree(tmp_path))
        record_boot(gather(tmp_path), 3)
        keep(Tree(tmp_path))
        found = read_record(tmp_path)
        assert found is not None
        return found

    def attempt(name: str) -> None:
        last = Last(Outcome.UNDER_WAY, Attempt(name, 1700000000, "key", "6.1"))
        store.write(tmp_path, Lasting.ATTEMPTS, format_record(read(tmp_path)._replace(last=last)))

    write(tmp_path, dict(DEBIAN, **{} if number is None else {NUMBER: number}))
    stub, grub2 = "initrd=\\initrd.img " + ROOT, "BOOT_IMAGE=/boot/vmlinuz " + ROOT
    assert boot(1, "kexec_initd.attempt=copied " + stub).stub
    attempt("first")
    assert boot(2, "kexec_initd.attempt=first kexec_initd.attempt=copied " + ROOT).stub
    assert not boot(3, "kexec_initd.attempt=first " + ROOT).stub
    assert boot(4, "kexec_initd.attempt=first " + grub2).image
    attempt("second")
    assert boot(5, "kexec_initd.attempt=first " + stub) == Evidence(None if number is None else 0, stub=True)


def test_the_boot_leaves_the_record_and_the_shutdown_uses_it(fake: FakeHost) -> None:
    with_kernel(fake)
    write(fake.root, {"boot/grub/grub.cfg": grub("6.1.0-test"), "boot/grub/i386-pc/normal.mod": "", NUMBER: "50\n"})
    assert "PXELINUX has started this machine" in preload(gather(fake.root), Settings())
    place = store.place_of(fake.root, Lasting.STARTER)
    assert json.loads(place.read_text())["number"] == 50
    fake.boot("2")
    write(fake.root, {NUMBER: "208\n"})
    decision = prepare(gather(fake.root), Settings())
    assert (decision.kexec, decision.reason.split(" ")[0]) == (False, "PXELINUX")
    fake.boot("3")
    write(fake.root, {NUMBER: "114\n"})
    assert prepare(gather(fake.root), Settings()).kexec
    assert json.loads(place.read_text())["number"] == 114


def test_a_load_by_hand_leaves_the_record_for_the_system_that_it_starts(fake: FakeHost) -> None:
    with_kernel(fake)
    write(
        fake.root,
        {
            "boot/grub/menu.lst": legacy("6.1.0-test").replace(ROOT, "root=/dev/vda1 ro"),
            "boot/grub/stage2": "",
            NUMBER: "113\n",
        },
    )
    entry = find_target(Tree(fake.root)).entry
    assert entry is not None
    load_entry(gather(fake.root), Settings(), entry)
    write(fake.root, AFTER)
    assert find_target(Tree(fake.root)).entry == entry


def test_what_was_not_started_here_has_its_entries_and_no_default(tmp_path: Path) -> None:
    write(tmp_path, dict(DEBIAN, **READERS["grub2"], **{NUMBER: "64\n"}))
    menu = find_menu(Tree(tmp_path))
    assert (menu.loader, len(menu.offered), menu.default) == ("iPXE", 1, None)


@pytest.mark.parametrize(
    ("release", "hidden"), [("5.7.9", True), ("5.8.0", False), ("6.1.0-37-amd64", False), ("", True)]
)
def test_the_stamp_has_the_firmwares_menu_where_its_files_show_a_change(
    tmp_path: Path, release: str, hidden: bool
) -> None:
    write(tmp_path, dict(DEBIAN, **READERS["grub2"], **firmware({1: option("x"), 2: option("debian")}, [1, 2], 2)))
    write(tmp_path, {"proc/sys/kernel/osrelease": release + "\n", "proc/mounts": ESP})
    reading = read_target(Tree(tmp_path))
    names = {path.name.partition("-")[0] for path in reading.files if "efivars" in str(path)}
    assert {"BootOrder", "BootCurrent", "Boot0001", "Boot0002"} <= names
    assert reading.hidden is hidden


def test_the_variables_are_found_in_the_directory_of_old_kernels(tmp_path: Path) -> None:
    entries = {
        1: option("Windows", "\\EFI\\Microsoft\\Boot\\bootmgfw.efi"),
        2: option("debian", PROGRAM.format("debian")),
    }
    write(tmp_path, dict(DEBIAN, **READERS["grub2"], **{"proc/mounts": ESP, "proc/sys/kernel/osrelease": "6.1\n"}))
    write(tmp_path, {"boot/efi/EFI/Microsoft/Boot/bootmgfw.efi": "", "boot/efi/EFI/debian/grubx64.efi": ""})
    for order, wanted in (([2, 1], OLD), ([1, 2], COLD)):
        for path, data in firmware(entries, order, 2).items():
            assert isinstance(data, bytes)
            write(tmp_path, {path.replace("/efivars/", "/vars/") + "/data": data[4:]})
        assert answer(tmp_path) == wanted
    assert read_target(Tree(tmp_path)).hidden


def test_an_entry_of_the_firmware_is_read_as_the_specification_has_it() -> None:
    data = option("Linux é", "\\EFI\\debian\\shimx64.efi", 1, OURS)
    assert parse_load_option(data) == LoadOption("Linux é", True, "/EFI/debian/shimx64.efi", str(OURS), False)
    disk = bytes([4, 1, 42, 0, 2, 0, 0, 0]) + bytes(16) + bytes([0x78, 0x56, 0x34, 0x12]) + bytes(12) + bytes([1, 1])
    assert parse_load_option(option("MBR", "x.efi", nodes=disk)).partition == "12345678-02"
    for end in range(len(data)):
        try:
            found = parse_load_option(data[:end])
        except ValueError:
            assert end < 6
        else:
            assert "/EFI/debian/shimx64.efi".startswith((found.file or "").rstrip("\ufffd"))
