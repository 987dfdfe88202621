"""What the fakes have beyond the contracts they share with the real ones."""

from typing import Any

import pytest
from cryptography.fernet import Fernet

from factories import WEBHOOK, make_event, make_rules, make_signer, make_targets
from imbi_sdk import (
    CredentialField,
    GraphUnavailable,
    PluginManifest,
    RegistryEntry,
    WebhookActionPlugin,
    get_plugin_configuration_keys,
    get_plugin_credentials,
    patch_plugin_configuration,
)
from imbi_sdk.encryption import TokenEncryption
from imbi_sdk.errors import UpstreamError
from imbi_sdk.event import REDACTED
from imbi_sdk.queue import Enqueued, EnqueueStatus, QueueUnavailable
from imbi_sdk.testing import (
    FakeGraph,
    FakeIdentity,
    fresh_encryption,
    github_deployment_status,
    github_pull_request,
    github_push,
    pagerduty_incident,
    sonarqube_quality_gate,
)
from imbi_sdk.testing.queue import FakeQueue


def entry(auth_type: Any = "api_token") -> RegistryEntry:
    manifest = PluginManifest(
        slug="tickets",
        name="Tickets",
        plugin_type="webhook",
        auth_type=auth_type,
        credentials=[CredentialField(name="token", label="Token")],
    )
    return RegistryEntry(WebhookActionPlugin, manifest, "tickets", "1.0")


async def test_credentials_are_stored_as_imbi_stores_them(canary: str) -> None:
    """Encrypted on the way in, read and patched by the SDK's own functions."""
    with fresh_encryption():
        graph = FakeGraph()
        graph.add_plugin("i1", "tickets", credentials={"token": canary})
        assert canary not in str((await graph.plugin("i1")).configuration)  # type: ignore[union-attr]  # just added
        assert await get_plugin_credentials(graph, "i1", entry()) == {"token": canary}
        assert await patch_plugin_configuration(graph, "i1", {"url": "x"}) == ["token", "url"]
        assert await get_plugin_configuration_keys(graph, "i1") == ["token", "url"]


async def test_an_application_is_stored_as_imbi_stores_it(canary: str) -> None:
    """Its secret encrypted, its id in the clear."""
    with fresh_encryption():
        graph = FakeGraph()
        graph.add_application("i1", client_id="c-1", client_secret=canary)
        found = await get_plugin_credentials(graph, "i1", entry("oauth2"))
        assert found == {"client_id": "c-1", "client_secret": canary}
        assert canary not in repr(await graph.service_application("i1"))


async def test_a_graph_may_have_an_encryption_of_its_own(canary: str) -> None:
    """And needs no key in the environment then."""
    own = TokenEncryption(Fernet.generate_key())
    graph = FakeGraph(own)
    graph.add_plugin("i1", "tickets", credentials={"token": canary})
    record = await graph.plugin("i1")
    assert record is not None
    assert canary in str(own.decrypt(record.configuration))


def test_a_fresh_encryption_ends_with_its_block() -> None:
    """Even when the block fails."""
    before = TokenEncryption._instance

    def work() -> None:
        with fresh_encryption() as encryption:
            assert TokenEncryption.get_instance() is encryption
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert TokenEncryption._instance is before


async def test_what_is_read_from_a_graph_is_a_copy() -> None:
    """Nobody changes the graph by changing an answer, or what it was made from."""
    graph, options = FakeGraph(), {"deep": {"n": 1}}
    graph.add_plugin("i1", "tickets", options=options, service="desk")
    graph.add_plugin("i2", "mail", options=options, service="desk")
    options["deep"]["n"] = 2
    for _ in range(2):
        record = await graph.plugin("i1")
        assert record is not None
        assert record.options["deep"] == record.service_plugins[0].options["deep"] == {"n": 1}
        record.options["deep"]["n"] = record.service_plugins[0].options["deep"]["n"] = 3


async def test_a_graph_can_be_away() -> None:
    """Every question fails as it does in production, until it is back."""
    graph = FakeGraph()
    graph.add_plugin("i1", "tickets")
    graph.go_down()
    with pytest.raises(GraphUnavailable):
        await graph.plugin("i1")
    with pytest.raises(GraphUnavailable):
        await graph.service_application("i1")
    with pytest.raises(GraphUnavailable):
        await graph.replace_configuration("i1", expected=None, new="x")
    graph.come_back()
    assert await graph.replace_configuration("i1", expected=None, new="x")


