"""SYSLINUX and EXTLINUX, and U-Boot reading the same file: which label boots without a keypress.

SYSLINUX boots `default` at once, or after a prompt `ontimeout`; with a menu program (`ui`, or a .c32 as `default`) the
menu's own default counts. U-Boot takes the later of `default` and `ontimeout`, else the first `menu default`, else
the first label, and goes on to the next label when a file is missing. The command line is that of `append`; SYSLINUX
puts `BOOT_IMAGE=FILE` before it and ` initrd=FILES` of an `initrd` line after it, which is left out here. A device tree
(`fdt`, `fdtdir`) is not part of an entry: kexec hands on the running one.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple, Union

from kexec_initd.boot_entry import BootEntry
from kexec_initd.bootloader import Menu, Offered, Source
from kexec_initd.bootloader.extlinux_config import (
    KERNELS,
    MISSING,
    ConfigLine,
    Label,
    SyslinuxConfig,
    find_file,
    parse_config,
    read_lines,
)
from kexec_initd.bootloader.extlinux_search import MOUNTS, find_configs, is_program_in
from kexec_initd.bootloader.syslinux_adv import BOOT_ONCE, MENU_SAVE, read_adv
from kexec_initd.system.sysroot import Tree, not_linux

UBOOT = re.compile(r"u-?boot|^[ \t]*(fdt|devicetree)", re.IGNORECASE | re.MULTILINE)
MAX_INITRDS = 100
MENU_PROGRAMS = ("menu.c32", "vesamenu.c32")
NO_KERNELS = (".c32", ".com", ".cbt", ".bs", ".bin", ".bss", ".0", ".img")
OBSTACLES = {
    "localboot": "it boots another disk",
    "config": "it leads to another configuration",
    "menu passwd": "it is locked with a password",
    "menu disable": "it is disabled",
    "menu disabled": "it is disabled",
    "menu goto": "it leads to a menu",
    "menu exit": "it leads to a menu",
    "menu quit": "it leaves the menu",
}
INITRD = re.compile(r"(?:^|(?<=\s))initrd=(\S*)")


class LabelEntry(NamedTuple):
    """A label as an entry; `fails` when a file of it is missing."""

    label: Label
    offered: Offered
    fails: bool


class DefaultLabel(NamedTuple):
    """The default: its number, or why there is none, and where it stands."""

    boots: Union[int, str]
    source: Optional[Source]
    one_shot: bool = False


def read_menu(tree: Tree) -> Optional[Menu]:
    """Return the menu of the host; None where it has no such configuration. Raises Refused."""
    configs = tree.once(find_configs)
    if len(configs) > 1:
        problem = "there are both {} and {}".format(configs[0].path, configs[1].path)
        return Menu("syslinux", (), problem)
    return read_config(tree, *configs[0]) if configs else None


def read_config(tree: Tree, path: str, program: str) -> Menu:
    """Return the menu that one file describes; `program` is the directory of the loader."""
    base = path.rpartition("/")[0]
    mount = next(place for place in MOUNTS if path.startswith(place))
    config = parse_config(read_lines(tree, path, mount))
    installed = is_program_in(tree, base) or is_program_in(tree, program)
    uboot = not installed and UBOOT.search(tree.read_text(path) or "") is not None
    whole = uboot or has_menu(config)
    choices = with_titles([offer(tree, config, label, base, mount, uboot, whole) for label in config.labels])
    found = find_uboot(config, choices) if uboot else find_syslinux(config, choices, read_adv(tree, program))
    loader = "u-boot" if uboot else ("extlinux" if path.endswith("extlinux.conf") else "syslinux")
    offered = tuple(choice.offered for choice in choices)
    return Menu(loader, offered, found.boots, found.source or Source(Path(path), 0), found.one_shot)


def has_menu(config: SyslinuxConfig) -> bool:
    """Tell whether a menu program shows the labels, for which a label is the whole line: a `ui`, or a default that is none."""
    words = [line.rest.split()[:1] for line in [config.settings.get("default")] if line]
    return "ui" in config.settings or any(
        word not in [label.name.split()[:1] for label in config.labels] for word in words
    )


def with_titles(choices: List[LabelEntry]) -> List[LabelEntry]:
    """Return the entries with their label, or place, behind a title that another one has, too."""
    for place in (False, True):
        count = Counter(choice.offered.title for choice in choices)
        choices = [
            retitle(choice, choice.offered.path if place else choice.offered.id)
            if count[choice.offered.title] > 1
            else choice
            for choice in choices
        ]
    return choices


def retitle(choice: LabelEntry, name: str) -> LabelEntry:
    """Return an entry with `name` behind its title."""
    title = "{} ({})".format(choice.offered.title, name)
    boots = choice.offered.boots
    retitled = boots._replace(title=title) if isinstance(boots, BootEntry) else boots
    return choice._replace(offered=choice.offered._replace(title=title, boots=retitled))


def offer(
    tree: Tree, config: SyslinuxConfig, label: Label, base: str, mount: str, uboot: bool, whole: bool
) -> LabelEntry:
    """Find the files of a label, which is `whole` its line or its first word."""
    name = label.name if whole else label.name.split(" ")[0]
    title = label.said.get("menu label", [label.name])[-1].replace("^", "", 1).strip() or name
    kernel, cmdline = kernel_of(label, uboot)
    initrds, obstacle = initrds_of(label, cmdline, uboot)
    obstacle = obstacle_of(config, label, kernel, cmdline, uboot) or obstacle
    if obstacle is not None:
        return LabelEntry(label, Offered(title, name, label.place, obstacle, label.source), False)
    files = [find_file(tree, path, base, mount) for path in [kernel] + initrds]
    gone = [path for path in files if not tree.is_file(path)]
    entry = BootEntry(title, name, Path(files[0]), tuple(map(Path, files[1:])), cmdline)
    boots = "{} is missing".format(gone[0]) if gone else entry
    return LabelEntry(label, Offered(title, name, label.place, boots, label.source), bool(gone))


def kernel_of(label: Label, uboot: bool) -> Tuple[str, str]:
    """Return the kernel and the command line of a label, as the loader names and passes them."""
    value = next((label.said[word][-1] for word in KERNELS if word in label.said), "" if uboot else label.name)
    append = label.said.get("append", [""])[-1] if uboot else label.append or ""
    if uboot:
        return value.rstrip(), append
    append = "" if append == "-" else append
    kernel, _, rest = value.partition(" ")
    return kernel, " ".join(part for part in (rest.lstrip(), append) if part)


def initrds_of(label: Label, cmdline: str, uboot: bool) -> Tuple[List[str], Optional[str]]:
    """Return the initrds of a label in order, or why they are unclear."""
    named = label.said.get("initrd", [])
    inside = INITRD.findall(cmdline)
    if uboot:
        return [path.rstrip() for path in (named or inside)[:1] if path.strip()], None
    lists = named[-1:] + inside
    if len(lists) > 1:
        return [], "it names its initrds twice"
    paths = [path.strip() for path in (lists or [""])[0].split(",") if path.strip()]
    return (paths, None) if len(paths) <= MAX_INITRDS else ([], "it has more than {} initrds".format(MAX_INITRDS))


def obstacle_of(config: SyslinuxConfig, label: Label, kernel: str, cmdline: str, uboot: bool) -> Optional[str]:
    """Say why a label is not a kernel that can be loaded as the loader would."""
    for word in label.said:
        if word in OBSTACLES:
            return OBSTACLES[word]
    kinds = [word for word in KERNELS if word in label.said]
    if not kernel or (kinds and kinds[0] not in ("linux", "kernel")):
        return "it is no Linux kernel"
    if "linux" not in kinds and (kernel.lower().endswith(NO_KERNELS) or kernel.endswith("memdisk")):
        return "it is no Linux kernel"
    if not_linux(kernel):
        return not_linux(kernel)
    common = [config.settings[word].rest for word in ("sysappend", "ipappend") if word in config.settings]
    own = label.said.get("sysappend", []) + label.said.get("ipappend", [])
    if (own or common or ["0"])[-1].strip() not in ("0", "0x0"):
        return "it gets facts about the network or the machine from the loader"
    if uboot and ("$" in cmdline or "#" in kernel):
        return "it uses variables or images of U-Boot"
    return None


def find_label(choices: List[LabelEntry], text: str) -> Optional[int]:
    """Return the first label that a command line starts with."""
    words = text.split()
    return next((number for number, choice in enumerate(choices) if [choice.offered.id] == words[:1]), None)


def find_uboot(config: SyslinuxConfig, choices: List[LabelEntry]) -> DefaultLabel:
    """Take the default as U-Boot does."""
    if MISSING in config.settings:
        return DefaultLabel("{} is missing".format(config.settings[MISSING].rest), config.settings[MISSING].source)
    lines = [config.settings[word] for word in ("default", "ontimeout") if word in config.settings]
    marked = [number for number, choice in enumerate(choices) if "menu default" in choice.label.said]
    if len(lines) == 2 and lines[0].rest != lines[1].rest:
        lines.sort(key=lambda line: line.source.line)
    wanted = [number for number, choice in enumerate(choices) if lines and choice.label.name == lines[-1].rest]
    order = (wanted or ([] if lines else marked))[:1] + list(range(len(choices)))
    index = next((number for number in order if not choices[number].fails), None)
    if index is None:
        return DefaultLabel("no label has a kernel that is there", None)
    return DefaultLabel(index, lines[-1].source if wanted and index == wanted[0] else choices[index].label.source)


def find_syslinux(config: SyslinuxConfig, choices: List[LabelEntry], adv: Dict[int, str]) -> DefaultLabel:
    """Take the default as SYSLINUX does."""
    settings = config.settings
    if BOOT_ONCE in adv:
        return named(choices, ConfigLine("boot-once", adv[BOOT_ONCE], Source(Path("/"), 0)), one_shot=True)
    default, program = settings.get("default"), settings.get("ui")
    if program is None and default is not None and find_label(choices, default.rest) is None:
        program, default = default, None
    if program is not None:
        return find_in_menu(config, choices, program, default, adv)
    if (
        "ontimeout" in settings
        and settings.get("prompt", ConfigLine("", "0", Source(Path("/"), 0))).rest.strip() != "0"
    ):
        default = settings["ontimeout"]
    if default is None:
        return DefaultLabel("there is no default: the loader waits for a label", None)
    return named(choices, default)


def find_in_menu(
    config: SyslinuxConfig,
    choices: List[LabelEntry],
    program: ConfigLine,
    default: Optional[ConfigLine],
    adv: Dict[int, str],
) -> DefaultLabel:
    """Take the default of the menu program."""
    settings = config.settings
    if program.rest.split(" ")[0].rpartition("/")[2].lower() not in MENU_PROGRAMS:
        return DefaultLabel("{} is started, which is no label and no menu".format(program.rest), program.source)
    if "menu start" in settings:
        return DefaultLabel("the menu starts in a submenu", settings["menu start"].source)
    if "ontimeout" in settings:
        return named(choices, settings["ontimeout"])
    if "menu save" in settings and MENU_SAVE in adv and find_label(choices, adv[MENU_SAVE]) is not None:
        return named(choices, ConfigLine("", adv[MENU_SAVE].split()[0], settings["menu save"].source))
    number = find_label(choices, default.rest) if default else None
    if default is not None and number is not None and choices[number].offered.path:
        return DefaultLabel(number, default.source)
    if "submenu default" in settings:
        return DefaultLabel("the default is a submenu", settings["submenu default"].source)
    top = [number for number, choice in enumerate(choices) if choice.offered.path.isdigit()]
    marked = [number for number in top if "menu default" in choices[number].label.said]
    first = [number for number in top if choices[number].offered.path == "0"]
    if not marked and not first:
        return DefaultLabel("the menu does not begin with a label", program.source)
    index = (marked[-1:] or first)[0]
    return DefaultLabel(index, choices[index].label.source)


def named(choices: List[LabelEntry], line: ConfigLine, one_shot: bool = False) -> DefaultLabel:
    """Take the label that a line names; what follows the name would be added to its command line."""
    index = find_label(choices, line.rest)
    source = line.source if line.source.line else None
    if index is None:
        return DefaultLabel("the default {} is no label".format(line.rest), source, one_shot)
    if len(line.rest.split()) > 1:
        return DefaultLabel("the default adds parameters to its label: {}".format(line.rest), source, one_shot)
    return DefaultLabel(index, source, one_shot)
