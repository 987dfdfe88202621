"""What keeps a command's start short: an operator waits for every one of them."""

import atexit
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Final

# redis-py 5.3 imports PyJWT, and with it half of cryptography, for tokens of Entra ID alone.
_RARELY_USED: Final = ("jwt",)
_PYDANTIC_PLUGINS: Final = "PYDANTIC_DISABLE_PLUGINS"


def put_off_collecting() -> None:
    """Look for garbage neither now, where nothing imported is any, nor at the very end.

    The memory then goes with the process: going through all of it takes 20 ms.
    """
    gc.disable()
    atexit.register(gc.freeze)


@contextmanager
def short_start(*, is_brief: bool) -> Iterator[None]:
    """Import what a command needs within this; from then on garbage is collected.

    What lives for a second only (*is_brief*) loads rarely used libraries when they are first
    used, and asks no installed package whether it is a plugin of pydantic's.
    """
    if not is_brief:
        gc.enable()
        yield
        return
    for name in _RARELY_USED:
        _import_on_use(name)
    told = os.environ.get(_PYDANTIC_PLUGINS)
    gc.disable()
    os.environ[_PYDANTIC_PLUGINS] = "__all__"
    try:
        yield
    finally:
        gc.enable()
        os.environ.pop(_PYDANTIC_PLUGINS)
        if told is not None:
            os.environ[_PYDANTIC_PLUGINS] = told


class _StandIn(ModuleType):
    """A module that is imported once somebody asks for what is in it.

    Not ``importlib.util.LazyLoader``: under Python 3.11 the next ``import`` loads its module.
    """

    def __getattr__(self, attribute: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), attribute)


def _import_on_use(name: str) -> None:
    """A library that is not installed, or loaded already, stays as it is."""
    spec = None if name in sys.modules else find_spec(name)
    if spec is None:
        return
    module = _StandIn(name)
    module.__spec__ = spec
    sys.modules[name] = module
