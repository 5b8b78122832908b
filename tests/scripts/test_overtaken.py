"""What comes between the steps of a shutdown in plain shell: a package, a load, a removal, a /var that is not mounted."""

import os
from pathlib import Path

import pytest

from kexec_initd.kexec import stamp
from tests.scripts.jail import WHOLE, Jail
from tests.scripts.standalone import RELEASE, StandaloneJail
from tests.scripts.test_rhel import put_scripts

STATE = "run/kexec-initd"
RECORD = "var/lib/kexec-initd/attempts"
HOOK = "etc/kernel/postinst.d/zzz-kexec-initd"
CHANGED = "cold a kernel package or an initramfs has changed while the machine shuts down\n"
KEXEC = """
case $1 in
--help) echo --no-checks ;;
-u) echo 0 >/sys/kernel/kexec_loaded ;;
-l) {} ;;
esac
"""


@pytest.fixture
def early(jail: Jail) -> Jail:
    (jail.root / "usr/bin").mkdir(parents=True, exist_ok=True)
    jail.fake("../usr/bin/python3", "exit 1")
    (jail.root / STATE / "decision").unlink()
    take_stamp(jail, STATE)
    return jail


def take_stamp(jail: Jail, state: str) -> None:
    jail.write("boot/vmlinuz-1", "content")
    (jail.root / "var/lib").mkdir(parents=True, exist_ok=True)
    jail.write(state + "/attempt", WHOLE)
    paths = [Path("/boot/vmlinuz-1"), stamp.mark_file(jail.root)]
    jail.write(state + "/stamp", stamp.text_for(jail.root, paths))


def decision(jail: Jail) -> str:
    return (jail.root / STATE / "decision").read_text()


@pytest.mark.parametrize("record", ["the one before\n", ""])
def test_a_package_after_the_early_step_leaves_the_last_step_no_jump(early: Jail, record: str) -> None:
    if record:
        early.write(RECORD, record)
    early.run("kexec-initd", "stop")
    assert (decision(early), (early.root / RECORD).read_text()) == ("kexec\n", WHOLE)
    assert early.run("../" + HOOK[4:], runlevel="6").said == ""
    assert decision(early) == CHANGED
    assert (early.root / RECORD).exists() == bool(record), "the attempt was not made"
    assert not record or (early.root / RECORD).read_text() == record
    said = early.run("reboot", "stop").said
    assert "reboot goes through firmware: a kernel package or an initramfs has changed" in said
    assert not [call for call in early.calls() if call.startswith("kexec -e")]


def test_what_was_cold_stays_so_and_a_package_leaves_no_decision_where_there_is_none(early: Jail) -> None:
    early.run("../" + HOOK[4:], runlevel="2")
    assert not (early.root / STATE / "decision").exists()
    early.write(STATE + "/decision", "cold for a reason\n")
    early.write(RECORD, "a record\n")
    early.run("../" + HOOK[4:], runlevel="6")
    assert decision(early).startswith("cold ")
    assert (early.root / RECORD).read_text() == "a record\n"


def test_a_package_in_the_midst_of_the_early_step_is_seen_before_it_ends(early: Jail) -> None:
    early.fake("sync", "sh /{}".format(HOOK))  # between the look at the stamp and the decision
    early.run("kexec-initd", "stop")
    assert "python3 -I -m kexec_initd prepare" in early.calls()
    assert decision(early).startswith("cold ")
    assert not (early.root / RECORD).exists()


@pytest.mark.parametrize("has_ended", [False, True])
def test_a_load_in_the_midst_of_the_early_step_is_seen_before_it_ends(early: Jail, has_ended: bool) -> None:
    paths = [Path("/boot/vmlinuz-2"), stamp.mark_file(early.root)]
    early.write("other", stamp.text_for(early.root, paths) if has_ended else "a load is under way")
    early.fake("sync", "cp /other /{}/stamp".format(STATE))
    early.run("kexec-initd", "stop")
    assert decision(early).startswith("cold ")
    assert early.calls()[-1] == "kexec -u"


def test_on_a_rhel_whose_halt_executes_what_is_loaded_a_package_has_it_unloaded(jail: Jail) -> None:
    (jail.root / "usr/sbin").mkdir(parents=True)
    (jail.root / "var/run").mkdir(parents=True)
    put_scripts(jail, "centos-6")
    take_stamp(jail, "dev/.kexec-initd")
    jail.run("kexec-initd", "stop")
    assert (jail.root / "dev/.kexec-initd/decision").read_text() == "kexec\n"
    jail.run("../../" + HOOK[4:])
    assert "has changed while the machine shuts down" in jail.run("kexec-initd", "hooks").said
    assert (jail.root / "sys/kernel/kexec_loaded").read_text() == "0\n"


