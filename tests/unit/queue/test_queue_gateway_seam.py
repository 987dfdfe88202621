"""What the gateway hands over for one project, checked and put into the queue's own terms."""

import hashlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from imbi_sdk.attempt import HandlerOutcome
from imbi_sdk.queue import ActionQueue, EnqueueStatus, InvalidDelivery, QueueUnavailable, job_id
from imbi_sdk.testing import github_push
from imbi_sdk.testing.queue import FakeQueue

CANARY = "canary-4f1d-do-not-leak"
GUID = "72d3162e-cc78-11e3-81ab-4c9367dc0958"


class OnlyTheId(Mapping[str, Any]):
    """A plugin's row as the gateway has it; to look at anything but the id fails the test."""

    def __getitem__(self, name: str) -> Any:
        assert name == "id", f"{name} of a plugin was read"
        return "pl-1"

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("a plugin's fields were listed")

    def __len__(self) -> int:
        return 2


@dataclass(frozen=True)
class GatewayRule:
    """The gateway's own class, which is none of ours."""

    handler: str
    ordinal: int
    handler_config: str
    filter_expression: str


def an_event(**changes: Any) -> dict[str, Any]:
    event = github_push()
    event["metadata"] = {"webhook_id": "hook-1", "headers": {"x-github-delivery": GUID}}
    return event | changes


def a_call(**changes: Any) -> dict[str, Any]:
    """What the gateway passes today, and *changes*."""
    return {
        "org_slug": "acme",
        "project_id": "p-1",
        "project_slug": "api",
        "team_slug": "web",
        "service_slug": "github",
        "service_endpoint": "https://api.github.com",
        "external_identifier": "acme/api",
        "event": an_event(),
        "user_id": "ann@example.com",
        "rules": [GatewayRule("github#sync", 1, '{"a": 1}', "true")],
        "plugins_by_slug": {"github": {"id": "pl-1", "plugin_configuration": CANARY}},
        "outcomes": [],
    } | changes


async def test_the_keywords_are_those_of_the_gateways_call() -> None:
    """In its order, as optional as there; only ``event_row`` is new."""
    parameters = inspect.signature(ActionQueue.enqueue_handlers).parameters
    assert [*parameters][1:] == [
        *a_call(),
        "service_plugins",
        "webhook_id",
        "event_row",
    ]
    needed = {name for name, one in parameters.items() if one.default is inspect.Parameter.empty}
    assert needed == {"self", *a_call()}


async def test_what_the_gateway_has_at_hand_becomes_the_job() -> None:
    """Field by field, and the event as the filters saw it."""
    queue = FakeQueue()
    enqueued = await queue.enqueue_handlers(**a_call())
    (job,) = queue.jobs
    assert job.id == job_id("hook-1", GUID, "p-1", "github#sync", 0)
    assert job.context.model_dump() == {
        "project_id": "p-1",
        "project_slug": "api",
        "org_slug": "acme",
        "team_slug": "web",
        "actor": "ann@example.com",
        "service": "github",
    }
    assert (job.plugin_id, job.external_identifier) == ("pl-1", "acme/api")
    assert (job.rule.config, job.rule.ordinal) == ('{"a": 1}', 1)
    assert queue.event(job) == an_event()
    assert enqueued.delivery == GUID
    assert [one.status for one in enqueued.jobs] == [EnqueueStatus.ACCEPTED]


async def test_mappings_do_as_well_as_objects() -> None:
    """Rules, plugins, earlier outcomes and the row may be either."""
    as_objects, as_mappings = FakeQueue(), FakeQueue()
    row = {"id": UUID(int=7), "recorded_at": datetime(2026, 1, 1, tzinfo=UTC)}
    ran = {"handler": "sonarqube#update", "status": "succeeded"}
    rule = {"handler": "github#sync", "ordinal": 1, "handler_config": '{"a": 1}'}
    await as_mappings.enqueue_handlers(**a_call(rules=[rule], outcomes=[ran], event_row=row))
    await as_objects.enqueue_handlers(
        **a_call(
            rules=[SimpleNamespace(**rule, filter_expression="true")],
            plugins_by_slug={"github": SimpleNamespace(id="pl-1")},
            outcomes=[HandlerOutcome.model_validate(ran)],
            event_row=SimpleNamespace(**row),
        )
    )
    assert as_objects.jobs == as_mappings.jobs


async def test_of_a_plugin_only_the_id_is_read() -> None:
    """Neither another field nor a plugin that no rule names."""
    queue = FakeQueue()
    plugins = {"github": OnlyTheId(), "sonarqube": object()}
    await queue.enqueue_handlers(**a_call(plugins_by_slug=plugins))
    assert queue.jobs[0].plugin_id == "pl-1"


async def test_a_plugin_that_is_not_attached_leaves_the_job_without_an_id() -> None:
    """As in the gateway, whether that matters is found out when the job runs."""
    queue = FakeQueue()
    await queue.enqueue_handlers(**a_call(plugins_by_slug={}))
    assert queue.jobs[0].plugin_id is None


