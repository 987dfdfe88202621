"""What an expression of PromQL names, held against what the code exports."""

from collections.abc import Iterator, Mapping

import promql_parser as promql
from exported import OPEN

# What Prometheus itself puts on every series it scrapes.
SCRAPED = frozenset({"namespace", "job", "instance", "pod"})
_EXACT = (promql.MatchOp.Equal, promql.MatchOp.NotEqual)


def selectors(expression: str) -> list[promql.VectorSelector]:
    """Every series that *expression* asks for; raises ValueError when it is no PromQL."""
    found: list[promql.VectorSelector] = []
    promql.walk(
        promql.parse(expression),
        lambda node: found.append(node) if isinstance(node, promql.VectorSelector) else None,
    )
    return found


def grouping(expression: str) -> set[str]:
    """The labels that *expression* groups, joins and keeps series by."""
    found: set[str] = set()

    def look(node: promql.Expr) -> None:
        if isinstance(node, promql.AggregateExpr) and node.modifier:
            found.update(node.modifier.labels)
        if isinstance(node, promql.BinaryExpr) and node.modifier:
            found.update(node.modifier.matching.labels if node.modifier.matching else [])
            found.update(node.modifier.group_labels or [])

    promql.walk(promql.parse(expression), look)
    return found


def unknown(expression: str, exported: Mapping[str, Mapping[str, frozenset[str]]]) -> Iterator[str]:
    """Each metric, label and value of *expression* that the code does not export."""
    labels = set(SCRAPED)
    for selector in selectors(expression):
        series = exported.get(selector.name or "")
        if series is None:
            yield f"metric {selector.name}"
            continue
        labels |= set(series)
        for matcher in selector.matchers.matchers:
            if matcher.name not in SCRAPED | set(series):
                yield f"label {matcher.name} of {selector.name}"
            elif matcher.name not in SCRAPED | OPEN:
                exact = matcher.op in _EXACT
                wanted = {matcher.value} if exact else set(matcher.value.split("|"))
                for value in sorted(wanted - series[matcher.name]):
                    yield f"{matcher.name}={value} of {selector.name}"
    yield from (f"label {name}" for name in sorted(grouping(expression) - labels))
