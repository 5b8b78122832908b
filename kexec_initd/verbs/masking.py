"""Secrets in text that goes to strangers: passwords, keys, tokens and credentials are replaced; in doubt too much is.

What is told apart are configurations of boot loaders, kernel command lines, settings, scripts and logs.
"""

import json
import re
from typing import Any

MASK = "MASKED"
LONGEST = 4096  # bytes of a line, which a kernel's command line has; each rule takes a time that this bounds
# The name of whatever holds a secret, as rd.luks.key, vncpassword, API_TOKEN and wpa-psk do.
_END = r"(?:pass|pwd|\bpw\b|key|token|secret|cred|psk)[\w./-]{0,64}"
_NAME = r"[\w./-]{0,64}" + _END
# A word as shell and the kernel's command line have them: quoted parts, also such as are never closed, and escaped blanks.
_WORD = r"""(?:\\?"[^"\n]*(?:"|$)|\\?'[^'\n]*(?:'|$)|\\.|[^\s"'\\])+"""
_BLOCK = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY.*?(?:-----END [A-Z ]{0,40}-----|\Z)", re.DOTALL)
_RULES = [
    (r"grub\.pbkdf2\.\S+|\$(?:\d|2[abxy]|g?y|sha1)\$\S+", MASK),
    # password of GRUB and SYSLINUX, to the end of the line
    (r"\b(passw(?:or)?d(?:_pbkdf2)?)[ \t]+\S.*$", r"\1 " + MASK),
    # "password=two words", as the kernel reads it
    (r"""(["'])({}=)[^"'\n]*(?:\1|$)""".format(_NAME), r"\1\2" + MASK + r"\1"),
    # password: two words; password = two words
    (r"""({}\\?["']?[ \t]*(?::[ \t]+|[ \t]=[ \t]*|=[ \t]+))\S.*$""".format(_END), r"\1" + MASK),
    (r"""({}\\?["']?[=:]){}""".format(_END, _WORD), r"\1" + MASK),
    # --password WORD
    (r"(?<![\w-])(--?{}[ \t]+){}".format(_NAME, _WORD), r"\1" + MASK),
    (r"\b(bearer|basic)[ \t]+\S+", r"\1 " + MASK),
    # https://user:word@host, netroot=iscsi:user:word@host
    (r"(\w:/{0,3})\S{1,300}@", r"\1" + MASK + "@"),
]
RULES = [(re.compile(pattern, re.IGNORECASE), replacement) for pattern, replacement in _RULES]


def mask(text: str) -> str:
    """Return `text` with its secrets replaced, in JSON value by value."""
    if text[:1] in ("{", "["):
        try:
            return json.dumps(_mask_values(json.loads(text)), indent=2) + "\n"
        except ValueError:
            pass
    return "\n".join(_mask_line(line) for line in _BLOCK.sub(MASK, text).split("\n"))


def _mask_line(line: str) -> str:
    if len(line) > LONGEST:
        return "({}: a line of {} characters)".format(MASK, len(line))
    for pattern, replacement in RULES:
        line = pattern.sub(replacement, line)
    return line


def _mask_values(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _mask_values(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_mask_values(inner, name) for inner in value]
    if not isinstance(value, str):
        return value
    return MASK if value and re.fullmatch(_NAME, name, re.IGNORECASE) else mask(value)
