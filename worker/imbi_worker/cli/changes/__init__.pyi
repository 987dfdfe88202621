from imbi_worker.cli.changes.controlling import Asked, carry_out
from imbi_worker.cli.changes.discarding import Found, Order, discard
from imbi_worker.cli.changes.holding import hold, release
from imbi_worker.cli.changes.pace import per_second
from imbi_worker.cli.changes.replaying import Request, is_agreed, plan, replay_all

__all__ = [
    "Asked",
    "Found",
    "Order",
    "Request",
    "carry_out",
    "discard",
    "hold",
    "is_agreed",
    "per_second",
    "plan",
    "release",
    "replay_all",
]
