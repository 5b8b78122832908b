"""Files of settings, understood and not, for every reader of them, as people write them."""

from hypothesis import strategies as st

from kexec_initd.settings.values import SETTINGS

NOT_UNDERSTOOD = (
    # More than a value, or other than one.
    "REMOVE_MODULES=nvidia_drm nvidia",
    "export REMOVE_MODULES=nvidia_drm nvidia",
    "KEXEC = no",
    "KEXEC =no",
    "KEXEC= no",
    "KEXEC\t=\tno",
    "KEXEC: no",
    "KEXEC no",
    "KEXEC",
    "export KEXEC",
    "PRELOAD=no KEXEC=no",
    "export PRELOAD=no KEXEC=no",
    "FOO=1; KEXEC=no",
    "FOO=1 && KEXEC=no",
    "FOO=1 KEXEC=no",
    "KEXEC=no;",
    "KEXEC=no#",
    "KEXEC=no reboot",
    "declare -x KEXEC=no",
    "typeset KEXEC=no",
    "readonly KEXEC=no",
    "local KEXEC=no",
    "set KEXEC=no",
    "setenv KEXEC no",
    "unset KEXEC",
    ": ${KEXEC:=no}",
    "eval KEXEC=no",
    "if true; then KEXEC=no; fi",
    "[ -e /x ] && KEXEC=no",
    ". /etc/other",
    "KEXEC+=no",
    "KEXEC[0]=no",
    "exportKEXEC=no x",
    "[kexec]",
    "; KEXEC=no",
    "// KEXEC=no",
    "exit 0",
    "set -e",
    "reboot() { :; }",
    # Quotes and expansions.
    'KEXEC="no',
    "KEXEC='no",
    "KEXEC=no'",
    "KEXEC=n'o'",
    "'KEXEC=no'",
    '"KEXEC"=no',
    "KEXEC=\u201cno\u201d",
    "KEXEC=$X",
    'KEXEC="$X"',
    "KEXEC=$(echo no)",
    "KEXEC=`echo no`",
    'COLOUR="`id`"',
    "KEXEC=$'no'",
    "KEXEC=\\no",
    "KEXEC=\\\nno",
    "KEXEC=n\\\no",
    "REMOVE_MODULES='nvidia_drm \\\nnvidia'",
    'REMOVE_MODULES="nvidia_drm\nnvidia"',
    'COLOUR="\nKEXEC=no\n"',
    # What does not show.
    "\ufeffKEXEC=no",
    "\ufeff# comment\nKEXEC=yes",
    "KEXEC=no\u00a0",
    "\u00a0KEXEC=no",
    "KEXEC\u00a0=no",
    "KEXEC=\u00a0no",
    "KEXEC=no\v",
    "\vKEXEC=no",
    "\fKEXEC=no",
    "KEXEC=no\u2028PRELOAD=no",
    "KEXEC=no\u0085",
    "# all on\rKEXEC=no\r",
    "#\rKEXEC=no",
    "PRELOAD=yes\rKEXEC=no\r",
    "PRELOAD=yes # x\rKEXEC=no",
    "# \x1b[2K\x1b[1GKEXEC=no",
    "KEXEC=no\x7f",
    "KEXEC=no\x01",
    "KEXEC=\r\r\nno",
    "\u200bKEXEC=no",
    "KEXE\u0421=no",
    "\ufeff",
    "\udcff",
    "KEXEC=\udcff",
    # Values that are none.
    *(
        "{}={}".format(key, value)
        for key in ("KEXEC", "PRELOAD", "PURGATORY_CHECKS", "FORCE_PLATFORM", "CHECK_ROUTE")
        for value in ("ja", "y", "n", "enabled", "2", "00", "", "-", "nO.", "'no '", "' no'")
    ),
    *(
        "{}={}".format(key, value)
        for key in ("WATCHDOG", "SHUTDOWN_LIMIT", "PANIC", "MAX_DAYS", "MAX_KEXECS", "TRIAL", "GUARD_BOOTS")
        for value in (
            "60s",
            "1m",
            "1h",
            "abc",
            "060",
            "+60",
            "-60",
            "6e1",
            "60.0",
            "0x3c",
            "100000",
            "",
            "' 60'",
            "\u0666",
        )
    ),
    *("WATCHDOG=yes", "WATCHDOG=29", "WATCHDOG=1000", "SHUTDOWN_LIMIT=9", "SHUTDOWN_LIMIT=1", "CHECK_SECONDS=no"),
    *("GUARD_BOOTS=no", "PANIC=1000", "TRIAL=yes", "TRIAL=10000", "SHUTDOWN_LIMIT=yes"),
    *("REMOVE_MODULES=yes", "REMOVE_MODULES=1", "REMOVE_MODULES=-f", "REMOVE_MODULES='a; reboot'"),
    *("REMOVE_MODULES='a -f'", "REMOVE_MODULES=a,b", "REMOVE_MODULES='a\u00a0b'", "REMOVE_MODULES='a\u3000b'"),
    *("REMOVE_MODULES='a/b'", "REMOVE_MODULES='a.ko'", "REMOVE_MODULES='{}'".format("a " * 600)),
    *("CMDLINE_APPEND='a -- b'", "CMDLINE_APPEND='a=\"b'", "CMDLINE_REMOVE=kexec_initd.x", "CMDLINE_APPEND='\u00e9'"),
    # Keys that are one of ours but for their case, or a letter or two.
    *("kexec=no", "Kexec=no", "export kexec=no", "KEXE=no", "KEXECS=no", "KEXEX=no", "KEXCE=no", "KXEC=no", "KEX=no"),
    *("_KEXEC=no", "KEXEC_=no", "K_EXEC=no", "Kexce=no", "PRELAOD=no", "PRE_LOAD=no", "RELOAD=no"),
    *(
        "SHUTDOWNLIMIT=no",
        "SHUTDOWN_LIMITS=no",
        "SHUT_DOWN_LIMIT=no",
        "REMOVE_MODULE=a",
        "WATCH_DOG=60",
        "WATCHDOGS=60",
    ),
    *("MAX_KEXEC=3", "MAXKEXECS=3", "MAX_DAY=3", "MAXDAYS=3", "TRAIL=3", "TRIALS=3", "PANICS=3", "CHECK_ROUTES=yes"),
    *("GUARD_BOOT=3", "CMDLINE_APEND=x", "CMD_LINE_REMOVE=x", "FORCE_PLATTFORM=no", "PURGATORY_CHECK=yes"),
)
UNDERSTOOD = (
    "",
    "# KEXEC=no",
    "\t# \u00e9\u00a0\u2028 KEXEC=no \\",
    "#\udcff",
    "  \n\t\r\n\r\n",
    "KEXEC=no",
    "KEXEC='no'",
    'KEXEC="no"',
    "export KEXEC=no",
    "export \t KEXEC=no",
    " \tKEXEC=no \t",
    "KEXEC=no\r\nPRELOAD=no\r\n",
    "KEXEC=no # not today; KEXEC=yes",
    "KEXEC=no\nKEXEC=yes",
    "KEXEC=yes\nKEXEC=no",
    *("{}={}".format("KEXEC", word) for word in ("on", "On", "TRUE", "1", "off", "false", "0", "No")),
    'REMOVE_MODULES="nvidia_drm nvidia_modeset nvidia_uvm nvidia"',
    "export REMOVE_MODULES='nvidia_drm nvidia_modeset nvidia_uvm nvidia'",
    "REMOVE_MODULES='\ta  b-c \t_d '",
    "REMOVE_MODULES=nvidia",
    *("REMOVE_MODULES={}".format(word) for word in ("", "''", '""', "no", "off", "False", "0", "' no '")),
    "export SHUTDOWN_LIMIT=no",
    *("SHUTDOWN_LIMIT={}".format(word) for word in ("no", "off", "0", "10", "99999", '"40"')),
    *("WATCHDOG={}".format(word) for word in ("no", "30", "999", "0")),
    "CMDLINE_APPEND='console=ttyS0,115200 dyndbg=\"file ahci.c +p\"'",
    "CMDLINE_APPEND=",
    "CHECK_ROUTE=yes\nCHECK_SECONDS=5",
    # Keys of others.
    *(
        "COLOUR=red",
        "FOO=1",
        "NIC=eth0",
        "BAR='a b'",
        "LOAD_KEXEC=true",
        "USE_GRUB_CONFIG=false",
        "EXTRA=",
        "X=",
        "_=1",
        "export=",
        "KEXECINITD=no",
    ),
    *(
        "export=",
        "KEXECINITD=no",
        "EXE=1",
        "LANG=C",
        "PATH=/bin",
        "NETDOWN=no",
        "KEXEC_INITD_DEBUG=1",
        "{}=1".format("LONG" * 5000),
    ),
)

_WORD = st.sampled_from(
    ("no", "yes", "1", "60", "60s", "nvidia_drm nvidia", "", "-f", "$(id)", "a\\", "\u00e9", "\udcff")
)
_KEY = st.sampled_from(sorted(SETTINGS)).flatmap(
    lambda key: st.sampled_from(
        (key, key, key.lower(), key[1:], key[:-2], key.replace("E", "3"), key + "_X", key + "XYZ")
    )
)
_QUOTED = st.tuples(st.sampled_from(("", "'", '"')), _WORD, st.sampled_from(("", "'", '"'))).map("".join)
# One line, as people write it or slightly beside it.
LINE = st.tuples(
    st.sampled_from(("", "", "", "export ", " ", "#", "\ufeff", "declare -x ", "\t")),
    _KEY | st.text("KEXCPANITRL_", min_size=1, max_size=6),
    st.sampled_from(("=", "=", "=", "=", " = ", "+=", "")),
    _QUOTED | st.text("KEXEC=\"'no #$\\;\r\v", max_size=8),
    st.sampled_from(("", "", "", " ", " # x", "#", ";", "\r", "\r\r", "\u00a0", "\x07", " KEXEC=no")),
).map("".join)
