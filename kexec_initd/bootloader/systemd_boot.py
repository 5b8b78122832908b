"""systemd-boot: type 1 entries and unified kernel images on the EFI and the boot partition, loader.conf, EFI variables.

See loader.conf(5), systemd-boot(7) and the Boot Loader Specification (UAPI.1). Files named by an entry lie on the
entry's own partition. The command line is an `initrd=` for each initrd, as EFI writes paths, and then the entry's `options`, all
joined by a blank: initrd_prepare() in systemd's src/boot/boot.c. Only old EFI stubs look at these words, but a cold boot
has them in /proc/cmdline.
"""

import re
from pathlib import Path
from typing import List, Optional, Tuple, Union

from kexec_initd.boot_entry import BootEntry
from kexec_initd.bootloader import LoaderWrite, Menu, Offered, Source
from kexec_initd.bootloader.bls import EntryFile, Fields, last, read_entries, tries
from kexec_initd.bootloader.efivars import LIMIT, plan_deletion, read_string
from kexec_initd.bootloader.systemd_boot_default import (
    ListedEntry,
    find_default,
    find_id,
    read_configured,
    read_wishes,
    unquoted,
)
from kexec_initd.bootloader.systemd_boot_search import ENTRIES, IMAGES, LOADER, find_places, find_programs
from kexec_initd.bootloader.versions import uapi_key
from kexec_initd.system.sysroot import Tree

SMBIOS = "/sys/firmware/dmi/entries"
EXTRA = b".kernel-cmdline-extra="
MORE_ENTRIES = b"io.systemd.boot.entries-extra:"
SORT_KEY_SINCE = 251  # the release of systemd that sorts by it
PATHS_AS_GIVEN_SINCE = 253  # until then a path without a leading slash gets one
KINDS = ("linux", "efi", "uki", "uki-url")
OBSTACLES = {
    "efi": "it is an EFI program",
    "uki": "it is a unified kernel image",
    "uki-url": "it is loaded from the network",
}


def read_menu(tree: Tree) -> Optional[Menu]:
    """Return systemd-boot's menu; None where it has no entries. Raises Refused."""
    places, release = find_places(tree), find_release(tree)
    entries = sort(tree, [entry for place in places for entry in read_place(tree, place, release)])
    images = [image for place in places for image in read_images(tree, place)]
    if not entries and not images:
        return None
    numbered = [
        entry._replace(offered=entry.offered._replace(path=str(number)))
        for number, entry in enumerate(entries + images)
    ]
    wishes, problem = read_wishes(tree, places, release)
    index, source, one_shot = find_default(numbered, wishes, release)
    offered = tuple(entry.offered for entry in numbered)
    boots = problem or hidden(tree, places) or extended(tree) or index
    if isinstance(boots, str):
        return Menu(LOADER, offered, boots, source, one_shot)
    changes = plan_changes(tree, places, offered[boots].id)
    if isinstance(changes, str):
        return Menu(LOADER, offered, changes, source, one_shot)
    return Menu(LOADER, offered, boots, source, one_shot, changes)


def plan_changes(tree: Tree, places: List[str], booted: str) -> Union[Tuple[LoaderWrite, ...], str]:
    """Return the variables that the loader would delete when it boots an entry, or what it would write instead.

    See config_load_defaults and save_selected_entry in systemd's src/boot/boot.c: a wish for one boot is deleted in any
    case. It comes last, so that nothing can fail once it is gone.
    """
    once, saved = (read_string(tree, name) for name in ("LoaderEntryOneShot", "LoaderEntryLastBooted"))
    configured = read_configured(tree, places, "default")
    default = read_string(tree, "LoaderEntryDefault") or (configured.pattern if configured else "")
    names = ["LoaderEntryOneShot"]
    if saved is not None and (once or "").lower() != booted:
        if default.lower() != "@saved":
            names.insert(0, "LoaderEntryLastBooted")
        elif saved.lower() != booted:
            return "the loader has to note {} as the last entry".format(booted)
    return tuple(change for change in (plan_deletion(tree, name) for name in names) if change)


def hidden(tree: Tree, places: List[str]) -> Optional[str]:
    """Say when the loader has run from a partition that is not to be seen now: its loader.conf may name a default."""
    ran = (read_string(tree, "LoaderInfo") or "").startswith(LOADER)
    seen = any(tree.is_directory(place + "/EFI") or tree.is_file(place + "/loader/loader.conf") for place in places)
    return "the EFI system partition is not mounted" if ran and not seen else None


def extended(tree: Tree) -> Optional[str]:
    """Say when the machine's firmware has words for each command line (from 254 on), or entries, that the loader adds.

    They are strings of SMBIOS, type 11 (systemd-boot(7), systemd-stub(7)), which the kernel shows one table a directory.
    """
    for name in tree.names(SMBIOS):
        data = (tree.read_bytes("{}/{}/raw".format(SMBIOS, name), LIMIT) or b"") if name.startswith("11-") else b""
        if EXTRA in data:
            return "the firmware adds to command lines (kernel-cmdline-extra in SMBIOS)"
        if MORE_ENTRIES in data:
            return "the firmware adds entries to the menu (entries-extra in SMBIOS)"
    return None


