"""Fixtures of the virtual-machine tests: one image and one saved state for the session, one machine for a test.

Under pytest-xdist the cache's lock lets one process build while the others wait.
"""

import os
from pathlib import Path
from typing import Callable, Generator, Iterator, List, Tuple

import pytest

from tests.vm.cache import CHECKOUT
from tests.vm.image import Image, build
from tests.vm.qemu import Machine, Setup
from tests.vm.snapshot import Snapshot, take

StartMachine = Callable[[Setup], Machine]


@pytest.fixture(scope="session")
def image() -> Image:
    """Return the stock guest's disk, with GRUB, never booted by itself."""
    return build()


@pytest.fixture(scope="session")
def stock(image: Image) -> Snapshot:
    """Return the stock guest at its prompt, without our package."""
    return take(image)


@pytest.fixture(scope="session")
def debs() -> Tuple[Path, ...]:
    """Return our built package: KEXEC_INITD_DEB, else the newest in dist/."""
    if os.environ.get("KEXEC_INITD_DEB"):
        return (Path(os.environ["KEXEC_INITD_DEB"]).absolute(),)
    found = sorted((CHECKOUT / "dist").glob("kexec-initd_*.deb"), key=lambda path: path.stat().st_mtime)
    if not found:
        pytest.fail("no package in dist/: run ./scripts/build-deb first")
    return (found[-1],)


@pytest.fixture(scope="session")
def installed(image: Image, debs: Tuple[Path, ...]) -> Snapshot:
    """Return the guest at its prompt with our package installed by dpkg, and nothing done since."""
    return take(image, debs)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: "pytest.CallInfo[None]"
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember a failure, so that the machine's console log is kept."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


FAILED = pytest.StashKey[bool]()


@pytest.fixture
def start(request: pytest.FixtureRequest) -> Iterator[StartMachine]:
    """Return a function that boots a machine (from a saved state if the setup has one); it ends with the test."""
    machines: List[Machine] = []

    def start_machine(setup: Setup) -> Machine:
        name = request.node.name.replace("/", "_").replace("[", "-").rstrip("]")
        machine = Machine(name if not machines else f"{name}-{len(machines)}", setup)
        machines.append(machine)
        machine.boot()
        return machine

    yield start_machine
    for machine in machines:
        machine.keep_log = machine.keep_log or request.node.stash.get(FAILED, False)
        machine.close()
