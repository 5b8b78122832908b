"""The blocks in rc.local and inittab by the standalone installer: in and out as Python does it, and in the same files."""

from typing import List

from kexec_initd.install import inittab
from kexec_initd.install.managed_block import add_block, remove_block
from kexec_initd.install.rc_local import find_unfitness
from kexec_initd.install.render import render_plain
from tests.scripts.jail import Jail
from tests.unit.test_inittab import FIT, LINES, UNFIT
from tests.unit.test_rc_local import SHAPES, STARTS

NEW = render_plain("common/rc.local")
OLD = NEW.replace(b"preload", b"preload --old")
BODIES = [
    "",
    "foo",
    "foo\n",
    "# x",
    "# x\n\n\t# y\n  \nfoo\nexit 0",
    "\n\n",
    "  ",
    "foo\n# end",
    SHAPES["an unterminated heredoc"],
    SHAPES["bytes of no encoding"],
]
# Each case is a directory; what is printed there tells whether the file is fit, and how it looks with and without the block.
DRIVE = """
staging=/staging
mkdir -p "$staging"
for case in /cases/*; do
	case $kind in preload) why_no_script "$case/file" ;; *) why_no_entry "$case/file" ;; esac >"$case/unfit"
	print_with_block "$case/file" /block "$kind" >"$case/with"
	print_without_block "$case/with" >"$case/without"
done
"""


def drive(jail: Jail, texts: List[bytes], kind: str = "preload", block: bytes = NEW) -> None:
    """Have the installer's functions look at each text, all in one shell."""
    for tool in ("awk", "wc", "tr", "sed"):
        jail.copy("/usr/bin/" + tool)
    jail.write("block", block.decode())
    for number, text in enumerate(texts):
        place = jail.root / "cases" / str(number) / "file"
        place.parent.mkdir(parents=True)
        place.write_bytes(text)
        place.chmod(0o755)
    functions = render_plain("standalone/installer.sh").decode()
    jail.write("etc/init.d/drive", functions + "kind={}\n".format(kind) + DRIVE)
    assert jail.run("drive", limit=300.0).said == ""


def test_the_block_goes_in_and_out_as_python_has_it(jail: Jail) -> None:
    bare = [head + body.encode("utf-8", "surrogateescape") for head in (b"#!/bin/sh\n", b"") for body in BODIES]
    bare.append(b"#!/bin/sh")
    texts = bare + [text + b"\n" + OLD[:-1] for text in bare[:4]] + [b"#!/bin/sh\n" + OLD + b"exit 0\n"]
    drive(jail, texts)
    for number, text in enumerate(texts):
        place = jail.root / "cases" / str(number)
        assert (place / "with").read_bytes() == add_block(text, NEW), text
        assert (place / "without").read_bytes() == remove_block(add_block(text, NEW)), text


def test_the_same_first_lines_start_a_shell(jail: Jail) -> None:
    texts = [(started.line + "\nexit 0\n").encode() for started in STARTS]
    drive(jail, texts)
    for number, (text, started) in enumerate(zip(texts, STARTS)):
        unfit = (jail.root / "cases" / str(number) / "unfit").read_text()
        assert (unfit == "") is started.is_shell is (find_unfitness(text, 0o755) is None), (started, unfit)


def test_the_entry_of_inittab_goes_in_and_out_as_python_has_it(jail: Jail) -> None:
    block = render_plain("common/inittab")
    bare = [(before + after).encode() for before, after in FIT.values()] + list(UNFIT.values())
    bare += [(first + "\n" + second).encode("latin-1") for first in LINES for second in LINES]
    texts = bare + [block + text for text in bare[:4]] + [text + b"\n" + block for text in bare[:4]]
    drive(jail, texts, "dead-man", block)
    for number, text in enumerate(texts):
        place = jail.root / "cases" / str(number)
        added = add_block(text, block, before=inittab.AWAITED)
        unfit = inittab.find_unfitness(text)
        assert (place / "unfit").read_text() == ("" if unfit is None else "/cases/{}/file {}".format(number, unfit)), (
            text
        )
        if unfit is None:
            assert (place / "with").read_bytes() == added, text
            assert (place / "without").read_bytes() == remove_block(added), text
