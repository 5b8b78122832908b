"""The table of GRUB's commands: those that decide what is booted, and the many that do not.

A command that is not named here makes the choice undecidable, or the entry in whose body it stands not loadable.
"""

from typing import List

from kexec_initd.bootloader.grub2 import blscfg, images, menuentry, sources, variables
from kexec_initd.bootloader.grub2.interpreter import Actions, Interpreter, Status
from kexec_initd.bootloader.grub2.parser import Command

# They show something, load a driver or name a device in another way; whether they succeed is not known.
HARMLESS = """
    acpi background_color background_image badram cat clear cmp cpuid crc cutmem date drivemap dump echo efi-watchdog
    gptsync hashsum hdparm help hexdump keymap list_env list_trusted loadbios loadfont fakebios loopback ls
    lsacpi lsapm lscoreboot lsefi lsefimmap lsefisystab lsfonts lsmmap lsmod lspci md5sum nativedisk
    net_add_addr net_add_dns net_add_route net_bootp net_bootp6 net_default_server net_del_addr net_del_dns
    net_del_route net_dhcp net_ipv6_autoconf net_ls_addr net_ls_cards net_ls_dns net_ls_routes net_nslookup outb
    outl outw parttool password password_pbkdf2 play rmmod sendkey serial setkey sha1sum sha256sum sha512sum
    terminal terminal_input terminal_output time vbeinfo videoinfo videotest write_byte write_dword write_word
    wrmsr xnu_uuid btrfs-mount-subvol btrfs-list-subvols btrfs-info
"""
# They set a variable to what the hardware or the clock says.
QUESTIONS = """
    cmosread file getenv getkey hwmatch inb inl inw net_get_dhcp_option probe rdmsr read_byte read_dword
    read_word setpci smbios
"""
# Reading a key: a reboot happens without anybody there.
KEYS = ("keystatus", "cmostest")
OTHER_SYSTEMS = """
    appleloader chainloader freedos halt kfreebsd kfreebsd_loadenv kfreebsd_module knetbsd kopenbsd
    legacy_kernel legacy_initrd legacy_configfile legacy_source linux-efi macppcbless mactelbless multiboot
    multiboot2 module module2 ntldr openbsd plan9 pxechainloader reboot truecrypt xen_hypervisor xen_linux
    xen_module xen_initrd xnu_kernel xnu_kernel64 xnu_kext xnu_kextdir xnu_mkext xnu_ramdisk xnu_resume
    xnu_splash devicetree exit normal_exit efiboot map read authenticate extract_entries_source
    extract_entries_configfile extract_syslinux_entries_source extract_syslinux_entries_configfile
    syslinux_configfile syslinux_source
"""


def actions() -> Actions:
    """Return what each command does."""
    table: Actions = dict.fromkeys(HARMLESS.split(), _harmless)
    table.update(dict.fromkeys(QUESTIONS.split(), variables.ask))
    table.update(dict.fromkeys(KEYS, _false))
    table.update({name: images.refuse(name) for name in OTHER_SYSTEMS.split()})
    table.update(dict.fromkeys(("linux", "linux16", "linuxefi"), images.load_linux))
    table.update(dict.fromkeys(("initrd", "initrd16", "initrdefi"), images.load_initrd))
    table.update(dict.fromkeys(("[", "test"), variables.test))
    table.update(dict.fromkeys(("source", "."), sources.source))
    table.update(dict.fromkeys(("configfile", "normal"), sources.configfile))
    table.update(_LANGUAGE)
    return table


def _true(run: Interpreter, arguments: List[str], node: Command) -> Status:
    return True


def _false(run: Interpreter, arguments: List[str], node: Command) -> Status:
    return False


def _harmless(run: Interpreter, arguments: List[str], node: Command) -> Status:
    return None


def _insmod(run: Interpreter, arguments: List[str], node: Command) -> Status:
    run.machine.modules.update(arguments[:1])
    return None


_LANGUAGE: Actions = {
    "set": variables.set_variable,
    "unset": variables.unset_variable,
    "export": variables.export,
    "load_env": variables.load_env,
    "save_env": variables.save_env,
    "increment": variables.count(1),
    "decrement": variables.count(-1),
    "regexp": variables.regexp,
    "eval": sources.evaluate,
    "search": sources.search,
    "search.fs_uuid": sources.search_by("uuid"),
    "search.fs_label": sources.search_by("label"),
    "search.file": sources.search_by("file"),
    "break": sources.leave(False),
    "continue": sources.leave(True),
    "return": sources.leave_function,
    "menuentry": menuentry.define(submenu=False),
    "submenu": menuentry.define(submenu=True),
    "hiddenentry": menuentry.define(submenu=False, certain=False),
    "blscfg": blscfg.blscfg,
    "bls_import": blscfg.blscfg,
    "fwsetup": images.firmware_setup,
    "cryptomount": images.decrypt,
    "boot": images.boot,
    "insmod": _insmod,
    "true": _true,
    "false": _false,
    "echo": _true,
    "sleep": _true,  # nobody is there to interrupt it
}
