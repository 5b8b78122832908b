"""What stands in Python and in plain shell: the templates of a host without Python are filled with it, so that neither drifts.

All of it is ours, and plain enough to stand in double quotes: nothing here comes from the host.
"""

from typing import Any, Callable, Dict, NamedTuple

from kexec_initd.bootloader import ab_slots, efivars, firmware, fwupd
from kexec_initd.cmdline import edit
from kexec_initd.history.last_cold import UNDECIDED
from kexec_initd.kexec.program import SECURE_BOOT
from kexec_initd.settings import values
from kexec_initd.settings.reader import LIMIT, Settings
from kexec_initd.settings.values import SETTINGS, Setting
from kexec_initd.system import drivers, hook_places, kernel_modules, machine, quirks


class SettingRow(NamedTuple):
    """A setting: the name of its variable is that of its field, `check` are the words of shell that judge a value."""

    name: str
    field: str
    default: str
    check: str
    wrong: str
    python: str
    decides: bool


def find_tables() -> Dict[str, Any]:
    """Return each table by the name that the templates have for it."""
    return {
        "settings": [_row_of(name, setting) for name, setting in SETTINGS.items()],
        "settings_limit": str(LIMIT),
        "setting_length": str(edit.LIMIT),
        **{meaning: _pattern_of(meaning == "yes") for meaning in ("yes", "no")},
        "platforms": quirks.PLATFORMS,
        "tried": " | ".join(quirks.TRIED),
        "container_marks": machine.CONTAINER_MARKS,
        "namespace": str(machine.INITIAL_PID_NAMESPACE),
        "one_off": " | ".join(sorted(edit.ONE_OFF)),
        "secure_boot": "/" + SECURE_BOOT,
        "boot_next": firmware.BOOT_NEXT,
        "indications": firmware.INDICATIONS,
        "wishes": tuple((str(bit), wish) for bit, wish in firmware.WISHES.items()),
        "key_requests": firmware.KEY_REQUESTS,
        "key_begin": efivars.DIRECTORY + "Mok",
        "key_end": firmware.SHIM,
        "capsules": firmware.CAPSULES,
        "fwupd_begin": efivars.DIRECTORY + "fwupd",
        "fwupd_end": firmware.FWUPD,
        "fwupd_status": str(firmware.FWUPD_STATUS),
        "fwupd_history": " ".join((fwupd.HISTORY, *fwupd.JOURNALS)),
        "environments": ab_slots.GRUB_BLOCKS + ab_slots.U_BOOT_FILES,
        "environment_limit": str(ab_slots.LIMIT),
        "rauc_config": ab_slots.RAUC_CONFIG,
        "u_boot_config": ab_slots.U_BOOT_CONFIG,
        "arrival": "/" + hook_places.ARRIVAL,
        "auto": kernel_modules.AUTO,
        "graphics": " ".join(drivers.GRAPHICS),
        "undecided": UNDECIDED.reason,
    }


def _row_of(name: str, setting: Setting) -> SettingRow:
    default = getattr(Settings(), setting.field)
    if isinstance(default, bool):
        default = ("no", "yes")[default]
    elif isinstance(default, tuple):
        default = " ".join(default)
    return SettingRow(
        name, setting.field, str(default), _check_of(setting), setting.wrong, setting.python, setting.decides
    )


def _check_of(setting: Setting) -> str:
    if setting.number is not None:
        name = "is_no_or_within" if setting.number.or_no else "is_within"
        return "{} {} {}".format(name, setting.number.least, setting.number.most)
    checks: Dict[Callable[[str], Any], str] = {
        values.parse_switch: "is_switch",
        values.parse_unpack: "is_switch_or_auto",
        values.parse_modules: "is_modules",
        values.parse_kernel: "is_kernel",
        edit.parse_words: "is_parameters",
    }
    return checks[setting.parse]


def _pattern_of(meaning: bool) -> str:
    """Return the pattern of the words that mean yes, or no, in whatever case."""
    words = [word for word, means in values.WORDS.items() if means is meaning]
    return " | ".join(
        "".join("[{}{}]".format(char.upper(), char) if char.isalpha() else char for char in word) for word in words
    )
