"""Tables, names with values, wrapped sentences, colours: drawn with rich, loaded on use.

Whoever writes a sentence or JSON does not wait for rich.
"""

from imbi_sdk.names import on_demand

__all__, __getattr__ = on_demand(__name__, {"canvas": ("Canvas",)})