@pytest.mark.parametrize("full", [False, True])
def test_a_directory_asks_for_a_cold_reboot_as_a_file_does(early: Jail, full: bool) -> None:
    (early.root / "no-kexec-reboot").mkdir()
    early.copy("/usr/bin/rmdir" if Path("/usr/bin/rmdir").exists() else "/bin/rmdir")
    if full:
        early.write("no-kexec-reboot/x", "")
    said = early.run("kexec-initd", "stop").said
    assert ("which cannot be removed and holds until it is" in said) == full
    assert (early.root / "no-kexec-reboot").exists() == full
    assert early.calls() == ["kexec -u"]
    early.write("sys/kernel/kexec_loaded", "1\n")
    early.run("kexec-initd", "stop")
    assert decision(early).startswith("cold asked for" if full else "kexec")


def test_without_var_no_record_is_written_below_its_mount_point(early: Jail) -> None:
    early.write("etc/fstab", "# <file system>\nLABEL=var\t/var\text4\tdefaults 0 2\n")
    early.run("kexec-initd", "stop")
    assert "python3 -I -m kexec_initd prepare" in early.calls()
    assert decision(early).startswith("cold ")
    assert os.listdir(early.root / "var/lib") == []
    early.write("proc/mounts", "/dev/vda1 / ext4 ro 0 0\n/dev/vdb /var ext4 rw 0 0\n")
    early.write("sys/kernel/kexec_loaded", "1\n")
    early.run("kexec-initd", "stop")
    assert decision(early) == "kexec\n"


@pytest.mark.parametrize("told", ["RUNLEVEL", "runlevel", "runit", "RC_REBOOT", None])
def test_the_runlevel_is_known_by_whatever_tells_it(early: Jail, told: "str | None") -> None:
    if told == "runit":
        early.write("run/runit.runlevel", "6\n")
    word = {"RUNLEVEL": "RUNLEVEL=6", "runlevel": "runlevel=6", "RC_REBOOT": "RC_REBOOT=YES"}.get(told or "", "x=")
    early.write("etc/init.d/call", "unset RUNLEVEL\n{} sh /etc/init.d/kexec-initd stop\n".format(word))
    early.run("call", runlevel="")
    assert (early.root / STATE / "decision").exists() == (told is not None)


@pytest.fixture(params=["/bin/dash", "/bin/bash", "/bin/busybox"])
def alone(request: pytest.FixtureRequest, tmp_path: Path) -> StandaloneJail:
    return StandaloneJail(tmp_path / "jail", request.param)


PAUSE = "echo >/pausing; while [ ! -e /go ]; do real-sleep 0.1; done; echo 1 >/sys/kernel/kexec_loaded"


def test_alone_a_load_that_ends_after_the_decision_is_taken_back(alone: StandaloneJail) -> None:
    alone.fake("kexec", KEXEC.format(PAUSE))
    lines = (
        "sh /etc/init.d/kexec-initd load >/said 2>&1 &",
        "while [ ! -e /pausing ]; do real-sleep 0.1; done",
        ": >/no-kexec-reboot; sh /etc/init.d/kexec-initd stop; : >/go; wait",
    )
    alone.write("etc/init.d/begin", "\n".join(lines) + "\n")
    said = alone.run("begin").said
    assert said == "kexec-initd: reboot goes through firmware: asked for by /no-kexec-reboot\n"
    assert (alone.root / "said").read_text() == "kexec-initd: nothing is loaded at boot: the machine is shutting down\n"
    assert alone.decision == "cold asked for by /no-kexec-reboot\n"
    assert (alone.root / "sys/kernel/kexec_loaded").read_text() == "0\n"
    assert not (alone.root / STATE / "stamp").exists()


@pytest.mark.parametrize(
    "mark, why", [("removed", "kexec-initd was removed"), ("stopping", "the machine is shutting down")]
)
def test_alone_no_load_begins_beside_a_removal_or_a_shutdown(alone: StandaloneJail, mark: str, why: str) -> None:
    alone.write(STATE + "/" + mark, "")
    assert alone.run("kexec-initd", "load").said == "kexec-initd: nothing is loaded at boot: {}\n".format(why)
    assert "-l" not in alone.kexecs()


def test_alone_a_load_that_ends_beside_a_removal_is_taken_back(alone: StandaloneJail) -> None:
    alone.fake("kexec", KEXEC.format(": >/{}/removed; echo 1 >/sys/kernel/kexec_loaded".format(STATE)))
    assert "kexec-initd was removed" in alone.run("kexec-initd", "load").said
    assert (alone.root / "sys/kernel/kexec_loaded").read_text() == "0\n"


