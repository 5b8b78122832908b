"""Settings of GRUB as real machines have them: what is written where, and which kernel GRUB boots with it."""

from typing import Dict, Mapping, NamedTuple

from tests.unit.images import cpio
from tests.vm.kernels import UPDATE_LIMIT, Kernels
from tests.vm.qemu import Machine

WITNESS_FILE = "/boot/witness.img"
WITNESS_WORDS = "the first part is here"
# What initramfs-tools sources early in its /init; this part alone is no multiple of four bytes long.
WITNESS = cpio([
    ("conf", 0o40755, b""),
    ("conf/conf.d", 0o40755, b""),
    ("conf/conf.d/witness", 0o100644, f"echo '{WITNESS_WORDS}' >/dev/kmsg\n".encode()),
]) + bytes(3)

OPTIONS = "root=UUID=@UUID@ ro console=ttyS0,115200 mitigations=off norandmaps"
SUBMENU, OLD_ID = "gnulinux-advanced-@UUID@", "gnulinux-@OLD@-advanced-@UUID@"
OLD_TITLE = "Debian GNU/Linux, with Linux @OLD@"
# In single user mode somebody has to log in, too.
SINGLE_LOGIN = "sed -i 's|^~~:.*|~~:S:wait:/sbin/agetty --autologin root --noclear 115200 ttyS0 dumb|' /etc/inittab"


class Setting(NamedTuple):
    """What is done in the guest, in this order, and what GRUB makes of it; @OLD@ and such are filled in (Kernels).

    `defaults` are lines for /etc/default/grub, `custom` goes to /etc/grub.d/40_custom; after update-grub come the
    shell lines `commands`, then `files` by their names in /boot/grub. `kernel` is "old" or "new"; `word` is on the
    command line, and `early` tells that the witness is unpacked as a first initrd.
    """

    kernel: str
    defaults: str = ""
    custom: str = ""
    commands: str = ""
    files: Mapping[str, str] = {}
    word: str = ""
    early: bool = False


def make(machine: Machine, setting: Setting, kernels: Kernels) -> None:
    """Make the setting in the guest."""
    machine.put(WITNESS_FILE, WITNESS)
    for path, text in (("/etc/default/grub", setting.defaults), ("/etc/grub.d/40_custom", setting.custom)):
        machine.put("/root/added", kernels.fill_in(text + "\n").encode())
        machine.check("cat /root/added >>" + path)
    machine.check("update-grub", UPDATE_LIMIT)
    if setting.commands:
        machine.check(kernels.fill_in(setting.commands), UPDATE_LIMIT)
    for name, text in setting.files.items():
        machine.put("/boot/grub/" + name, kernels.fill_in(text).encode())


def entry(title: str, kernel: str, more: str = "", name: str = "", early: str = "") -> str:
    """Return a menu entry, its id `name`, with `more` options for the kernel and `early` initrds."""
    return f"""\
menuentry '{title}' --id '{name or title}' {{
    search --no-floppy --fs-uuid --set=root @UUID@
    linux /boot/vmlinuz-{kernel} {OPTIONS} {more}
    initrd {early} /boot/initrd.img-{kernel}
}}
"""


FUNCTIONS = """\
set timeout=0
set boot=/boot
set wanted="@OLD@"
search --no-floppy --set=root --file $boot/vmlinuz-$wanted
function start {
    linux $boot/vmlinuz-$1 %s "$2" "$3" $found
    initrd $boot/initrd.img-$1
}
if [ -f $boot/vmlinuz-$wanted -a ! -e /boot/never ]; then set found="found=yes twice=$wanted"; else set found=found=no; fi
for one in a b 'c d'; do set list="$list$one"; done
while [ "$count" != xxx ]; do set count="x$count"; done
menuentry "the newest" {
    start @NEW@
}
submenu "others ($list)" --id others {
    menuentry "unwanted" { start @NEW@ none }
    menuentry "kernel $wanted $count" --class os { start "${wanted}" "list=${list}${unset}"; }
}
export wanted count found list boot
if test "$list" = "abc d" -o 1 -gt 2; then set default="others>kernel @OLD@ xxx"; elif true; then set default=0; fi
""" % OPTIONS

CONFIGFILE = """\
set timeout=0
set default=0
set mine="passed on"
export mine
source /boot/grub/functions.cfg
configfile /boot/grub/kernels.cfg
"""

