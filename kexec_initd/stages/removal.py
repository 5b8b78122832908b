"""The removal of kernel modules in the last step: what uses one goes before it, and whatever stays is a reason to go cold.

Imported where there are modules to remove, before the first unmount.
"""

import time

from kexec_initd import sentences
from kexec_initd.system import kernel_modules, spawn

TYPE_CHECKING = False  # as in typing, whose import takes longer than all that the last step imports
if TYPE_CHECKING:
    from typing import Callable, List, Optional, Sequence, Tuple

    Try = Callable[[Sequence[str], float], None]

LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
QUIT_TIMEOUT = 5.0


class Removal:
    """The removal of `names` below `root`, in their order; `tried` runs a program whose failure shows otherwise, within a limit.

    With the name "auto" come the drivers of graphics, which a console on a frame buffer may hold, too.
    """

    def __init__(self, root: str, names: "Sequence[str]", tried: "Try", limit: float) -> None:
        self.root = root
        self.names = names
        self.tried = tried
        self.limit = limit
        self.modprobe = spawn.require(root, "modprobe")
        self.rmmod = spawn.find(root, "rmmod")
        self.plymouth = spawn.find(root, "plymouth")
        self.graphics = kernel_modules.AUTO in names
        self.consoles = []  # type: List[str]

    def find_obstacle(self) -> "Optional[str]":
        """Remove all of them; say what is in the way where one stays, with the consoles bound again, so that it is seen."""
        reason = None
        for name in self.names:
            reason = reason or self._find_stuck(name)
        if reason:
            kernel_modules.bind(self.consoles, "1")
        return reason

    def _find_stuck(self, name: str) -> "Optional[str]":
        if name.startswith("-") or not LETTERS.issuperset(name):
            return sentences.NO_MODULE.format(name)
        found = self._find(name)
        if found is None:
            return None
        self._let_go()
        for user in found[1]:
            reason = self._find_stuck(user) if LETTERS.issuperset(user) else None
            if reason:
                return reason
        self.tried([self.modprobe, "-r", name], self.limit)
        if self._find(name) and self.rmmod is not None:
            # What uses it may be just about to end, and modprobe(8) needs the running kernel's modules, which may be gone.
            time.sleep(1.0)
            self.tried([self.rmmod, name], self.limit)
        found = self._find(name)
        return None if found is None else sentences.STUCK_MODULE.format(name, _describe_use(*found))

    def _find(self, name: str) -> "Optional[Tuple[str, List[str]]]":
        return kernel_modules.read_loaded(self.root).get(kernel_modules.plain_name(name))

    def _let_go(self) -> None:
        """Have what holds drivers of graphics beside programs let them go, once, and not before there is one to be removed."""
        if not self.graphics:
            return
        self.graphics = False
        if self.plymouth is not None:  # whose name spares it from being killed
            self.tried([self.plymouth, "quit"], QUIT_TIMEOUT)
        self.consoles = kernel_modules.find_consoles(self.root)
        kernel_modules.bind(self.consoles, "0")


def _describe_use(count: str, users: "Sequence[str]") -> str:
    return "{} ({})".format(count, ",".join(users)) if users else count
