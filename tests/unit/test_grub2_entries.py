"""GRUB's entries: what they load, why they cannot be loaded, what they see; and what is too much to read."""

from pathlib import Path
from typing import List, Optional, Sequence

import pytest

from kexec_initd.bootloader import Menu
from kexec_initd.bootloader.grub2.interpreter import Interpreter
from kexec_initd.bootloader.grub2.lexer import Word
from kexec_initd.bootloader.grub2.menu import read, read_menu
from kexec_initd.bootloader.grub2.saving import Write
from kexec_initd.errors import Refused
from kexec_initd.system.sysroot import Tree
from tests.unit.grub2_hosts import cmdline_of, menu_of, two_entries


@pytest.mark.parametrize(
    "body, obstacle",
    [
        ("chainloader +1", "chainloader"),
        ("linux16 /memtest86+.bin", "it is a memory test"),
        ("linux16 /memdisk iso raw; initrd16 /i1", "it is memdisk, which starts the image of a disk"),
        ("linux16 /ipxe.lkrn", "it is a network boot program"),
        ("multiboot /k1; module /k2", "multiboot"),
        ("cryptomount -u 1; linux /k1", "encrypted (cryptomount)"),
        ("halt", "halt"),
        ("reboot", "reboot"),
        ("fwsetup", "fwsetup"),
        ("configfile /grub/x.cfg", "configfile"),
        ("exit", "exit"),
        ("frobnicate; linux /k1", "the command frobnicate"),
        ("linux /none", "the kernel /boot/none is missing"),
        ("linux /grub", "the kernel /boot/grub is a directory"),
        ("linux k1", "the kernel k1 is missing"),
        ("linux 8+1", "the path 8+1 is not known"),
        ("linux", "the kernel  is missing"),
        ("linux /k1; initrd /none", "the initrd /boot/none is missing"),
        ("linux /k1; initrd newc:x:/i1", "an initrd that GRUB itself packs (newc:)"),
        ("linux /k1; initrd", "initrd without a file"),
        ("linux /k1 $grub_cpu", "the command line depends on grub_cpu"),
        ("linux ($root)/k1", "GRUB's name of the device of /boot is not known (it is in BOOT_IMAGE)"),
        ("search --set=root --fs-uuid cc; linux /k1", "the file system uuid=cc is not mounted"),
        ("set root=hd3,1; linux /k1", "which device hd3,1 is cannot be known"),
        ("if cpuid; then linux /k1; else linux /k2; fi", "depends on what only GRUB knows: the-result-of-cpuid"),
        ("echo", "it loads no kernel"),
        ("menuentry x { true }", "an entry that defines an entry"),
        ("devicetree /k2; linux /k1", "devicetree"),
        ("while true; do x=1; done", "the configuration takes too many steps"),
    ],
)
def test_an_entry_that_we_cannot_load_says_why(body: str, obstacle: str, tmp_path: Path) -> None:
    menu = menu_of(tmp_path, "menuentry x {{ {} }}\n".format(body))
    assert [(offered.entry, offered.obstacle) for offered in menu.offered] == [(None, obstacle)]
    assert menu.default == 0 and menu.problem is None


@pytest.mark.parametrize(
    "body, kernel, initrds",
    [
        ("linux /k1; initrd /i1 /k2", "/boot/k1", ["/boot/i1", "/boot/k2"]),
        ("linux /k2; initrd /i1; linux /k1", "/boot/k1", []),
        ("linux /k1; initrd /k2; initrd /i1", "/boot/k1", ["/boot/i1"]),
        ("linuxefi /k1; initrdefi /i1", "/boot/k1", ["/boot/i1"]),
        ("search --set=root --fs-uuid AA; linux /boot2/k", "/boot2/k", []),
        ("search --set=other --fs-uuid aa; initrd /x; linux //./k1", "/boot/k1", []),
        ("initrd /i1; linux /k1; boot; halt", "/boot/k1", []),
        ("set root=(hd9); search -u -s bb; linux /k1", "/boot/k1", []),
        ("savedefault; if [ $chosen = x ]; then linux /k1; fi", "/boot/k1", []),
    ],
)
def test_kernel_and_initrds(body: str, kernel: str, initrds: List[str], tmp_path: Path) -> None:
    config = "function savedefault {\ntrue\n}\nmenuentry x { " + body + " }\n"
    menu = menu_of(tmp_path, config, files=("boot2/k",))
    entry = menu.offered[0].entry
    assert entry is not None, menu.offered[0].obstacle
    assert (str(entry.kernel), [str(path) for path in entry.initrds]) == (kernel, initrds)


