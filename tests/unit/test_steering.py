"""Where settings come from, drop-ins and the load that they make stale, kexec-tools' own, and the verbs cold, on and off."""

import json
import os
from pathlib import Path
from typing import Callable, Dict, List

import pytest

from kexec_initd import cli
from kexec_initd.decision.assess import Present, assess
from kexec_initd.errors import Error, Refused
from kexec_initd.settings import kexec_tools, listing
from kexec_initd.settings.reader import Settings, parse, read_all
from kexec_initd.settings.values import SETTINGS
from kexec_initd.state.store import Volatile, place_of
from kexec_initd.system.host import Family, gather
from kexec_initd.verbs import steer
from tests.unit.fake_host import FakeHost
from tests.unit.loaded_host import make_loaded_host

FILE, DROP_INS = "etc/default/kexec-initd", "etc/default/kexec-initd.d/"
SWITCH = DROP_INS + "50-switch.conf"
Run = Callable[[str], str]


@pytest.fixture
def loaded(tmp_path: Path) -> FakeHost:
    return make_loaded_host(tmp_path / "host")


@pytest.fixture
def run(loaded: FakeHost, capsys: "pytest.CaptureFixture[str]") -> Run:
    """Run a verb that has no --root, on the host; return what it prints."""
    if os.geteuid() != 0:
        pytest.skip("only root steers reboots")

    def call(line: str) -> str:
        args = cli.make_parser(line.split()[0]).parse_args(line.split())
        capsys.readouterr()
        args.run(args, gather(loaded.root))
        out, err = capsys.readouterr()
        assert (out.count("\n"), err) == (1, "")
        return out.rstrip("\n")

    return call


