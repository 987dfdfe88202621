"""What a gateway counts of its enqueues, for Prometheus; needs ``prometheus-client``."""

from collections.abc import Iterable
from typing import Any, Final

from imbi_sdk.queue.job import WebhookRule

NAME: Final = "imbi_client_enqueued_total"
TEXT: Final = "Jobs that a gateway enqueued, by what Redis made of them."
LABELS: Final = ("plugin", "action", "result")
RESULTS: Final = ("accepted", "duplicate", "revived", "rejected")
# Handlers come from rules, which anybody may add: what is more than this counts as other.
MOST_HANDLERS: Final = 500
_OTHER: Final = "other"


class EnqueueCounter:
    """Counts for Prometheus what becomes of jobs; hand it to `ActionQueue`.

    *registry* is a ``CollectorRegistry``; without it the client's own is used, which takes
    one such counter only.

    :raises ImportError: ``prometheus-client`` is not installed
    """

    def __init__(self, registry: Any = None) -> None:
        import prometheus_client as prometheus  # noqa: PLC0415 - the SDK does without it

        self._counter = prometheus.Counter(
            NAME, TEXT, LABELS, registry=registry or prometheus.REGISTRY
        )
        self._known: dict[tuple[str, str], Any] = {}
        self._handlers: set[str] = set()

    def count(self, handler: str, result: str) -> None:
        """One job of *handler* came to *result*, one of `RESULTS`."""
        if handler not in self._handlers:
            handler = self._admit(handler)
        child = self._known.get((handler, result))
        if child is None:
            child = self._known[handler, result] = self._child(handler, result)
        child.inc()

    def reject(self, rules: Iterable[WebhookRule], targets: int) -> None:
        """All jobs of a delivery were refused."""
        for rule in rules:
            for _ in range(targets):
                self.count(rule.handler, "rejected")

    def _admit(self, handler: str) -> str:
        if len(self._handlers) >= MOST_HANDLERS:
            return _OTHER
        self._handlers.add(handler)
        for result in RESULTS:
            # From 0 on, so that a rate sees the first one.
            self._known[handler, result] = self._child(handler, result)
        return handler

    def _child(self, handler: str, result: str) -> Any:
        plugin, _, action = handler.partition("#")
        return self._counter.labels(plugin, action or _OTHER, result)
