"""Fixtures of the virtual-machine tests: one image and one saved state for the session, one machine for a test.

Under pytest-xdist the cache's lock lets one process build while the others wait.
"""

from pathlib import Path
from typing import Callable, Generator, Iterator, List, Tuple

import pytest

from tests.vm import uefi
from tests.vm.debian_systemd import build_systemd
from tests.vm.image import MIB, PACKAGES, STOCK, Image, build
from tests.vm.kernels import INSTALL_NEWER
from tests.vm.packages import build_newer_rpm, find_deb, find_rpm
from tests.vm.qemu import Machine, Setup
from tests.vm.snapshot import Snapshot, take

LONGEST = ("test_conversion", "test_rhel", "test_standalone", "test_target")

StartMachine = Callable[[Setup], Machine]
# What rc.local does at the end of a boot, and the wait for it; a boot that does it by itself is the first test.
WAIT_LOADED = "for i in $(seq 120); do [ -s /run/kexec-initd/loaded.json ] && exit 0; sleep 1; done; exit 1"
PRELOAD = ("/etc/init.d/kexec-initd preload", f"({WAIT_LOADED})")

CRASHKERNEL = "sed -i 's|^GRUB_CMDLINE_LINUX=.|&crashkernel=160M |' /etc/default/grub && update-grub"


@pytest.fixture(scope="session")
def image() -> Image:
    """Return the stock guest's disk, with GRUB, never booted by itself."""
    return build(STOCK)


@pytest.fixture(scope="session")
def stock(image: Image) -> Snapshot:
    """Return the stock guest at its prompt, without our package."""
    return take(image)


@pytest.fixture(scope="session")
def debs() -> Tuple[Path, ...]:
    """Return our .deb: KEXEC_INITD_DEB, else the newest in dist/."""
    return (find_deb(),)


@pytest.fixture(scope="session")
def rpm() -> Path:
    """Return our .rpm: KEXEC_INITD_RPM, else the newest in dist/."""
    return find_rpm()


@pytest.fixture(scope="session")
def newer_rpm(rpm: Path) -> Path:
    """Return an .rpm of the version after that of `rpm`."""
    return build_newer_rpm(rpm)


@pytest.fixture(scope="session")
def installed(stock: Snapshot, debs: Tuple[Path, ...]) -> Snapshot:
    """Return the guest at its prompt with our package installed by dpkg, and nothing done since."""
    return take(stock, debs)


@pytest.fixture(scope="session")
def preloaded(installed: Snapshot) -> Snapshot:
    """Return the guest with our package, its kernel loaded as at the end of a boot."""
    return take(installed, prepare=PRELOAD)


@pytest.fixture(scope="session")
def two_kernels(installed: Snapshot) -> Snapshot:
    """Return the guest with our package and a second kernel, newer than the running one, which is loaded."""
    return take(installed, prepare=(INSTALL_NEWER, *PRELOAD))


@pytest.fixture(scope="session")
def boot_partition(debs: Tuple[Path, ...]) -> Snapshot:
    """Return the guest with our package and a /boot of its own, its kernel loaded as at the end of a boot."""
    return take(build(STOCK._replace(boot_partition=True)), debs, PRELOAD)


@pytest.fixture(scope="session")
def preloaded_uefi(debs: Tuple[Path, ...]) -> Snapshot:
    """Return the guest with UEFI and systemd-boot and our package, the kernel loaded that its loader has booted: the newest."""
    return take(uefi.build(), debs, PRELOAD, variables=uefi.VARIABLES)


@pytest.fixture(scope="session")
def systemd_alone() -> Snapshot:
    """Return a guest that has systemd and no other init, without our package."""
    return take(build_systemd())


@pytest.fixture(scope="session")
def under_systemd(systemd_alone: Snapshot, debs: Tuple[Path, ...]) -> Snapshot:
    """Return that guest with our package and its kernel loaded."""
    return take(systemd_alone, debs, (f"({WAIT_LOADED})",))


@pytest.fixture
def crashkernel(preloaded: Snapshot) -> Setup:
    """Return the setup of a guest that has put memory aside for a panic kernel."""
    return take(preloaded, prepare=(CRASHKERNEL,)).cold_setup()


@pytest.fixture
def furnished(debs: Tuple[Path, ...], tmp_path: Path) -> Setup:
    """Return the setup of a guest with our package, XFS's programs and molly-guard, and an empty second disk."""
    disk = tmp_path / "second.raw"
    with open(disk, "wb") as stream:
        stream.truncate(512 * MIB)
    snapshot = take(build(STOCK._replace(packages=PACKAGES + " xfsprogs molly-guard", carried="")), debs, PRELOAD)
    return snapshot.cold_setup()._replace(extra_disks=(disk,))


def pytest_collection_modifyitems(items: List[pytest.Item]) -> None:
    """Begin with the guests that take longest: at the end, nobody waits for one of them alone."""
    items.sort(key=lambda item: item.path.stem not in LONGEST)


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
