"""Finding plugins: what the entry points and the host name, imported and judged in time.

An import can hang or end the process, and neither may happen to the host: each
candidate is imported in a thread of its own, and one that takes too long is
left behind there. Python cannot end it; the thread dies with the process.
"""

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import copy_context
from datetime import timedelta
from functools import partial
from importlib import metadata
from threading import Thread
from typing import Any, Final, NamedTuple, TypeAlias

from imbi_sdk.admission import Admitted, Refused, Unsupported, examine

Judgement: TypeAlias = Admitted | Refused | Unsupported

_LOGGER = logging.getLogger("imbi_common.plugins.registry")
_ENTRY_POINT_GROUP: Final = "imbi.plugins"
# The imports left behind: a module that one of them holds is never waited for again.
_left_behind: list[Thread] = []


class Candidate(NamedTuple):
    """What may be a plugin; *module* is what has to be imported for it."""

    name: str
    load: Callable[[], Any]
    package_name: str
    package_version: str
    module: str = ""
    is_builtin: bool = False


def installed() -> Iterator[Candidate]:
    """The candidates of the installed distributions."""
    for point in metadata.entry_points(group=_ENTRY_POINT_GROUP):
        name = point.dist.name if point.dist else None
        version = point.dist.version if point.dist else None
        # Not ``point.module``: it raises for a value that is no object reference.
        module = point.value.partition(":")[0].strip()
        yield Candidate(point.name, point.load, name or "unknown", version or "unknown", module)


def built_in(builtins: Mapping[str, type] | Sequence[type]) -> Iterator[Candidate]:
    """The candidates that the host brings itself, as classes."""
    named = builtins if isinstance(builtins, Mapping) else {_slug(cls): cls for cls in builtins}
    for name, cls in named.items():
        package = cls.__module__.partition(".")[0]
        version = _version(package)
        yield Candidate(
            name, partial(_given, cls), package.replace("_", "-"), version, is_builtin=True
        )


def judge(candidate: Candidate, within: timedelta | None) -> Judgement:
    """Import a candidate and look at it. Raises nothing that comes from the plugin.

    Without *within* this happens in the calling thread, and takes what it takes.
    """
    if within is None:
        return _judged(candidate)
    _left_behind[:] = [thread for thread in _left_behind if thread.is_alive()]
    held = _held_module(candidate.module) if _left_behind else None
    if held:
        return Refused(f"the import of {held} began earlier and has not ended; mend it and restart")
    found: list[Judgement] = []
    context = copy_context()
    thread = Thread(
        target=lambda: found.append(context.run(_judged_anyhow, candidate)),
        name=f"import of plugin {candidate.name}",
        daemon=True,
    )
    thread.start()
    thread.join(within.total_seconds())
    if found:
        return found[0]
    _left_behind.append(thread)
    return Refused(
        f"it did not import within {within.total_seconds():g} s; "
        "a plugin must not connect to anything or wait while it is imported"
    )


def _judged(candidate: Candidate) -> Judgement:
    try:
        return examine(candidate.name, candidate.load())
    except SystemExit as error:
        return Refused(f"its import called sys.exit({error.code!r})")
    except Exception as error:
        _LOGGER.exception("Failed to load plugin %r", candidate.name)
        return Refused(_text(error))


def _judged_anyhow(candidate: Candidate) -> Judgement:
    try:
        return _judged(candidate)
    except BaseException as error:  # noqa: BLE001 - a Ctrl-C goes to the main thread: this is the plugin's
        return Refused(_text(error))


def _text(error: BaseException) -> str:
    try:
        return str(error) or type(error).__name__
    except Exception:  # noqa: BLE001 - a plugin's broken __str__ must keep no other from loading
        return f"{type(error).__name__} (its text cannot be shown: __str__ raised)"


def _held_module(module: str) -> str | None:
    """The module, or the package around it, whose import has begun and not ended."""
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        name = ".".join(parts[:end])
        spec = getattr(sys.modules.get(name), "__spec__", None)
        if getattr(spec, "_initializing", False):  # CPython's own mark, 3.3 to 3.14
            return name
    return None


def _given(cls: type) -> type:
    return cls


def _slug(cls: type) -> str:
    return getattr(getattr(cls, "manifest", None), "slug", cls.__name__)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"
