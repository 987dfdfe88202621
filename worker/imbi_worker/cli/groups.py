"""Groups of dead letters as rows of a table."""

from collections.abc import Sequence

from imbi_worker.cli.output import Cell, counted, one_line
from imbi_worker.operations.dead_groups import DeadGroup

GROUP_HEADERS = ("COUNT", "GROUP", "HANDLER", "ERROR", "FIRST", "LAST", "HINT")
_LONGEST_ERROR = 60


def group_row(group: DeadGroup) -> tuple[Cell, ...]:
    error = one_line(group.error or group.reason)
    short = error if len(error) <= _LONGEST_ERROR else f"{error[:_LONGEST_ERROR]}…"
    count = f"{group.count:,}"
    return (
        *(count, group.id, group.handler, short),
        *(group.first, group.last, group.hint),
    )


def dead_total(groups: Sequence[DeadGroup]) -> str:
    """The last line of a list of groups."""
    total = sum(group.count for group in groups)
    hint = f"imbi-worker dead replay --group {groups[0].id} --dry-run"
    return f"{counted(total, 'dead letter')} in {counted(len(groups), 'group')}. Replay one: {hint}"