def test_only_exported_variables_reach_a_submenu(tmp_path: Path) -> None:
    config = "a=1; b=2; export b; submenu s { menuentry e { linux /k1 a=$a b=$b } }\n"
    menu = menu_of(tmp_path, config)
    assert menu.offered[0].entry is not None
    assert menu.offered[0].entry.cmdline == "BOOT_IMAGE=/k1 a= b=2"


def test_a_problem_in_a_submenu_matters_only_where_the_default_is_in_it(tmp_path: Path) -> None:
    config = "submenu s {{ frobnicate; menuentry e {{ linux /k1 }} }}\nmenuentry f {{ linux /k2 }}\ndefault='{}'\n"
    assert menu_of(tmp_path, config.format("f")).default == 1
    assert menu_of(tmp_path, config.format("s>e")).problem is not None


@pytest.mark.parametrize(
    "options, inner, obstacle, problem",
    [
        ("", "", None, "/boot/grub/grub.cfg:1: it asks for a password"),
        ("--unrestricted", "", None, None),
        ("--unrestricted", "export superusers; ", "it asks for a password", None),
    ],
)
def test_passwords(options: str, inner: str, obstacle: Optional[str], problem: Optional[str], tmp_path: Path) -> None:
    config = "superusers=a; {}submenu s {} {{ menuentry e {{ linux /k1 }} }}\n".format(inner, options)
    menu = menu_of(tmp_path, config)
    assert (menu.offered[0].obstacle, menu.problem) == (obstacle, problem)


def test_a_link_that_leads_out_of_the_root_is_resolved_below_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("")
    root = tmp_path / "root"
    (root / "boot").mkdir(parents=True)
    (root / "boot" / "up").symlink_to("../../outside")
    (root / "boot" / "abs").symlink_to(str(outside))
    menu = menu_of(root, "menuentry a { linux /up }\nmenuentry b { linux /abs }\n")
    assert [offered.obstacle for offered in menu.offered] == [
        "the kernel /boot/up is missing",
        "the kernel /boot/abs is missing",
    ]


def test_a_link_to_another_file_system_leads_nowhere_for_grub(tmp_path: Path) -> None:
    (tmp_path / "boot").mkdir()
    (tmp_path / "vmlinuz").write_text("")
    (tmp_path / "boot" / "other").symlink_to("../vmlinuz")
    menu = menu_of(tmp_path, "menuentry a { linux /other }\n")
    assert menu.offered[0].obstacle == "/boot/other leads to another file system"


def test_the_entries_of_blscfg_save_themselves_where_that_is_wanted(tmp_path: Path) -> None:
    functions = "function savedefault {\nsaved_entry=$chosen; save_env saved_entry\n}\nfunction load_video {\ntrue\n}\n"
    texts = {
        "boot/loader/entries/x-1.conf": "title X\nlinux /k1\n",
        "boot/grub/grubenv": "# GRUB Environment Block\nsaved_entry=y\n".ljust(1024, "#"),
        "boot/grub/i386-pc/blscfg.mod": "",
        "proc/cmdline": "BOOT_IMAGE=(hd0,gpt1)/k1\n",
    }
    menu_of(tmp_path, functions + "save_default=true\nblscfg\n", texts=texts)
    reading = read(Tree(tmp_path))
    assert reading is not None and reading.menu.offered[0].obstacle is None
    assert reading.writes == (Write(Path("/boot/grub/grubenv"), "saved_entry", "x-1"),)


