"""What a boot waits for at the network: addresses that nobody gives, since a port has no link, and pauses that were set.

interfaces(5) of ifupdown, and the ifcfg files of RHEL's initscripts (sysconfig.txt), whose ifup gives up on a port without link.
"""

import re
import shlex
from typing import Dict, Iterator, List, NamedTuple, Tuple

from kexec_initd.check.findings import Gathered, Origin
from kexec_initd.check.waits import Wait
from kexec_initd.system.sysroot import Tree

INTERFACES = "/etc/network/interfaces"
SCRIPTS = "/etc/sysconfig/network-scripts"
CLIENTS = ("/etc/dhcp/dhclient.conf", "/etc/dhcp3/dhclient.conf", "/etc/dhclient.conf")
DHCP_SECONDS = 60.0  # of dhclient.conf(5), where it names none
LINK_SECONDS = 5.0  # of ifup, where LINKDELAY names none
MOST_FILES = 100
ADVICE = "allow-hotplug in place of auto, or no DHCP on a port that is not used"


class Port(NamedTuple):
    """A port that a boot brings up by DHCP, and where that is asked for."""

    name: str
    origin: Origin


def list_network(gathered: Gathered) -> Iterator[Wait]:
    """Yield the ports without carrier that wait for DHCP, and pauses for a link."""
    tree = gathered.host.tree
    seconds = _read_timeout(tree)
    for port in _read_interfaces(tree):
        if _has_no_carrier(tree, port.name):
            fact = "{} has no carrier, and is brought up at boot by DHCP, which gives up after {:.0f} s".format(
                port.name, seconds
            )
            yield Wait("dhcp", seconds, fact, port.origin, ADVICE)
    yield from _list_scripts(tree)


def _read_timeout(tree: Tree) -> float:
    text = "\n".join(tree.read_text(path) or "" for path in CLIENTS)
    found = re.findall(r"^[ \t]*timeout[ \t]+([0-9]{1,5})[ \t]*;", text, re.MULTILINE)
    return float(found[-1]) if found else DHCP_SECONDS


def _has_no_carrier(tree: Tree, name: str) -> bool:
    """Tell whether a port that is there has no link; one that is down says nothing of it."""
    return bool(name) and "/" not in name and tree.read_text("/sys/class/net/{}/carrier".format(name)) == "0\n"


def _read_interfaces(tree: Tree) -> Iterator[Port]:
    """Yield the ports that are brought up at boot, whoever is plugged in, and ask for an address."""
    names = ["{0}.d/{1}".format(INTERFACES, name) for name in tree.names(INTERFACES + ".d")][:MOST_FILES]
    started: List[str] = []
    asking: Dict[str, Origin] = {}
    for path in [INTERFACES, *names]:
        for number, line in enumerate((tree.read_text(path) or "").split("\n"), 1):
            words = line.split()
            if words[:1] in (["auto"], ["allow-auto"]):
                started += words[1:]
            elif words[:1] == ["iface"] and words[3:4] == ["dhcp"]:
                asking.setdefault(words[1], Origin(path, number))
    return (Port(name, origin) for name, origin in asking.items() if name in started)


def _list_scripts(tree: Tree) -> Iterator[Wait]:
    for name in tree.names(SCRIPTS)[:MOST_FILES]:
        if not name.startswith("ifcfg-") or name.endswith((".bak", ".orig", ".rpmsave", ".rpmnew", "~")):
            continue
        path = "{}/{}".format(SCRIPTS, name)
        values = _parse_assignments(tree.read_text(path) or "")
        delay, number = values.get("LINKDELAY", ("", 0))
        asks = values.get("BOOTPROTO", ("", 0))
        if values.get("ONBOOT", ("no", 0))[0].lower() not in ("yes", "y", "true", "1"):
            continue
        seconds = float(delay) if re.match(r"[0-9]{1,5}\Z", delay) else 0.0
        device = values.get("DEVICE", (name[len("ifcfg-") :], 0))[0]
        if asks[0].lower() in ("dhcp", "bootp") and _has_no_carrier(tree, device):
            fact = "{} has no carrier, and is brought up at boot by DHCP".format(device)
            yield Wait(
                "dhcp", seconds or LINK_SECONDS, fact, Origin(path, asks[1]), "ONBOOT=no for a port that is not used"
            )
        elif seconds:
            fact = "LINKDELAY={} lets {} wait for its link that long".format(delay, device)
            yield Wait(
                "linkdelay", seconds, fact, Origin(path, number), "portfast on the switch, and a shorter LINKDELAY"
            )


def _parse_assignments(text: str) -> Dict[str, Tuple[str, int]]:
    """Return each variable of a file of assignments with its value and line; what is no assignment says nothing."""
    found: Dict[str, Tuple[str, int]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        name, sign, value = line.strip().partition("=")
        try:
            words = shlex.split(value, comments=True) if sign and name.isidentifier() else [""]
        except ValueError:
            continue
        found[name] = (words[0] if words else "", number)
    return found
