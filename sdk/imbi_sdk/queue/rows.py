"""The row of Imbi's activity feed that a delivery has for each of its projects."""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from imbi_sdk.attempt.report import HandlerOutcome

# The gateway writes versions 0 and 1 itself.
FIRST_VERSION: Final = 2
LAST_VERSION: Final = 255
"""The column is a byte. From here on the row that was written last is the one that counts."""


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _text(value: Any) -> Any:
    """A UUID or a number is an id as well as its text is."""
    return value if isinstance(value, str) or value is None else str(value)


class EventRow(BaseModel):
    """The row of the activity feed that the gateway has inserted for a delivery and a project.

    *recorded_at* without a zone is UTC.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, hide_input_in_errors=True)

    id: Annotated[str, BeforeValidator(_text), Field(min_length=1, max_length=256)]
    recorded_at: Annotated[datetime, AfterValidator(_aware)]


class StoredRow(BaseModel):
    """A row as it waits in Redis, with what the gateway itself has run for it."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, hide_input_in_errors=True)

    row: EventRow
    ran: tuple[HandlerOutcome, ...] = ()