UNKNOWN_MAKE = "whose blscfg this GRUB has cannot be known"


@pytest.mark.parametrize(
    "modules, system, image",
    [
        (["i386-pc/blscfg"], "debian", "(hd0,gpt1)/k1"),
        (["i386-pc/blsuki"], "debian", "/k1"),
        (["i386-pc/blsuki", "x86_64-efi/blscfg"], "debian", None),
        (["i386-pc/blsuki"], "fedora", None),
        (["i386-pc/blsuki"], "suse", None),
        ([], "fedora", "(hd0,gpt1)/k1"),
        ([], "debian", None),
    ],
)
def test_the_make_of_blscfg_is_told_by_its_module(
    tmp_path: Path, modules: List[str], system: str, image: Optional[str]
) -> None:
    """Fedora's own command names a kernel with its device, that of 2.14 does not."""
    texts = {"boot/grub/{}.mod".format(module): "" for module in modules}
    texts["etc/os-release"] = "ID=x\nID_LIKE={}\n".format(system)
    texts["boot/loader/entries/x-1.conf"] = "title X\nlinux /k1\n"
    texts["proc/cmdline"] = "BOOT_IMAGE=(hd0,gpt1)/k1\n"
    menu = menu_of(tmp_path, "blscfg\n", texts=texts)
    entries = [offered.entry for offered in menu.offered]
    assert [entry.cmdline if entry else None for entry in entries] == (["BOOT_IMAGE=" + image] if image else [])
    assert menu.problem == (None if image else UNKNOWN_MAKE)


def upstream(tmp_path: Path, command: str, names: List[str]) -> Menu:
    """Read a host whose GRUB is 2.14, with entries for /k1 by their paths below /boot."""
    texts = {"boot/" + name: "linux /k1 {}\n".format(name) for name in names}
    return menu_of(tmp_path, command + "\n", texts={"boot/grub/i386-pc/blsuki.mod": "", **texts})


@pytest.mark.parametrize(
    "command, ids",
    [
        ("blscfg", ["b-10", "b-9", ".h"]),
        ("blscfg --path /other", ["c"]),
        ("blscfg -p ($root)/other -f", ["c"]),
        ("blscfg --path=/none --enable-fallback", ["b-10", "b-9", ".h"]),
        ("blscfg --path other", ["b-10", "b-9", ".h"]),
        ("blscfg --path /none", []),
        ("blscfg x", []),
    ],
)
def test_where_upstream_finds_its_entries(tmp_path: Path, command: str, ids: List[str]) -> None:
    names = ["loader/entries/" + name for name in ("b-9.conf", "b-10.conf", ".h.conf", "c.conf~")]
    menu = upstream(tmp_path, command, [*names, "other/c.conf"])
    assert [offered.id for offered in menu.offered] == ids
    assert menu.problem == (None if ids else "the menu is empty")


@pytest.mark.parametrize(
    "command, names, problem",
    [
        (
            "blscfg",
            ["b-9.conf", "b-09.conf"],
            "/boot/loader/entries/b-09.conf and /boot/loader/entries/b-9.conf are the ",
        ),
        ("blscfg", ["b-9.conf", "b-8.conf/x"], "/boot/loader/entries/b-8.conf is no regular file"),
        ("blscfg -d", ["b.conf"], "blscfg that shows some of its entries only"),
        ("blscfg --entry b.conf", ["b.conf"], "blscfg that shows some of its entries only"),
        ("blscfg --path /loader/entries/b.conf", ["b.conf"], "blscfg with a file"),
        ("blscfg --path '(hd0,1)'", ["b.conf"], "blscfg with the path (hd0,1)"),
        ("blscfg --path (hd7,1)/x", ["b.conf"], "which device hd7,1 is cannot be known"),
        ("blscfg --other", ["b.conf"], "the option --other"),
        ("smbios --set blsuki_save_default; blscfg", ["b.conf"], "the value of blsuki_save_default"),
    ],
)
def test_what_of_upstreams_blscfg_is_not_decided(tmp_path: Path, command: str, names: List[str], problem: str) -> None:
    menu = upstream(tmp_path, command, ["loader/entries/" + name for name in names])
    assert menu.default is None and problem in (menu.problem or "")


