"""Which entry systemd-boot takes, by its release, loader.conf and the variables; and when it takes none by itself."""

from pathlib import Path
from typing import Dict, Optional

import pytest

from kexec_initd.bootloader import Menu
from kexec_initd.bootloader.efivars import path_of
from kexec_initd.bootloader.systemd_boot import read_menu
from kexec_initd.system.sysroot import Tree

TRIES = "the loader counts the tries of "


def read(root: Path, release: Optional[str], settings: str, variables: Dict[str, str], *names: str) -> Menu:
    """Read the menu of a host with an entry for each of `names`, sorted by name, the last one first."""
    files = {"loader/entries/{}.conf".format(name): "title {}\nlinux /k-{}\n".format(name, name) for name in names}
    files.update({"k-" + name: "" for name in names})
    files["loader/loader.conf"] = settings
    for path, text in files.items():
        (root / "boot" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "boot" / path).write_text(text)
    known = dict(variables)
    if release is not None:
        known["LoaderInfo"] = "systemd-boot " + release
    for name, value in known.items():
        variable = root / path_of(name).lstrip("/")
        variable.parent.mkdir(parents=True, exist_ok=True)
        variable.write_bytes(b"\7\0\0\0" + (value + "\0").encode("utf-16-le"))
    menu = read_menu(Tree(root))
    assert menu is not None
    return menu


def title(menu: Menu) -> Optional[str]:
    return None if menu.default is None else menu.offered[menu.default].title


@pytest.mark.parametrize(
    "release, settings, variables, taken",
    [
        ("260", "preferred a.conf", {}, "a"),
        ("v260~rc1-1", "preferred A.CONF", {}, "a"),
        ("260", "preferred a.conf\ndefault b.conf", {}, "a"),
        ("261", 'preferred "[a]*"', {}, "a"),
        ("260", "preferred none.conf\ndefault a.conf", {}, "a"),
        ("260", "preferred none.conf", {}, "c"),
        ("260", "preferred b.conf\npreferred a.conf", {}, "a"),
        ("260", "preferred b.conf", {"LoaderEntryPreferred": "a.conf"}, "a"),
        ("260", "preferred a.conf", {"LoaderEntryDefault": "b.conf"}, "a"),
        ("260", "preferred a.conf", {"LoaderEntryPreferred": "none.conf"}, "a"),
        ("260", "preferred b.conf", {"LoaderEntryOneShot": "a.conf"}, "a"),
        ("259", "preferred a.conf", {}, "c"),
        ("259", "preferred a.conf\ndefault b.conf", {"LoaderEntryPreferred": "a.conf"}, "b"),
        (None, "preferred c.conf", {}, "c"),
        (None, "preferred a.conf\ndefault a.conf", {}, "a"),
    ],
)
def test_preferred(
    release: Optional[str], settings: str, variables: Dict[str, str], taken: str, tmp_path: Path
) -> None:
    menu = read(tmp_path, release, settings + "\n", variables, "a", "b", "c")
    assert (title(menu), menu.problem) == (taken, None)
    assert menu.one_shot == ("LoaderEntryOneShot" in variables)


@pytest.mark.parametrize("where", ["preferred", "default"])
def test_an_entry_without_tries_left_is_not_preferred(where: str, tmp_path: Path) -> None:
    menu = read(tmp_path, "260", where + " old*\n", {}, "old+0-3", "new")
    assert title(menu) == ("new" if where == "preferred" else "old+0-3")


def test_a_preferred_entry_whose_tries_are_counted_is_left_to_the_loader(tmp_path: Path) -> None:
    menu = read(tmp_path, "260", "preferred a*\n", {}, "a+2-1", "b")
    assert menu.problem == TRIES + "a+2-1.conf"


def test_preferred_of_an_unknown_release_is_not_decided_where_it_matters(tmp_path: Path) -> None:
    menu = read(tmp_path, None, "preferred a.conf\n", {}, "a", "b")
    assert menu.problem == "whether this systemd-boot knows `preferred` is not known"


