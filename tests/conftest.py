"""How hypothesis tries: without a deadline, since a busy machine is no finding; `brief` where a test runs a second time.

How slowly or how largely it generates is no finding about our code either: old versions fail by chance for it.

./scripts/test takes `steady` for one Python, with --full `thorough`, and `brief` for the others. `--faults` keeps what
came of the table of faults.
"""

import gc

import pytest
from hypothesis import HealthCheck, settings

from tests.faults.results import Recorder

GENERATION = [HealthCheck.data_too_large, HealthCheck.too_slow]
settings.register_profile("thorough", deadline=None, suppress_health_check=GENERATION)
settings.register_profile("steady", settings.get_profile("thorough"), max_examples=40)
settings.register_profile("brief", settings.get_profile("thorough"), max_examples=15)
settings.load_profile("steady")
THRESHOLD = gc.get_threshold()


def pytest_runtest_teardown() -> None:
    """Collect garbage as often as before: `main` has put that off, for a process that soon ends.

    It grows to twice its size otherwise, and before Python 3.10 each program that it starts costs a copy of its page tables.
    """
    gc.set_threshold(*THRESHOLD)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer to keep what came of the tests that the table of faults names."""
    parser.addoption("--faults", action="store_true", help="keep and print what came of the table of faults")


def pytest_configure(config: pytest.Config) -> None:
    """Listen where the reports arrive: in the process that was started, not in a worker of xdist."""
    if config.getoption("--faults") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder())
