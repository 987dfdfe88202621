from imbi_worker.builtin.cel.expression import (
    evaluate,
)
from imbi_worker.builtin.cel.program import (
    make_parser,
)

__all__ = [
    "evaluate",
    "make_parser",
]