@pytest.mark.parametrize(
    "release, pattern, taken",
    [
        ("241", "a", "a"),
        ("244", "A", "a"),
        ("244", "[a]", "a"),
        ("241", "a.conf", "c"),
        ("245", "a", "c"),
        ("245", "a.conf", "a"),
        ("239-78.el8", "a", "a"),
        (None, "a", None),
        (None, "a*", "a"),
        (None, "none", "c"),
    ],
)
@pytest.mark.parametrize("by", ["setting", "LoaderEntryDefault", "LoaderEntryOneShot"])
def test_ids_have_a_suffix_since_245(
    release: Optional[str], pattern: str, taken: Optional[str], by: str, tmp_path: Path
) -> None:
    settings, variables = ("default {}\n".format(pattern), {}) if by == "setting" else ("", {by: pattern})
    menu = read(tmp_path, release, settings, variables, "a", "b", "c")
    assert title(menu) == taken
    assert (menu.problem is None) == (taken is not None)


@pytest.mark.parametrize(
    "pattern",
    ["auto-windows", "auto-*", "AUTO-OSX", "*windows*", "[a]uto*", "?uto-efi-shell", "*firmware*", "auto-new"],
)
@pytest.mark.parametrize("by", ["setting", "LoaderEntryDefault"])
def test_a_pattern_that_fits_an_entry_of_the_loaders_own_is_not_decided(pattern: str, by: str, tmp_path: Path) -> None:
    settings, variables = ("default {}\n".format(pattern), {}) if by == "setting" else ("", {by: pattern})
    menu = read(tmp_path, "255", settings, variables, "x", "y")
    assert menu.problem == "{} is wanted, which the loader finds by itself".format(pattern.lower())


@pytest.mark.parametrize("pattern", ["*", "x*", "*.conf", "[a-x]*"])
def test_a_pattern_that_fits_an_entry_with_a_file_takes_that_first(pattern: str, tmp_path: Path) -> None:
    assert title(read(tmp_path, "255", "default {}\n".format(pattern), {}, "x")) == "x"


@pytest.mark.parametrize(
    "settings, variables, waits",
    [
        ("", {}, False),
        ("timeout 0", {}, False),
        ("timeout menu-hidden", {}, False),
        ("timeout menu-disabled", {}, False),
        ("timeout 5", {}, False),
        ("timeout menu-force", {}, True),
        ("timeout 5\ntimeout menu-force", {}, True),
        ("timeout menu-force\ntimeout 5", {}, False),
        ("timeout menu-force\ntimeout nonsense", {}, True),
        ("timeout menu-force", {"LoaderConfigTimeout": "5"}, False),
        ("timeout menu-force", {"LoaderConfigTimeout": "menu-hidden"}, False),
        ("timeout menu-force", {"LoaderConfigTimeout": "nonsense"}, True),
        ("timeout 5", {"LoaderConfigTimeout": "menu-force"}, True),
        ("", {"LoaderConfigTimeout": "menu-force"}, True),
        ("", {"LoaderConfigTimeout": "0"}, False),
    ],
)
def test_a_menu_that_waits_has_no_default(
    settings: str, variables: Dict[str, str], waits: bool, tmp_path: Path
) -> None:
    menu = read(tmp_path, "255", settings + "\n", variables, "a")
    assert menu.problem == ("the loader's menu waits for a choice (timeout menu-force)" if waits else None)


def test_an_old_release_prefers_what_has_no_tries_left(tmp_path: Path) -> None:
    assert read(tmp_path, "245", "", {}, "a+0-3", "b").default is None
    assert title(read(tmp_path / "new", "246", "", {}, "a+0-3", "b")) == "b"


def test_entries_of_the_firmware_are_not_seen_from_here(tmp_path: Path) -> None:
    raw = tmp_path / "sys/firmware/dmi/entries/11-0/raw"
    raw.parent.mkdir(parents=True)
    raw.write_bytes(b"\x0b\x05\0\0\1io.systemd.boot.entries-extra:x.conf=title x\0\0")
    assert (
        read(tmp_path, "258", "", {}, "a").problem == "the firmware adds entries to the menu (entries-extra in SMBIOS)"
    )
