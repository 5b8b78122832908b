"""What is imported when: nothing that takes long in the last step, and nothing at all there from the first unmount on."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest

from kexec_initd import cli
from kexec_initd.stages import last_step
from tests.unit.fake_host import FakeHost
from tests.unit.loaded_host import make_loaded_host

TOP = Path(__file__).resolve().parents[2]
# All that the last step may import, beside what these import themselves and what Python starts with.
STANDARD = ["errno", "os", "select", "stat", "struct", "sys", "time"]
OURS = [
    "kexec_initd",
    "kexec_initd.errors",
    "kexec_initd.sentences",
    "kexec_initd.stages",
    "kexec_initd.stages.last_step",
    "kexec_initd.system",
    "kexec_initd.system.console",
    "kexec_initd.system.encoding",
    "kexec_initd.system.filesystems",
    "kexec_initd.system.hook_places",
    "kexec_initd.system.machine",
    "kexec_initd.system.raw",
    "kexec_initd.system.spawn",
    "kexec_initd.system.stdio",
]
if sys.version_info < (3, 8):
    STANDARD.append("subprocess")  # in place of posix_spawn(3)
CALL = """
import os, sys
sys.path.append(sys.argv[1])
from kexec_initd.stages import last_step
opened = []
before = []
def spy(self):
    before[:] = sys.modules
    if hasattr(sys, "addaudithook"):
        sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "open" else 0)
    unmount(self)
