"""What of a setting must show in no output."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import SplitResult, parse_qs, parse_qsl, unquote, urlencode, urlsplit

# The options of an address of Redis that hold no secret; any other may.
_HARMLESS: Final = frozenset(
    (
        *("db", "protocol", "client_name", "max_connections", "health_check_interval"),
        *("socket_timeout", "socket_connect_timeout", "socket_keepalive", "retry_on_timeout"),
        *("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname"),
        *("ssl_min_version", "virtual_host"),
    )
)


def secrets_of(text: str) -> Iterator[str]:
    """*text* and each member of its list; of an address the passwords alone, quoted and not."""
    if "://" not in text:
        yield text
        yield from (part.strip() for part in text.split(","))
        return
    address = urlsplit(text)
    for password in (address.password or "", *parse_qs(address.query).get("password", ())):
        yield password
        yield unquote(password)


def shown_address(text: str, mask: str) -> str:
    """An address with *mask* in place of its secrets; *mask* alone when it cannot be taken apart.

    A ``/``, ``#`` or ``?`` that a password has unescaped would leave a piece of it among the rest.
    """
    address = _taken_apart(text)
    if address is None:
        return mask
    login, at, host = address.netloc.rpartition("@")
    # Without a colon it may be a user, or a password in the wrong place.
    user, colon, _ = login.partition(":")
    shown = f"{user}:{mask}" if colon else mask if login else ""
    options = [
        (name, value if name in _HARMLESS or not value else mask)
        for name, value in parse_qsl(address.query, keep_blank_values=True)
    ]
    query = f"?{urlencode(options, safe='/*')}" if options else ""
    return f"{address.scheme}://{shown}{at}{host}{address.path}{query}"


def _taken_apart(text: str) -> SplitResult | None:
    try:
        address = urlsplit(text)
        _ = address.port
    except ValueError:
        return None
    rest = f"{address.path}{address.query}"
    is_whole = "://" in text and not address.fragment and "#" not in text and "@" not in rest
    return address if is_whole else None