def test_two_files_of_one_version_are_not_decided_with_fedoras_blscfg_either(tmp_path: Path) -> None:
    texts = {"boot/loader/entries/b-1-{}.conf".format(release): "linux /k1\n" for release in ("1", "01")}
    menu = menu_of(tmp_path, "blscfg\n", texts={"boot/grub/i386-pc/blscfg.mod": "", **texts})
    assert menu.default is None and "are the same version" in (menu.problem or "")


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize(
    "config, problem",
    [
        ("x=1;" * 400000, "/boot/grub/grub.cfg:1: the end of what is read where the end of the line should be"),
        ("x=1\n" * 200000, "the configuration takes too many steps"),
        ("[ 1 ]\n" * 400000, "/boot/grub/grub.cfg:150001: the end of what is read where the end of the line should be"),
        ("'" * 1000000, "/boot/grub/grub.cfg:1: a word of more than 65536 parts where a command should be"),
        ("\\a" * 300000, "/boot/grub/grub.cfg:1: a word of more than 65536 parts where a command should be"),
        ("function f {\nsubmenu a { f }\nsubmenu b { f }\n}\nf\n", "submenus are nested too deep"),
        ("while true; do load_env; done", "the configuration takes too many steps"),
        ("while true; do source $prefix/x.cfg; done", "the configuration takes too many steps"),
        ("x=$x" + "a" * 60000 + "\n" + "set v$x=$x\nx=b$x\n" * 2000, "the configuration takes too many steps"),
    ],
    ids=lambda value: value[:12],
)
def test_what_is_too_much_is_not_read_to_the_end(config: str, problem: str, tmp_path: Path) -> None:
    block = "# GRUB Environment Block\n".ljust(1024, "#")
    menu = menu_of(tmp_path, config, texts={"boot/grub/x.cfg": "# x\n" * 99999, "boot/grub/grubenv": block})
    assert menu.default is None and menu.problem == problem


@pytest.mark.parametrize(
    "block, title",
    [
        ("saved_entry=b\n".ljust(1000, "#"), "b"),
        ("saved_entry=b\n".ljust(216, "#"), "b"),
        ("saved_entry=b\n", "b"),
        ("saved_entry=b\n".ljust(999), "b"),
        ("saved_entry=b\n".ljust(4000, "#"), "b"),
        ("\nsaved_entry=b\n".ljust(999, "#"), "a"),
        ("kernelopts=x\n\nsaved_entry=b\n".ljust(999, "#"), "a"),
        ("saved_entry\nsaved_entry=b\n".ljust(999, "#"), "a"),
        ("saved_entry=b".ljust(999, "#"), "a"),
    ],
)
def test_the_environment_block_is_read_as_grub_reads_it(block: str, title: str, tmp_path: Path) -> None:
    texts = {"boot/grub/grubenv": "# GRUB Environment Block\n" + block}
    config = "if [ -s $prefix/grubenv ]; then load_env; fi\ndefault=$saved_entry\n" + two_entries()
    menu = menu_of(tmp_path, config, texts=texts)
    assert menu.problem is None and menu.default is not None and menu.offered[menu.default].title == title


