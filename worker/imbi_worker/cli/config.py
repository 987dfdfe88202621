"""`imbi-worker config`: the settings this environment gives, and what there is to set."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import typer
from pydantic import BaseModel, SecretStr

from imbi_sdk.attempt import Redactor
from imbi_sdk.attempt.redaction import MASK
from imbi_sdk.settings import ENCRYPTION_KEY, OLD_ENCRYPTION_KEYS
from imbi_worker.cli.options import Json
from imbi_worker.cli.output import OK, Output, plain
from imbi_worker.cli.session import run_here
from imbi_worker.operations.errors import Misconfigured
from imbi_worker.settings import Settings, SettingsError, shown_address, variables_of

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Look at the settings; secrets are masked.",
)
_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
# Read by the SDK, where plugins look for them as well.
_KEYS: Final = {
    ENCRYPTION_KEY: "the Fernet key that credentials are encrypted with",
    OLD_ENCRYPTION_KEYS: "older keys, separated by commas, that only decrypt",
}

# The one secret that is more than a secret: where Redis is must be seen.
_ADDRESSES: Final = ("redis://", "rediss://", "unix://", "valkey://", "valkeys://")

Origin: TypeAlias = Literal["set", "default"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: a secret is masked, and without a value it is empty."""

    variable: str
    value: Any
    origin: Origin
    meaning: str


@app.command("show")
def show(*, as_json: Json = False) -> None:
    """Show every setting, where it comes from, and no secret."""
    output = Output(as_json=as_json)

    def work() -> int:
        try:
            found = tuple(_settings(Settings.load()))
        except SettingsError as error:
            raise Misconfigured(str(error), "See `imbi-worker config schema`.") from None
        if as_json:
            output.records(found)
        else:
            rows = [(one.variable, _text(one.value), one.origin, one.meaning) for one in found]
            output.table(("VARIABLE", "VALUE", "FROM", "MEANING"), rows)
        return OK

    run_here(work, output)


@app.command("schema")
def schema(*, as_json: Json = False) -> None:
    """Print the JSON Schema (draft 2020-12) of the settings, by their variables."""
    output = Output(as_json=as_json)

    def work() -> int:
        found = _schema()
        if as_json:
            output.record(found)
        else:
            output.text(json.dumps(found, indent=2, ensure_ascii=False))
        return OK

    run_here(work, output)


def _settings(settings: Settings) -> Iterator[Setting]:
    redactor = Redactor()
    for name, field in type(settings).model_fields.items():
        value = _shown(getattr(settings, name), redactor)
        origin = _origin(is_set=name in settings.model_fields_set)
        yield Setting(variables_of(name)[0], value, origin, field.description or "")
    for variable, meaning in _KEYS.items():
        is_set = bool(os.environ.get(variable) or os.environ.get(f"{variable}_FILE"))
        yield Setting(variable, MASK if is_set else "", _origin(is_set=is_set), meaning)


def _origin(*, is_set: bool) -> Origin:
    return "set" if is_set else "default"


def _shown(value: Any, redactor: Redactor) -> Any:
    """A value without secrets: of an address not even its login's."""
    match value:
        case SecretStr():
            text = value.get_secret_value()
            return shown_address(text, MASK) if text.startswith(_ADDRESSES) else text and MASK
        case str() | Path():
            text = str(value)
            return redactor.text(shown_address(text, MASK) if "://" in text else text)
        case timedelta():
            return f"{value.total_seconds():g}s"
        case dict() | BaseModel():
            return {str(name): _shown(member, redactor) for name, member in dict(value).items()}
        case list() | tuple():
            return [_shown(member, redactor) for member in value]
        case _:
            return plain(value)


def _text(value: Any) -> str:
    if value is None or (isinstance(value, dict | list) and not value):
        return ""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value)


def _schema() -> dict[str, Any]:
    found = Settings.model_json_schema(by_alias=False)
    named = {
        variables_of(name)[0]: {key: one for key, one in member.items() if key != "title"}
        for name, member in found["properties"].items()
    }
    keys = {name: {"type": "string", "description": text} for name, text in _KEYS.items()}
    return {
        "$schema": _DRAFT,
        "title": "Settings of imbi-worker",
        "type": "object",
        "properties": named | keys,
        "required": [ENCRYPTION_KEY],
        "$defs": found.get("$defs", {}),
    }
