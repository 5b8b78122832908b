"""Every command: its answer, one line for an error, the documented exit codes, no traceback."""

import json
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import List

import pytest

from kexec_initd import stamp, status
from kexec_initd.cli import main, refuse_unfit, run_load
from kexec_initd.errors import Refused
from kexec_initd.host import gather
from kexec_initd.settings import Settings
from kexec_initd.shutdown import preload
from tests.unit.fake_host import FakeHost, with_kernel


def run(*argv: str, **options: object) -> "subprocess.CompletedProcess[str]":
    """Run the command as a process of its own, so that a traceback would be seen."""
    return subprocess.run(
        [sys.executable, "-m", "kexec_initd", *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=60,
        check=False,
        cwd=str(Path(__file__).resolve().parents[2]),
    )


BAD = {
    "no verb": ([], 2),
    "unknown verb": (["frobnicate"], 2),
    "unknown option": (["status", "--frob"], 2),
    "root is missing": (["status", "--root", "/no/such/place"], 2),
    "root is a file": (["status", "--root", "/etc/passwd"], 2),
    "root with a newline": (["status", "--root", "/a\nb"], 2),
    "render without value": (["render", "--out"], 2),
    "too many kernels": (["load", "a", "b"], 2),
    "no such kernel": (["load", "--dry-run", "/no/such/vmlinuz-1"], 3),
    "kernel is a directory": (["load", "--dry-run", "/etc"], 3),
    "kernel without a version": (["load", "--dry-run", "/etc/passwd"], 3),
    "kernel with terminal controls": (["load", "--dry-run", "/tmp/\x1b[31mred"], 3),
    "prepare outside a shutdown": (["prepare"], 3),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gives_one_line_and_a_documented_code(case: str) -> None:
    argv, code = BAD[case]
    done = run(*argv)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("kexec-initd: ")
    assert done.stderr.endswith("\n")
    assert done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize("mark, words", [(".dockerenv", "container"), ("sbin/kexec", "program kexec is missing")])
def test_loading_is_refused_where_it_would_reach_outside(fake: FakeHost, mark: str, words: str) -> None:
    # Through the function: the command itself must not be called here, since it would act on the machine of the tests.
    if mark == ".dockerenv":
        fake.write(mark, "")
    else:
        (fake.root / mark).unlink()
    with pytest.raises(Refused, match=words if os.geteuid() == 0 else "only root"):
        refuse_unfit(gather(fake.root))


def test_where_nothing_may_be_loaded_that_is_said_before_what_is_missing(fake: FakeHost) -> None:
    fake.write(".dockerenv", "")
    with pytest.raises(Refused, match="this is a container" if os.geteuid() == 0 else "only root"):
        run_load(Namespace(kernel=None, dry_run=False), gather(fake.root))


@pytest.mark.parametrize("verb", ["install", "uninstall", "render"])
def test_an_unknown_host_is_refused(verb: str, tmp_path: Path) -> None:
    done = run(verb, "--root", str(tmp_path))
    if verb == "uninstall":
        assert done.returncode in (0, 3)
    else:
        assert done.returncode == 3
        assert done.stderr.count("\n") == 1
    assert os.listdir(str(tmp_path)) == []


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["load", "--help"]])
def test_help_and_version(argv: List[str]) -> None:
    done = run(*argv)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_a_closed_standard_output_is_no_traceback() -> None:
    command = "{} -m kexec_initd --help | true; {} -m kexec_initd status --json | true".format(
        sys.executable, sys.executable
    )
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        stderr=subprocess.PIPE,
        universal_newlines=True,
        check=False,
        timeout=60,
        cwd=str(Path(__file__).resolve().parents[2]),
    )
    assert "Traceback" not in done.stderr


def test_without_dev_null_it_answers_and_no_descriptor_stays_closed(fake: FakeHost) -> None:
    program = "import os, sys; os.devnull = '/nowhere'; os.close(0); from kexec_initd.cli import main; code = main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", program + "; os.fstat(0); sys.exit(code)", "status", "--root", str(with_kernel(fake).root)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, check=False, timeout=60,
        cwd=str(Path(__file__).resolve().parents[2]),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("installed: ")


def test_status_of_a_host_that_is_not_installed(fake: FakeHost, capsys: "pytest.CaptureFixture[str]") -> None:
    assert main(["status", "--json", "--root", str(with_kernel(fake).root)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["installed"], answer["reboot"], answer["code"]) == (False, "cold", "not-installed")
    assert (answer["init"], answer["distribution"], answer["loaded"]) == ("sysvinit", "debian 12", False)


def test_status_says_what_is_loaded_and_what_a_reboot_does(fake: FakeHost) -> None:
    preload(gather(with_kernel(fake).root), Settings())
    answer = status.gather_status(gather(fake.root), Settings(), ["a warning"])
    assert (answer.loaded, answer.loaded_by_us, answer.loaded_kernel) == (True, True, "6.1.0-test")
    assert answer.attempt is not None
    assert "kexec_initd.attempt=" + answer.attempt in (answer.loaded_cmdline or "")
    text = status.as_text(answer._replace(installed=True, reboot="kexec", reason="the running kernel again"))
    assert "reboot:     through kexec: the running kernel again" in text.splitlines()
    assert text.splitlines()[-1] == "warning:    a warning"


def test_status_says_that_a_kernel_package_has_changed(fake: FakeHost) -> None:
    preload(gather(with_kernel(fake).root), Settings())
    fresh = status.gather_status(gather(fake.root), Settings(), [])
    assert (fresh.loaded_stale, "stale" in status.as_text(fresh)) == (False, False)
    fake.write("run/kexec-initd/changed", ".")
    stale = status.gather_status(gather(fake.root), Settings(), [])
    assert (stale.loaded_stale, stale.loaded_kernel) == (True, "6.1.0-test")
    line = "loaded:     kernel 6.1.0-test (stale: a kernel package or an initramfs has changed since)"
    assert line in status.as_text(stale).splitlines()
    stamp.remove(fake.root)
    assert not status.gather_status(gather(fake.root), Settings(), []).loaded_stale, "loaded by hand"


def test_status_reads_what_a_reboot_would_still_load(fake: FakeHost) -> None:
    with_kernel(fake)
    assert status.gather_status(gather(fake.root), Settings(), []).loaded is False
    (fake.root / "boot/initrd.img-6.1.0-test").write_bytes(b"text")
    answer = status.gather_status(gather(fake.root), Settings(), [])._replace(installed=True)
    assert answer.reboot == "cold"
    assert fake.calls() == []


@pytest.mark.parametrize("name, code", [("extlinux-debian", 0), ("choice-unclear", 3)])
def test_target_says_what_is_next_or_refuses(name: str, code: int) -> None:
    root = Path(__file__).resolve().parents[1] / "bootloader" / name / "root"
    done = run("target", "--json", "--root", str(root))
    answer = json.loads(done.stdout)
    assert done.returncode == code
    assert (answer["problem"] is None) == (code == 0)
    assert (answer["kernel"] is None) == (code != 0)
    assert done.stderr.count("\n") == (1 if code else 0)


def test_a_decision_waits_for_no_templates() -> None:
    loaded = "import sys, kexec_initd.cli; print(*{'jinja2', 'kexec_initd.integration.render'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", loaded]) == b"\n"
