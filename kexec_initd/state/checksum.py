"""How a file of the state shows that it is whole, so that no flipped bit and no cut passes for something else that we said.

- A record that plain shell reads, too, has a last line "end CRC", the CRC-32 of all before it (templates/common/whole.sh).
- JSON, which only Python reads, has the CRC-32 of all else as its field "checksum"; one without it is of a version before.
- What the last step's shell reads, when /usr and its tools may be gone, is there twice: one word, or each line.
"""

import json
import zlib
from typing import Any, Dict

CHECKSUM = "checksum"


def crc(data: bytes) -> str:
    """Return the CRC-32 of `data`, as gzip writes it behind its output, in hexadecimal."""
    return "{:08x}".format(zlib.crc32(data) & 0xFFFFFFFF)


def seal(body: bytes) -> bytes:
    """Return a record with its last line; `body` is whole lines."""
    return body + "end {}\n".format(crc(body)).encode("ascii")


def unseal(data: bytes) -> bytes:
    """Return what `seal` was given. Raises ValueError for anything else."""
    body, _, end = data.rpartition(b"end ")
    if end != crc(body).encode("ascii") + b"\n":
        raise ValueError("its checksum does not match")
    return body


def dump(fields: Dict[str, Any]) -> bytes:
    """Return `fields` as JSON with their checksum."""
    return (json.dumps(dict(fields, **{CHECKSUM: _sum(fields)}), indent=1, sort_keys=True) + "\n").encode("ascii")


def load(data: bytes) -> Dict[str, Any]:
    """Return the fields in `data`, and with none for a checksum what a version before has written. Raises ValueError."""
    try:
        fields = json.loads(data.decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply")
    except ValueError:
        raise ValueError("it is not JSON")
    if not isinstance(fields, dict):
        raise ValueError("it is not a JSON object")
    found = fields.pop(CHECKSUM, None)
    if found is not None and found != _sum(fields):
        raise ValueError("its checksum does not match")
    return fields


def _sum(fields: Dict[str, Any]) -> str:
    return crc(json.dumps(fields, sort_keys=True).encode("ascii"))


def double(word: str) -> bytes:
    """Return a line that has `word` twice."""
    return "{0} {0}\n".format(word).encode("ascii")


def double_lines(text: str) -> bytes:
    """Return whole lines of ASCII with each of them twice."""
    return "".join(2 * line for line in text.splitlines(True)).encode("ascii")


def single(data: bytes) -> str:
    """Return the word that is there twice. Raises ValueError for anything else."""
    words = data.decode("ascii").split(" ")
    if len(words) != 2 or words[0] + "\n" != words[1]:
        raise ValueError("its two copies differ")
    return words[0]
