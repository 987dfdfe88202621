"""Groups of dead letters as rows of a table."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Final

from imbi_worker.cli.output import Cell, counted, one_line
from imbi_worker.operations.dead_groups import DeadGroup, cause

GROUP_HEADERS = ("COUNT", "GROUP", "HANDLER", "ERROR", "FIRST", "LAST", "HINT")
_LONGEST_ERROR: Final = 60
# Of what errors have in common as much is shown as tells that something stood there.
_LONGEST_BEGINNING: Final = 20


def group_rows(groups: Sequence[DeadGroup]) -> list[tuple[Cell, ...]]:
    return [
        (f"{one.count:,}", one.id, one.handler, error, one.first, one.last, one.hint)
        for one, error in zip(groups, _told_apart(groups), strict=True)
    ]


def dead_total(groups: Sequence[DeadGroup]) -> str:
    """The last line of a list of groups."""
    total = sum(group.count for group in groups)
    hint = f"imbi-worker dead replay --group {groups[0].id} --dry-run"
    return f"{counted(total, 'dead letter')} in {counted(len(groups), 'group')}. Replay one: {hint}"


def _told_apart(groups: Sequence[DeadGroup]) -> Iterator[str]:
    """Their errors, short; those of one handler that begin alike from where they differ."""
    named = [(one.handler, one_line(cause(one))) for one in groups]
    alike: dict[tuple[str, str], list[list[str]]] = defaultdict(list)
    for handler, error in named:
        alike[handler, _cut(error, _LONGEST_ERROR)].append(error.split())
    in_common = {key: _in_common(texts) for key, texts in alike.items() if len(texts) > 1}
    for handler, error in named:
        short = _cut(error, _LONGEST_ERROR)
        # One that is like no other has nothing to be told apart by.
        rest = " ".join(error.split()[in_common.get((handler, short), len(error)) :])
        if rest:
            short = f"{_cut(error, _LONGEST_BEGINNING)} {_cut(rest, _LONGEST_ERROR)}"
        yield short


def _in_common(texts: Sequence[Sequence[str]]) -> int:
    """With how many of the same words they begin."""
    return sum(1 for _ in takewhile(lambda words: len(set(words)) == 1, zip(*texts, strict=False)))


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}…"
