"""What debian/tests says of the installed package, run by Debian's own runner in a chroot; what reboots there needs a machine."""

import subprocess
from pathlib import Path

from tests.install.chroot import ENVIRONMENT, NAMESPACE, PACKAGES, copy_base
from tests.vm.cache import CHECKOUT
from tests.vm.packages import build_deb


def test_the_tests_of_the_package_pass(tmp_path: Path) -> None:
    host = copy_base(tmp_path, PACKAGES + " apt-utils dpkg-dev")
    (host.tree / "etc/apt/sources.list").write_text("")  # all that is needed is there
    source, summary = tmp_path / "source", tmp_path / "summary"
    source.mkdir()
    subprocess.run(["cp", "-R", str(CHECKOUT / "debian"), str(source)], check=True)
    command = ["autopkgtest", "--summary-file=" + str(summary), str(build_deb()), str(source) + "/", "--", "chroot"]
    done = subprocess.run(
        [*NAMESPACE, *command, str(host.tree)],
        env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        universal_newlines=True, check=False, timeout=600,
    )  # fmt: skip
    results = {line.split()[0]: line.split()[1] for line in summary.read_text().splitlines()}
    assert results == {"shows": "PASS", "reboots": "SKIP"}, done.stdout
    assert done.returncode == 2, "of two tests one was skipped"
