"""Which of its entries systemd-boot boots without a keypress: wishes in EFI variables and loader.conf, else the first.

See config_load_defaults and config_select_default_entry in systemd's src/boot/boot.c, and its history: an entry is called
by the name of its file with .conf from 245 on, `preferred`, which passes over entries without tries left, is of 260.
"""

import re
from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple, Union

from kexec_initd.bootloader import Offered, Source
from kexec_initd.bootloader.bls import Fields, last, parse_entry, tries, without_tries
from kexec_initd.bootloader.efivars import path_of, read_string
from kexec_initd.bootloader.glob import matches
from kexec_initd.system.sysroot import Tree

SUFFIX_SINCE = 245
BAD_ONES_LAST_SINCE = 246
PREFERRED_SINCE = 260
LONGEST = 1024  # characters of a pattern
MAX_BYTES = 64 * 1024
SAVED = "@saved"
FOR_EVER = "menu-force"
TIMEOUT = re.compile(r"menu-(?:force|hidden|disabled)\Z|[0-9]{1,10}\Z")
# What the loader may add to the entries that have a file, always behind them.
AUTOMATIC = tuple(
    "auto-" + name
    for name in ("osx", "windows", "efi-shell", "efi-default", "reboot-to-firmware-setup", "poweroff", "reboot")
) + ("secure-boot-keys-auto",)


class ListedEntry(NamedTuple):
    """An entry with what sorts and finds it. One whose kernel is missing is listed, but not there for the loader."""

    id: str
    offered: Offered
    fields: Fields
    there: bool
    unified: bool


class DefaultPattern(NamedTuple):
    """A pattern for the entry to boot, and who says so; a `preferred` one is no wish for an entry without tries left."""

    pattern: str
    source: Source
    one_shot: bool = False
    preferred: bool = False


class DefaultEntry(NamedTuple):
    """The number of the entry to boot, or why that is unclear; who says so, and whether for once."""

    boots: Union[int, str]
    source: Optional[Source] = None
    one_shot: bool = False


def read_wishes(tree: Tree, places: List[str], release: Optional[int]) -> Tuple[List[DefaultPattern], Optional[str]]:
    """Return what is to be booted, the strongest wish first, and what makes them unclear."""
    names = [("LoaderEntryOneShot", ""), ("LoaderEntryPreferred", "preferred"), ("LoaderEntryDefault", "default")]
    wishes: List[DefaultPattern] = []
    for name, key in names:
        if key == "preferred" and release is not None and release < PREFERRED_SINCE:
            continue
        pattern = read_string(tree, name)
        if pattern is not None:
            source = Source(Path(path_of(name)), 0)
            wishes.append(DefaultPattern(pattern.lower(), source, name == "LoaderEntryOneShot", key == "preferred"))
        configured = read_configured(tree, places, key) if key else None
        wishes += [configured] if configured else []
    if any(len(wish.pattern) > LONGEST for wish in wishes):
        return [], "the default is a pattern of more than {} characters".format(LONGEST)
    saved = read_string(tree, "LoaderEntryLastBooted")
    wanted = any(wish.pattern == SAVED for wish in wishes)
    problem = waiting(tree, places)
    if wanted and saved is None and read_string(tree, "LoaderEntrySelected"):
        problem = problem or "the last entry is wanted, but the loader has not noted it"
    known = [wish._replace(pattern=(saved or "").lower()) if wish.pattern == SAVED else wish for wish in wishes]
    return [wish for wish in known if wish.pattern], problem


def waiting(tree: Tree, places: List[str]) -> Optional[str]:
    """Say when the loader's menu waits for a key, however long that takes."""
    if read_string(tree, "LoaderConfigTimeoutOneShot") is not None:
        return "the loader's menu is wanted at the next boot"
    _, text = read_settings(tree, places)
    given = [unquoted(value) for value in parse_entry(text).get("timeout", ())]
    known = [value for value in [*given, read_string(tree, "LoaderConfigTimeout") or ""] if TIMEOUT.match(value)]
    return "the loader's menu waits for a choice (timeout {})".format(FOR_EVER) if known[-1:] == [FOR_EVER] else None


