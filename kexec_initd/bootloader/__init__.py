"""The records of a boot menu: its entries, where they stand, and what the loader would write while it boots one."""

from pathlib import Path
from typing import NamedTuple, Optional, Tuple, Union

from kexec_initd.boot_entry import BootEntry


class Source(NamedTuple):
    """Where something stands: a file, as the running host sees its path, and the line, from 1; 0 for the whole file."""

    path: Path
    line: int


class Offered(NamedTuple):
    """One line of the loader's menu.

    `path` is its position as GRUB writes it ("1>2": the third line of the submenu that is the second line). It `boots` an
    entry, or says in a few words why we cannot load it.
    """

    title: str
    id: str
    path: str
    boots: Union[BootEntry, str]
    source: Source

    @property
    def entry(self) -> Optional[BootEntry]:
        """Return the entry; None where it cannot be loaded."""
        return self.boots if isinstance(self.boots, BootEntry) else None

    @property
    def obstacle(self) -> Optional[str]:
        """Return why it cannot be loaded; None where it can."""
        return None if isinstance(self.boots, BootEntry) else self.boots


class LoaderWrite(NamedTuple):
    """A change of the loader's own records that it makes while it boots the default; `text` says it in a few words.

    The file holds `before`; it gets `after`, of the same size, in place, or is deleted where that is None.
    """

    path: Path
    before: bytes
    after: Optional[bytes]
    text: str


class Menu(NamedTuple):
    """The entries of a boot loader, in its order with submenus flattened, and the one that it boots without a keypress.

    It `boots` the entry of that index into `offered`, or says why that cannot be decided. `source` is where the default
    comes from, None when from no file. `one_shot`: the default is a wish for one boot only, which the loader would
    consume. `changes`, with a default only, has what it would write: without any for a wish, nobody here knows how to take
    that back.
    """

    loader: str
    offered: Tuple[Offered, ...]
    boots: Union[int, str]
    source: Optional[Source] = None
    one_shot: bool = False
    changes: Tuple[LoaderWrite, ...] = ()

    @property
    def default(self) -> Optional[int]:
        """Return the index of the default; None where there is a problem."""
        return self.boots if isinstance(self.boots, int) else None

    @property
    def problem(self) -> Optional[str]:
        """Return why there is no default; None where there is one."""
        return None if isinstance(self.boots, int) else self.boots