def test_a_value_is_given_plain_or_encrypted() -> None:
    """Not both: one of them would be dropped."""
    with pytest.raises(ValueError, match="not both"):
        FakeGraph().add_plugin("i1", "tickets", credentials={}, ciphertext="c")
    with pytest.raises(ValueError, match="not both"):
        FakeGraph().add_application("i1", client_secret="s", ciphertext="c")


async def test_an_identity_can_be_away() -> None:
    """And says so as the real one does."""
    identity = FakeIdentity({("github", "1"): "ann@example.com"})
    identity.go_down()
    with pytest.raises(UpstreamError):
        await identity.resolver(["github"])("1")
    identity.come_back()
    assert await identity.resolver(["github"])("1") == "ann@example.com"


async def enqueue(queue: FakeQueue, *handlers: str, delivery: str = "d-1") -> Enqueued:
    return await queue.enqueue_delivery(
        delivery=delivery,
        webhook_id=WEBHOOK,
        event=make_event(),
        rules=make_rules(*handlers),
        targets=make_targets("p-1"),
        plugin_ids={"github": "i1"},
    )


async def test_a_queue_shows_the_jobs_a_worker_would_be_given() -> None:
    """In the order enqueued, whole and signed, each with its event."""
    queue = FakeQueue(signer=make_signer())
    await enqueue(queue, "github#release", "github#deploy")
    assert [job.handler for job in queue.jobs] == ["github#release", "github#deploy"]
    job = queue.jobs[0]
    assert (job.plugin_id, job.context.project_id, job.delivery) == ("i1", "p-1", "d-1")
    assert job.sig
    assert queue.event(job) == make_event()


async def test_an_ended_job_waits_no_more_and_a_revived_one_waits_last() -> None:
    """As in a lane."""
    queue = FakeQueue()
    enqueued = await enqueue(queue, "github#release", "github#deploy")
    queue.end(enqueued.jobs[0].id, "dead")
    assert [job.handler for job in queue.jobs] == ["github#deploy"]
    again = await enqueue(queue, "github#release")
    assert again.jobs[0].status is EnqueueStatus.REVIVED
    assert [job.handler for job in queue.jobs] == ["github#deploy", "github#release"]
    queue.end(enqueued.jobs[1].id, "succeeded")
    with pytest.raises(KeyError):
        queue.end(enqueued.jobs[1].id, "dead")


async def test_a_queue_can_be_away() -> None:
    """A gateway answers its sender with a 5xx then; nothing was enqueued."""
    queue = FakeQueue()
    queue.go_down()
    with pytest.raises(QueueUnavailable):
        await enqueue(queue, "github#release")
    assert queue.jobs == ()
    queue.come_back()
    assert (await enqueue(queue, "github#release")).count(EnqueueStatus.ACCEPTED) == 1


@pytest.mark.parametrize(
    ("make", "event_type", "service", "part"),
    [
        (github_push, "push", "github", {"repository": {"full_name": "a/b"}}),
        (github_pull_request, "pull_request", "github", {"pull_request": {"merged": False}}),
        (
            github_deployment_status,
            "deployment_status",
            "github",
            {"deployment_status": {"state": "failure"}},
        ),
        (
            pagerduty_incident,
            "incident.triggered",
            "pagerduty",
            {"event": {"data": {"title": "x"}}},
        ),
        (sonarqube_quality_gate, "quality_gate", "sonarqube", {"qualityGate": {"status": "OK"}}),
    ],
)
def test_a_sample_delivery_is_an_event_with_overridable_parts(
    make: Any, event_type: str, service: str, part: dict[str, Any]
) -> None:
    """What is given replaces what stands there, and everything around it stays."""
    plain = make()
    changed = make(part, attributed_to="ann@example.com", webhook_id="w-7")
    assert (plain["type"], plain["third_party_service"]) == (event_type, service)
    assert (changed["attributed_to"], changed["metadata"]["webhook_id"]) == (
        "ann@example.com",
        "w-7",
    )
    whole, piece, before = changed["payload"], part, plain["payload"]
    while isinstance(piece, dict):
        (name,) = piece
        assert whole.keys() == before.keys()
        whole, piece, before = whole[name], piece[name], before[name]
    assert whole == piece != before
    assert make() == plain


def test_a_sample_shows_no_signature() -> None:
    """As the gateway redacts them."""
    headers = github_push()["metadata"]["headers"]
    assert headers["x-hub-signature-256"] == REDACTED
    assert headers["x-github-event"] == "push"


def test_lists_and_new_parts_are_taken_as_given() -> None:
    """Only objects are merged."""
    payload = github_push({"commits": [], "pusher": None, "extra": {"a": 1}})["payload"]
    assert (payload["commits"], payload["pusher"], payload["extra"]) == ([], None, {"a": 1})
