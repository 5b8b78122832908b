"""A kernel, the name of its file, its modules and its initrd belong together, or are refused."""

from pathlib import Path
from typing import FrozenSet, Optional

import pytest

from kexec_initd.errors import Refused
from kexec_initd.images.consistency import check_initrd_release, check_modules, check_name, named_release
from tests.unit.fake_host import FakeHost

OLD, NEW = "6.1.0-50-amd64", "6.1.0-51-amd64"


@pytest.mark.parametrize(
    "path, release",
    [
        ("/boot/vmlinuz-6.1.0-50-amd64", OLD),
        ("/boot/vmlinux-6.1.0-50-powerpc64le", "6.1.0-50-powerpc64le"),
        ("/boot/Image-6.4.0-1-default", "6.4.0-1-default"),
        ("/boot/kernel-6.1.12-gentoo", "6.1.12-gentoo"),
        ("/boot/efi/0123456789abcdef/6.1.0-50-amd64/linux", OLD),
        ("/usr/lib/modules/6.1.0-50-amd64/vmlinuz", OLD),
        ("/boot/vmlinuz", None),
        ("/boot/vmlinuz-linux", None),
        ("/boot/vmlinuz-lts", None),
        ("/boot/vmlinuz-generic-5.15.19", None),
        ("/boot/vmlinuz-0-rescue-0123456789abcdef", None),
    ],
)
def test_the_release_in_a_name(path: str, release: Optional[str]) -> None:
    assert named_release(Path(path)) == release


@pytest.mark.parametrize("suffix", ["", ".old", ".efi.signed", ".signed"])
def test_a_name_that_fits(suffix: str) -> None:
    check_name(Path("/boot/vmlinuz-" + OLD + suffix), OLD)


@pytest.mark.parametrize(
    "name", ["vmlinuz-" + NEW, "vmlinuz-" + NEW + ".old", "vmlinuz-6.1", "vmlinuz-" + OLD + ".bak"]
)
def test_a_mixed_up_file_is_refused(name: str) -> None:
    with pytest.raises(Refused, match="it is the kernel 6.1.0-50-amd64, and not 6.1.*as its name says"):
        check_name(Path("/boot") / name, OLD)


def test_a_file_without_a_release_in_its_name_is_not_judged_by_it() -> None:
    check_name(Path("/boot/vmlinuz-linux"), OLD)


@pytest.mark.parametrize("place", ["lib/modules/{}/modules.dep", "usr/lib/modules/{}/modules.dep.bin"])
def test_modules_have_to_be_installed(fake: FakeHost, place: str) -> None:
    fake.write(place.format(OLD), "")
    check_modules(fake.root, OLD, running=OLD)
    for running in (OLD, None):
        with pytest.raises(Refused, match="/lib/modules/6.1.0-51-amd64 has no modules.dep"):
            check_modules(fake.root, NEW, running)


def test_a_directory_that_was_left_behind_holds_no_modules(fake: FakeHost) -> None:
    fake.write("lib/modules/{}/modules.dep".format(OLD), "")
    fake.write("lib/modules/{}/updates/dkms/some.ko".format(NEW), "")
    with pytest.raises(Refused, match="has no modules.dep"):
        check_modules(fake.root, NEW, running=OLD)


def test_where_the_running_kernel_has_no_modules_none_are_asked_for(fake: FakeHost) -> None:
    check_modules(fake.root, NEW, running=OLD)


@pytest.mark.parametrize("config, passes", [("CONFIG_MODULES=y\n", False), ("# CONFIG_MODULES is not set\n", True)])
def test_a_kernel_that_takes_no_modules_needs_none(fake: FakeHost, config: str, passes: bool) -> None:
    fake.write("lib/modules/{}/modules.dep".format(OLD), "")
    fake.write("boot/config-" + NEW, "CONFIG_X86=y\n" + config)
    if passes:
        check_modules(fake.root, NEW, running=OLD)
    else:
        with pytest.raises(Refused):
            check_modules(fake.root, NEW, running=OLD)


@pytest.mark.parametrize("found", [frozenset(), frozenset([OLD]), frozenset([OLD, NEW])])
def test_an_initrd_that_fits(found: FrozenSet[str]) -> None:
    check_initrd_release(found, OLD)


def test_an_initrd_of_another_version_is_refused() -> None:
    with pytest.raises(Refused, match="its modules are of kernel 5.10, 6.1.0-51-amd64, not of 6.1.0-50-amd64"):
        check_initrd_release(frozenset([NEW, "5.10"]), OLD)
