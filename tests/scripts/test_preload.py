"""The step that the end of a boot calls: it leaves its mark, and loads when the script that has called it is over."""

import time
from typing import List

import pytest

from tests.scripts.jail import Jail

BOOT = "3f0c9f2e-0000-4000-8000-000000000001"
MARK = "run/kexec-initd/preloaded"
CALL = "/etc/init.d/kexec-initd preload $$\n"
# How rc.local may end, or go on as something else.
ENDS = {
    "by itself": "real-sleep 0.2\necho over >>/calls\n",
    "in an exec": "exec /bin/sh -c 'real-sleep 0.2; echo over >>/calls'\n",
    "by a failing line": "set -e\nreal-sleep 0.2\necho over >>/calls\nfalse\n",
}


@pytest.fixture
def boot(jail: Jail) -> Jail:
    """Return a host at the end of its boot, on which seconds are short and `nice` tells what it was to run."""
    jail.write("proc/sys/kernel/random/boot_id", BOOT + "\n")
    jail.write("bin/sleep", "#!/bin/sh\nexec real-sleep 0.01\n", 0o755)
    jail.fake("nice")
    return jail


def wait_for_load(jail: Jail) -> List[str]:
    """Return the calls, once the load is among them."""
    deadline = time.monotonic() + 20.0
    while not any(call.endswith(" load") for call in jail.calls()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return jail.calls()


@pytest.mark.parametrize("end", ENDS)
def test_the_load_waits_for_the_end_of_the_script_that_calls_it(boot: Jail, end: str) -> None:
    boot.write("etc/init.d/rc.local", CALL + ENDS[end], 0o755)
    boot.run("rc.local", "start", runlevel="2")
    assert wait_for_load(boot) == ["over", "nice -n 19 /etc/init.d/kexec-initd load"]
    assert (boot.root / MARK).read_text() == BOOT + "\n"


def test_a_script_that_never_ends_is_not_waited_for_any_longer_than_five_minutes(boot: Jail) -> None:
    boot.write("bin/sleep", '#!/bin/sh\necho "slept $1" >>/calls\n', 0o755)
    boot.write(
        "etc/init.d/rc.local", CALL + "while ! grep -q nice /calls 2>/dev/null; do real-sleep 0.05; done\n", 0o755
    )
    boot.run("rc.local", "start", runlevel="2")
    assert boot.calls() == ["slept 2"] * 150 + ["slept 5", "nice -n 19 /etc/init.d/kexec-initd load"]


@pytest.mark.parametrize("words", [(), ("",), ("x",), ("999999999",)])
def test_without_a_script_to_wait_for_it_loads_at_once(boot: Jail, words: List[str]) -> None:
    boot.run("kexec-initd", "preload", *words, runlevel="2")
    assert wait_for_load(boot) == ["nice -n 19 /etc/init.d/kexec-initd load"]


def test_without_the_boots_id_there_is_no_mark_and_no_word(boot: Jail) -> None:
    (boot.root / "proc/sys/kernel/random/boot_id").unlink()
    boot.write(MARK, "another boot\n")
    assert boot.run("kexec-initd", "preload", runlevel="2").said == ""
    assert not (boot.root / MARK).exists()
    wait_for_load(boot)
