"""A rule's ``handler_config``: JSON text in, a fresh model instance out."""

import json
import re
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, cast

from pydantic import BaseModel, ValidationError

from imbi_sdk.attempt.describe import where
from imbi_sdk.webhook import ActionDescriptor

_POSITION = re.compile(r"line \d+ column \d+")
_PROBLEMS: Final = 10
# Their texts name what the model expects and nothing of what it got. Every other text
# is checked against the config before it is shown.
_SAFE_KINDS: Final = frozenset(
    {
        "bool_parsing",
        "bool_type",
        "dict_type",
        "enum",
        "extra_forbidden",
        "float_parsing",
        "float_type",
        "int_parsing",
        "int_type",
        "json_pointer",
        "json_pointer_type",
        "list_type",
        "literal_error",
        "missing",
        "model_type",
        "string_pattern_mismatch",
        "string_too_long",
        "string_too_short",
        "string_type",
        "too_long",
        "too_short",
    }
)
# Texts of which any run of this many characters stands in the config are not shown.
_QUOTE: Final = 4
_CHECKED: Final = 65_536


class InvalidConfig(Exception):  # noqa: N818 - a finding about a rule, not a failure of ours
    """Why a config is not valid: fields and reasons, never a value."""


class ConfigValidator:
    """Validates configs, and remembers what is wrong with each text of each handler."""

    def __init__(self, *, entries: int = 1_024, longest: int = _CHECKED) -> None:
        """Remember at most *entries* texts, none of more than *longest* characters."""
        self._entries = entries
        self._longest = longest
        self._refused: OrderedDict[tuple[str, str], tuple[type[BaseModel], str]] = OrderedDict()

    def validate(self, handler: str, descriptor: ActionDescriptor, text: str) -> BaseModel:
        """A new instance at each call: an action may change its own.

        :raises InvalidConfig: the text is no JSON, or the model refuses it
        """
        key = (handler, text)
        known = self._refused.get(key)
        # A reloaded plugin may bring another model under the same handler.
        if known is not None and known[0] is descriptor.config_model:
            self._refused.move_to_end(key)
            raise InvalidConfig(known[1])
        try:
            return validate_config(descriptor, text)
        except InvalidConfig as error:
            if len(text) <= self._longest:
                self._remember(key, (descriptor.config_model, str(error)))
            raise

    def _remember(self, key: tuple[str, str], refusal: tuple[type[BaseModel], str]) -> None:
        self._refused[key] = refusal
        self._refused.move_to_end(key)
        if len(self._refused) > self._entries:
            self._refused.popitem(last=False)


def validate_config(descriptor: ActionDescriptor, text: str) -> BaseModel:
    """Validate *text* against the action's config model, remembering nothing.

    :raises InvalidConfig: the text is no JSON, or the model refuses it
    """
    try:
        return descriptor.config_model.model_validate_json(text.encode())
    except UnicodeEncodeError:
        problem = "no JSON: it has a lone surrogate, which no UTF-8 text can have"
    except ValidationError as error:
        problem = _problems(error, text)
    # A validator is the plugin's code: whatever it raises is the config's verdict and
    # ends no worker.
    except (Exception, SystemExit, KeyboardInterrupt, GeneratorExit) as error:  # noqa: BLE001 - see above
        problem = f"the config model raised {type(error).__name__}"
    raise InvalidConfig(problem)


def _problems(error: ValidationError, text: str) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        position = _POSITION.search(found[0]["msg"])
        return f"no JSON: {position[0] if position else 'position unknown'}"
    values = _Values(text)
    shown = [
        f"{where(item['loc'])}: {_reason(item['type'], item['msg'], values)}"
        for item in found[:_PROBLEMS]
    ]
    if len(found) > _PROBLEMS:
        shown.append(f"and {len(found) - _PROBLEMS} more")
    return "; ".join(shown)


def _reason(kind: str, message: str, values: "_Values") -> str:
    if kind in _SAFE_KINDS or not values.stand_in(message):
        return message
    return f"refused ({kind}); the reason quotes the input and is not shown"


class _Values:
    """The scalars of a config, to find out whether a message quotes one of them."""

    def __init__(self, text: str) -> None:
        self._is_checkable = len(text) <= _CHECKED
        found = [value.casefold() for value in _scalars(text)] if self._is_checkable else []
        self._short = {value for value in found if len(value) < _QUOTE}
        self._runs = {run for value in found for run in _runs(value)}

    def stand_in(self, message: str) -> bool:
        if not self._is_checkable:
            return True
        folded = message.casefold()
        words = set(re.findall(r"\w+", folded))
        return bool(words & self._short) or any(run in self._runs for run in _runs(folded))


def _runs(text: str) -> Iterator[str]:
    return (text[start : start + _QUOTE] for start in range(len(text) - _QUOTE + 1))


def _scalars(text: str) -> Iterator[str]:
    pending: list[object] = [json.loads(text)]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending.extend(cast("dict[str, object]", item).values())
        elif isinstance(item, list):
            pending.extend(cast("list[object]", item))
        elif item is not None and not isinstance(item, bool):
            yield str(item)
