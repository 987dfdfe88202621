"""A panel: title, sentence, expressions and unit, in one of four shapes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["stat", "timeseries", "table"]
Unit: TypeAlias = Literal["short", "s", "percentunit", "ops", "bytes"]


@dataclass(frozen=True)
class Panel:
    """One panel. *shows* maps a legend to its expression; *red* is where it becomes alarming."""

    title: str
    text: str
    shows: Mapping[str, str]
    unit: Unit
    kind: Kind
    width: int
    red: float | None = None
    is_stacked: bool = False


def stat(title: str, text: str, shows: Mapping[str, str], unit: Unit, **more: Any) -> Panel:
    return Panel(title, text, shows, unit, "stat", 4, **more)


def third(title: str, text: str, shows: Mapping[str, str], unit: Unit, **more: Any) -> Panel:
    return Panel(title, text, shows, unit, "timeseries", 8, **more)


def half(title: str, text: str, shows: Mapping[str, str], unit: Unit, **more: Any) -> Panel:
    return Panel(title, text, shows, unit, "timeseries", 12, **more)


def table(title: str, text: str, shows: Mapping[str, str], unit: Unit) -> Panel:
    return Panel(title, text, shows, unit, "table", 24)
