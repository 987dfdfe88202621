"""CEL, the language of rules' expressions, evaluated within bounds.

Rules are data: whoever may write one must not be able to stop the worker with it. By
itself cel-python 0.5 evaluates for as long as it takes, multiplies texts as Python does
and shows the event in its errors. Here an expression has a longest source, a deepest
nesting, a time and a size, and errors name places of the expression only.
"""

from imbi_sdk.names import on_demand

__all__, __getattr__ = on_demand(
    __name__, {"expression": ("evaluate",), "program": ("make_parser",)}
)
