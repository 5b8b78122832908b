"""The QEMU Machine Protocol, as far as it is needed: commands, their answers, and the events in between.

Source: https://www.qemu.org/docs/master/interop/qmp-spec.html
"""

import json
import socket
import time
from typing import Any, Dict, List


class QmpError(RuntimeError):
    """QEMU refused a command, or went away."""


class Qmp:
    """One monitor connection over a connected socket; `events` grows as they arrive."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.pending = b""
        self.closed = False
        self.events: List[Dict[str, Any]] = []

    def handshake(self, limit: float = 60.0) -> None:
        """Wait for the greeting and leave the negotiation mode."""
        deadline = time.monotonic() + limit
        while not any("QMP" in message for message in self.receive(1.0)):
            if self.closed or time.monotonic() > deadline:
                raise QmpError("QEMU did not start its monitor")
        self.command("qmp_capabilities")

    def command(self, name: str, limit: float = 60.0, **arguments: Any) -> Any:
        """Run one command and return its answer; `limit` in seconds."""
        request = {"execute": name, "arguments": arguments}
        try:
            self.connection.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise QmpError(f"{name}: QEMU is gone ({error})") from error
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline and not self.closed:
            for message in self.receive(0.2):
                if "error" in message:
                    raise QmpError(f"{name}: {message['error']['desc']}")
                if "return" in message:
                    return message["return"]
        raise QmpError(f"{name}: no answer")

    def receive(self, limit: float) -> List[Dict[str, Any]]:
        """Return the messages that arrive within `limit` seconds, at once if there are any; events are put aside."""
        self.connection.settimeout(max(limit, 0.001))
        try:
            data = self.connection.recv(65536)
            self.closed = self.closed or not data
        except socket.timeout:
            return []
        except OSError:
            self.closed = True
            return []
        *lines, self.pending = (self.pending + data).split(b"\n")
        messages = [json.loads(line) for line in lines if line.strip()]
        self.events += [message for message in messages if "event" in message]
        return [message for message in messages if "event" not in message]

    def poll(self) -> None:
        """Take in what has arrived, without waiting."""
        self.receive(0.0)
