"""Which jobs a list is to show."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Protocol

from imbi_worker.queue.inspection.views import State


class Filtered(Protocol):
    """What a filter looks at: a ``JobView``, or less of a job."""

    @property
    def handler(self) -> str: ...
    @property
    def state(self) -> State: ...
    @property
    def project(self) -> str: ...
    @property
    def delivery(self) -> str: ...
    @property
    def plugin_id(self) -> str | None: ...
    @property
    def attempts(self) -> int: ...
    @property
    def enqueued(self) -> datetime | None: ...
    @property
    def ended(self) -> datetime | None: ...
    @property
    def reason(self) -> str: ...
    @property
    def error(self) -> str: ...


@dataclass(frozen=True, slots=True)
class JobFilter:
    """What to list; what is None does not matter.

    *handler* is a handler or a plugin's slug, which stands for all of it; *integration* is a
    plugin id. *before* and *after* bound the moment a job's age counts from: its end, or its
    enqueueing while it has not ended.
    """

    state: State | None = None
    handler: str | None = None
    project: str | None = None
    delivery: str | None = None
    reason: str | None = None
    plugin: str | None = None
    integration: str | None = None
    before: datetime | None = None
    after: datetime | None = None
    least_attempts: int | None = None
    most_attempts: int | None = None

    def matches(self, job: Filtered) -> bool:
        handler, slug = job.handler, job.handler.partition("#")[0]
        return (
            self.state in (None, job.state)
            and self.handler in (None, handler, slug)
            and self.plugin in (None, slug)
            and self.project in (None, job.project)
            and self.delivery in (None, job.delivery)
            and self.integration in (None, job.plugin_id)
            and self._matches_attempts(job)
            and self._matches_age(job)
            and self._matches_reason(job)
        )

    def _matches_attempts(self, job: Filtered) -> bool:
        least, most = self.least_attempts, self.most_attempts
        return (least is None or job.attempts >= least) and (most is None or job.attempts <= most)

    def _matches_age(self, job: Filtered) -> bool:
        if self.before is None and self.after is None:
            return True
        since = job.ended if job.state.is_terminal else job.enqueued
        if since is None:
            return False
        return (self.before is None or since < self.before) and (
            self.after is None or since > self.after
        )

    def _matches_reason(self, job: Filtered) -> bool:
        if self.reason is None:
            return True
        return self.reason.casefold() in f"{job.reason}: {job.error}".casefold()

    @property
    def has_conditions(self) -> bool:
        """Whether it asks for more than an index knows: a state, a delivery."""
        return any(
            getattr(self, one.name) is not None
            for one in fields(self)
            if one.name not in {"state", "delivery"}
        )
