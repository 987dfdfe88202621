"""The handler reference of a rule: ``<plugin_slug>#<action_name>``."""

import re
from functools import lru_cache

_HANDLER = re.compile(r"([a-z][a-z0-9-]*)#([a-z][a-z0-9_]*)")
_SHOWN = 80


# Asked several times for each job; there are as many handlers as rules name.
@lru_cache(maxsize=4096)
def parse_handler(text: str) -> tuple[str, str]:
    """Split a handler into plugin slug and action name.

    :raises ValueError: the whole text does not match; a last newline is one character too many
    """
    found = _HANDLER.fullmatch(text)
    if found is None:
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        raise ValueError(
            f"{shown!r} is no handler: write <plugin-slug>#<action_name>, the slug in lower case "
            "letters, digits and '-', the action in lower case letters, digits and '_', "
            "each beginning with a letter"
        )
    return found[1], found[2]
