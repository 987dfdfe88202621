"""What a worker's probes answer, from how it stands."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from imbi_worker.observability.vital_signs import Equipment, live, ready
from imbi_worker.probes import Health
from imbi_worker.queue.vitals import Vitals

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STALL = timedelta(seconds=30)
VITALS = Vitals(
    loop_turned=1_000.0,
    claims_turned=1_000.0,
    claimed_at=NOW,
    hears_redis=True,
    is_draining=False,
    graph_answers=True,
    running=3,
    slots=100,
)
EQUIPMENT = Equipment(plugins=["github"], refused=[], key_is_usable=True)


def details(health: Health) -> dict[str, str]:
    return {check.name: check.detail for check in health.checks if not check.is_ok}


def test_a_worker_that_turns_is_alive_whatever_redis_does() -> None:
    """Or an outage of Redis would restart the whole fleet."""
    alone = replace(VITALS, hears_redis=False, claimed_at=None, graph_answers=False)
    assert live(alone, now=1_029.0, stall=STALL).is_ok


def test_a_loop_that_stands_still_is_not_alive() -> None:
    """With the seconds it has done so."""
    health = live(replace(VITALS, claims_turned=1_040.0), now=1_041.0, stall=STALL)
    assert not health.is_ok
    assert details(health) == {"event loop": "has stood still for 41 s"}


def test_a_claim_loop_that_stands_still_is_not_alive() -> None:
    """Though the event loop turns."""
    health = live(replace(VITALS, loop_turned=1_040.0), now=1_041.0, stall=STALL)
    assert details(health) == {"claim loop": "has stood still for 41 s"}


def test_a_worker_that_drains_is_alive_and_not_ready() -> None:
    """Its claim loop has ended, as it should; a restart would cut running jobs off."""
    draining = replace(VITALS, is_draining=True)
    assert live(replace(draining, loop_turned=1_900.0), now=1_901.0, stall=STALL).is_ok
    health = ready(draining, EQUIPMENT, now=NOW + timedelta(minutes=5))
    assert details(health) == {"drain": "takes no more jobs"}
    assert not health.is_ok


def test_a_worker_that_has_what_it_needs_is_ready() -> None:
    """Plugins, key and a Redis that answers its claims."""
    assert ready(VITALS, EQUIPMENT, now=NOW + timedelta(seconds=5)).is_ok


@pytest.mark.parametrize(
    ("vitals", "equipment", "expected"),
    [
        (replace(VITALS, claimed_at=None), EQUIPMENT, {"Redis": "has answered no claim yet"}),
        (replace(VITALS, hears_redis=False), EQUIPMENT, {"Redis": "answered a claim 5 s ago"}),
        (
            replace(VITALS, claimed_at=NOW - timedelta(minutes=1)),
            EQUIPMENT,
            {"Redis": "answered a claim 65 s ago"},
        ),
        (VITALS, replace(EQUIPMENT, key_is_usable=False), {"encryption key": "cannot be used"}),
        (
            VITALS,
            replace(EQUIPMENT, plugins=[], refused=["jira"]),
            {"plugins": "0 loaded, not loaded: jira"},
        ),
    ],
)
def test_what_is_missing_is_named(
    vitals: Vitals, equipment: Equipment, expected: dict[str, str]
) -> None:
    """And alone makes a worker not ready."""
    health = ready(vitals, equipment, now=NOW + timedelta(seconds=5))
    assert not health.is_ok
    assert details(health) == expected


def test_a_graph_that_is_away_is_reported_and_does_not_count() -> None:
    """Its jobs wait; others run."""
    health = ready(replace(VITALS, graph_answers=False), EQUIPMENT, now=NOW)
    assert health.is_ok
    assert details(health) == {"graph": "does not answer"}


def test_health_survives_its_file() -> None:
    """Written and read again it is the same."""
    health = ready(VITALS, EQUIPMENT, now=NOW)
    assert Health.from_json(health.to_json()) == health
