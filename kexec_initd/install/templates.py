"""Templates, filled by jinja2; and by what recipe, so that what was made by the same one need not be made again.

Templates are valid shell with few placeholders. jinja2 is imported when one is filled: that takes longer than all else
that `status` does.
"""

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Sequence, Union

import kexec_initd
from kexec_initd.errors import Error
from kexec_initd.system.encoding import encode
from kexec_initd.system.files import digest

if TYPE_CHECKING:
    import jinja2

Values = Mapping[str, Union[str, Sequence[str], Mapping[str, Any]]]


def find_templates() -> Path:
    """Return the directory of the templates: package data when installed, beside the package in a checkout."""
    package = Path(kexec_initd.__file__).resolve().parent
    installed = package / "templates"
    return installed if installed.is_dir() else package.parent / "templates"


def recipe_of(template: str, values: Values) -> str:
    """Return the digest of what `fill` makes its text of: this version, all templates, since one includes others, the values."""
    recipe = (kexec_initd.__version__, _digest_all(str(find_templates())), template, sorted(values.items()))
    return digest(encode(repr(recipe)))


@functools.lru_cache(maxsize=None)
def _digest_all(directory: str) -> str:
    """Return the digest of all templates, each behind its name."""
    paths = sorted(os.path.join(place, name) for place, _, names in os.walk(directory) for name in names)
    return digest(
        b"\0".join(part for path in paths for part in (encode(path[len(directory) :]), Path(path).read_bytes()))
    )


def fill(template: str, values: Values) -> bytes:
    """Fill a template."""
    import jinja2

    environment = _environment(str(find_templates()))
    try:
        text = environment.get_template(template).render(values)
    except jinja2.TemplateError as error:
        raise Error("cannot render the template {}: {}".format(template, error))
    return encode(text)


@functools.lru_cache(maxsize=None)
def _environment(directory: str) -> "jinja2.Environment":
    """Return what compiles each template of a directory once. `{#` is no comment, since `${#name}` is shell."""
    import shlex

    import jinja2

    def words(values: Sequence[str]) -> str:
        return " ".join(shlex.quote(value) for value in values)  # of a command, each quoted for the shell

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(directory),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        autoescape=False,
        comment_start_string="{##",
        comment_end_string="##}",
    )
    environment.filters.update(sh=shlex.quote, words=words)
    return environment
