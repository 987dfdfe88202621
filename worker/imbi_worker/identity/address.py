"""Where an API is, and how to prove oneself to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from pydantic import SecretStr
from yarl import URL

from imbi_sdk.errors import ConfigurationError

IMBI_URL: Final = "ACTIONS_IMBI_URL"
IMBI_TOKEN: Final = "ACTIONS_IMBI_TOKEN"  # noqa: S105 - the variable's name, not its value
IMBI_TOKEN_FILE: Final = "ACTIONS_IMBI_TOKEN_FILE"  # noqa: S105 - the variable's name
DEFAULT_IMBI_URL: Final = "http://imbi-api:8000"


@dataclass(frozen=True, slots=True)
class ApiAddress:
    """Where an API is and how to prove oneself to it.

    *url_name* and *token_name* are what errors call the two: the setting that
    an operator has to put right. Errors never show a value.
    """

    url: str
    token: SecretStr
    url_name: str = IMBI_URL
    token_name: str = IMBI_TOKEN

    def __post_init__(self) -> None:
        if not _is_base_url(self.url):
            raise ConfigurationError(
                f"{self.url_name} must be http(s)://host[:port][/path] "
                "without credentials, query or fragment"
            )
        token = self.token.get_secret_value()
        if not token:
            raise ConfigurationError(f"{self.token_name} is not set: without it every call fails")
        if not (token.isascii() and token.isprintable() and " " not in token):
            raise ConfigurationError(
                f"{self.token_name} has spaces or characters no header can carry"
            )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Imbi's own API, as its other services find it.

        A token in a file is read at each call: one that was changed meanwhile counts.
        """
        url = environment.get(IMBI_URL, "").strip() or DEFAULT_IMBI_URL
        token, path = environment.get(IMBI_TOKEN, "").strip(), environment.get(IMBI_TOKEN_FILE)
        if token or not path:
            return cls(url, SecretStr(token))
        return cls(url, _read(path), token_name=IMBI_TOKEN_FILE)


def _read(path: str) -> SecretStr:
    try:
        return SecretStr(Path(path).read_text(encoding="utf-8").strip())
    except OSError as error:
        problem = error.strerror
    except UnicodeDecodeError:
        problem = "it is no UTF-8 text"
    raise ConfigurationError(f"{IMBI_TOKEN_FILE} names a file that cannot be read: {problem}")


def _is_base_url(text: str) -> bool:
    try:
        url = URL(text)
    except ValueError:
        return False
    is_plain = url.user is None and url.password is None
    return (
        url.scheme in {"http", "https"}
        and bool(url.host)
        and is_plain
        and not ("?" in text or "#" in text)
    )
