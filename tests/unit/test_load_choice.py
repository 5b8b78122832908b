"""Which system call a kernel is loaded by, and what is tried when one fails: against a kexec that fails as the real one does."""

from pathlib import Path
from typing import List, Optional

import pytest

from kexec_initd.errors import Error
from kexec_initd.kexec import program
from kexec_initd.kexec.method import Rules, Way, find_verified, find_ways, load_options, telling_line
from tests.unit.fake_host import FakeHost

ALL = "--no-checks --kexec-syscall --kexec-file-syscall"
BOTH = frozenset({"CONFIG_KEXEC=y", "CONFIG_KEXEC_FILE=y"})
IMAGE = program.Image(3, None, "a b", False)
SAYS = "kexec: the {}load failed with exit code {}: {}"

# Each system call fails with the text and the code that are in the file of its name, as often as the file has lines.
KEXEC = """case "$1" in
--help) echo "--no-checks --kexec-syscall --kexec-file-syscall"; exit 1 ;;
esac
way=classic
case "$2" in
-s) way=file ;;
esac
if [ -s {root}/$way ]; then
	read -r said <{root}/$way
	tail -n +2 {root}/$way >{root}/rest
	cat {root}/rest >{root}/$way
	printf '%s\\nentry = 0x1 flags = 0x3e0000\\nsegment[0].memsz = 0x5000\\n' "$said" >&2
	exit 1
fi
case "$1" in
-l) echo 1 >{root}/sys/kernel/kexec_loaded ;;
-u) echo 0 >{root}/sys/kernel/kexec_loaded ;;
esac"""


