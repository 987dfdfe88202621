"""Lua scripts as files: read once, run by their SHA, sent whole when Redis has lost them."""

import hashlib
import re
from collections.abc import Sequence
from functools import cached_property
from importlib.resources import files
from typing import Any, Protocol

from redis.exceptions import NoScriptError

_INCLUDE = re.compile(r"^--@include (\w+)$", re.MULTILINE)
_SHARED = "imbi_sdk.queue.scripts"


class Executes(Protocol):
    """What a script needs of a client: redis-py's own call, asyncio flavour."""

    async def execute_command(self, *args: Any, **options: Any) -> Any: ...


class ExecutesBlocking(Protocol):
    """The same of redis-py's blocking flavour."""

    def execute_command(self, *args: Any, **options: Any) -> Any: ...


class Script:
    """The script *name*.lua of *package*, read when it is first run: most commands run none.

    Its includes may also lie with the SDK's scripts.
    """

    def __init__(self, name: str, package: str) -> None:
        self.name = name
        self._package = package

    @cached_property
    def source(self) -> str:
        """The text with its includes."""

        def include(match: re.Match[str]) -> str:
            return _read(match[1], self._package)

        return _INCLUDE.sub(include, _read(self.name, self._package))

    @cached_property
    def sha(self) -> str:
        """By what Redis knows it."""
        return hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, client: Executes, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run the script; errors are redis-py's own."""
        try:
            return await client.execute_command("EVALSHA", self.sha, len(keys), *keys, *args)
        except NoScriptError:
            return await client.execute_command("EVAL", self.source, len(keys), *keys, *args)

    def run_blocking(
        self, client: ExecutesBlocking, keys: Sequence[str], args: Sequence[Any]
    ) -> Any:
        """The same, from a thread."""
        try:
            return client.execute_command("EVALSHA", self.sha, len(keys), *keys, *args)
        except NoScriptError:
            return client.execute_command("EVAL", self.source, len(keys), *keys, *args)


def load_script(name: str, package: str = _SHARED) -> Script:
    """The script *name*.lua of *package*."""
    return Script(name, package)


def _read(name: str, package: str) -> str:
    path = files(package).joinpath(f"{name}.lua")
    if not path.is_file():
        path = files(_SHARED).joinpath(f"{name}.lua")
    return path.read_text(encoding="utf-8")