last_step.LastStep.unmount, unmount = spy, last_step.LastStep.unmount
code = last_step.main([], sys.argv[2])
late, all = set(sys.modules) - set(before), sorted(sys.modules)
names = [os.fsdecode(path) for path in opened if not isinstance(path, int)]
import json
print(json.dumps({"code": code, "late": sorted(late), "all": all, "opened": names}))
"""


def take_last_step(fake: FakeHost) -> Dict[str, Any]:
    """Take the last step in an interpreter as the script starts it; return what it imported and opened, and when."""
    fake.write("sys/kernel/kexec_loaded", "1\n")
    fake.write("dev/console", "")
    argv = [sys.executable, "-I", "-S", "-c", CALL, str(TOP), str(fake.root)]
    found: Dict[str, Any] = json.loads(subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout.decode())
    return found


def imported_by(*modules: str) -> List[str]:
    code = "import {}; print('\\n'.join(sys.modules))".format(", ".join(("sys", *modules)))
    return (
        subprocess.run([sys.executable, "-I", "-S", "-c", code], stdout=subprocess.PIPE, check=True)
        .stdout.decode()
        .split()
    )


def test_the_last_step_imports_nothing_that_takes_long(fake: FakeHost) -> None:
    found = take_last_step(fake)
    assert (found["code"], fake.names()) == (last_step.WENT_COLD, ["sync", "umount", "kexec"])
    assert sorted(set(found["all"]) - set(imported_by(*STANDARD))) == OURS


def with_nothing(fake: FakeHost) -> None:
    pass


def with_a_hook_and_a_watchdog(fake: FakeHost) -> None:
    fake.program("10-a", directory=last_step.HOOKS)
    fake.write("run/kexec-initd/watchdog", "watchdog0 watchdog0\n")
    fake.write("dev/watchdog0", "")


def with_a_disk_that_stays(fake: FakeHost) -> None:
    fake.write("proc/mounts", "/dev/vda1 / ext4 rw 0 0\n/dev/\x01\u00e9\x7f /a\\040b ext4 rw 0 0\n")
    fake.program("umount", "echo 'busy \x01' >&2; exit 1")


@pytest.mark.parametrize("given", [with_nothing, with_a_hook_and_a_watchdog, with_a_disk_that_stays])
def test_from_the_first_unmount_on_nothing_is_read_from_a_disk(fake: FakeHost, given: Any) -> None:
    given(fake)
    found = take_last_step(fake)
    assert found["code"] == last_step.WENT_COLD and "umount" in fake.names()
    assert found["late"] == []
    shown = {str(fake.root / name) for name in ("proc/mounts", "dev/watchdog0")}
    assert set(found["opened"]) <= shown
    assert found["opened"] != [] or sys.version_info < (3, 8)


def test_the_starter_finds_the_package_beside_it(tmp_path: Path) -> None:
    """Against this machine it refuses, see test_runtime; here it only starts, in a directory with another package."""
    (tmp_path / "kexec_initd").mkdir()
    (tmp_path / "kexec_initd/__init__.py").write_text("raise SystemExit(99)\n")
    code = "import runpy, sys; print(runpy.run_path(sys.argv[1], run_name='other')['start'].__module__)"
    argv = [sys.executable, "-I", "-S", "-c", code, str(TOP / "kexec_initd/stages/jump.py")]
    done = subprocess.run(argv, stdout=subprocess.PIPE, cwd=str(tmp_path), check=True)
    assert done.stdout == b"kexec_initd.stages.last_step\n"


@pytest.mark.parametrize("verb", ["status", "entries", "target", "check"])
def test_a_look_at_the_host_imports_nothing_that_only_a_load_or_an_install_needs(fake: FakeHost, verb: str) -> None:
    code = "import sys; from kexec_initd import cli; cli.main(sys.argv[1:]); sys.stderr.write('\\n'.join(sys.modules))"
    argv = [sys.executable, "-c", code, verb, "--root", str(fake.root)]
    done = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=str(TOP), check=True)
    loaded = set(done.stderr.decode().split())
    assert "kexec_initd.verbs.{}".format("check" if verb == "check" else "show") in loaded
    assert loaded & {"sh", "asyncio", "jinja2", "kexec_initd.install.render", "kexec_initd.stages.shutdown"} == set()
    assert verb in ("status", "check") or "kexec_initd.kexec.load" not in loaded


# All that `status` and `check` import of ours on a host as most are, by room; and of the standard library, beside what these do.
STATUS_STANDARD = (
    ["argparse", "contextlib", "enum", "errno", "fcntl", "functools", "gc", "importlib", "io", "json", "os", "pathlib"]
    + ["re", "select", "stat", "struct", "sys", "time", "typing", "zlib", "_sha2", "_sha256"]
    + ["fnmatch", "gettext", "locale", "logging", "shlex", "subprocess", "warnings"]  # distro's
    + ["_bootlocale"]  # what opens a text file, up to Python 3.9
)
STATUS = {
    "": "arguments boot_entry cli codes errors sentences",
    "verbs": "show status",
    "decision": "assess policy selection verdict",
    "install": """boot_end conffiles deviations dpkg dropped file_copy inittab integrations layout managed_block manifest
        openrc originals outdated plan_install rc_links rc_local render rhel_halt run_lock steps templates units""",
    "kexec": "freshness method panic program stamp watchdog",
    "bootloader": """ab_slots boot_order boot_partition devices efivars evidence extlinux_search firmware fwupd
        installed_kernels legacy_search load_option menu output signs starter system_partition systemd_boot_search target""",
    "bootloader.grub2": """commands conditions defaults disk grubenv images interpreter lexer machine menu menuentry modules
        options parser saving script sources start statements values variables volumes""",
    "history": "attempts guard last_cold running_boot",
    "settings": "kexec_tools reader sources values",
    "cmdline": "edit words",
    "state": "checksum flock store",
    "system": """distribution drivers encoding files filesystems hand_made hook_places hooks host inode_flags kernel_modules
        machine mounts process quirks raw rivals safe_path spawn stdio sysroot virt""",
}
# Of the kernel that would start after a cold boot, and of what a reboot waits for, it imports nothing before it is asked.
CHECK = dict(
    STATUS,
    verbs="check",
    check="configuration findings installation kernel_log loaded output preconditions report waits",
    system=STATUS["system"].replace(" drivers", "").replace("machine", "logind machine", 1),
)


def names_of(rooms: Dict[str, str]) -> List[str]:
    """Return the names of modules that are listed by room, those of the rooms included."""
    paths = [["kexec_initd", room, name] for room, names in rooms.items() for name in ["", *names.split()]]
    return sorted({".".join(part for part in path if part) for path in paths})


@pytest.mark.parametrize("verb, rooms", [("status", STATUS), ("check", CHECK)])
def test_a_look_at_a_loaded_host_imports_no_more_than_it_needs(
    verb: str, rooms: Dict[str, str], tmp_path: Path
) -> None:
    root = make_loaded_host(tmp_path / "root").root
    code = (
        "import sys; sys.path += sys.argv[2:4]; from kexec_initd import cli; "
        "cli.main([sys.argv.pop(), '--root', sys.argv[1]]); sys.stderr.write('\\n'.join(sys.modules))"
    )
    libraries = importlib.util.find_spec("distro")
    assert libraries is not None and libraries.origin is not None
    packages = Path(libraries.origin).parent
    packages = packages.parent if packages.name == "distro" else packages  # it was one module once
    argv = [sys.executable, "-I", "-S", "-c", code, str(root), str(TOP), str(packages), verb]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
    assert b"through kexec" in done.stdout and b"Debian GNU/Linux (grub2)\n" in done.stdout
    standard = imported_by(*(name for name in STATUS_STANDARD if importlib.util.find_spec(name) is not None))
    assert sorted(set(done.stderr.decode().split()) - set(standard) - {"distro.distro"}) == [
        "distro",
        *names_of(rooms),
    ]


def test_every_verb_has_its_function() -> None:
    for module, verbs in cli.VERBS.items():
        for verb in verbs:
            assert callable(getattr(importlib.import_module("kexec_initd.verbs." + module), cli.function_of(verb)))
