"""How an action is called, and a shorter way to declare one."""

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, TypeAlias, TypeVar, get_type_hints

from pydantic import BaseModel

from imbi_sdk.webhook import ActionDescriptor

CallableKind: TypeAlias = Literal["event", "payload", "kwargs"]
_Function = TypeVar("_Function", bound=Callable[..., Any])
_ALWAYS = ("ctx", "credentials", "external_identifier", "action_config")
_DECLARATION = "__imbi_action__"


@dataclass(frozen=True, slots=True)
class UnfitCallable:
    """Why an action cannot be called, in words for its author."""

    kind: Literal["no coroutine function", "bad signature"]
    text: str


def callable_kind(descriptor: ActionDescriptor) -> CallableKind | UnfitCallable:
    """Which keyword the action takes beside the four that never change.

    ``event`` gets the event context, ``payload`` (of plugins before Imbi 2.10)
    the raw body; ``kwargs`` stands for ``**kwargs`` and is given ``event``.
    Decided from the signature alone: nothing is called.
    """
    function = descriptor.callable
    if not any(_is_coroutine_function(layer) for layer in _layers(function)):
        return UnfitCallable(
            "no coroutine function",
            f"{_name(function)} is no coroutine function; declare it with 'async def'",
        )
    for layer in _layers(function):
        verdict = _fit(layer)
        if verdict != "kwargs":
            return verdict if verdict in ("event", "payload") else _unfit(function, layer)
    return "kwargs"


def _layers(function: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """The callable itself, then what its decorators say they wrap, inwards."""
    seen: set[int] = set()
    layer: Any = function
    while callable(layer) and id(layer) not in seen:
        seen.add(id(layer))
        yield layer
        inner = layer.func if isinstance(layer, functools.partial) else layer
        layer = getattr(inner, "__wrapped__", None)


def _is_coroutine_function(function: Any) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.iscoroutinefunction(function):
        return True
    return not isinstance(function, type) and inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - asked what it is, not whether it is
    )


def _fit(function: Callable[..., Any]) -> CallableKind | None:
    """How this layer takes the call, or None when it would refuse it."""
    try:
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        return None
    parameters = signature.parameters
    kinds: tuple[CallableKind, ...] = tuple(k for k in ("event", "payload") if k in parameters)
    if not kinds and any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        kinds = ("kwargs",)
    for kind in kinds:
        keyword = "event" if kind == "kwargs" else kind
        try:
            signature.bind(**dict.fromkeys((*_ALWAYS, keyword)))
        except TypeError:
            continue
        return kind
    return None


def _unfit(function: Callable[..., Any], layer: Callable[..., Any]) -> UnfitCallable:
    try:
        found = str(inspect.signature(layer, follow_wrapped=False))
    except (TypeError, ValueError):
        found = "(a signature that cannot be read)"
    wanted = f"(*, {', '.join(_ALWAYS)}, event)"
    return UnfitCallable(
        "bad signature", f"{_name(function)} takes {found}; an action is called with {wanted}"
    )


def _name(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    module = getattr(function, "__module__", None) or type(function).__module__
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"{module}:{name}"


@dataclass(frozen=True, slots=True)
class _Declaration:
    fields: dict[str, Any] = field(repr=False)


def action(
    *,
    name: str | None = None,
    label: str | None = None,
    description: str | None = None,
    config_model: type[BaseModel] | None = None,
    timeout: timedelta | float | None = None,
    max_attempts: int | None = None,
    retry: Sequence[timedelta | float] | None = None,
    idempotent: bool = True,
    idempotent_when: Callable[[Any], bool] | None = None,
) -> Callable[[_Function], _Function]:
    """Declare a function as an action; ``catalogue`` makes its descriptor.

    The function stays what it is. What is not said here is read from it: the
    name, the label and the description from its docstring, the config model
    from the annotation of ``action_config``::

        @action(timeout=30)
        async def close_ticket(*, ctx, credentials, external_identifier,
                               action_config: CloseTicket, event) -> None:
            \"\"\"Close the ticket.\"\"\"

        class Tickets(WebhookActionPlugin):
            manifest = PluginManifest(slug="tickets", name="Tickets", plugin_type="webhook")

            @classmethod
            def actions(cls) -> list[ActionDescriptor]:
                return catalogue(close_ticket)
    """
    said = {
        "name": name,
        "label": label,
        "description": description,
        "config_model": config_model,
        "timeout": timeout,
        "max_attempts": max_attempts,
        "retry": retry,
        "idempotent": idempotent,
        "idempotent_when": idempotent_when,
    }

    def declare(function: _Function) -> _Function:
        setattr(function, _DECLARATION, _Declaration(said))
        return function

    return declare


def catalogue(*functions: Callable[..., Any]) -> list[ActionDescriptor]:
    """A new list with the descriptor of each declared function.

    :raises TypeError: a function is not declared, or says no config model
    :raises ValidationError: what is declared makes no descriptor, e.g. a name in capitals
    """
    return [_described(function) for function in functions]


def _described(function: Callable[..., Any]) -> ActionDescriptor:
    declaration = getattr(function, _DECLARATION, None)
    if not isinstance(declaration, _Declaration):
        raise TypeError(f"{_name(function)} is no declared action; decorate it with @action()")
    summary, _, details = (inspect.getdoc(function) or "").partition("\n")
    name = declaration.fields["name"] or getattr(function, "__name__", "")
    read: dict[str, Any] = {
        "name": name,
        "label": summary.strip().rstrip(".") or name.replace("_", " ").capitalize(),
        "description": details.strip() or None,
        "callable": function,
    }
    said = {key: value for key, value in declaration.fields.items() if value is not None}
    if "config_model" not in said:
        said["config_model"] = _config_model(function)
    return ActionDescriptor.model_validate(read | said)


def _config_model(function: Callable[..., Any]) -> type[BaseModel]:
    # Read late: the annotation may name a model that stands below the function.
    found = get_type_hints(function).get("action_config")
    if isinstance(found, type) and issubclass(found, BaseModel):
        return found
    raise TypeError(
        f"{_name(function)} does not say which config it takes; annotate 'action_config' "
        "with a pydantic model, or pass config_model= to @action()"
    )
