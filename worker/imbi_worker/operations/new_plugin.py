"""A plugin package to begin with, written from the template beside this module."""

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import Final

from imbi_worker.operations.errors import InvalidInput, Refused

_SLUG: Final = re.compile(r"[a-z][a-z0-9-]*")
_SUFFIX: Final = ".tmpl"
_LONGEST: Final = 64


@dataclass(frozen=True, slots=True)
class NewPlugin:
    """A package that was written: *files* by their paths within *directory*."""

    slug: str
    directory: Path
    files: tuple[str, ...]


def create_plugin(slug: str, directory: Path | None = None) -> NewPlugin:
    """Write the plugin package *slug* into *directory*, ``imbi-plugin-<slug>`` if not given.

    :raises InvalidInput: the slug is none, or the directory cannot be written
    :raises Refused: the directory exists
    """
    words = _words(slug)
    target = Path(words["distribution"]) if directory is None else directory
    _make(target)
    try:
        written = tuple(sorted(_write(target, words)))
    except OSError as error:
        # Half a package would stand in the way of the next try.
        shutil.rmtree(target, ignore_errors=True)
        raise _unwritable(target, error) from None
    return NewPlugin(slug, target, written)


def _words(slug: str) -> Mapping[str, str]:
    if len(slug) > _LONGEST or not _SLUG.fullmatch(slug):
        raise InvalidInput(
            f"{slug[:_LONGEST]!r} is no slug.",
            "Write lower case letters, digits and '-', a letter first, e.g. issue-tracker;"
            f" at most {_LONGEST} characters.",
        )
    parts = [part for part in slug.split("-") if part]
    return {
        "slug": slug,
        "distribution": "-".join(("imbi-plugin", *parts)),
        "package": "_".join(("imbi_plugin", *parts)),
        "plugin_class": "".join(part.capitalize() for part in parts) + "Plugin",
        "title": " ".join(part.capitalize() for part in parts),
    }


def _make(target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.mkdir()
        except FileExistsError:
            raise Refused(
                f"{str(target)!r} exists.", "Name another with --directory, or remove it first."
            ) from None
    except OSError as error:
        raise _unwritable(target, error) from None


def _write(target: Path, words: Mapping[str, str]) -> Iterator[str]:
    for path, text in _templates(files(__package__).joinpath("template")):
        name = path.removesuffix(_SUFFIX).replace("src/package/", f"src/{words['package']}/")
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(Template(text).substitute(words), encoding="utf-8")
        yield name


def _templates(folder: Traversable, below: str = "") -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _templates(entry, f"{below}{entry.name}/")
        elif entry.name.endswith(_SUFFIX):
            yield f"{below}{entry.name}", entry.read_text(encoding="utf-8")


def _unwritable(target: Path, error: OSError) -> InvalidInput:
    return InvalidInput(
        f"{str(target)!r} cannot be written: {error.strerror}.", "Name another with --directory."
    )