def read_settings(tree: Tree, places: List[str]) -> Tuple[str, str]:
    """Return path and text of loader.conf, that of the EFI system partition before that of the boot partition."""
    for path in [place + "/loader/loader.conf" for place in places]:
        text = tree.read_text(path, MAX_BYTES)
        if text is not None:
            return path, text
    return "", ""


def read_configured(tree: Tree, places: List[str], key: str) -> Optional[DefaultPattern]:
    """Return what loader.conf says for `key`, "default" or "preferred"."""
    path, text = read_settings(tree, places)
    value = last(parse_entry(text), key)
    if value is None:
        return None
    lines = enumerate(re.split(r"\n|\r\n?", text), 1)
    line = max((number for number, line in lines if line.split()[:1] == [key]), default=0)
    return DefaultPattern(unquoted(value).lower(), Source(Path(path), line), preferred=key == "preferred")


def unquoted(value: str) -> str:
    """Return a value without the quotation marks around it."""
    return value[1:-1] if len(value) > 1 and value.startswith('"') and value.endswith('"') else value


def find_id(name: str, release: Optional[int]) -> str:
    """Return what a loader of that release calls the entry that the file `name` makes."""
    return name[: -len(".conf")] if release is not None and release < SUFFIX_SINCE else name


def find_default(entries: List[ListedEntry], wishes: List[DefaultPattern], release: Optional[int]) -> DefaultEntry:
    """Return the entry to boot. Where only the release of the loader tells, and is not known, that is unclear."""
    choice = _follow(entries, wishes, release)
    if release is None and any(wish.preferred for wish in wishes):
        other = _follow(entries, [wish for wish in wishes if not wish.preferred], release)
        if isinstance(choice.boots, str) and isinstance(other.boots, str):
            return choice
        if other.boots != choice.boots:
            return choice._replace(boots="whether this systemd-boot knows `preferred` is not known")
    return choice


def _follow(entries: List[ListedEntry], wishes: List[DefaultPattern], release: Optional[int]) -> DefaultEntry:
    there = [number for number, entry in enumerate(entries) if entry.there]
    ids = [entries[number].id for number in there]
    for wish in wishes:
        found = [number for number in there if _fits(wish, entries[number].id)]
        if found:
            return _decide(entries, found, wish.source, wish.one_shot)
        problem = _missed(wish.pattern, ids, release)
        if problem is not None:
            return DefaultEntry(problem, wish.source, wish.one_shot)
    if release is not None and release < BAD_ONES_LAST_SINCE and any(tries(name)[0] == 0 for name in ids):
        return DefaultEntry("this release of systemd-boot prefers entries without tries left")
    return _decide(entries, there, None, False)


def _fits(wish: DefaultPattern, name: str) -> bool:
    return matches(wish.pattern, name) and not (wish.preferred and tries(name)[0] == 0)


def _missed(pattern: str, ids: List[str], release: Optional[int]) -> Optional[str]:
    """Say why a pattern that fits no entry may fit one for the loader, or would have; None where it is a mere leftover."""
    if any(matches(without_tries(pattern), without_tries(name)) and not matches(pattern, name) for name in ids):
        return "{} is wanted, whose count of tries has changed".format(pattern)
    if pattern.startswith("auto-") or any(matches(pattern, name) for name in AUTOMATIC):
        return "{} is wanted, which the loader finds by itself".format(pattern)
    if release is None and any(name.endswith(".conf") and matches(pattern, name[: -len(".conf")]) for name in ids):
        return "{} is wanted, and whether that is an entry depends on the release of systemd-boot".format(pattern)
    if release is not None and release < SUFFIX_SINCE and any(name.endswith(".efi") for name in ids):
        return "{} is wanted, which may be a unified kernel image".format(pattern)
    return None


def _decide(entries: List[ListedEntry], found: List[int], source: Optional[Source], one_shot: bool) -> DefaultEntry:
    """Take the first of the entries that fit, unless the loader alone knows which that is or counts its tries."""
    if not found:
        boots: Union[int, str] = "no entry has a kernel that is there"
    elif len(found) > 1 and any(entries[number].unified for number in found):
        boots = "unified kernel images stand among the entries, and their order is not read"
    elif tries(entries[found[0]].id)[0]:
        boots = "the loader counts the tries of {}".format(entries[found[0]].id)
    else:
        boots = found[0]
    return DefaultEntry(boots, source, one_shot)
