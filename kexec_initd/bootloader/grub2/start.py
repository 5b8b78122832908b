"""Where GRUB starts: which configuration it reads first, and what it knows by then.

On EFI that is the file beside its image on the EFI system partition, often only a few lines that lead to the one in
/boot; else the one in the directory that grub-install was told. Of several images the one counts that the firmware has
started.
"""

import re
from typing import Dict, List, Optional, Set, Tuple

from kexec_initd.bootloader.grub2.disk import Disk
from kexec_initd.bootloader.grub2.values import Undecidable, unknown
from kexec_initd.bootloader.starter import find_starter
from kexec_initd.system.distribution import read_os_release
from kexec_initd.system.sysroot import OS_RELEASES, Tree

DIRECTORIES = ("/boot/grub", "/boot/grub2")
FEDORA = ("fedora", "rhel")  # ids of the distributions with the GRUB of Fedora
WITHOUT_PATCH = ("debian", "ubuntu", "devuan", "suse", "opensuse", "arch", "gentoo", "alpine", "void", "slackware")
SYSTEM_PARTITIONS = ("/boot/efi", "/efi", "/boot")
PROCESSORS = {"x64": "x86_64", "ia32": "i386", "aa64": "arm64", "arm": "arm", "riscv64": "riscv64"}
FEATURES = (
    "chainloader_bpb",
    "ntldr",
    "platform_search_hint",
    "default_font_path",
    "all_video_module",
    "menuentry_id",
    "menuentry_options",
    "200_final",
)
LATER_FEATURES = ("timeout_style", "nativedisk_cmd", "xnu_disable")
# What each vendor's GRUB calls its directory on the EFI system partition, where it is not the distribution's id.
VENDORS = {
    "rhel": "redhat",
    "ol": "redhat",
    "opensuse-leap": "opensuse",
    "opensuse-tumbleweed": "opensuse",
    "sles": "sles",
}
_MODULES = re.compile(r"([a-z0-9_]+)-([a-z0-9]+)\Z")


def find_config(tree: Tree) -> Optional[str]:
    """Return the host's path of the configuration that GRUB reads first; None where there is none.

    Raises Undecidable for several of which nothing tells the right one.
    """
    installed = [directory + "/grub.cfg" for directory in DIRECTORIES if tree.is_file(directory + "/grub.cfg")]
    loaders = _on_system_partition(tree) if find_platform(tree)[1] != "pc" else []
    starter = tree.once(find_starter)
    loaders = [path for path in loaders if starter.is_in_its_directory(path)]
    if loaders:  # without a file beside it, the loader that was started has the way to its configuration in itself
        return _vendors(tree, loaders)
    if len({tree.resolve(path) for path in installed}) > 1:
        raise Undecidable("there are {}: which one GRUB reads cannot be known".format(" and ".join(installed)))
    return installed[0] if installed else None


def is_configured(tree: Tree) -> bool:
    """Tell whether there is a configuration, be it one of several."""
    try:
        return tree.once(find_config) is not None
    except Undecidable:
        return True


def _on_system_partition(tree: Tree) -> List[str]:
    """Return every grub.cfg beside a loader, that of the fallback loader (EFI/BOOT) only where it is alone."""
    found: Dict[str, str] = {}
    for point in SYSTEM_PARTITIONS:
        for name in tree.names(point + "/EFI"):
            path = "{}/EFI/{}/grub.cfg".format(point, name)
            if tree.is_file(path):
                found.setdefault(tree.resolve(path) or path, path)
    named = [path for path in found.values() if "/EFI/BOOT/" not in path.upper()]
    return named or list(found.values())


def _vendors(tree: Tree, paths: List[str]) -> str:
    if len(paths) == 1:
        return paths[0]
    names = [VENDORS.get(name, name) for name in distribution(tree)[:1]]
    ours = [path for path in paths if path.split("/")[-2].lower() in names]
    if len(ours) != 1:
        raise Undecidable("there are {}: which one GRUB reads cannot be known".format(" and ".join(sorted(paths))))
    return ours[0]


def distribution(tree: Tree) -> List[str]:
    """Return the ids of the distribution and of those it is like, from os-release(5)."""
    any(tree.is_file(path) for path in OS_RELEASES)  # a change there may change the answer
    return tree.for_good(read_os_release)


def is_fedora(tree: Tree) -> bool:
    """Tell whether the host has the GRUB of Fedora."""
    return any(name in FEDORA for name in distribution(tree))


def keeps_hexadecimal(tree: Tree) -> Optional[bool]:
    """Tell whether the host's GRUB hands on `\\x20` as it is: a patch of Fedora's. None where its maker is not known."""
    if is_fedora(tree):
        return True
    return False if any(name in WITHOUT_PATCH for name in distribution(tree)) else None


def find_platform(tree: Tree) -> Tuple[Optional[str], Optional[str]]:
    """Return GRUB's names of processor and firmware ("x86_64", "efi"), from its modules; None for what is not known."""
    kinds = {match.groups() for match in map(_MODULES.match, _module_directories(tree)) if match}
    if tree.is_directory("/sys/firmware/efi"):
        kinds = (
            {kind for kind in kinds if kind[1] == "efi"} or {(cpu, "efi") for cpu in _processors(tree)} or {("", "efi")}
        )
    elif tree.is_directory("/sys/firmware"):
        kinds = {kind for kind in kinds if kind[1] != "efi"}
    if len(kinds) != 1:
        return None, None
    cpu, firmware = kinds.pop()
    return cpu or None, firmware


def _processors(tree: Tree) -> Set[str]:
    """Return GRUB's names of the processors that the programs on the EFI system partition are for."""
    vendors = [point + "/EFI/" + name for point in SYSTEM_PARTITIONS for name in tree.names(point + "/EFI")]
    programs = {name.lower() for vendor in vendors for name in tree.names(vendor)}
    return {cpu for suffix, cpu in PROCESSORS.items() if "grub{}.efi".format(suffix) in programs}


def _module_directories(tree: Tree) -> List[str]:
    names = [(directory, name) for directory in DIRECTORIES for name in tree.names(directory)]
    return [name for directory, name in names if tree.is_directory(directory + "/" + name)]


def variables(disk: Disk, config: str) -> Dict[str, str]:
    """Return the variables that GRUB has set before it reads `config`; all of them are exported."""
    device, prefix = disk.prefix(config.rpartition("/")[0])
    cpu, firmware = find_platform(disk.tree)
    found = {"feature_" + name: "y" for name in FEATURES}
    found.update({"feature_" + name: unknown("feature_" + name) for name in LATER_FEATURES})
    found.update(
        root=device,
        prefix=prefix,
        cmdpath=unknown("cmdpath"),
        grub_cpu=cpu or unknown("grub_cpu"),
        grub_platform=firmware or unknown("grub_platform"),
        secondary_locale_dir="",
        pager="",
        lang=unknown("lang"),
    )
    return found
