from imbi_worker.cli.changes.controlling import Asked, carry_out
from imbi_worker.cli.changes.discarding import Found, Order, discard
from imbi_worker.cli.changes.pace import per_second
from imbi_worker.cli.changes.replaying import Request, is_agreed, plan, replay_all

__all__ = [
    "Asked",
    "Found",
    "Order",
    "Request",
    "carry_out",
    "discard",
    "is_agreed",
    "per_second",
    "plan",
    "replay_all",
]