def read_place(tree: Tree, place: str, release: Optional[int]) -> List[ListedEntry]:
    """Return the type 1 entries of one partition that the loader would not pass over."""
    architectures = [program.group(1).lower() for program in find_programs(tree, place)]
    entries = []
    for found in read_entries(tree, place + ENTRIES):
        architecture = last(found.fields, "architecture")
        foreign = architecture and architectures and architecture.lower() not in architectures
        if not foreign and any(kind in found.fields for kind in KINDS):
            entries.append(make_entry(tree, place, found, release))
    return entries


def make_entry(tree: Tree, place: str, found: EntryFile, release: Optional[int]) -> ListedEntry:
    """Find the files of an entry."""
    fields = {key: tuple(map(unquoted, values)) for key, values in found.fields.items()}
    source = Source(Path(found.directory + "/" + found.name), 0)
    kinds = [kind for kind in KINDS if kind in fields]
    name = find_id(found.name.lower(), release)
    title = last(fields, "title") or name
    programs = [on_partition(place, value) for kind in kinds if kind != "uki-url" for value in fields[kind][-1:]]
    missing = [path for path in programs if not tree.is_file(path)]
    if len(kinds) == 1 and kinds[0] == "linux":
        initrds = [on_partition(place, value) for value in fields.get("initrd", ())]
        gone = missing + [path for path in initrds if not tree.is_file(path)]
        files, words = tuple(map(Path, initrds)), command_line(fields, release)
        entry = BootEntry(title, name, Path(programs[0]), files, words)
        boots: Union[BootEntry, str] = "{} is missing".format(gone[0]) if gone else entry
    else:
        boots = OBSTACLES[kinds[0]] if len(kinds) == 1 else "it is of several kinds: " + ", ".join(kinds)
    return ListedEntry(name, Offered(title, name, "", boots, source), fields, not missing, False)


def on_partition(place: str, value: str) -> str:
    """Return where the host sees a file that an entry names, with slashes or EFI's backslashes."""
    return place + "/" + "/".join(part for part in re.split(r"[/\\]", value) if part)


def command_line(fields: Fields, release: Optional[int]) -> str:
    """Return what the loader of that release hands to an entry's kernel."""
    initrds = tuple("initrd=" + efi_path(path, release) for path in fields.get("initrd", ()))
    return " ".join(initrds + fields.get("options", ()))


def efi_path(path: str, release: Optional[int]) -> str:
    """Return a path of an entry as EFI takes it: backslashes, none of them doubled (xstr8_to_path in boot.c)."""
    rooted = "/" + path if release is not None and release < PATHS_AS_GIVEN_SINCE else path
    return re.sub(r"[/\\]+", r"\\", rooted)


def find_release(tree: Tree) -> Optional[int]:
    """Return the release of systemd that the loader says it is from; None where it says nothing."""
    found = re.match(LOADER + r" v?([0-9]{1,6})", read_string(tree, "LoaderInfo") or "")
    return int(found.group(1)) if found else None


def read_images(tree: Tree, place: str) -> List[ListedEntry]:
    """Return the unified kernel images of one partition."""
    entries = []
    for name in tree.names(place + IMAGES):
        path = place + IMAGES + "/" + name
        if name.lower().endswith(".efi") and not name.lower().startswith((".", "auto-")) and tree.is_file(path):
            lower = name.lower()
            offered = Offered(lower, lower, "", OBSTACLES["uki"], Source(Path(path), 0))
            entries.append(ListedEntry(lower, offered, {}, True, True))
    return entries


def sort(tree: Tree, entries: List[ListedEntry]) -> List[ListedEntry]:
    """Sort as the loader does: without tries left last; by sort-key, machine and version; the others by name."""
    release = find_release(tree)
    keyed = release is None or release >= SORT_KEY_SINCE

    def sort_key(entry: ListedEntry) -> Optional[str]:
        return last(entry.fields, "sort-key") if keyed else None

    def version(entry: ListedEntry) -> Tuple[object, ...]:
        return uapi_key(last(entry.fields, "version") or "") if sort_key(entry) is not None else ()

    def group(entry: ListedEntry) -> Tuple[bool, bool, str, str]:
        key = sort_key(entry)
        machine = (last(entry.fields, "machine-id") or "") if key is not None else ""
        return tries(entry.id)[0] == 0, key is None, key or "", machine

    newest = sorted(entries, key=lambda entry: uapi_key(entry.id), reverse=True)
    return sorted(sorted(newest, key=version, reverse=True), key=group)