@pytest.mark.parametrize("moment", ["-l", "sync"])
def test_alone_a_package_in_the_midst_means_cold(alone: StandaloneJail, moment: str) -> None:
    mark = "printf . >>/{}/changed".format(STATE)
    if moment == "sync":
        alone.fake("sync", mark)
    else:
        alone.fake("kexec", KEXEC.format(mark + "; echo 1 >/sys/kernel/kexec_loaded"))
    said = alone.run("kexec-initd", "stop").said
    assert "a kernel package or an initramfs has changed while the machine shuts down" in said
    assert alone.decision == CHANGED
    assert (alone.root / "sys/kernel/kexec_loaded").read_text() == "0\n"
    assert not (alone.root / RECORD).exists() or b"under-way" not in (alone.root / RECORD).read_bytes()


@pytest.mark.parametrize("unloads", [True, False])
def test_alone_a_load_that_only_reports_success_does_not_pass_for_the_earlier_one(
    alone: StandaloneJail, unloads: bool
) -> None:
    alone.run("kexec-initd", "load")
    alone.fake("kexec", KEXEC.format(":") if unloads else "")
    alone.write(STATE + "/changed", ".")
    said = alone.run("kexec-initd", "stop").said
    assert ("the kernel has nothing loaded" if unloads else "what is loaded cannot be unloaded") in said
    assert (alone.root / STATE / "stamp").exists() != unloads, "what cannot be unloaded is still ours"


@pytest.mark.parametrize("manifest", ["manifest", "manifest.json"])
def test_what_install_has_left_tells_of_a_var_that_fstab_does_not_have(early: Jail, manifest: str) -> None:
    (early.root / "etc/kexec-initd/originals").mkdir(parents=True)
    early.run("kexec-initd", "stop")
    assert decision(early).startswith("cold ")
    assert os.listdir(early.root / "var/lib") == []
    early.write("var/lib/kexec-initd/" + manifest, "")
    early.write("sys/kernel/kexec_loaded", "1\n")
    early.run("kexec-initd", "stop")
    assert decision(early) == "kexec\n"
    assert (early.root / "var/lib/kexec-initd/attempts").exists()


@pytest.mark.parametrize("proc, name", [("comm", "systemd\n"), ("comm", "runit\n"), ("stat", "1 (s6-svscan) S 0\n")])
def test_alone_under_another_init_system_nothing_is_loaded(alone: StandaloneJail, proc: str, name: str) -> None:
    alone.run("kexec-initd", "load")
    alone.write("proc/1/" + proc, name)
    said = alone.run("kexec-initd", "load").said
    assert (
        "the running init system is {}, in which".format(name.split()[-1 if proc == "comm" else 1].strip("()")) in said
    )
    assert (alone.root / "sys/kernel/kexec_loaded").read_text() == "0\n"
    assert not (alone.root / STATE / "stamp").exists()


def test_alone_without_var_the_record_is_not_reached(alone: StandaloneJail) -> None:
    alone.write("etc/fstab", "/dev/vdb /var ext4 defaults 0 2\n")
    said = alone.run("kexec-initd", "stop").said
    assert "the record of attempts cannot be reached: /var is in /etc/fstab, but not mounted" in said
    assert not (alone.root / "var/lib/kexec-initd").exists()


def test_alone_a_var_that_fstab_does_not_have_is_known_by_its_manifest(alone: StandaloneJail) -> None:
    (alone.root / "etc/kexec-initd/originals").mkdir(parents=True)
    for verb in ("load", "stop"):
        assert "attempts cannot be reached: /var/lib/kexec-initd has no manifest" in alone.run("kexec-initd", verb).said
    assert decision(alone).startswith("cold ") and "-l" not in alone.kexecs()
    assert not (alone.root / "var/lib/kexec-initd").exists()
    alone.write("var/lib/kexec-initd/manifest", "")
    assert alone.run("kexec-initd", "stop").said == ""
    assert decision(alone) == "kexec\n"


def test_alone_a_lock_is_not_stale_while_a_kexec_of_its_holder_still_loads(alone: StandaloneJail) -> None:
    (alone.root / STATE / "loading").symlink_to("4711")
    alone.write("proc/4712/stat", "4712 (kexec) D 1\n")
    assert alone.run("kexec-initd", "load").said == "kexec-initd: another load is still under way after 15 s\n"
    alone.write("proc/4712/stat", "4712 (kexecute) D 1\n")
    assert alone.run("kexec-initd", "load").said == "kexec-initd: loaded kernel {}\n".format(RELEASE)
