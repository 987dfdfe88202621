from imbi_worker.cli.changes.controlling import Asked, carry_out
from imbi_worker.cli.changes.discarding import Found, Order, discard
from imbi_worker.cli.changes.holding import hold, release
from imbi_worker.cli.changes.pace import per_second
from imbi_worker.cli.changes.replaying import (
    Replay,
    Request,
    is_agreed,
    new_config,
    plan,
    replay_all,
)

__all__ = [
    "Asked",
    "Found",
    "Order",
    "Replay",
    "Request",
    "carry_out",
    "discard",
    "hold",
    "is_agreed",
    "new_config",
    "per_second",
    "plan",
    "release",
    "replay_all",
]