async def test_rules_are_enqueued_by_their_ordinal() -> None:
    """However the gateway passes them; those that share a handler are told apart."""
    queue = FakeQueue()
    rules = [GatewayRule(f"github#{name}", at, "{}", "") for name, at in (("b", 3), ("a", 1))]
    rules.append(GatewayRule("github#a", 2, '{"twice": true}', ""))
    await queue.enqueue_handlers(**a_call(rules=rules))
    assert [(job.handler, job.rule.ordinal) for job in queue.jobs] == [
        ("github#a", 1),
        ("github#a", 2),
        ("github#b", 3),
    ]
    assert len({job.id for job in queue.jobs}) == 3


async def test_the_same_delivery_again_is_a_duplicate() -> None:
    """The sender's id says so; a body that GitHub sends again has other headers."""
    queue = FakeQueue()
    await queue.enqueue_handlers(**a_call())
    headers = {"x-github-delivery": GUID, "x-request-id": "another"}
    again = an_event(metadata={"webhook_id": "hook-1", "headers": headers})
    enqueued = await queue.enqueue_handlers(**a_call(event=again))
    assert enqueued.count(EnqueueStatus.DUPLICATE) == 1


async def test_without_an_id_of_the_senders_the_content_tells_deliveries_apart() -> None:
    """The payload with its webhook and its type; headers change from try to try."""
    queue = FakeQueue()

    async def delivery(number: int, **changes: Any) -> str:
        headers = {"x-request-id": str(number)}
        webhook = changes.pop("webhook_id", "hook-1")
        event = an_event(metadata={"webhook_id": webhook, "headers": headers}, **changes)
        return (await queue.enqueue_handlers(**a_call(event=event))).delivery

    first = await delivery(1)
    assert await delivery(2) == first
    others = {
        await delivery(3, payload={"other": 1}),
        await delivery(4, type="other"),
        await delivery(5, webhook_id="hook-2"),
    }
    assert len(others | {first}) == 4


async def test_a_delivery_without_content_is_never_taken_for_a_repeat() -> None:
    """A body that is no object arrives as ``{}``: two of them say nothing about each other."""
    queue = FakeQueue()
    call = a_call(event=an_event(metadata={}, payload={}))
    first = await queue.enqueue_handlers(**call)
    second = await queue.enqueue_handlers(**call)
    assert first.delivery != second.delivery


async def test_a_pointer_finds_the_id_in_the_payload() -> None:
    """By the slug of the service; where it leads nowhere the content decides."""
    queue = ActionQueue(FakeQueue()._memory, signer=None, pointers={"pagerduty": "/event/id"})
    event = an_event(metadata={}, payload={"event": {"id": "01ABC"}})
    found = await queue.enqueue_handlers(**a_call(event=event, service_slug="pagerduty"))
    assert found.delivery == "01ABC"
    other = await queue.enqueue_handlers(**a_call(event=event, service_slug="github"))
    assert len(other.delivery) == len(hashlib.sha256().hexdigest())


async def test_the_webhook_is_the_one_passed_or_that_of_the_event() -> None:
    """A job's id is the same either way."""
    passed, found = FakeQueue(), FakeQueue()
    bare = an_event(metadata={"headers": {"x-github-delivery": GUID}})
    await passed.enqueue_handlers(**a_call(event=bare, webhook_id="hook-1"))
    await found.enqueue_handlers(**a_call())
    assert passed.jobs[0].id == found.jobs[0].id


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rules": [{"handler": "no handler"}]}, r"rules\[0\].handler: "),
        ({"rules": [{"handler": "github#sync\n"}]}, r"rules\[0\].handler: "),
        ({"rules": [{"handler": "github#sync", "handler_config": {}}]}, "handler_config: "),
        ({"rules": [object()]}, r"rules\[0\].handler: Field required"),
        ({"project_id": ""}, "project_id: "),
        ({"org_slug": None}, "org_slug: "),
        ({"event": [1]}, "the event is a list, not an object"),
        ({"event": {"payload": {"n": float("nan")}}}, "/payload/n is NaN"),
        ({"event_row": {"id": "r"}}, "event_row or outcomes: recorded_at: Field required"),
        ({"event_row": {"id": "", "recorded_at": 0}}, "event_row or outcomes: id: "),
        (
            {"event_row": {"id": "r", "recorded_at": 0}, "outcomes": [{"status": "ok"}]},
            "event_row or outcomes: handler: Field required",
        ),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_enqueued(
    changes: dict[str, Any], said: str
) -> None:
    """The place and the reason, never a value."""
    queue = FakeQueue()
    with pytest.raises(InvalidDelivery, match=said):
        await queue.enqueue_handlers(**a_call(**changes))
    assert queue.jobs == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"rules": [{"handler": "github#sync", "handler_config": {"token": CANARY}}]},
        {"project_id": {"secret": CANARY}},
        {"event_row": {"id": "r", "recorded_at": CANARY}},
    ],
)
async def test_an_error_quotes_nothing(changes: dict[str, Any]) -> None:
    """A config or an event may hold a secret."""
    with pytest.raises(InvalidDelivery) as refused:
        await FakeQueue().enqueue_handlers(**a_call(**changes))
    assert CANARY not in str(refused.value)
    assert refused.value.__cause__ is None


async def test_when_redis_is_down_the_gateway_is_told_so() -> None:
    """By the one error for which it answers the sender with a 503."""
    queue = FakeQueue()
    queue.go_down()
    with pytest.raises(QueueUnavailable):
        await queue.enqueue_handlers(**a_call())
