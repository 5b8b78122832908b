"""Where SYSLINUX, EXTLINUX and U-Boot look for their configuration: the first file of a list that begins at the program.

SYSLINUX looks in the directory in which it was installed (its ldlinux.sys lies there), then in /boot/syslinux, /syslinux and
the top of the same file system, in each for extlinux.conf before syslinux.cfg. On EFI it only looks beside its program,
first for the name that has the architecture in it (wiki.syslinux.org, "Config", "Location and name").
"""

from typing import Dict, List, NamedTuple, Optional, Tuple

from kexec_initd.bootloader.starter import find_starter
from kexec_initd.system.sysroot import Tree

MOUNTS = ("/boot/efi", "/efi", "/boot", "")
DIRECTORIES = ("/extlinux", "/syslinux", "/EFI/syslinux", "")
SEARCHED = ("/boot/syslinux", "/syslinux", "")
SYSTEM = ("ldlinux.sys", "extlinux.sys")
NAMES = ("extlinux.conf", "syslinux.cfg")
EFI_NAMES = {"64": ("syslx64.cfg", "syslinux.cfg"), "32": ("syslia32.cfg", "syslinux.cfg")}
EFI_PROGRAMS = ("syslinux.efi", "ldlinux.e64", "ldlinux.e32")
OTHERS = ("ldlinux.c32", "menu.c32", "vesamenu.c32")


class ConfigFile(NamedTuple):
    """A configuration, and the directory of the program that reads it; that of the configuration where none is in sight."""

    path: str
    program: str


def find_configs(tree: Tree) -> List[ConfigFile]:
    """Return the configurations that a loader on the host may read, each once; one where it is known which."""
    found = [config for config in _beside_programs(tree) if config is not None]
    if not found:
        paths = [_first(tree, place, NAMES) for place in _places(tree)]
        found = [ConfigFile(path, path.rpartition("/")[0]) for path in paths if path]
    once: Dict[Optional[str], ConfigFile] = {tree.resolve(config.path): config for config in reversed(found)}
    return sorted(once.values())


def is_configured(tree: Tree) -> bool:
    """Tell whether there is a configuration."""
    return bool(tree.once(find_configs))


def is_installed(tree: Tree) -> bool:
    """Tell whether SYSLINUX itself, not only a file that it or U-Boot may read, is on the host."""
    return bool(_on_efi(tree)) or any(is_program_in(tree, place) for place in _places(tree))


def is_program_in(tree: Tree, directory: str) -> bool:
    """Tell whether a directory has files of SYSLINUX itself."""
    return any(tree.is_file("{}/{}".format(directory, name)) for name in SYSTEM + OTHERS + EFI_PROGRAMS)


def _places(tree: Tree) -> List[str]:
    """Return the directories that are there, of those in which the program or the configuration may be."""
    tops = [mount + top for mount in MOUNTS if not mount or tree.is_directory(mount) for top in ("/boot", "")]
    tops = [top for top in dict.fromkeys(tops) if not top.endswith("/boot") or tree.is_directory(top)]
    return [top + name for top in tops for name in DIRECTORIES if not name or tree.is_directory(top + name)]


def _beside_programs(tree: Tree) -> List[Optional[ConfigFile]]:
    """Return what each program that is in sight reads; None for one without a configuration."""
    efi = _on_efi(tree)
    if efi and tree.is_directory("/sys/firmware/efi"):
        starter = tree.once(find_starter)
        efi = [place for place in efi if starter.is_in_its_directory(place + "/")] or efi
    elif efi and _on_disk(tree):
        efi = []
    size = (tree.read_text("/sys/firmware/efi/fw_platform_size") or "64").strip()
    found = [(place, _first(tree, place, EFI_NAMES.get(size, NAMES[1:]))) for place in efi]
    if not efi:
        found = [(place, _search(tree, place)) for place in _on_disk(tree)]
    return [ConfigFile(path, place) if path else None for place, path in found]


def _on_efi(tree: Tree) -> List[str]:
    """Return the directories of an EFI system partition with SYSLINUX's program."""
    places = [mount + "/EFI/" + name for mount in MOUNTS[:3] for name in tree.names(mount + "/EFI")]
    return [place for place in places if any(tree.is_file(place + "/" + name) for name in EFI_PROGRAMS)]


def _on_disk(tree: Tree) -> List[str]:
    """Return the directories in which SYSLINUX was installed for a BIOS."""
    return [place for place in _places(tree) if any(tree.is_file(place + "/" + name) for name in SYSTEM)]


def _search(tree: Tree, installed: str) -> Optional[str]:
    """Return the configuration that SYSLINUX finds from the directory in which it was installed."""
    roots = [
        mount for mount in MOUNTS if installed.startswith(mount) and tree.is_mount_point(mount or "/") is not False
    ]
    separate = [root for root in roots if root and tree.is_mount_point(root)]
    places = [installed] + [root + place for root in separate[:1] or roots for place in SEARCHED]
    there = (place for place in places if not place or tree.is_directory(place))
    return next((path for path in (_first(tree, place, NAMES) for place in there) if path), None)


def _first(tree: Tree, directory: str, names: Tuple[str, ...]) -> Optional[str]:
    return next((path for path in ("{}/{}".format(directory, name) for name in names) if tree.is_file(path)), None)
