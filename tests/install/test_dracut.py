"""What dracut makes is read: its initrd in every compression, and the entries that kernel-install writes with it."""

import os
from pathlib import Path
from typing import Iterator

import pytest

from kexec_initd.errors import Refused
from kexec_initd.images.consistency import check_initrd_release
from kexec_initd.images.decompress import find_programs
from kexec_initd.images.initrd import check_initrd
from tests.install.loader_host import NEW, OLD, LoaderHost, make_host

PACKAGES = "dracut dracut-core systemd systemd-boot kmod lz4 zstd xz-utils lzop bzip2 cpio"
TOKEN = "0123456789abcdef0123456789abcdef"
MODULES = "lib/modules/" + NEW
# As the hooks of Debian's packages do when a kernel is installed.
ADD = (
    "depmod {0}\n/etc/kernel/postinst.d/dracut {0} /boot/vmlinuz-{0}\n"
    "env SYSTEMD_RELAX_ESP_CHECKS=1 kernel-install add {0} /boot/vmlinuz-{0}\n"
)
DRACUT = "depmod {2}\ndracut --force --no-hostonly --modules 'base' --{0} /boot/initrd.img-{1} {2}\n"

pytestmark = pytest.mark.full


@pytest.fixture(name="made", scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoaderHost]:
    with make_host(tmp_path_factory.mktemp("host"), PACKAGES) as host:
        yield host


@pytest.fixture(name="host")
def _host(made: LoaderHost) -> LoaderHost:
    """Return a host with a kernel whose only module is none, and an EFI system partition."""
    made.reset()
    made.write("etc/machine-id", TOKEN + "\n")
    made.write("etc/kernel/cmdline", "root=UUID=x ro\n")
    made.write("etc/fstab", "UUID=x / ext4 defaults 0 1\nUUID=y /efi vfat umask=0077 0 1\n")
    made.write("etc/dracut.conf.d/test.conf", 'hostonly="no"\ndracutmodules=" base "\n')
    made.write("boot/vmlinuz-" + NEW)
    made.write(MODULES + "/kernel/drivers/a.ko")
    for name in ("order", "builtin"):
        made.write(MODULES + "/modules." + name)
    for name in ("EFI/systemd", "loader/entries", TOKEN):
        (made.tree / "efi" / name).mkdir(parents=True)
    made.write("efi/EFI/systemd/systemd-bootx64.efi")
    return made


def check(host: LoaderHost, path: str) -> None:
    """Hold an initrd against its kernel, as before a load; and against another one."""
    fd = os.open(str(host.tree / path.lstrip("/")), os.O_RDONLY)
    try:
        found = check_initrd(fd, find_programs(Path("/")))
        check_initrd_release(found, NEW)
        with pytest.raises(Refused):
            check_initrd_release(found, OLD)
    finally:
        os.close(fd)


@pytest.mark.parametrize("compression", ["gzip", "zstd", "xz", "lz4", "bzip2", "lzo", "no-compress"])
def test_its_initrd_is_whole_and_belongs_to_its_kernel(host: LoaderHost, compression: str) -> None:
    host.must_on_mounts([], DRACUT.format(compression, NEW, NEW))
    check(host, "/boot/initrd.img-" + NEW)


def test_an_entry_with_its_initrd_is_read(host: LoaderHost) -> None:
    host.must_on_mounts(["/efi"], ADD.format(NEW))
    target = host.target()
    assert target["kernel"] == "/efi/{}/{}/linux".format(TOKEN, NEW)
    assert target["initrds"] == ["/efi/{}/{}/initrd.img-{}".format(TOKEN, NEW, NEW)]
    assert "root=UUID=x ro" in target["cmdline"]
    check(host, target["initrds"][0])
