"""The environment around the settings: names that are none, secrets in files, what is wrong.

*variables* maps each setting to the environment variables that set it, the first preferred.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError

PREFIX: Final = "IMBI_WORKER_"
# Read by the SDK, where plugins look for it as well.
ELSEWHERE: Final = frozenset({"IMBI_WORKER_OLD_ENCRYPTION_KEYS"})
# What may stand in a file.
SECRETS: Final = frozenset(
    {
        "REDIS_URL",
        "VALKEY_URL",
        "NEO4J_PASSWORD",
        "IMBI_WORKER_SIGNING_KEY",
        "ACTIONS_IMBI_TOKEN",
        "IMBI_WORKER_DASHBOARD_TOKENS",
    }
)


class SettingsError(Exception):
    """A setting is missing or wrong; one line for each, naming variable and remedy."""


def refuse_unknown(environ: Mapping[str, str], variables: Mapping[str, tuple[str, ...]]) -> None:
    """Nothing, when every ``IMBI_WORKER_*`` in *environ* is one of *variables*.

    :raises SettingsError: naming the first that is not, and the nearest one that is
    """
    known = ELSEWHERE.union(*variables.values(), (f"{name}_FILE" for name in SECRETS))
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1)
            hint = f": did you mean {near[0]}?" if near else ""
            raise SettingsError(f"{name} is no setting of imbi-worker{hint}")


def from_files(
    environ: Mapping[str, str], variables: Mapping[str, tuple[str, ...]]
) -> dict[str, str]:
    """The settings whose secret stands in the file that ``NAME_FILE`` names.

    :raises SettingsError: a file cannot be read, or the variable is set beside it
    """
    values: dict[str, str] = {}
    for setting, names in variables.items():
        for name in names:
            path = environ.get(f"{name}_FILE") if name in SECRETS else None
            if path and environ.get(name):
                raise SettingsError(f"{name} and {name}_FILE are both set: keep one of them")
            # An empty file sets as little as an empty variable.
            if path and (text := _read(name, path)):
                values[setting] = text
    return values


def explain(error: ValidationError, variables: Mapping[str, tuple[str, ...]]) -> str:
    """A line for each variable that is wrong, never with its value."""
    lines: list[str] = []
    for item in error.errors(include_input=False, include_url=False, include_context=False):
        setting = str(item["loc"][0])
        name = variables[setting][0] if setting in variables else setting
        where = "".join(f"[{part}]" for part in item["loc"][1:])
        lines.append(f"{name}{where}: {item['msg'].removeprefix('Value error, ')}")
    return "\n".join(lines)


def _read(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        text = f"{name}_FILE names {path!r}, which cannot be read: {reason}"
        raise SettingsError(text) from None
