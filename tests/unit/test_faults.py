"""The table of faults is true: it is whole, and what it names is there. What came of each fault is no subject here."""

import ast
import importlib.util
import re
from pathlib import Path
from typing import Dict, Set

import pytest

from tests.faults.model import COLD, Fault, Scenario
from tests.faults.results import (
    CHECKOUT,
    FAILED,
    NAMED,
    NOT_RUN,
    Recorder,
    Result,
    find_named,
    merge,
    read,
    render,
    sum_up,
)
from tests.faults.table import FAULTS, SCENARIOS, node_of

pytestmark = pytest.mark.once

DOCUMENT = CHECKOUT / "docs/faults.md"


def functions(path: Path) -> Set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_fault_is_there_once_and_in_order() -> None:
    assert [fault.number for fault in FAULTS] == list(range(1, 85))


def test_every_fault_is_shown_by_something() -> None:
    assert [fault.number for fault in FAULTS if not fault.scenarios and not fault.tests] == []


def test_every_test_that_is_named_is_there() -> None:
    known: Dict[str, Set[str]] = {}
    for name in NAMED:
        file, function = name.split("[")[0].split("::")
        known.setdefault(file, functions(CHECKOUT / "tests" / file))
        assert function in known[file], name


def test_no_name_of_a_scenario_is_taken_twice() -> None:
    assert len(SCENARIOS) == sum(len(fault.scenarios) for fault in FAULTS)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_cold_reboot_has_a_reason(name: str) -> None:
    assert SCENARIOS[name].reason or SCENARIOS[name].expect != COLD


def test_what_a_scenario_calls_or_changes_of_ours_is_there() -> None:
    """A sed(1) that fits nothing, or a module that is none, does no harm at all, and its row would say so as well."""
    words = "\n".join("{} {}".format(scenario.harm, scenario.command) for scenario in SCENARIOS.values())
    modules = set(re.findall(r"-m (kexec_initd[a-z_.]*)", words))
    assert modules and all(importlib.util.find_spec(name) for name in modules)
    early = "".join((CHECKOUT / "templates/common" / name).read_text() for name in ("early.sh", "jump.sh"))
    changed = set(re.findall(r"s/\^([a-z_]+ \(\) \{)", words))
    assert changed and all("\n{}\n".format(line) in early for line in changed)


def test_a_few_scenarios_are_in_every_run() -> None:
    """A guest takes a minute of a run that has forty; the rows' other tests show in the small what else they say."""
    assert 4 <= sum(scenario.smoke for scenario in SCENARIOS.values()) <= 8


def test_the_document_has_every_row() -> None:
    written = DOCUMENT.read_text(encoding="utf-8")
    for fault in FAULTS:
        assert "\n| {} | {} | {} | ".format(fault.number, fault.fault, fault.wanted) in written
    for name in SCENARIOS:
        assert "\n| " + name.replace("-", " ") in written
    for test in NAMED - {node_of(name) for name in SCENARIOS}:
        assert "`{}`".format(test) in written


def report(node: str, outcome: str = "passed", when: str = "call", saw: str = "") -> pytest.TestReport:
    told = [("outcome", saw)] if saw else []
    return pytest.TestReport(node, ("", 0, ""), {}, outcome, None, when, duration=2.0, user_properties=told)  # type: ignore[arg-type] # Literals


SCENARIO = node_of("no-kexec-program")
CASES = "unit/test_policy.py::test_table"


def test_what_was_seen_is_kept_and_what_is_not_named_is_not(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "faults.json")
    for seen in [
        report("tests/" + SCENARIO, when="setup"),
        report("tests/" + SCENARIO, saw="cold"),
        report("tests/unit/test_cli.py::test_help_and_version"),
        report("tests/" + CASES + "[a]", "failed"),
        report("tests/" + CASES + "[b]"),
    ]:
        recorder.pytest_runtest_logreport(seen)
    assert {name: result[:2] for name, result in recorder.seen.items()} == {
        SCENARIO: ("cold", 2.0),
        CASES: (FAILED, 4.0),
    }


def test_a_test_that_could_not_begin_has_failed(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "faults.json")
    recorder.pytest_runtest_logreport(report("tests/" + SCENARIO, "failed", "setup"))
    assert recorder.seen[SCENARIO].outcome == FAILED
    assert read(tmp_path / "faults.json") == recorder.seen


def test_runs_add_up_and_what_the_table_no_longer_names_goes(tmp_path: Path) -> None:
    path = tmp_path / "build/faults.json"
    merge(path, {SCENARIO: Result("cold", 1.0, "2020-01-01"), "unit/gone.py::test_x": Result("passed", 1.0, "")})
    merge(path, {CASES: Result("passed", 1.0, "2020-01-02"), SCENARIO: Result(FAILED, 3.0, "2020-01-02")})
    assert read(path) == {CASES: Result("passed", 1.0, "2020-01-02"), SCENARIO: Result(FAILED, 3.0, "2020-01-02")}


def test_what_nobody_has_run_is_not_said_to_be_good() -> None:
    fault = Fault(1, "f", "w", {"s": Scenario("true")}, ("a", "b"))
    done = {"a": Result("passed", 1.0, "")}
    assert sum_up([node_of("s")], fault.tests, {}) == NOT_RUN
    assert sum_up([node_of("s")], fault.tests, done) == "as wanted (1), not run (2)"
    assert sum_up([], ["a"], {"a": Result(FAILED, 1.0, "")}) == "FAILED (1)"
    assert "No test has run." in render({})
    assert "| cold | not run |" in render({})


def test_names_are_found_with_and_without_a_case() -> None:
    assert find_named("tests/" + CASES) == CASES
    assert find_named("tests/" + CASES + "[x]") == CASES
    assert find_named("tests/" + SCENARIO) == SCENARIO
    assert find_named("tests/vm/test_faults.py::test_fault[unknown]") == ""
