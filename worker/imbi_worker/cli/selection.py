"""Which jobs a command is for: ids, or terms of the filter language, beside its options."""

from collections.abc import Sequence
from dataclasses import dataclass

from imbi_worker.operations.errors import InvalidInput
from imbi_worker.operations.filters import is_filter, merged, parse_filter
from imbi_worker.queue.inspection.job_filter import JobFilter

NOTHING = JobFilter()


@dataclass(frozen=True, slots=True)
class Selection:
    """Jobs by *ids*, or all that match *wanted*."""

    ids: tuple[str, ...]
    wanted: JobFilter


def filter_of(words: Sequence[str] | None, options: JobFilter = NOTHING) -> JobFilter:
    """The filter that *words* and *options* make together.

    :raises InvalidInput: a word is no term, or two of them contradict each other
    """
    return merged(parse_filter(" ".join(_as_terms(words or ()))), options)


def select(
    words: Sequence[str] | None, options: JobFilter, *, takes_all: bool, verb: str
) -> Selection:
    """Ids, or a filter: never both, and never everything by mistake.

    :raises InvalidInput: nothing is named, or both are
    """
    given = list(words or ())
    terms = [word for word in given if is_filter(word)]
    ids = tuple(word for word in given if not is_filter(word))
    has_filter = bool(terms) or options != NOTHING
    if ids and (takes_all or has_filter):
        raise InvalidInput("Name jobs, or pass filters or --all-matching, not both.")
    if not ids and not terms and not takes_all:
        hint = "Name jobs by their ids, write a filter, or pass --all-matching."
        raise InvalidInput(f"There is nothing to {verb}.", hint)
    return Selection(ids, filter_of(terms, options))


def _as_terms(words: Sequence[str]) -> list[str]:
    """A word that the shell unquoted gets its quotes back: ``error:HTTP 503``."""
    return [_requoted(word) for word in words]


def _requoted(word: str) -> str:
    name, colon, value = word.partition(":")
    is_whole = not value or value[0] in "\"'" or not any(c.isspace() for c in value)
    is_several = any(is_filter(part) for part in value.split()[1:])
    if not colon or is_whole or is_several or '"' in value:
        return word
    return f'{name}:"{value}"'