@pytest.mark.parametrize(
    "block, written",
    [
        ("next_entry=b\n" + "#" * 9, "next_entry=\n" + "#" * 10),
        ("next_entry=b\n", "next_entry=\n#"),
        ("next_entry=b\n" + " " * 900, None),
        ("next_entry=b\n" + "#" * 900 + "\n", "next_entry=\n" + "#" * 900 + "\n#"),
    ],
    ids=["small", "no filling", "blanks", "line feed at the end"],
)
def test_a_wish_for_one_boot_is_taken_back_where_grub_could(block: str, written: Optional[str], tmp_path: Path) -> None:
    texts = {"boot/grub/grubenv": "# GRUB Environment Block\n" + block}
    config = "load_env\ndefault=$next_entry\nset next_entry=\nsave_env next_entry\n" + two_entries()
    menu = menu_of(tmp_path, config, texts=texts)
    assert menu.default == 1 and menu.one_shot == (written is not None)
    assert [change.after for change in menu.changes] == (
        [] if written is None else [("# GRUB Environment Block\n" + written).encode()]
    )


def test_a_command_of_many_words_takes_as_many_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expanded: List[int] = []
    expand = Interpreter.expand

    def counting(run: Interpreter, words: Sequence[Word]) -> List[str]:
        expanded.append(len(words))
        return expand(run, words)

    monkeypatch.setattr(Interpreter, "expand", counting)
    assert menu_of(tmp_path, "while true; do\ntrue {}\ndone\n".format("a " * 20000)).default is None
    assert sum(expanded) < 2000000


def test_a_path_to_the_configuration_that_is_too_long_is_not_decided(tmp_path: Path) -> None:
    menu = menu_of(tmp_path, two_entries(), texts={"proc/cmdline": "BOOT_IMAGE=({})/k1\n".format("a" * 1100000)})
    assert menu.default is None and menu.problem == "the value of config_directory is too long"


def test_braces_among_the_words_of_a_kernel_are_not_guessed_at(tmp_path: Path) -> None:
    menu = menu_of(tmp_path, "menuentry a {\nlinux /k1 ro x={a,b}\n}\nmenuentry b { linux /k2 'x={a,b}' }\n")
    assert menu.offered[0].obstacle == "a block in braces behind linux"
    assert menu.offered[1].entry is not None and menu.offered[1].entry.cmdline == "BOOT_IMAGE=/k2 x={a,b}"


def test_a_configuration_of_more_than_16_megabytes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is larger than 16777216 bytes"):
        menu_of(tmp_path, "#" * 16777217)


def test_a_long_configuration_may_take_more_steps(tmp_path: Path) -> None:
    assert menu_of(tmp_path, "x=1; y=2; z=3; x=1\n" * 10000 + two_entries()).default == 0


def test_a_file_that_is_not_there_may_matter_once_it_is(tmp_path: Path) -> None:
    menu_of(tmp_path, "if [ -f $prefix/custom.cfg ]; then source $prefix/custom.cfg; fi\n" + two_entries())
    tree = Tree(tmp_path)
    read(tree)
    assert "/boot/grub/custom.cfg" in tree.asked and "/boot/k1" in tree.asked


def test_a_host_without_grub_has_no_menu(tmp_path: Path) -> None:
    assert read_menu(Tree(tmp_path)) is None


def test_bytes_that_are_not_utf_8_come_through(tmp_path: Path) -> None:
    assert cmdline_of(tmp_path, "menuentry x { linux /k1 a=\udce9 }\n") == "a=\udce9"


def test_a_binary_file_is_no_configuration(tmp_path: Path) -> None:
    menu = menu_of(tmp_path, "menuentry x { linux /k1 \0 }\n")
    assert menu.default is None and menu.problem == "/boot/grub/grub.cfg is not text"


def test_carriage_returns_are_passed_over_as_grub_does(tmp_path: Path) -> None:
    assert cmdline_of(tmp_path, "menuentry x {\r\n linux /k1 ro\r\n}\r\n") == "ro"
