"""Configs and events as an operator may see them."""

from collections.abc import Mapping
from typing import Any

from imbi_sdk.attempt import Redactor
from imbi_sdk.attempt.redaction import MASK

_PROBE = "0123456789"
# Longer texts are cut: nobody reads them in a terminal, and each costs a search.
_LONGEST = 100_000


def redacted(value: Any, redactor: Redactor) -> Any:
    """A copy of a JSON value without secrets.

    Texts lose credentials in use and all shapes of tokens; below a name that speaks of
    a secret (``token``, ``password``, ``api_key``) every text and number is masked.
    """
    if isinstance(value, Mapping):
        return {
            redactor.text(str(name)): _masked(member)
            if _is_secret(str(name), redactor)
            else redacted(member, redactor)
            for name, member in value.items()
        }
    if isinstance(value, list):
        return [redacted(member, redactor) for member in value]
    if isinstance(value, str):
        return redactor.text(value, limit=_LONGEST)
    return value


def _is_secret(name: str, redactor: Redactor) -> bool:
    """Whether the redactor would mask the value behind *name*."""
    return _PROBE not in redactor.text(f"{name}={_PROBE}")


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _masked(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_masked(member) for member in value]
    return value if value is None or isinstance(value, bool) else MASK
