"""W3C ``tracestate``: what tracing systems add to a ``traceparent``, bounded.

It decides nothing about a job, so a malformed one is dropped and no job is refused for it.
"""

import re
from typing import Final

# https://www.w3.org/TR/trace-context/: what everybody passes on at least, and how many members.
LIMIT: Final = 512
_MOST: Final = 32
_KEY: Final = r"[a-z0-9][_0-9a-z\-*/]{0,240}@[a-z][_0-9a-z\-*/]{0,13}|[a-z0-9][_0-9a-z\-*/]{0,255}"
_VALUE: Final = r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_MEMBER: Final = re.compile(rf"({_KEY})={_VALUE}")


def bounded(text: object) -> str | None:
    """*text* in at most 512 characters, the last members left out; None if it is malformed."""
    if not isinstance(text, str):
        return None
    members = [member for one in text.split(",") if (member := one.strip(" \t"))]
    keys = [found[1] for member in members if (found := _MEMBER.fullmatch(member))]
    if not keys or len(keys) < len(members) or len(set(keys)) < len(keys) or len(keys) > _MOST:
        return None
    while members and len(",".join(members)) > LIMIT:
        members.pop()
    return ",".join(members) or None
