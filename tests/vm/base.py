"""The bootstrapped tree of a recipe, unpacked for a guest whose disk and boot loader image.py does not make."""

import contextlib
import shutil
from pathlib import Path
from typing import Iterator

from tests.vm.cache import make_once
from tests.vm.image import Image, Recipe, bootstrap, run


@contextlib.contextmanager
def unpacked(recipe: Recipe, directory: Path) -> Iterator[Path]:
    """Give the tree as `directory`/tree, which is gone afterwards; its newest kernel and initrd stay (image_of)."""
    base = make_once("base-" + recipe.base_key(), lambda partial: bootstrap(recipe, partial / "root.tar"))
    tree = directory / "tree"
    tree.mkdir()
    try:
        run(["tar", "--extract", "--numeric-owner", "--file", str(base / "root.tar"), "--directory", str(tree)])
        for name in ("vmlinuz", "initrd.img"):
            shutil.copyfile(max((tree / "boot").glob(name + "-*")), directory / name)
        yield tree
    finally:
        shutil.rmtree(tree, ignore_errors=True)


def image_of(directory: Path, key: str) -> Image:
    """Return the image that has been made in `directory` of the cache."""
    return Image(directory / "disk.raw", directory / "vmlinuz", directory / "initrd.img", key)
