"""Test the diffs that fixtures are kept as."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import diffs

FILE = st.lists(st.sampled_from([b"one\n", b"two\n", b"\n", b"@@ -1 +1 @@\n", b"-x\n", b"\x85\x0b\r\n"])).map(b"".join)
pytestmark = pytest.mark.once


@given(old=FILE, new=FILE)
def test_a_diff_leads_from_one_file_to_the_other(old: bytes, new: bytes) -> None:
    assert diffs.apply(old, diffs.make(old, new)) == new


def test_a_diff_of_another_file_does_not_fit() -> None:
    diff = diffs.make(b"a\nb\nc\n", b"a\nB\nc\n")
    with pytest.raises(AssertionError):
        diffs.apply(b"a\nx\nc\n", diff)