def test_settings_come_from_the_last_that_sets_them(fake: FakeHost, capsys: "pytest.CaptureFixture[str]") -> None:
    fake.write(FILE, "# x\nKEXEC=no\nPANIC=5\nCMDLINE_APPEND='a=\"b c\"'\n")
    fake.write(DROP_INS + "20-gpu.conf", 'REMOVE_MODULES="nvidia_drm nvidia"\nCOLOUR=red\n')
    fake.write(DROP_INS + "10-first.conf", "PANIC=6\nMAX_DAYS=30\n")
    fake.write(DROP_INS + "20-gpu.conf.dpkg-old", "KEXEC=maybe")
    top = "{}/".format(fake.root)
    warning = "{}: line 2: the setting COLOUR is unknown".format(top + DROP_INS + "20-gpu.conf")
    assert cli.main(["settings", "--root", str(fake.root)]) == 0
    out, err = capsys.readouterr()
    assert parse(out)[0] == read_all(fake.root, Family.DEBIAN).settings._replace(seen=None)
    rows = [line.split("  # ") for line in out.splitlines()]
    assert [row[0].split("=")[0] for row in rows] == list(SETTINGS)
    found = {assignment.strip(): origin.strip() for assignment, origin in rows}
    assert {name: origin for name, origin in found.items() if origin != "default"} == {
        "KEXEC=no": top + FILE + ":2",
        "PANIC=6": top + DROP_INS + "10-first.conf:1",
        "MAX_DAYS=30": top + DROP_INS + "10-first.conf:2",
        "CMDLINE_APPEND='a=\"b c\"'": top + FILE + ":4",
        'REMOVE_MODULES="nvidia_drm nvidia"': top + DROP_INS + "20-gpu.conf:1",
    }
    assert found["TRIAL=no"] == "default" and err == "kexec-initd: warning: {}\n".format(warning)
    assert cli.main(["settings", "--json", "--root", str(fake.root)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["version"], answer["understood"], answer["problem"]) == (listing.VERSION, True, None)
    assert answer["settings"][0] == {"name": "KEXEC", "value": "no", "default": "yes", "origin": top + FILE + ":2"}
    assert answer["warnings"] == [warning]


@pytest.mark.parametrize("name, text", [("10.conf", "PANIK=5\n"), ("10.conf", "KEXEC = no"), ("switch", "KEXEC=no\n")])
def test_settings_that_are_not_understood_are_code_1(
    fake: FakeHost, name: str, text: str, capsys: "pytest.CaptureFixture[str]"
) -> None:
    fake.write(DROP_INS + name, text)
    fake.write(FILE, "PANIC=5\n")
    assert cli.main(["settings", "--json", "--root", str(fake.root)]) == 1
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert not answer["understood"] and DROP_INS + name in answer["problem"]
    assert err.endswith("kexec-initd: {}\n".format(answer["problem"]))


@pytest.mark.parametrize(
    "value, text", [("", ""), ("a", "a"), ("a b", '"a b"'), ("$x", "'$x'"), ('a="b c"', "'a=\"b c\"'")]
)
def test_quotes(value: str, text: str) -> None:
    assert listing.quoted(value) == text


def test_a_changed_a_new_and_a_removed_drop_in_make_the_load_stale(loaded: FakeHost) -> None:
    """So does one that sets nothing new; its text is of the same length, and what came before is loaded anew each time."""
    from kexec_initd.stages import shutdown

    def present() -> Present:
        return assess(gather(loaded.root), Settings()).present

    path = loaded.root / DROP_INS / "10.conf"
    changes: List[Callable[[], object]] = [
        path.parent.mkdir,
        lambda: loaded.write(DROP_INS + "10.conf", "# one\n"),
        lambda: loaded.write(DROP_INS + "10.new", "# two\n").rename(path),
        path.unlink,
        path.parent.rmdir,
    ]
    for change in changes:
        assert present() is Present.FRESH
        change()
        os.utime(str(path.parent if path.parent.exists() else path.parent.parent), (1e9 + len(changes), 1e9))
        assert present() is Present.STALE
        shutdown.preload(gather(loaded.root), Settings())


@pytest.mark.parametrize(
    "files, settings, told",
    [
        ({"kexec": 'LOAD_KEXEC=true\nKERNEL_IMAGE="/vmlinuz"\nAPPEND=""\nUSE_GRUB_CONFIG=false\n'}, Settings(), []),
        ({"kexec": "LOAD_KEXEC=false # asked\n"}, Settings(), ["kexec: LOAD_KEXEC=false"]),
        ({"kexec": "LOAD_KEXEC=false\n"}, Settings(kexec=False), []),
        ({"kexec": 'export APPEND="quiet root=/dev/sda1"\n'}, Settings(), ["kexec: APPEND=quiet root=/dev/sda1"]),
        ({"kexec": "APPEND='x\n"}, Settings(), ["kexec: APPEND='x"]),
        ({"kexec": "APPEND=x\n"}, Settings(cmdline_append="x"), []),
        ({"kexec": "#APPEND=x\nUSE_GRUB_CONFIG=true\n"}, Settings(), ["kexec: USE_GRUB_CONFIG=true"]),
        ({"kexec": "APPEND=x\n", "kexec.d/10": "APPEND=\nINITRD=/i\n"}, Settings(), ["kexec.d/10: INITRD=/i"]),
        ({"kexec.d/10.off": "LOAD_KEXEC=false\n"}, Settings(), []),
    ],
)
def test_settings_of_kexec_tools_that_no_longer_count(
    fake: FakeHost, files: Dict[str, str], settings: Settings, told: List[str]
) -> None:
    for path, text in files.items():
        fake.write("etc/default/" + path, text)
    found = [
        text.split(" is a setting of kexec-tools' own ")[0] for text in kexec_tools.list_replaced(fake.root, settings)
    ]
    assert found == ["/etc/default/" + text for text in told]


def test_install_and_status_tell_them(loaded: FakeHost, capsys: "pytest.CaptureFixture[str]") -> None:
    loaded.write("etc/default/kexec", "LOAD_KEXEC=false\n")
    cli.main(["install", "--dry-run", "--root", str(loaded.root)])
    assert "warning: /etc/default/kexec: LOAD_KEXEC=false is a setting" in capsys.readouterr().err
    cli.main(["status", "--root", str(loaded.root)])
    assert "warning:    /etc/default/kexec: LOAD_KEXEC=false is a setting" in capsys.readouterr().out


COLD = "; a reboot goes through firmware: asked for by /no-kexec-reboot"
KEXEC = "a reboot goes through kexec: Debian GNU/Linux (grub2)"


def test_cold_once_and_back(loaded: FakeHost, run: Run) -> None:
    mark = loaded.root / "no-kexec-reboot"
    assert run("cold") == "/no-kexec-reboot is there for the next reboot" + COLD
    assert mark.read_text() == "" and run("cold") == "/no-kexec-reboot was there already" + COLD
    assert run("cold --cancel").startswith("/no-kexec-reboot is gone; " + KEXEC) and not mark.exists()
    mark.mkdir()
    assert run("cold --cancel").startswith("/no-kexec-reboot is gone; " + KEXEC) and not mark.exists()
    assert run("cold --cancel").startswith("/no-kexec-reboot was not there; " + KEXEC)
    mark.symlink_to("/nowhere/else")
    assert run("cold") == "/no-kexec-reboot was there already" + COLD


def test_a_shutdown_that_has_begun_is_not_steered(loaded: FakeHost, run: Run) -> None:
    place_of(loaded.root, Volatile.STOPPING).write_text("")
    with pytest.raises(Refused, match="is shutting down"):
        run("cold")
    assert not (loaded.root / "no-kexec-reboot").exists()


def test_off_and_on(loaded: FakeHost, run: Run) -> None:
    loaded.write(FILE, "KEXEC=yes\n")
    assert run("off") == (
        "/{}: KEXEC=no, what was loaded is unloaded; a reboot goes through firmware: KEXEC=no in the settings".format(
            SWITCH
        )
    )
    assert loaded.calls()[-1][:2] == ["kexec", "-u"] and not place_of(loaded.root, Volatile.STAMP).exists()
    assert (loaded.root / SWITCH).read_text().endswith("\nKEXEC=no\n")
    assert [os.stat(str(loaded.root / path)).st_mode & 0o777 for path in (SWITCH, DROP_INS)] == [0o644, 0o755]
    assert run("off").startswith("/{}: KEXEC=no; a reboot".format(SWITCH))
    loaded.write(FILE, "KEXEC=no\n")
    assert run("on").startswith("/{}: KEXEC=yes; {}".format(SWITCH, KEXEC))
    assert run("on").endswith("; kexec-initd load loads it now")
    assert os.listdir(str(loaded.root / DROP_INS)) == ["50-switch.conf"]


@pytest.mark.parametrize("verb, other", [("on", "no"), ("off", "yes")])
def test_a_later_drop_in_has_the_last_word_and_is_told(loaded: FakeHost, run: Run, verb: str, other: str) -> None:
    loaded.write(DROP_INS + "90-site.conf", "#\nKEXEC={}\n".format(other))
    with pytest.raises(Error, match="KEXEC={} in .*/90-site.conf:2 is read after /{}, and holds".format(other, SWITCH)):
        run(verb)


def test_on_where_others_may_change_the_directory(loaded: FakeHost, run: Run) -> None:
    (loaded.root / DROP_INS).mkdir()
    (loaded.root / DROP_INS).chmod(0o777)
    with pytest.raises(Refused, match="can be changed by others than root"):
        run("on")
    assert os.listdir(str(loaded.root / DROP_INS)) == []


@pytest.mark.parametrize("line", ["cold", "cold --cancel", "on", "off"])
def test_only_root_steers(loaded: FakeHost, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    args = cli.make_parser(line.split()[0]).parse_args(line.split())
    before = sorted(os.listdir(str(loaded.root / "etc/default")))
    with pytest.raises(Refused, match="only root can do this"):
        args.run(args, gather(loaded.root))
    assert sorted(os.listdir(str(loaded.root / "etc/default"))) == before
    assert not (loaded.root / "no-kexec-reboot").exists()


def test_where_it_is_not_installed_a_reboot_is_cold(fake: FakeHost) -> None:
    assert steer.describe_next(gather(fake.root), Settings()).startswith(
        "a reboot goes through firmware: kexec-initd is not installed"
    )
