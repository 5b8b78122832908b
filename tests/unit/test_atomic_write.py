"""What is written is there whole, or not at all, and an error names the file."""

import contextlib
import errno
import os
import resource
from pathlib import Path
from typing import Iterator

import pytest

from kexec_initd.system.files import write_atomic


@contextlib.contextmanager
def small_files() -> Iterator[None]:
    """Let no file grow beyond ten bytes, as on a full disk, not even that of pytest's output; Python ignores the signal."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_write_that_fails_leaves_the_old_file_alone_and_names_it(tmp_path: Path) -> None:
    path = tmp_path / "decision"
    write_atomic(path, b"old", 0o600)
    with pytest.raises(OSError) as caught, small_files():
        write_atomic(path, b"x" * 100, 0o600)
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(path))
    assert (path.read_bytes(), os.listdir(str(tmp_path))) == (b"old", ["decision"])
