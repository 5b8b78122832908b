"""The table of GRUB's commands: those that decide what is booted, and the many that do not.

A command that is not named here makes the choice undecidable, or the entry in whose body it stands not loadable.
"""

from typing import List

from kexec_initd.bootloader.grub2 import images, menuentry, sources, variables
from kexec_initd.bootloader.grub2.interpreter import Actions, Interpreter, Status
from kexec_initd.bootloader.grub2.statements import Command

# They show something, load a driver, or name a device in another way; whether they succeed is not known.
HARMLESS = """
    acpi badram blocklist cat cmp cpuid crc cutmem date drivemap dump efi-watchdog
    gptsync hashsum hdparm hello help hexdump hexdump_random list_env list_trusted loadbios fakebios loopback ls
    lsacpi lsapm lscoreboot lsdev lsefi lsefimmap lsefisystab lsfonts lsfreemem lsmem lsmmap lsmod lspci lssal md5sum
    nativedisk net_add_addr net_add_dns net_add_route net_bootp net_bootp6 net_default_server net_del_addr net_del_dns
    net_del_route net_dhcp net_efi_add_addr net_efi_bootp net_efi_bootp6 net_efi_ls_addr net_efi_ls_cards
    net_efi_ls_routes net_ipv6_autoconf net_ls_addr net_ls_cards net_ls_dns net_ls_routes net_nslookup outb
    outl outw parttool password password_pbkdf2 pcidump rmmod sha1sum sha256sum sha512sum
    testload testspeed time usb version write_byte write_dword write_word
    wrmsr xnu_uuid btrfs-mount-subvol btrfs-list-subvols btrfs-info zfsinfo zfskey
    coreboot_boottime cbmemc cmosclean cmosdump cmosset backtrace gdbstub gdbstub_break gdbstub_stop
    efiemu_loadcore efiemu_prepare efiemu_unload connectefi tpm2_dump_pcr tpm2_key_protector_init
    tpm2_key_protector_clear test_blockarg functional_test all_functional_test
    distrust trust verify_detached verify_appended append_verify append_list_db append_list_dbx append_add_db_cert
    append_add_db_hash append_add_dbx_cert append_add_dbx_hash append_rm_dbx_cert append_rm_dbx_hash
    trust_certificate distrust_certificate list_certificates trust_pkcs7 legacy_password legacy_check_password
"""
# They concern the terminal, the screen, the keyboard and the speaker.
TERMINAL = """
    915resolution background_color background_image clear efitextmode fix_video gettext keymap loadfont play sendkey
    serial setkey terminal terminal_input terminal_output terminfo vbeinfo vbetest videoinfo videotest
"""
# They set a variable to what the hardware, the clock or the disk says.
QUESTIONS = """
    btrfs-get-default-subvol cmosread file fwconfig getenv getkey gptprio.next hwmatch inb inl inw net_get_dhcp_option
    probe rdmsr read_byte read_dword read_word setpci smbios tr zfs-bootfs
"""
# Reading a key: a reboot happens without anybody there.
KEYS = ("keystatus", "cmostest")
OTHER_SYSTEMS = """
    appleloader chainloader freedos halt kfreebsd kfreebsd_loadenv kfreebsd_module kfreebsd_module_elf knetbsd
    knetbsd_module knetbsd_module_elf kopenbsd kopenbsd_ramdisk
    legacy_kernel legacy_initrd legacy_initrd_nounzip legacy_configfile legacy_source linux-efi macppcbless mactelbless
    multiboot multiboot2 module module2 ntldr openbsd plan9 pxechainloader reboot reset suspend truecrypt xen_hypervisor
    xen_linux xen_module xen_initrd xnu_devprop_load xnu_kernel xnu_kernel64 xnu_kext xnu_kextdir xnu_mkext xnu_ramdisk
    xnu_resume xnu_splash exit normal_exit efiboot map read authenticate extract_entries_source
    extract_entries_configfile extract_legacy_entries_source extract_legacy_entries_configfile
    extract_syslinux_entries_source extract_syslinux_entries_configfile syslinux_configfile syslinux_source
"""


def actions() -> Actions:
    """Return what each command does."""
    table: Actions = dict.fromkeys((HARMLESS + TERMINAL).split(), _harmless)
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


def _blscfg(run: Interpreter, arguments: List[str], node: Command) -> Status:
    from kexec_initd.bootloader.grub2 import blscfg  # which few hosts have

    return blscfg.blscfg(run, arguments, node)


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
    "setparams": variables.set_parameters,
    "shift": variables.shift,
    "menuentry": menuentry.define(submenu=False),
    "submenu": menuentry.define(submenu=True),
    "hiddenentry": menuentry.define(submenu=False, certain=False),
    "blscfg": _blscfg,
    "bls_import": _blscfg,
    "devicetree": images.devicetree,
    "fwsetup": images.firmware_setup,
    "cryptomount": images.decrypt,
    "boot": images.boot,
    "insmod": _insmod,
    "true": _true,
    "false": _false,
    "echo": _true,
    "sleep": _true,  # nobody is there to interrupt it
}
