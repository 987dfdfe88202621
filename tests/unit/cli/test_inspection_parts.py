"""The pure parts under the CLI: why a job waits, what is masked, which Redis will do."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from imbi_sdk.attempt import Redactor
from imbi_sdk.queue import keys
from imbi_worker.operations.redaction import redacted
from imbi_worker.queue.inspection.health import RedisFacts
from imbi_worker.queue.inspection.replies import number, when
from imbi_worker.queue.inspection.views import HoldView
from imbi_worker.queue.inspection.waiting import Fleet, Surroundings, due_at, why

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SOON = str(int((NOW + timedelta(minutes=1)).timestamp() * 1000))
PAST = str(int((NOW - timedelta(minutes=1)).timestamp() * 1000))


def held(scope: str = "plugin:p", **facts: Any) -> HoldView:
    given: dict[str, Any] = {"kind": "operator", "reason": "r", "actor": "ann", "since": NOW}
    return HoldView(scope, **{**given, "until": None, "parked": 1, **facts})


GITHUB = Fleet(2, frozenset({"github"}))
DUE = {"state": "waiting", "handler": "github#sync"}


@pytest.mark.parametrize(
    ("facts", "around", "kind", "text"),
    [
        (DUE, {"fleet": GITHUB}, "worker", "due: the next free worker takes it"),
        (DUE | {"lane": "l"}, {"head": "me", "fleet": GITHUB}, "worker", "due: the next free"),
        (DUE | {"lane": "l"}, {"head": "x"}, "lane", "behind x in lane l"),
        (
            {"state": "waiting", "lane": "l", "not_before": SOON},
            {"head": "x", "ahead": 1_235},
            "lane",
            "behind x and 1,234 more in lane l",
        ),
        (
            {"state": "waiting", "not_before": SOON, "error": "HTTP 503"},
            {},
            "retry",
            "until its retry at 2026-01-01 12:01:00Z after HTTP 503",
        ),
        (DUE | {"not_before": PAST}, {"fleet": GITHUB}, "worker", "due"),
        (
            {"state": "waiting", "not_before": SOON, "deferred_since": PAST},
            {},
            "deferral",
            "deferred until 2026-01-01 12:01:00Z",
        ),
        (
            DUE | {"not_before": SOON, "error": "HTTP 503"},
            {},
            "retry",
            "after HTTP 503; and no worker is alive: start one with `imbi-worker run`",
        ),
        (
            DUE | {"handler": "jira#create", "not_before": SOON, "deferred_since": PAST},
            {"fleet": GITHUB},
            "deferral",
            "12:01:00Z; and none of 2 live workers has the plugin jira: install it there",
        ),
        (DUE, {}, "absent", "no worker is alive"),
        (
            DUE | {"handler": "jira#create", "unresolved": PAST},
            {"fleet": GITHUB},
            "plugin",
            "none of 2 live workers has the plugin jira: install it there; dead after 10 minutes",
        ),
        (
            DUE | {"handler": "jira#create", "unresolved": PAST},
            {"fleet": GITHUB},
            "plugin",
            "without it (looked for since 2026-01-01 11:59:00Z)",
        ),
        (
            DUE | {"handler": "jira#create"},
            {"fleet": Fleet(1, frozenset())},
            "plugin",
            "the one live worker has not the plugin jira",
        ),
        (
            DUE,
            {"fleet": GITHUB, "due": NOW + timedelta(seconds=5)},
            "clock",
            "not due before 2026-01-01 12:00:05Z by Redis' clock",
        ),
        (
            {"state": "parked", "hold": "plugin:p"},
            {"hold": held(kind="rate_limit", until=NOW, reason="429", actor="w1")},
            "hold",
            "held: plugin:p until 2026-01-01 12:00:00Z, a rate limit (429)",
        ),
        (
            {"state": "parked", "hold": "plugin:p"},
            {"hold": held(kind="rate_limit", until=NOW, is_half_open=True)},
            "hold",
            "a rate limit that opens step by step (r)",
        ),
        (
            {"state": "parked", "hold": "plugin:p"},
            {"hold": held(until=NOW)},
            "hold",
            "held: plugin:p until 2026-01-01 12:00:00Z by ann (r)",
        ),
        (
            {"state": "parked", "hold": "queue"},
            {"hold": held("queue", reason="deploy")},
            "hold",
            "paused: queue by ann since 2026-01-01 12:00:00Z (deploy)",
        ),
        (DUE, {"hold": held("queue"), "fleet": GITHUB}, "hold", "paused: queue"),
        (DUE, {"hold": held("queue", kind="removed", until=NOW)}, "hold", "1,000 at a time"),
        (DUE | {"not_before": SOON}, {"hold": held("queue")}, "hold", "paused: queue"),
        (DUE | {"not_before": SOON}, {"hold": held(until=NOW)}, "retry", "until its retry"),
        ({"state": "parked", "hold": "queue"}, {}, "hold", "held: queue"),
        ({"state": "parked", "hold": "foreign"}, {}, "hold", "no <plugin>#<action>"),
        ({"state": "running", "lease_until": PAST}, {}, "lease", "silent since its lease ended"),
        (
            {"state": "running", "lease_until": SOON, "cancelled_by": "ann: wrong branch"},
            {},
            "cancel",
            "hears of the cancel by ann: wrong branch",
        ),
        (
            {"state": "running", "lease_until": SOON, "abandoned": "1"},
            {},
            "abandoned",
            "ignores the cancel",
        ),
    ],
)
def test_a_job_says_what_is_in_its_way(
    facts: dict[str, str], around: dict[str, Any], kind: str, text: str
) -> None:
    """The first thing in its way, in a sentence."""
    found = why("me", facts, Surroundings(NOW, **around))
    assert found is not None
    assert found.kind == kind
    assert text in found.text


def test_a_score_behind_another_job_is_no_moment() -> None:
    """It says where a job stands, not when it is due."""
    assert due_at(str(keys.FAR + 7)) is None
    assert due_at(SOON) == NOW + timedelta(minutes=1)
    assert due_at(None) is None


@pytest.mark.parametrize(
    "facts", [{"state": "running", "lease_until": SOON}, {"state": "succeeded"}, {}]
)
def test_a_job_that_runs_or_has_ended_waits_for_nothing(facts: dict[str, str]) -> None:
    """There is no reason to give."""
    assert why("me", facts, Surroundings(NOW)) is None


def test_secrets_are_masked_by_name_and_by_shape(canary: str) -> None:
    """Names speak for everything below them; shapes are found wherever they stand."""
    value = {
        "api_token": canary,
        "credentials": {"user": canary, "list": [canary, 17, True, None]},
        "text": f"Authorization: Bearer {canary}",
        "url": f"https://user:{canary}@example.org/path",
        "label": "deploy",
        "count": 3,
    }
    masked = redacted(value, Redactor())
    assert canary not in str(masked)
    assert masked["credentials"] == {"user": "***", "list": ["***", "***", True, None]}
    assert (masked["label"], masked["count"]) == ("deploy", 3)
    assert masked["url"].endswith("@example.org/path")


@pytest.mark.parametrize(
    ("product", "version", "is_recent"),
    [
        ("Redis", "6.2.14", False),
        ("Redis", "7.0.0", True),
        ("Redis", "8.2", True),
        ("Valkey", "7.2.5", True),
        ("Valkey", "9.1.2", True),
        ("Redis", "unknown", False),
    ],
)
def test_only_a_recent_redis_will_do(product: str, version: str, is_recent: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """Redis 7.0 and Valkey 7.2 are the floor."""
    assert RedisFacts(product, version, None, None).is_recent is is_recent


@pytest.mark.parametrize("value", [None, b"", "x", "inf", "nan", "-inf", str(10**30)])
def test_what_is_no_moment_is_none(value: bytes | str | None) -> None:
    """Whatever somebody wrote into Redis, a list can be shown."""
    assert when(value) is None
    assert isinstance(number(value), int)
