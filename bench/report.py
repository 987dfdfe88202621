"""The figures on the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

_MARKS = {True: "[green]met[/]", False: "[red]not met[/]", None: ""}


def show(results: Mapping[str, Mapping[str, Any]]) -> None:
    promised = Table("figure", "measured", "must", "goal", "", title="What was promised")
    told = Table("figure", "measured", title="Beside us")
    for table in (promised, told):
        for column in table.columns[1:]:
            column.justify = "right"
    for name, figure in results.items():
        measured = f"{_number(figure['value'])} {figure['unit']}"
        if figure["must"] is None:
            told.add_row(name, measured)
            continue
        unit = f" {figure['unit']}"
        if figure["peer"] is not None:
            unit = "x"
            measured += f", {figure['ratio']:g}x {figure['peer']}"
        goal = "" if figure["goal"] is None else f"{_number(figure['goal'])}{unit}"
        promised.add_row(
            name, measured, f"{_number(figure['must'])}{unit}", goal, _MARKS[figure["met"]]
        )
    console = Console()
    console.print(promised)
    console.print(told)
    missed = [name for name, figure in results.items() if figure["met"] is False]
    console.print(f"not met: {', '.join(missed)}" if missed else "every must is met")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:g}"  # noqa: PLR2004 - three digits tell enough
