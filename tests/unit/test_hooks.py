"""Which of the admin's programs run, and what is left out: one rule for pre-jump.d and arrival.d."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

from kexec_initd.codes import Code
from kexec_initd.decision.assess import assess
from kexec_initd.history import health
from kexec_initd.settings.reader import Settings
from kexec_initd.stages import last_step
from kexec_initd.system import hooks
from kexec_initd.system.host import gather
from kexec_initd.verbs.status import as_text, gather_status
from tests.unit.fake_host import FakeHost, with_kernel
from tests.unit.hook_files import FAULTY_DIRECTORIES, LEFTOVERS, MEANT, RUNNING

TOP = Path(__file__).resolve().parents[2]
DIRECTORIES = (hooks.PRE_JUMP, hooks.ARRIVAL)


@pytest.fixture(params=DIRECTORIES)
def place(fake: FakeHost, request: pytest.FixtureRequest) -> Path:
    directory = fake.root / str(request.param)
    directory.mkdir(parents=True)
    return directory


def look(fake: FakeHost, place: Path) -> hooks.Hooks:
    return hooks.find(fake.root, str(place.relative_to(fake.root)))


@pytest.mark.parametrize("name", RUNNING)
def test_a_program_of_roots_runs(fake: FakeHost, place: Path, name: str) -> None:
    RUNNING[name](place)
    assert look(fake, place) == hooks.Hooks([place / name], [], [])


def test_programs_run_in_the_order_of_their_bytes(fake: FakeHost, place: Path) -> None:
    for name in ("a", "B", "10-a", "10_A", "_"):
        fake.program(name, directory=str(place.relative_to(fake.root)))
    assert [path.name for path in look(fake, place).programs] == ["10-a", "10_A", "B", "_", "a"]


@pytest.mark.parametrize("case", MEANT)
def test_what_may_have_been_meant_to_run_is_in_doubt(fake: FakeHost, place: Path, case: str) -> None:
    if case in ("of another user",) and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    fake.program("50-good", directory=str(place.relative_to(fake.root)))
    name = MEANT[case](place)
    found = look(fake, place)
    assert found.programs == [place / "50-good"]
    assert found.left_out == [found.doubt] and (found.doubt or "").startswith(
        "/{}/{} is left out: ".format(place.relative_to(fake.root), name)
    )


@pytest.mark.parametrize("name", LEFTOVERS)
def test_what_editors_and_package_managers_leave_behind_is_only_told(fake: FakeHost, place: Path, name: str) -> None:
    for mode in (0o644, 0o755):
        fake.program(name, directory=str(place.relative_to(fake.root))).chmod(mode)
        found = look(fake, place)
        assert (found.programs, len(found.left_out), found.doubt) == ([], 1, None)


@pytest.mark.parametrize("case", FAULTY_DIRECTORIES)
def test_a_directory_that_is_none_or_not_roots_alone_is_in_doubt(fake: FakeHost, place: Path, case: str) -> None:
    fake.program("10-a", directory=str(place.relative_to(fake.root)))
    FAULTY_DIRECTORIES[case](place)
    found = look(fake, place)
    assert found.programs == []
    assert found.doubt is not None and found.doubt.startswith("/{}".format(place.relative_to(fake.root)))


def test_no_directory_is_no_doubt(fake: FakeHost) -> None:
    for directory in DIRECTORIES:
        assert hooks.find(fake.root, directory) == hooks.Hooks([], [], [])


def test_a_link_to_a_directory_of_roots_is_followed(fake: FakeHost, place: Path) -> None:
    fake.program("10-a", directory="srv/programs")
    place.rmdir()
    place.symlink_to("/srv/programs")
    assert look(fake, place) == hooks.Hooks([place / "10-a"], [], [])


@pytest.mark.parametrize("case", MEANT)
def test_a_doubt_before_the_jump_means_cold_early_and_late(
    fake: FakeHost,
    capfd: "pytest.CaptureFixture[str]",
    case: str,
) -> None:
    if case in ("of another user",) and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    with_kernel(fake).write("sys/kernel/kexec_loaded", "1\n")
    directory = fake.root / hooks.PRE_JUMP
    directory.mkdir(parents=True)
    MEANT[case](directory)
    decision = assess(gather(fake.root), Settings()).decision
    assert (decision.kexec, decision.code) == (False, Code.HOOKS) and "is left out: " in decision.reason
    assert (last_step.main([], fake.root), fake.calls()) == (last_step.WENT_COLD, [])
    assert "is left out: " in capfd.readouterr().out


def test_a_doubt_about_an_arrival_is_told_once_and_the_others_judge(fake: FakeHost) -> None:
    fake.program("10-a.sh", directory=hooks.ARRIVAL)
    fake.program("20-b", "exit 4", directory=hooks.ARRIVAL)
    said: List[str] = []
    failure = health.find_failure(fake.root, Settings(check_seconds=0), said.append, sleep=lambda _: None)
    assert failure == "{} failed with exit code 4".format(fake.root / hooks.ARRIVAL / "20-b")
    assert len(said) == 1 and "10-a.sh is left out" in said[0]


def test_status_tells_what_is_left_out(fake: FakeHost) -> None:
    for directory, name in ((hooks.PRE_JUMP, "10-a.sh"), (hooks.PRE_JUMP, "README"), (hooks.ARRIVAL, "b\u00a0\n")):
        fake.program(name, directory=directory)
    text = as_text(gather_status(gather(fake.root), Settings(), []))
    for told in ("pre-jump.d/10-a.sh is left out", "pre-jump.d/README is left out", "arrival.d/b\\xa0\\n is left out"):
        assert told in text
    shutil.rmtree(str(fake.root / "etc/kexec-initd"))
    assert "left out" not in as_text(gather_status(gather(fake.root), Settings(), []))


@pytest.mark.slow
@pytest.mark.parametrize("script", ["yes", "cat /dev/zero", "cat /dev/zero >&2"])
def test_a_hook_that_floods_its_output_takes_no_memory(fake: FakeHost, script: str) -> None:
    fake.program("10-a", script, directory=hooks.PRE_JUMP)
    fake.write("sys/kernel/kexec_loaded", "1\n")
    code = (
        "import resource, sys; from pathlib import Path; from kexec_initd.stages import last_step\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: last_step.LastStep(Path(sys.argv[1]), False, print, step=1.0).run()\n"
        "except last_step.Error as error: print(error)\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)\n"
    )
    argv = [sys.executable, "-c", code, str(fake.root)]
    said = subprocess.run(argv, stdout=subprocess.PIPE, universal_newlines=True, cwd=str(TOP), check=True).stdout
    assert "did not end within 1 s" in said
    assert int(said.split()[-1]) < 16  # MiB


@pytest.mark.slow
def test_a_hook_that_leaves_a_child_with_its_output_open_has_ended(fake: FakeHost) -> None:
    fake.program("10-a", "sleep 30 & exit 0", directory=hooks.PRE_JUMP)
    fake.write("sys/kernel/kexec_loaded", "1\n")
    assert last_step.main([], fake.root) == last_step.WENT_COLD
    assert fake.names() == ["10-a", "sync", "umount", "kexec"]
