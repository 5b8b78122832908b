"""The last step, against programs that log their calls: it does all in order, or goes cold and says why."""

import os
import time
from pathlib import Path
from typing import Callable, List, Optional, Tuple

import pytest

from kexec_initd.errors import Error, Refused
from kexec_initd.stages import last_step
from kexec_initd.system.virt import find_container
from tests.unit.fake_host import UMOUNT, FakeHost


@pytest.fixture
def ready(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    monkeypatch.delenv("RUNLEVEL", raising=False)
    fake.write("sys/kernel/kexec_loaded", "1\n")
    return fake


def run(fake: FakeHost, capfd: "pytest.CaptureFixture[str]", *argv: str) -> Tuple[int, str]:
    code = last_step.main(list(argv), fake.root)
    return code, capfd.readouterr().out


@pytest.mark.parametrize("argv, execute", [([], ["kexec", "-e"]), (["-x"], ["kexec", "-e", "-x"])])
def test_steps_in_order(
    ready: FakeHost, capfd: "pytest.CaptureFixture[str]", argv: List[str], execute: List[str]
) -> None:
    code, said = run(ready, capfd, *argv)
    assert ready.calls() == [["sync"], ["umount", "-a", "-r", "-t", last_step.NOT_UNMOUNTED], execute]
    assert code == last_step.WENT_COLD
    assert said.startswith("kexec-initd: reboot goes through firmware: ")


def test_hooks_run_first_in_order_of_their_names(ready: FakeHost, capfd: "pytest.CaptureFixture[str]") -> None:
    for name in ("20-b", "10-a", "kept.dpkg-old", ".hidden"):
        ready.program(name, directory=last_step.HOOKS)
    run(ready, capfd)
    assert ready.names() == ["10-a", "20-b", "sync", "umount", "kexec"]


def test_a_failing_hook_means_cold(ready: FakeHost, capfd: "pytest.CaptureFixture[str]") -> None:
    ready.program("10-a", "echo no card >&2; exit 1", directory=last_step.HOOKS)
    code, said = run(ready, capfd)
    assert (code, ready.names()) == (last_step.WENT_COLD, ["10-a"])
    assert "10-a failed with exit code 1: no card" in said


def test_a_dangling_hook_means_cold(ready: FakeHost, capfd: "pytest.CaptureFixture[str]") -> None:
    ready.program("20-b", directory=last_step.HOOKS)
    (ready.root / last_step.HOOKS / "10-a").symlink_to("nowhere")
    assert run(ready, capfd)[0] == last_step.WENT_COLD
    assert ready.calls() == []


@pytest.mark.parametrize("step", ["sync", "kexec", "10-hook"])
def test_a_step_that_hangs_is_cut_and_means_cold(ready: FakeHost, step: str) -> None:
    ready.program(step, "sleep 60", directory=last_step.HOOKS if step == "10-hook" else "sbin")
    began = time.monotonic()
    with pytest.raises(Error, match=step + r" did not end within 0\.3 s"):
        last_step.LastStep(ready.root, False, print, step=0.3).run()
    assert time.monotonic() - began < 30  # of the 60 that it would sleep


def test_the_whole_has_a_limit_too(ready: FakeHost) -> None:
    for name in ("10-a", "20-b", "30-c", "40-d"):
        ready.program(name, "sleep 0.3", directory=last_step.HOOKS)
    with pytest.raises(Error):
        last_step.LastStep(ready.root, False, print, total=0.5).run()
    assert "kexec" not in ready.names()


def test_when_the_time_of_the_whole_is_over_nothing_is_started(ready: FakeHost) -> None:
    late = last_step.LastStep(ready.root, False, print)
    late.deadline = time.monotonic() - 1
    with pytest.raises(Error, match="the last step took more than 56 s"):
        late.run()
    assert ready.calls() == []


def test_umount_that_fails_is_no_evidence(ready: FakeHost, capfd: "pytest.CaptureFixture[str]") -> None:
    ready.program("umount", UMOUNT.format(root=ready.root) + "\nexit 32")
    run(ready, capfd)
    assert ready.names() == ["sync", "umount", "kexec"]


def test_a_writable_file_system_means_cold(ready: FakeHost, capfd: "pytest.CaptureFixture[str]") -> None:
    ready.write("proc/mounts", "/dev/vda1 / ext4 ro 0 0\n/dev/vdb1 /srv ext4 rw,noatime 0 0\n")
    code, said = run(ready, capfd)
    assert (code, ready.names()) == (last_step.WENT_COLD, ["sync", "umount", "umount"])
    assert "/dev/vdb1 on /srv is still writable" in said


@pytest.mark.parametrize(
    "missing", ["sbin/kexec", "sbin/sync", "sbin/umount", "sys/kernel/kexec_loaded", "proc/mounts"]
)
def test_something_missing_means_cold(ready: FakeHost, capfd: "pytest.CaptureFixture[str]", missing: str) -> None:
    (ready.root / missing).unlink()
    assert run(ready, capfd)[0] == last_step.WENT_COLD
    assert "kexec" not in ready.names()


def test_nothing_loaded_means_cold(fake: FakeHost, capfd: "pytest.CaptureFixture[str]") -> None:
    code, said = run(fake, capfd)
    assert (code, fake.calls()) == (last_step.WENT_COLD, [])
    assert "no kernel is loaded" in said


def no_runlevel(root: Path) -> None:
    (root / "run/utmp").unlink()


def runlevel_2(root: Path) -> None:
    (root / "run/utmp").write_bytes((root / "run/utmp").read_bytes().replace(b"6", b"2"))


def container(root: Path) -> None:
    (root / "proc/1/environ").write_bytes(b"HOME=/\0container=lxc\0")


def chroot(root: Path) -> None:
    (root / "proc/1/root").unlink()
    (root / "proc/1/root").symlink_to("/")


def no_proc(root: Path) -> None:
    (root / "proc/1/root").unlink()
    (root / "proc/1").rmdir()


@pytest.mark.parametrize("spoil", [no_runlevel, runlevel_2, container, chroot, no_proc])
def test_refuses_outside_a_shutdown(
    ready: FakeHost, capfd: "pytest.CaptureFixture[str]", spoil: Callable[[Path], None]
) -> None:
    spoil(ready.root)
    code, said = run(ready, capfd)
    assert (code, ready.calls()) == (3, [])
    assert said.startswith("kexec-initd: refused: ")


@pytest.mark.parametrize("cut", [b"", b"\1", None])
def test_what_init_has_told_the_script_will_do_where_its_record_is_gone(
    ready: FakeHost, monkeypatch: pytest.MonkeyPatch, cut: Optional[bytes]
) -> None:
    utmp = ready.root / "run/utmp"
    utmp.unlink()
    if cut is not None:
        utmp.write_bytes(cut)
    monkeypatch.setenv("RUNLEVEL", "6")
    assert (last_step.main([], ready.root), ready.names()[-1]) == (last_step.WENT_COLD, "kexec")


def test_where_init_and_its_record_do_not_agree_it_refuses(
    ready: FakeHost,
    capfd: "pytest.CaptureFixture[str]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RUNLEVEL", "2")
    code, said = run(ready, capfd)
    assert (code, ready.calls()) == (3, [])
    assert "refused: the runlevel is 2 or 6, not 6" in said


def test_this_machine_is_safe_from_the_tests() -> None:
    """The runtime against the real root must refuse wherever the tests run; only virtual machines shut down."""
    with pytest.raises(Refused):
        last_step.refuse_outside_shutdown(Path("/"))
    assert find_container(Path("/")) is not None or os.path.exists("/proc/1")


def with_modules(fake: FakeHost, *loaded: str) -> None:
    """Modules that modprobe really removes."""
    fake.write("proc/modules", "".join("{} 16384 0 - Live 0x0000000000000000\n".format(name) for name in loaded))
    modules = str(fake.root / "proc/modules")
    fake.program("modprobe", 'grep -v "^$2 " {0} >{0}.new; cat {0}.new >{0}'.format(modules))


def test_modules_are_removed_in_their_order_after_the_hooks(
    ready: FakeHost, capfd: "pytest.CaptureFixture[str]"
) -> None:
    with_modules(ready, "nvidia", "nvidia_drm", "other")
    ready.program("10-a", directory=last_step.HOOKS)
    run(ready, capfd, "--", " nvidia_drm absent  nvidia")
    assert ready.calls()[:4] == [["10-a"], ["modprobe", "-r", "nvidia_drm"], ["modprobe", "-r", "nvidia"], ["sync"]]


@pytest.mark.parametrize(
    "word, reason",
    [
        ("nvidia-drm", "the module nvidia-drm could not be removed: in use by 0"),
        ("-f", "REMOVE_MODULES names no module: -f"),
        ("a;b", "REMOVE_MODULES names no module: a;b"),
    ],
)
def test_a_module_that_stays_means_cold(
    ready: FakeHost, capfd: "pytest.CaptureFixture[str]", word: str, reason: str
) -> None:
    with_modules(ready, "nvidia_drm")
    ready.program("modprobe", "exit 0")
    code, said = run(ready, capfd, "--", word)
    assert code == last_step.WENT_COLD and reason in said
    assert "kexec" not in ready.names()


GRAPHICS = "nvidia_drm 1 {0} - Live 0x0\nnvidia 2 1 nvidia_drm, Live 0x0\nother 3 1 nvidia, Live 0x0\n"
CONSOLES = {"vtcon0": ("(S) dummy device", "0"), "vtcon1": ("(M) frame buffer device", "1")}


def with_graphics(fake: FakeHost, uses: int) -> Path:
    """A driver of graphics with a console; return the file that binds that. Removal fails while somebody uses the driver."""
    fake.write("proc/modules", GRAPHICS.format(uses))
    rows = str(fake.root / "proc/modules")
    for name in ("modprobe", "rmmod"):
        fake.program(name, 'for last; do :; done; grep -v "^$last . 0" {0} >{0}.new; cat {0}.new >{0}'.format(rows))
    fake.program("plymouth")
    for console, (name, bound) in CONSOLES.items():
        fake.write("sys/class/vtconsole/{}/name".format(console), name + "\n")
        fake.write("sys/class/vtconsole/{}/bind".format(console), bound + "\n")
    return fake.root / "sys/class/vtconsole/vtcon1/bind"


def test_what_holds_a_driver_of_graphics_lets_it_go_and_what_uses_it_goes_first(
    ready: FakeHost, capfd: "pytest.CaptureFixture[str]"
) -> None:
    bind = with_graphics(ready, 0)
    run(ready, capfd, "--", "auto absent nvidia_drm")
    assert ready.calls()[:3] == [["plymouth", "quit"], ["modprobe", "-r", "nvidia_drm"], ["sync"]]
    assert bind.read_text() == "0\n"  # as "0" is written over it


def test_a_driver_of_graphics_that_is_held_means_cold_on_a_console_that_shows_why(
    ready: FakeHost, capfd: "pytest.CaptureFixture[str]"
) -> None:
    bind = with_graphics(ready, 2)
    code, said = run(ready, capfd, "--", "auto other")
    assert (code, bind.read_text()) == (last_step.WENT_COLD, "1\n")
    assert "the module nvidia_drm could not be removed: in use by 2\n" in said
    assert ready.names() == ["plymouth", "modprobe", "rmmod"]


def test_without_a_driver_of_graphics_the_console_stays(ready: FakeHost, capfd: "pytest.CaptureFixture[str]") -> None:
    bind = with_graphics(ready, 0)
    run(ready, capfd, "--", "auto absent")
    assert (ready.names()[0], bind.read_text()) == ("sync", "1\n")


@pytest.mark.parametrize(
    "rows", ["/dev/vda1 / ext4 ro 0 0\n", "srv:/x /mnt nfs4 rw 0 0\n/dev/vda1 / ext4 ro,noatime 0 0\n"]
)
def test_what_the_hosts_own_scripts_have_unmounted_is_not_unmounted_again(
    ready: FakeHost, capfd: "pytest.CaptureFixture[str]", rows: str
) -> None:
    ready.write("proc/mounts", rows)
    run(ready, capfd)
    assert ready.names() == ["sync", "kexec"]


DEAD = "srv:/x /mnt/a\\040b nfs4 rw 0 0\nme /mnt/f fuse.sshfs rw 0 0\n/dev/vdb /mnt/b ext4 rw 0 0\n/dev/vda1 / ext4 ro 0 0\n"


def test_what_a_dead_server_holds_up_is_detached_and_the_rest_tried_again(
    ready: FakeHost,
    capfd: "pytest.CaptureFixture[str]",
) -> None:
    ready.write("proc/mounts", DEAD)
    ready.program("losetup")
    mounts = str(ready.root / "proc/mounts")
    detaches = "case $1 in -l) : >>{0}.detached ;; -a) [ ! -e {0}.detached ] || echo / / ext4 ro >{0} ;; esac"
    ready.program("umount", detaches.format(mounts))
    code, said = run(ready, capfd)
    every = ["umount", "-a", "-r", "-t", last_step.NOT_UNMOUNTED]
    assert ready.calls() == [
        ["sync"], every, ["umount", "-l", "/mnt/f"], ["umount", "-l", "/mnt/a b"], ["losetup", "-D"], every, ["kexec", "-e"],
    ]  # fmt: skip
    assert "still writable" not in said


def test_where_programs_come_from_is_never_detached(ready: FakeHost, capfd: "pytest.CaptureFixture[str]") -> None:
    ready.write(
        "proc/mounts",
        "srv:/ / nfs rw 0 0\nsrv:/usr /usr nfs4 rw 0 0\nsrv:/x /usr/x nfs4 rw 0 0\n/dev/vdb /b ext4 rw 0 0\n",
    )
    run(ready, capfd)
    assert [call[2:] for call in ready.calls() if call[:2] == ["umount", "-l"]] == [["/usr/x"]]


def test_a_disk_that_stays_writable_is_never_detached(ready: FakeHost, capfd: "pytest.CaptureFixture[str]") -> None:
    ready.write("proc/mounts", DEAD)
    said = run(ready, capfd)[1]
    assert "/dev/vdb on /mnt/b is still writable" in said
    assert ["umount", "-l", "/mnt/b"] not in ready.calls()
    assert "kexec" not in ready.names()
