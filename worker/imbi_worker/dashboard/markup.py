"""HTML that cannot be left unescaped: texts are escaped where they are put in, always.

tag("td", job.id, class_="id")      Tag, to be put into others or rendered
"""

import html
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

_VOID: Final = frozenset({"meta", "link", "input", "br"})


@dataclass(frozen=True, slots=True)
class Tag:
    """Markup; only this module makes it."""

    markup: str


Content: TypeAlias = "Tag | str | int | Iterable[Content] | None"


def tag(name: str, /, *contents: Content, **attributes: str | bool | None) -> Tag:
    """An element. An attribute that is None or False is left out; ``class_`` is ``class``."""
    told = "".join(_attribute(one, value) for one, value in attributes.items())
    if name in _VOID:
        return Tag(f"<{name}{told}>")
    return Tag(f"<{name}{told}>{_inner(contents)}</{name}>")


def document(root: Tag) -> str:
    return f"<!doctype html>{root.markup}"


def _attribute(name: str, value: str | bool | None) -> str:  # noqa: FBT001 - HTML has such
    if value is None or value is False:
        return ""
    shown = name.rstrip("_").replace("_", "-")
    return f" {shown}" if value is True else f' {shown}="{_escaped(value)}"'


def _inner(content: Content) -> str:
    match content:
        case None:
            return ""
        case Tag():
            return content.markup
        case str():
            return _escaped(content)
        case int():
            return f"{content:,}"
        case _:
            return "".join(_inner(one) for one in content)


def _escaped(text: str) -> str:
    """Lone surrogates, which no answer can carry, are marked."""
    return html.escape(text.encode(errors="replace").decode())
