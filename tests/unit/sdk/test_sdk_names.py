"""Packages that load a name when it is first asked for."""

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

PACKAGES = (
    "imbi_sdk",
    "imbi_sdk.attempt",
    "imbi_sdk.queue",
    "imbi_worker.builtin",
    "imbi_worker.builtin.cel",
    "imbi_worker.dispatch",
    "imbi_worker.embedded",
    "imbi_worker.graph",
    "imbi_worker.identity",
    "imbi_worker.observability",
    "imbi_worker.queue",
    "imbi_worker.queue.inspection",
)


def imports_of(stub: Path) -> dict[str, str]:
    """Each name a stub imports, and the module it says to have it from."""
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    return {
        name.asname or name.name: node.module or ""
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_the_stub_tells_type_checkers_what_there_is(package: str) -> None:
    """The same names from the same modules, no more and no fewer."""
    module = import_module(package)
    told = imports_of(Path(inspect.getfile(module)).with_suffix(".pyi"))
    assert sorted(told) == sorted(module.__all__)
    for name, home in told.items():
        assert getattr(module, name) is getattr(import_module(home), name)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_name_that_is_not_there_is_an_attribute_error(package: str) -> None:
    """As in any other package, so that `from package import submodule` works."""
    with pytest.raises(AttributeError, match="nonsense"):
        getattr(import_module(package), "nonsense")  # noqa: B009 - mypy would see that it is not there


def test_a_package_alone_loads_none_of_its_modules() -> None:
    """Who asks for nothing pays for nothing."""
    script = (
        "import importlib, sys\n"
        f"for name in {PACKAGES!r}: importlib.import_module(name)\n"
        "heavy = {'pydantic', 'redis', 'neo4j', 'aiohttp', 'structlog'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(  # noqa: S603 - a script of our own
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"
