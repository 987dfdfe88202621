"""How much the tests of very much do: a part of it in `make test`, all of it with FULL=1."""

import os


def scaled(full: int, short: int) -> int:
    return full if os.environ.get("FULL") == "1" else short
