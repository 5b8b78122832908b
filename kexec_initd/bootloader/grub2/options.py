"""Options of GRUB's commands: anywhere among the arguments, `--name=value`, `--name value`, `-n value`, `--` ends them."""

from typing import List, NamedTuple, Sequence, Tuple

from kexec_initd.bootloader.grub2.values import Undecidable, shown


class Options(NamedTuple):
    """The options of a command in order, each with its value, which is empty where it takes none."""

    given: Tuple[Tuple[str, str], ...]

    def has(self, *names: str) -> bool:
        """Tell whether one of the options is there."""
        return any(name in names for name, _ in self.given)

    def values(self, *names: str) -> List[str]:
        """Return every value of the options `names`."""
        return [value for name, value in self.given if name in names]


def split_options(arguments: Sequence[str], valued: Sequence[str], flags: Sequence[str]) -> Tuple[Options, List[str]]:
    """Return options and the other arguments. Raises Undecidable for an option that is not known.

    `valued` take a value, `flags` take none; both are written as they are given, without the dashes where there are two.
    """
    given, rest = [], []
    ahead = list(arguments)[::-1]
    while ahead:
        argument = ahead.pop()
        if argument == "--":
            rest += ahead[::-1]
            break
        if not argument.startswith("-") or argument == "-":
            rest.append(argument)
            continue
        name, equals, value = argument.partition("=")
        name = name[2:] if name.startswith("--") else name
        if name in valued:
            value = value if equals or not ahead else ahead.pop()
        elif name not in flags:
            raise Undecidable("the option {}".format(shown(argument)[:40]))
        given.append((name, value))
    return Options(tuple(given)), rest
