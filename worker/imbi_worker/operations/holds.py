"""Holds: what stops the queue, an integration or a handler, by hand or by a rate limit."""

from imbi_sdk.handler import parse_handler
from imbi_worker.operations.errors import InvalidInput, operation_errors
from imbi_worker.queue.inspection import Inspection
from imbi_worker.queue.inspection.views import HoldView

QUEUE = "queue"
_SCOPES = "Write queue, plugin:<plugin id> or handler:<plugin>#<action>."


def parse_scope(text: str) -> str:
    """The scope of a hold as the queue knows it.

    :raises InvalidInput: it is none
    """
    kind, separator, name = text.strip().partition(":")
    if text.strip() == QUEUE:
        return QUEUE
    if kind == "plugin" and separator and name.strip():
        return f"plugin:{name.strip()}"
    if kind == "handler" and separator:
        try:
            slug, action = parse_handler(name.strip())
        except ValueError:
            raise InvalidInput(f"{name!r} is no handler.", "Write <plugin>#<action>.") from None
        return f"handler:{slug}#{action}"
    raise InvalidInput(f"{text!r} is no scope of a hold.", _SCOPES)


async def list_holds(inspection: Inspection) -> tuple[HoldView, ...]:
    """Every hold, the one that ends first at the top; pauses come last.

    :raises Unavailable: Redis does not answer
    """
    with operation_errors():
        return await inspection.holds()