@pytest.fixture
def failing(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    monkeypatch.setattr(program, "BUSY_PAUSE", 0.0)
    fake.program("kexec", KEXEC.format(root=fake.root))
    for name in ("drop_caches", "compact_memory"):
        fake.write("proc/sys/vm/" + name, "")
    return fake


def options(fake: FakeHost, verb: str) -> List[List[str]]:
    """Return the options of each call of kexec with `verb`."""
    return [
        [word for word in call[2:] if word in ("-c", "-s", "--no-checks")] for call in fake.calls() if call[1] == verb
    ]


CLASSIC = ["-c", "--no-checks"]


@pytest.mark.parametrize("verified, config, help_text, expected", [
    (None, BOTH, ALL, [Way.CLASSIC, Way.FILE]),
    (None, None, ALL, [Way.CLASSIC, Way.FILE]),
    (None, None, "an old one", [Way.CLASSIC]),
    (None, frozenset({"CONFIG_KEXEC_FILE=y"}), ALL, [Way.FILE]),
    (None, frozenset({"CONFIG_KEXEC=y"}), ALL, [Way.CLASSIC]),
    ("locked", BOTH, ALL, [Way.FILE]),
    ("locked", None, ALL, [Way.FILE]),
    ("locked", BOTH, "an old one", []),
])  # fmt: skip
def test_ways(verified: Optional[str], config: Optional[frozenset], help_text: str, expected: List[Way]) -> None:  # type: ignore[type-arg]  # the checker reads 3.6 code
    assert find_ways(Rules(verified, config), help_text) == expected


@pytest.mark.parametrize("lockdown, config, secure_boot, word", [
    ("[none] integrity confidentiality", BOTH, False, None),
    ("", None, False, None),
    ("none [integrity] confidentiality", BOTH, False, "locked down"),
    ("none integrity [confidentiality]", None, False, "locked down"),
    ("", BOTH | {"CONFIG_KEXEC_SIG=y"}, False, None),
    ("", BOTH | {"CONFIG_KEXEC_SIG_FORCE=y"}, False, "CONFIG_KEXEC_SIG_FORCE"),
    ("[none] integrity", BOTH, True, "Secure Boot is on"),
])  # fmt: skip
def test_what_demands_a_signature(lockdown: str, config: Optional[frozenset], secure_boot: bool, word: str) -> None:  # type: ignore[type-arg]  # the checker reads 3.6 code
    found = find_verified(lockdown, config, secure_boot)
    assert found is None if word is None else word in (found or "")


@pytest.mark.parametrize("way, help_text, checks, expected", [
    (Way.CLASSIC, ALL, False, ["-c", "--no-checks"]),
    (Way.CLASSIC, ALL, True, ["-c"]),
    (Way.CLASSIC, "--no-checks", False, ["--no-checks"]),
    (Way.CLASSIC, "an old one", False, []),
    (Way.FILE, ALL, False, ["-s"]),
    (Way.FILE, ALL, True, ["-s"]),
])  # fmt: skip
def test_options_are_those_that_this_kexec_has(way: Way, help_text: str, checks: bool, expected: List[str]) -> None:
    assert load_options(way, help_text, checks) == expected


def test_the_rules_are_read_from_the_host(fake: FakeHost) -> None:
    assert program.read_rules(fake.root) == Rules(None, None)
    fake.write("boot/config-6.1.0-test", "CONFIG_KEXEC=y\n# CONFIG_KEXEC_FILE is not set\n")
    assert find_ways(program.read_rules(fake.root), ALL) == [Way.CLASSIC]
    fake.write(program.SECURE_BOOT, "\6\0\0\0\0")
    assert program.read_rules(fake.root).verified is None
    fake.write(program.SECURE_BOOT, "\6\0\0\0\1")
    assert program.read_rules(fake.root).verified == "Secure Boot is on"
    fake.write("sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
    assert program.read_rules(fake.root).verified == "the kernel is locked down"


def test_a_classic_load_that_is_rejected_is_followed_by_a_file_load(failing: FakeHost) -> None:
    failing.write("classic", "kexec_load failed: Operation not permitted\n")
    program.load(failing.root, IMAGE)
    assert options(failing, "-l") == [CLASSIC, ["-s"]]
    assert program.is_loaded(failing.root)


def test_when_both_are_rejected_both_are_told(failing: FakeHost) -> None:
    failing.write("classic", "kexec_load failed: Operation not permitted\n")
    failing.write("file", "kexec_file_load failed: Required key not available\n")
    with pytest.raises(Error) as caught:
        program.load(failing.root, IMAGE)
    assert str(caught.value) == "{}; {}".format(
        SAYS.format("", 1, "kexec_load failed: Operation not permitted"),
        SAYS.format("file ", 1, "kexec_file_load failed: Required key not available"),
    )


@pytest.mark.parametrize("path, text, why", [
    ("sys/kernel/security/lockdown", "none [integrity] confidentiality\n", "the kernel is locked down"),
    ("boot/config-6.1.0-test", "CONFIG_KEXEC=y\nCONFIG_KEXEC_FILE=y\nCONFIG_KEXEC_SIG_FORCE=y\n",
     "the kernel takes signed kernels only (CONFIG_KEXEC_SIG_FORCE)"),
    (program.SECURE_BOOT, "\6\0\0\0\1", "Secure Boot is on"),
])  # fmt: skip
def test_a_signature_that_is_demanded_is_never_gone_around(failing: FakeHost, path: str, text: str, why: str) -> None:
    failing.write(path, text)
    failing.write("file", "kexec_file_load failed: Operation not permitted\n")
    with pytest.raises(Error) as caught:
        program.load(failing.root, IMAGE)
    assert options(failing, "-l") == [["-s"]]
    said = SAYS.format("file ", 1, "kexec_file_load failed: Operation not permitted")
    assert str(caught.value) == "{} ({})".format(said, why)


def test_a_kexec_without_the_file_load_cannot_serve_a_locked_kernel(failing: FakeHost) -> None:
    failing.write("sys/kernel/security/lockdown", "none [integrity]\n")
    failing.program("kexec", "echo --no-checks")
    with pytest.raises(Error, match="no system call for it in common"):
        program.load(failing.root, IMAGE)
    assert options(failing, "-l") == []


MEMORY = (
    "kexec_load failed: Cannot allocate memory",
    "kexec_load failed: Cannot assign requested address",
    "Could not find a free area of memory of 0x4b2000 bytes...",
    "locate_hole failed",
)


@pytest.mark.parametrize("said", MEMORY)
def test_memory_is_gathered_once(failing: FakeHost, said: str) -> None:
    failing.write("classic", said + "\n")
    program.load(failing.root, IMAGE)
    assert options(failing, "-l") == [CLASSIC, CLASSIC]
    assert [(failing.root / "proc/sys/vm" / name).read_text() for name in ("drop_caches", "compact_memory")] == [
        "3",
        "1",
    ]


def test_memory_that_is_still_missing_is_the_reason(failing: FakeHost) -> None:
    failing.write("classic", (MEMORY[0] + "\n") * 9)
    (failing.root / "proc/sys/vm/compact_memory").unlink()
    with pytest.raises(Error) as caught:
        program.load(failing.root, IMAGE)
    assert str(caught.value) == SAYS.format("", 1, MEMORY[0])
    assert options(failing, "-l") == [CLASSIC, CLASSIC]
    assert not (failing.root / "proc/sys/vm/compact_memory").exists()


def test_another_load_under_way_is_waited_for_but_not_for_ever(failing: FakeHost) -> None:
    busy = "kexec_load failed: Device or resource busy\n"
    failing.write("classic", busy * (program.BUSY_TRIES - 1))
    program.load(failing.root, IMAGE)
    assert len(options(failing, "-l")) == program.BUSY_TRIES
    failing.write("sys/kernel/kexec_loaded", "0\n")
    failing.write("classic", busy * 99)
    failing.write("file", busy * 99)
    with pytest.raises(Error, match="Device or resource busy"):
        program.load(failing.root, IMAGE)
    assert len(options(failing, "-l")) == 3 * program.BUSY_TRIES


def test_an_unload_waits_for_another_load_too(failing: FakeHost) -> None:
    failing.write("sys/kernel/kexec_loaded", "1\n")
    failing.write("classic", "kexec unload failed: Device or resource busy\n" * (program.BUSY_TRIES - 1))
    program.unload(failing.root)
    assert options(failing, "-u") == [["-c"]] * program.BUSY_TRIES


def test_a_call_that_only_reports_success_is_followed_by_the_other(failing: FakeHost) -> None:
    ways = 'case "$1$2" in --help) echo {} ;; -l-s) echo 1 >{}/sys/kernel/kexec_loaded ;; esac'
    failing.program("kexec", ways.format(ALL, failing.root))
    program.load(failing.root, IMAGE)
    assert options(failing, "-l") == [CLASSIC, ["-s"]]


@pytest.mark.parametrize("code", [0, 1, 2, 64, 255])
@pytest.mark.parametrize("output", [1, 2])
def test_the_options_are_known_wherever_kexec_prints_them(failing: FakeHost, output: int, code: int) -> None:
    said = 'case "$1" in --help) echo {} >&{}; exit {} ;; -l) echo 1 >{}/sys/kernel/kexec_loaded ;; esac'
    failing.program("kexec", said.format(ALL, output, code, failing.root))
    program.load(failing.root, IMAGE)
    assert options(failing, "-l") == [CLASSIC]


def test_all_tries_share_one_time_limit(failing: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "LOAD_TIMEOUT", 0.5)
    failing.program("kexec", 'case "$1" in --help) echo {} ;; *) sleep 30 ;; esac'.format(ALL))
    with pytest.raises(Error, match="was killed"):
        program.load(failing.root, IMAGE)
    assert options(failing, "-l") == [CLASSIC], "a load that hangs is not tried in another way"


def test_unloading_takes_the_same_ways(failing: FakeHost) -> None:
    failing.write("sys/kernel/kexec_loaded", "1\n")
    failing.write("classic", "kexec unload failed: Operation not permitted\n")
    program.unload(failing.root)
    assert options(failing, "-u") == [["-c"], ["-s"]]
    assert not program.is_loaded(failing.root)


def test_unloading_a_locked_kernel_asks_by_file_alone(failing: FakeHost) -> None:
    failing.write("sys/kernel/kexec_loaded", "1\n")
    failing.write("sys/kernel/security/lockdown", "none [integrity]\n")
    failing.write("file", "kexec_file_unload failed: Operation not permitted\n")
    with pytest.raises(Error, match="the file unload failed"):
        program.unload(failing.root)
    assert options(failing, "-u") == [["-s"]]


@pytest.mark.parametrize("name, value", [("kexec_load_disabled", "1"), ("kexec_load_limit_reboot", "0")])
def test_what_is_loaded_may_be_executed_though_no_more_may_be_loaded(fake: FakeHost, name: str, value: str) -> None:
    fake.write("proc/sys/kernel/" + name, value + "\n")
    assert "sysctl kernel." + name in (program.unsupported(fake.root, None, None) or "")
    fake.write("sys/kernel/kexec_loaded", "1\n")
    assert program.unsupported(fake.root, None, None) is None
    with pytest.raises(Error, match="sysctl kernel." + name):
        program.load(fake.root, IMAGE)
    with pytest.raises(Error, match="sysctl kernel." + name):
        program.unload(fake.root)
    assert fake.calls() == []


@pytest.mark.parametrize("said, line", [
    ("", ""),
    ("kexec_load failed: Cannot allocate memory\nentry       = 0x1\nsegment[0].memsz = 0x5000\n",
     "kexec_load failed: Cannot allocate memory"),
    ("no words that tell\nanother\n", "another"),
])  # fmt: skip
def test_the_line_that_tells(said: str, line: str) -> None:
    assert telling_line(said) == line


def test_nothing_is_made_where_the_kernel_cannot_gather(tmp_path: Path) -> None:
    program.gather_memory(tmp_path)
    assert list(tmp_path.iterdir()) == []
