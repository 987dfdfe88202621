"""Tables, names with values, sentences: drawn with rich on a terminal, written into a pipe.

Loaded on use: whoever writes a sentence, JSON or into a pipe does not wait for rich.
"""

from imbi_sdk.names import on_demand

__all__, __getattr__ = on_demand(
    __name__,
    {
        "bars": ("progress",),
        "canvas": ("Canvas",),
        "sentences": ("filled",),
        "sheet": ("Sheet",),
    },
)
