"""The pure parts under the CLI: why a job waits, what is masked, which Redis will do."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from imbi_sdk.attempt import Redactor
from imbi_worker.operations.redaction import redacted
from imbi_worker.queue.inspection.health import RedisFacts
from imbi_worker.queue.inspection.reading import number, when
from imbi_worker.queue.inspection.waiting import Surroundings, why

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SOON = str(int((NOW + timedelta(minutes=1)).timestamp() * 1000))
PAST = str(int((NOW - timedelta(minutes=1)).timestamp() * 1000))


@pytest.mark.parametrize(
    ("facts", "around", "kind", "text"),
    [
        ({"state": "waiting"}, {}, "worker", "due: the next free worker takes it"),
        ({"state": "waiting", "lane": "l"}, {"head": "me"}, "worker", "due: the next free"),
        ({"state": "waiting", "lane": "l"}, {"head": "x"}, "lane", "in its lane behind x"),
        (
            {"state": "waiting", "lane": "l", "not_before": SOON},
            {"head": "x", "ahead": 1_235},
            "lane",
            "in its lane behind x and 1,234 more",
        ),
        ({"state": "waiting", "not_before": SOON}, {}, "retry", "at 2026-01-01 12:01:00Z"),
        ({"state": "waiting", "not_before": PAST}, {}, "worker", "due"),
        (
            {"state": "waiting", "not_before": SOON, "deferred_since": PAST},
            {},
            "deferral",
            "deferred until 2026-01-01 12:01:00Z",
        ),
        (
            {"state": "waiting", "unresolved": PAST, "handler": "github#sync"},
            {},
            "plugin",
            "has the plugin github",
        ),
        (
            {"state": "parked", "hold": "plugin:p"},
            {"hold_until": NOW, "hold_reason": "429"},
            "hold",
            "parked under hold plugin:p until 2026-01-01 12:00:00Z (429)",
        ),
        ({"state": "parked", "hold": "queue"}, {}, "hold", "parked under hold queue"),
        ({"state": "parked", "hold": "foreign"}, {}, "hold", "no <plugin>#<action>"),
        ({"state": "running", "lease_until": PAST}, {}, "lease", "silent since its lease ended"),
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
