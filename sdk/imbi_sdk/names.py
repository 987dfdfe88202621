"""Packages that load a name when it is first asked for.

Whoever takes one name of a package pays for the modules behind that name, not for those
behind all the others: a command that looks at Redis needs no graph driver. Beside such an
``__init__.py`` stands ``__init__.pyi``, which tells type checkers the same.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any


def on_demand(
    package: str, homes: Mapping[str, Sequence[str]]
) -> tuple[list[str], Callable[[str], Any]]:
    """What *package* takes for ``__all__`` and ``__getattr__``.

    *homes* names, for each module of the package, what it offers from there.
    """
    home_of = {name: module for module, names in homes.items() for name in names}

    def load(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name)
        found = getattr(import_module(f"{package}.{home_of[name]}"), name)
        # The next one who asks finds it without a detour.
        setattr(sys.modules[package], name, found)
        return found

    return sorted(home_of), load


def load_all(package: ModuleType) -> None:
    """Load now what *package* would load on demand: nobody who comes later waits for it."""
    for name in package.__all__:
        getattr(package, name)
