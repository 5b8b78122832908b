"""The JSON of each verb fits its schema in docs/schema, and has no field that is not documented there."""

import json
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from kexec_initd.check import output
from kexec_initd.cli import main
from kexec_initd.codes import Code
from tests.bootloader.hosts import root_of
from tests.unit.fake_host import FakeHost, with_kernel
from tests.unit.loaded_host import make_loaded_host

TOP = Path(__file__).resolve().parents[2]
SCHEMAS: Dict[str, Dict[str, Any]] = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted((TOP / "docs/schema").glob("*.json"))
}
TYPES: Dict[str, Any] = {
    "string": str, "array": list, "object": dict, "null": type(None), "number": (int, float), "integer": int, "boolean": bool,
}  # fmt: skip
NOTES = {"$schema", "$id", "title", "description"}
KNOWN = NOTES | {"type", "enum", "const", "minimum", "items", "required", "properties"}


def faults(schema: Dict[str, Any], value: Any, at: str = "$") -> Iterator[str]:
    """Yield what does not fit, by the part of JSON Schema (draft 7) that ours use."""
    assert set(schema) <= KNOWN, at
    types = schema.get("type", list(TYPES))
    names = [types] if isinstance(types, str) else types
    fits = any(isinstance(value, TYPES[name]) for name in names) and not (
        isinstance(value, bool) and "boolean" not in names
    )
    if not fits or value not in schema.get("enum", [value]) or value != schema.get("const", value):
        yield "{}: {!r}".format(at, value)
    elif isinstance(value, (int, float)) and value < schema.get("minimum", value):
        yield "{}: {!r} is too small".format(at, value)
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from faults(schema["items"], item, "{}[{}]".format(at, number))
    if isinstance(value, dict):
        yield from ("{}.{} is missing".format(at, name) for name in schema.get("required", []) if name not in value)
        for name, item in value.items():
            known = schema.get("properties", {}).get(name)
            yield from (
                ["{}.{} is not documented".format(at, name)] if known is None else faults(known, item, at + "." + name)
            )


@pytest.fixture(name="roots", scope="module")
def _roots(tmp_path_factory: "pytest.TempPathFactory") -> Dict[str, Path]:
    top = tmp_path_factory.mktemp("roots")
    loaded = make_loaded_host(top / "loaded")
    loaded.write("etc/default/kexec-initd", "COLOUR=red\nKEXEC=no\n")
    loaded.write("proc/meminfo", "Dirty: 300000 kB\n")
    nothing = with_kernel(FakeHost(top / "nothing"))
    return {
        "loaded": loaded.root,
        "nothing": nothing.root,
        "several": root_of("extlinux-debian"),
        "unclear": root_of("choice-unclear"),
    }


@pytest.mark.parametrize("verb", [["check", "--advise"], ["check"], ["status"], ["entries"], ["target"]], ids=" ".join)
@pytest.mark.parametrize("case", ["loaded", "nothing", "several", "unclear"])
def test_what_a_verb_prints_fits_its_schema(
    verb: List[str], case: str, roots: Dict[str, Path], capsys: "pytest.CaptureFixture[str]"
) -> None:
    code = main([*verb, "--json", "--root", str(roots[case])])
    said = capsys.readouterr().out
    assert code in (0, 1, 3) and (said or verb[0] == "check")
    assert list(faults(SCHEMAS[verb[0]], json.loads(said))) == [] if said else code == 3


def test_a_schema_says_its_version_and_every_code() -> None:
    assert [schema["$id"] for schema in SCHEMAS.values()] == ["urn:kexec-initd:{}:1".format(name) for name in SCHEMAS]
    assert SCHEMAS["check"]["properties"]["version"]["const"] == output.VERSION
    codes = sorted(code.value for code in Code)
    assert SCHEMAS["check"]["properties"]["code"]["enum"] == SCHEMAS["status"]["properties"]["code"]["enum"] == codes


@pytest.mark.parametrize(
    "value",
    [{"version": 2}, {"reboot": "warm"}, {"kernel": 6}, {"healthy": 1}, {"findings": [{}]}, {"more": 1}, {"waits": {}}],
)
def test_what_does_not_fit_is_found(value: Dict[str, Any]) -> None:
    good = {"version": 1, "reboot": "cold", "code": "guard", "reason": "", "kernel": None, "entry": None}
    good.update(healthy=False, findings=[], waits=None)
    assert list(faults(SCHEMAS["check"], good)) == []
    assert list(faults(SCHEMAS["check"], dict(good, **value))) != []
