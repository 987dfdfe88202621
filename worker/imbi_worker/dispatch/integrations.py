"""Reading integrations from the graph: remembered, once at a time, and with a way out.

Only ciphertext is remembered. An outage of the graph uses up no attempt of any job.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from imbi_sdk.errors import GraphUnavailable
from imbi_worker.dispatch.ports import Clock, GraphReader, Integration

_Key: TypeAlias = tuple[str, bool]


class Outage:
    """Until when the graph is taken to be away: 5 s, then twice as long, up to a minute."""

    _FIRST = timedelta(seconds=5)
    _LONGEST = timedelta(seconds=60)

    def __init__(self) -> None:
        self.until: datetime | None = None
        self._span = timedelta(0)

    def note(self, now: datetime) -> datetime:
        """A lookup has failed; when to look again."""
        # Of a hundred lookups that fail together only the first one counts.
        if self.until is None or now >= self.until:
            self._span = min(self._span * 2 or self._FIRST, self._LONGEST)
            self.until = now + self._span
        return self.until

    def end(self) -> None:
        """A lookup was answered."""
        self.until = None
        self._span = timedelta(0)


@dataclass(frozen=True, slots=True)
class _Kept:
    integration: Integration
    until: datetime


class Integrations:
    """The integrations of the graph, each remembered for *kept_for*."""

    def __init__(
        self,
        graph: GraphReader,
        clock: Clock,
        *,
        kept_for: timedelta = timedelta(seconds=30),
        entries: int = 1_024,
        lookup: timedelta = timedelta(seconds=10),
    ) -> None:
        """Remember at most *entries*; a *lookup* that takes longer is an outage."""
        self.outage = Outage()
        self._graph = graph
        self._clock = clock
        self._kept_for = kept_for
        self._entries = entries
        self._lookup = lookup
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._flights: dict[_Key, asyncio.Task[Integration]] = {}

    async def find(
        self, plugin_id: str, *, with_application: bool, stale: Integration | None = None
    ) -> Integration:
        """The integration; *stale* is one that proved wrong and is not given again.

        Raises ``GraphUnavailable``.
        """
        kept = self.kept(plugin_id, with_application=with_application, stale=stale)
        if kept is not None:
            return kept
        key = (plugin_id, with_application)
        self._kept.pop(key, None)
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.get_running_loop().create_task(self._fetch(key))
            self._flights[key] = flight
            flight.add_done_callback(lambda ended: self._land(key, ended))
        # One caller that is cancelled must not take the answer from the others.
        return await asyncio.shield(flight)

    def kept(
        self, plugin_id: str, *, with_application: bool, stale: Integration | None = None
    ) -> Integration | None:
        """The integration if it is remembered; asks no graph."""
        kept = self._kept.get((plugin_id, with_application))
        if kept is None or kept.integration is stale or self._clock.now() >= kept.until:
            return None
        return kept.integration

    async def _fetch(self, key: _Key) -> Integration:
        plugin_id, with_application = key
        try:
            async with asyncio.timeout(self._lookup.total_seconds()):
                record = await self._graph.plugin(plugin_id)
                application = (
                    await self._graph.service_application(plugin_id) if with_application else None
                )
        except TimeoutError:
            raise GraphUnavailable(
                f"the graph gave no answer within {self._lookup.total_seconds():g} s"
            ) from None
        return Integration(record, application)

    def _land(self, key: _Key, flight: "asyncio.Task[Integration]") -> None:
        self._flights.pop(key, None)
        if flight.cancelled():
            return
        error = flight.exception()
        if error is None:
            self.outage.end()
            self._keep(key, flight.result())
        elif isinstance(error, GraphUnavailable):
            self.outage.note(self._clock.now())

    def _keep(self, key: _Key, integration: Integration) -> None:
        if integration.record is None:
            # Somebody is about to attach the plugin: look again the next time.
            return
        self._kept[key] = _Kept(integration, self._clock.now() + self._kept_for)
        if len(self._kept) > self._entries:
            self._kept.popitem(last=False)
