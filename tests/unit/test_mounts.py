"""What survives reboots is looked for only where its file system is mounted."""

import os

import pytest

from kexec_initd.errors import Error
from kexec_initd.install import layout
from kexec_initd.settings.reader import Settings
from kexec_initd.stages import shutdown
from kexec_initd.state import store
from kexec_initd.system.host import gather
from kexec_initd.system.mounts import find_unmounted
from kexec_initd.system.sysroot import Tree
from kexec_initd.verbs import status
from tests.unit.fake_host import FakeHost, with_kernel

HOME = "/var/lib/kexec-initd"


@pytest.mark.parametrize("fstab, mounts, found", [
    ("/dev/vda2 /var ext4 defaults 0 2", "/dev/vda2 /var ext4 rw 0 0", None),
    ("/dev/vda2 /var ext4 defaults 0 2", "/dev/vda2 /srv ext4 rw 0 0", "/var"),
    ("UUID=x\\t/var/\\txfs\\tdefaults", "", "/var"),
    ("LABEL=v /var/lib btrfs subvol=v 0 0", "/dev/vda2 /var ext4 rw 0 0", "/var/lib"),
    ("/dev/a /var ext4 rw 0 0\\n/dev/b /var/lib/kexec-initd ext4 rw", "/dev/a /var ext4 rw 0 0", HOME),
    ("# /dev/vda2 /var ext4 defaults 0 2", "", None),
    ("  #/dev/vda2 /var ext4 defaults 0 2", "", None),
    ("/dev/vda2 /var ext4 noauto,rw 0 2", "", None),
    ("/dev/vda2 /variety ext4 defaults 0 2\\n/dev/a / ext4 rw\\n/dev/b /var/lib/kexec ext4 rw", "", None),
    ("/dev/a none swap sw 0 0\\n/dev/b /va\\\\162 ext4 rw 0 0", "", "/var"),
    ("/dev/a\\n\\n/var", "", None),
    (None, "", None),
])  # fmt: skip
def test_what_fstab_has_and_is_not_mounted(
    fake: FakeHost, fstab: "str | None", mounts: str, found: "str | None"
) -> None:
    if fstab is not None:
        fake.write("etc/fstab", fstab.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\") + "\n")
    fake.write("proc/mounts", "/dev/vda1 / ext4 rw 0 0\n" + mounts + "\n")
    assert find_unmounted(Tree(fake.root), HOME) == found


def test_without_var_the_reboot_is_cold_and_nothing_is_written_below_its_mount_point(fake: FakeHost) -> None:
    with_kernel(fake)
    (fake.root / "var").mkdir()
    fake.write("etc/fstab", "/dev/vda2 /var ext4 defaults 0 2\n")
    decided = shutdown.prepare(gather(fake.root), Settings())
    assert (decided.kexec, decided.code) == (False, "guard")
    assert "/var is in /etc/fstab, but not mounted" in decided.reason
    assert os.listdir(str(fake.root / "var")) == []
    assert "not mounted" in (status.gather_status(gather(fake.root), Settings(), []).guard or "")
    fake.write("proc/mounts", "/dev/vda1 / ext4 rw 0 0\n/dev/vda2 /var ext4 rw 0 0\n")
    assert shutdown.prepare(gather(fake.root), Settings()).kexec


@pytest.mark.parametrize("manifest", store.MANIFESTS)
def test_a_var_that_fstab_does_not_have_is_known_by_what_install_has_left_there(fake: FakeHost, manifest: str) -> None:
    with_kernel(fake)
    (fake.root / "var/lib").mkdir(parents=True)
    (fake.root / layout.ORIGINALS_DIR[1:]).mkdir(parents=True)
    decided = shutdown.prepare(gather(fake.root), Settings())
    assert (decided.kexec, decided.code) == (False, "guard")
    assert HOME + " has no manifest" in decided.reason
    assert os.listdir(str(fake.root / "var/lib")) == []
    with pytest.raises(Error, match="has no manifest"):
        shutdown.preload(gather(fake.root), Settings())
    assert os.listdir(str(fake.root / "var/lib")) == []
    fake.write(HOME[1:] + "/" + manifest, "")
    assert shutdown.prepare(gather(fake.root), Settings()).kexec
