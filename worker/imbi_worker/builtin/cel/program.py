"""An expression, compiled once and evaluated any number of times."""

from collections.abc import Mapping
from typing import Any, Final

import lark
from celpy.celparser import CELParseError, CELParser
from celpy.evaluation import Activation, CELEvalError, Evaluator

from imbi_worker.builtin.cel.budget import Budget, TooCostly
from imbi_worker.builtin.cel.functions import Functions
from imbi_worker.builtin.cel.values import wrapped

LONGEST_SOURCE: Final = 4096
DEEPEST: Final = 120
SECONDS: Final = 0.5

# Rules of the grammar that mean nothing when they have one part.
_STEPS: Final = frozenset(
    (
        "expr",
        "conditionalor",
        "conditionaland",
        "relation",
        "addition",
        "multiplication",
        "unary",
        "member",
    )
)
_WHY: Final = {
    KeyError: "something it names is not there",
    NameError: "something it names is not there",
    TypeError: "a value is of a type that does not fit",
    AttributeError: "a value is of a type that does not fit",
    ValueError: "a value is out of range or malformed",
    OverflowError: "a value is out of range or malformed",
    IndexError: "an index is beyond the end",
    ZeroDivisionError: "it divides by zero",
    RecursionError: "it compares values that nest too deep",
}


class CelError(Exception):
    """What is wrong with an expression, in words that quote no event."""


class Program:
    """A compiled expression. Threads may share it."""

    def __init__(self, source: str) -> None:
        """:raises CelError: it is too long, no CEL or nests too deep"""
        if len(source) > LONGEST_SOURCE:
            raise CelError(f"it is longer than {LONGEST_SOURCE} characters")
        self._tree = _parsed(source)
        if _depth(self._tree) > DEEPEST:
            raise CelError(f"it nests deeper than {DEEPEST} levels")

    def evaluate(self, event: Mapping[str, Any], *, seconds: float = SECONDS) -> Any:
        """The value that *event* gives.

        :raises CelError: it cannot be evaluated
        :raises TooCostly: it needs more time or memory than it may
        """
        budget = Budget(seconds)
        activation = Activation(functions=Functions(budget).table())
        try:
            names = {name: wrapped(value, budget) for name, value in event.items()}
            return _Evaluation(self._tree, activation, budget).evaluate(names)
        except CELEvalError as error:
            problem = _explained(error)
        except TooCostly:
            raise
        except Exception as error:  # noqa: BLE001 - what cel-python lets through, be it what it may
            problem = _why(type(error))
        # Out here, with no context: cel-python's errors quote the event.
        raise CelError(problem)


class _Evaluation(Evaluator):
    """cel-python's evaluator, which counts its steps."""

    def __init__(self, tree: lark.Tree[Any], activation: Activation, budget: Budget) -> None:
        super().__init__(tree, activation)
        self._budget = budget

    def sub_evaluator(self, ast: lark.Tree[Any]) -> Evaluator:
        return _Evaluation(ast, self.activation, self._budget)

    def visit_children(self, tree: lark.Tree[Any]) -> list[Any]:
        self._budget.spend()
        return super().visit_children(tree)


def make_parser() -> None:
    """Make cel-python's parser, which is made once: 0.1 s that the first expression would take."""
    CELParser()


def _explained(error: CELEvalError) -> str:
    kind = error.args[1] if len(error.args) > 1 else None
    why = _why(kind)
    member = error.tree
    if member is not None and member.data == "member_dot" and kind is KeyError:
        # A word of the expression itself.
        why = f"there is no field {str(member.children[1])!r}"
    return f"{why} (line {error.line}, column {error.column})" if error.line else why


def _why(kind: Any) -> str:
    return _WHY.get(kind, "it cannot be evaluated")


def _parsed(source: str) -> lark.Tree[Any]:
    try:
        return _without_steps(CELParser().parse(source))
    except CELParseError as error:
        place = f"line {error.line}, column {error.column}"
    raise CelError(f"it is no CEL: it goes wrong at {place}")


def _without_steps(tree: lark.Tree[Any]) -> lark.Tree[Any]:
    """Take out the nodes of one part, nine of ten: less to walk, and less deep."""
    root = lark.Tree("root", [tree])
    for node in root.iter_subtrees():
        node.children = [_inner(child) for child in node.children]
    (inner,) = root.children
    return inner


def _inner(node: Any) -> Any:
    while isinstance(node, lark.Tree) and node.data in _STEPS and len(node.children) == 1:
        node = node.children[0]
    return node


def _depth(tree: lark.Tree[Any]) -> int:
    depth, level = 0, [tree]
    while level:
        depth += 1
        level = [child for node in level for child in node.children if isinstance(child, lark.Tree)]
    return depth
