"""Guests that are reached by ssh on this machine's loopback, and nothing else by them: what a fleet's tool is tried on."""

import socket
from typing import List, Tuple

from tests.vm.image import CMDLINE, PACKAGES, Recipe, build
from tests.vm.snapshot import Snapshot, take

# Of QEMU's own network only what is forwarded leads in, and nothing leads out.
NETWORK = "user,id=net,restrict=on"
CARD = ("-device", "virtio-net-pci,netdev=net,romfile=")
RECIPE = Recipe(packages=PACKAGES + " openssh-server python3-apt", cmdline=CMDLINE + " net.ifnames=0")
PREPARE = (
    "printf '\\nauto eth0\\niface eth0 inet static\\n address 10.0.2.15/24\\n' >>/etc/network/interfaces",
    "printf 'virtio_net\\n' >>/etc/modules; modprobe virtio_net; ifup eth0",
    "/etc/init.d/ssh restart; mkdir -p -m 700 /root/.ssh",
)
MEMORY = 400


def build_guest() -> Snapshot:
    """Return a guest with a network and sshd, at its prompt, without our package."""
    return take(build(RECIPE), prepare=PREPARE, memory=MEMORY, extra_args=("-netdev", NETWORK, *CARD))


def forwarding(port: int) -> Tuple[str, ...]:
    """Return the same card, with its guest's ssh at `port` of this machine's loopback."""
    return ("-netdev", "{},hostfwd=tcp:127.0.0.1:{}-:22".format(NETWORK, port), *CARD)


def find_ports(count: int) -> List[int]:
    """Return ports of the loopback that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
