"""What of a setting must show in no output."""

from collections.abc import Iterator
from urllib.parse import parse_qs, unquote, urlsplit


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
