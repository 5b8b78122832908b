"""The whole table: every fault, in order."""

from typing import Dict

from tests.faults import afterwards, choosing, hosts, installing, loading, shutdown
from tests.faults.model import Scenario

FAULTS = (*loading.FAULTS, *choosing.FAULTS, *shutdown.FAULTS, *afterwards.FAULTS, *installing.FAULTS, *hosts.FAULTS)
SCENARIOS: Dict[str, Scenario] = {name: scenario for fault in FAULTS for name, scenario in fault.scenarios.items()}
GUEST_TEST = "vm/test_faults.py::test_fault"


def node_of(name: str) -> str:
    """Return how pytest calls the test of a scenario, below tests/."""
    return "{}[{}]".format(GUEST_TEST, name)