SETTINGS: Dict[str, Setting] = {
    "first": Setting("new", "GRUB_DEFAULT=0"),
    "position": Setting("old", "GRUB_DEFAULT='1>2'"),
    "id-path": Setting("old", f"GRUB_DEFAULT='{SUBMENU}>{OLD_ID}'"),
    "title-path": Setting("old", f"GRUB_DEFAULT='Advanced options for Debian GNU/Linux>{OLD_TITLE}'"),
    "names-no-entry": Setting("new", "GRUB_DEFAULT='Debian GNU/Linux, with Linux 3.2.0-4-amd64'"),
    "saved-position": Setting("old", "GRUB_DEFAULT=saved", commands="grub-set-default '1>2'"),
    "saved-title-path": Setting(
        "old", "GRUB_DEFAULT=saved", commands=f"grub-set-default 'Advanced options for Debian GNU/Linux>{OLD_TITLE}'"
    ),
    "saves-what-it-boots": Setting(
        "old", "GRUB_DEFAULT=saved\nGRUB_SAVEDEFAULT=true", commands=f"grub-set-default '{SUBMENU}>{OLD_ID}'"
    ),
    "options-with-quotes": Setting(
        "new", """GRUB_CMDLINE_LINUX_DEFAULT='foo="a b" path=C:\\\\dir home=$HOME q="it'"'"'s" semi="x;y"'""",
        word='"foo=a b"',
    ),
    "device-names": Setting("new", "GRUB_DISABLE_LINUX_UUID=true", word="root=/dev/vda1"),
    "no-submenu": Setting("old", "GRUB_DISABLE_SUBMENU=y\nGRUB_DEFAULT=2"),
    "no-recovery-entries": Setting("old", "GRUB_DISABLE_RECOVERY=true\nGRUB_DEFAULT='1>1'"),
    "recovery-entry": Setting("old", "GRUB_DEFAULT='1>3'", commands=SINGLE_LOGIN, word=" single "),
    "hidden-menu": Setting("old", "GRUB_TIMEOUT=1\nGRUB_TIMEOUT_STYLE=hidden\nGRUB_DEFAULT='1>2'"),
    "own-name": Setting(
        "old", """GRUB_DISTRIBUTOR="Anna's"\nGRUB_DEFAULT="Advanced options for Anna's GNU/Linux>%s\"""" %
        OLD_TITLE.replace("Debian", "Anna's"),
    ),
    "early-initrd": Setting("new", "GRUB_EARLY_INITRD_LINUX_CUSTOM=witness.img", early=True),
    "custom-entry": Setting(
        "old", "GRUB_DEFAULT='mine >> yours'", early=True, word="mine=1",
        custom=entry("mine > yours", "@OLD@", "mine=1 'spaced=a b' \\\n\tnext=line", name="own", early=WITNESS_FILE),
    ),
    "custom.cfg": Setting(
        "old", files={"custom.cfg": "set default=own\n" + entry("own", "@OLD@", "own=1")}, word="own=1"
    ),
    "newer-removed": Setting("old", commands="dpkg -r $(dpkg -S /lib/modules/@NEW@ | cut -d : -f 1)"),
    "fallback": Setting(
        "old", word="second=1",
        files={"custom.cfg": entry("gone", "9.9") + entry("second", "@OLD@", "second=1") + "set default=gone fallback=3\n"
                             "set fallback=3\n"},
    ),
    "by-hand-with-functions": Setting("old", files={"grub.cfg": FUNCTIONS}, word='"list=abc d"'),
    "by-hand-with-links": Setting(
        "old", word="BOOT_IMAGE=/vmlinuz.old ",
        files={"grub.cfg": f"menuentry x {{\nlinux /vmlinuz.old {OPTIONS}\ninitrd /initrd.img.old\n}}\nset timeout=0\n"},
    ),
    "by-hand-with-configfile": Setting(
        "old", word="mine=passed",
        files={
            "grub.cfg": CONFIGFILE,
            "functions.cfg": "function ignored { true; }\n",
            "kernels.cfg": entry("one", "@NEW@") + entry("two", "@OLD@", "mine=$mine") + "set timeout=0\nset default=two\n",
        },
    ),
}
