"""The release actions of ``gateway-actions`` against the stand-in API, over real HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from imbi_sdk.attempt import Dead, DeathReason, Deferred, Outcome, Retry, Skipped, Succeeded
from imbi_sdk.context import PluginContext
from imbi_sdk.testing import run_action
from imbi_worker import builtin
from imbi_worker.builtin import GatewayActions
from imbi_worker.demo.imbi_api import Fault, ImbiApi

PROJECT = ("tidewater", "p-1")
RELEASES = "/organizations/tidewater/projects/p-1/releases/"
RELEASE = {
    "title_selector": "/payload/deployment/ref",
    "committish_expression": "substring(payload.deployment.sha, 0, 7)",
    "version_expression": "payload.deployment.ref",
}
EVENT = {
    "environment_selector": "/payload/deployment_status/environment",
    "committish_expression": "substring(payload.deployment.sha, 0, 7)",
    "version_expression": "payload.deployment.ref",
    "status_selector": "/payload/deployment_status/state",
    "note_selector": "/payload/deployment_status/description",
    "external_run_id_selector": "/payload/deployment/id",
}
APPENDED = {name: value for name, value in EVENT.items() if name != "external_run_id_selector"}
PUBLISH = {
    "version_expression": "payload.deployment.ref",
    "status_selector": "/payload/deployment_status/state",
}
SBOM = {
    "version_expression": 'payload.ref_name == "main" ? substring(payload.sha, 0, 7) : "v9"',
    "sbom_selector": "/payload/sbom",
    "committish_expression": "payload.sha",
    "title_selector": "/payload/title",
}
DOCUMENT = {"bomFormat": "CycloneDX", "components": [{"name": "a"}, {}], "empty": [], "none": {}}


def deployment(state: Any = "success", **changes: Any) -> dict[str, Any]:
    status = {"state": state, "environment": "production", "description": "all well", **changes}
    return event(
        {
            "deployment": {"id": 4711, "ref": "v1.2.3", "sha": "abcdef1234567890"},
            "deployment_status": status,
        }
    )


def build(**changes: Any) -> dict[str, Any]:
    body = {"ref_name": "main", "sha": "ABCDEF1234567890", "sbom": DOCUMENT, "title": None}
    return event(body | changes)


def event(payload: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "deployment_status",
        "third_party_service": "github",
        "attributed_to": "",
        "metadata": {"webhook_id": "w", "headers": {}},
        "payload": payload,
    }


@pytest.fixture
async def api(canary: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ImbiApi]:
    """The stand-in with one project, and the environment that leads to it."""
    async with ImbiApi(token=SecretStr(canary)) as api:
        api.add_project(*PROJECT)
        monkeypatch.setenv("ACTIONS_IMBI_URL", api.url)
        monkeypatch.setenv("ACTIONS_IMBI_TOKEN", canary)
        yield api
        await builtin.close()


async def run(
    action: str,
    config: dict[str, Any],
    given: dict[str, Any] | None = None,
    *,
    actor: str | None = None,
    project: str = "p-1",
) -> Outcome:
    context = PluginContext(
        project_id=project, project_slug="harbor", org_slug="tidewater", actor_user_id=actor
    )
    ended = await run_action(
        GatewayActions, action, event=given or deployment(), config=config, context=context
    )
    return ended.outcome


def text_of(outcome: Outcome) -> str:
    assert isinstance(outcome, Retry | Dead), outcome
    return outcome.error


async def test_a_release_is_created_with_its_actor(api: ImbiApi) -> None:
    """One POST to the collection, slash and all, with the fields that Imbi's model has."""
    assert await run("create_release", RELEASE, actor="mara@tidewater.example") == Succeeded()
    (request,) = api.requests
    assert (request.method, request.path, request.status) == ("POST", RELEASES, 201)
    assert request.handler == "gateway-actions#create_release"
    assert request.body == {
        "committish": "abcdef1",
        "title": "v1.2.3",
        "tag": "v1.2.3",
        "created_by": "mara@tidewater.example",
    }


async def test_a_release_without_a_tag_is_known_by_its_commit(api: ImbiApi) -> None:
    """An expression that gives null leaves the tag out; a null title has a stand-in."""
    config = {**RELEASE, "version_expression": "payload.deployment.tag"}
    given = deployment()
    given["payload"]["deployment"] |= {"tag": None, "ref": None}
    assert await run("create_release", config, given) == Succeeded()
    assert api.requests[0].body == {"committish": "abcdef1", "title": "Release abcdef1"}


async def test_a_release_that_exists_is_as_good_as_created(api: ImbiApi) -> None:
    """409: somebody was faster, or the job runs again after a crash."""
    for _ in range(2):
        assert await run("create_release", RELEASE) == Succeeded()
    assert [request.status for request in api.requests] == [201, 409]
    assert len(api.releases(*PROJECT)) == 1


async def test_a_deployment_event_is_written_to_its_release(api: ImbiApi) -> None:
    """The release is looked up by commit and tag; a later status of the run replaces the first."""
    await run("create_release", RELEASE)
    for state in ("queued", "in_progress", "success"):
        assert await run("add_deployment_event", EVENT, deployment(state)) == Succeeded()
    (release,) = api.releases(*PROJECT)
    assert release.deployments == [
        {
            "environment": "production",
            "status": "success",
            "note": "all well",
            "external_run_id": "4711",
        }
    ]
    assert [request.path for request in api.requests[1:3]] == [
        RELEASES,
        f"{RELEASES}{release.id}/environments/production",
    ]


async def test_without_the_runs_id_events_are_appended(api: ImbiApi) -> None:
    """And a null note is left out, not written as the word None."""
    await run("create_release", RELEASE)
    for state in ("queued", "success"):
        given = deployment(state, description=None)
        assert await run("add_deployment_event", APPENDED, given) == Succeeded()
    (release,) = api.releases(*PROJECT)
    assert [one["status"] for one in release.deployments] == ["pending", "success"]
    assert "note" not in release.deployments[0]


async def test_an_event_waits_for_its_release(api: ImbiApi) -> None:
    """Today's gateway drops it; here the job runs again, and the text names what is missing."""
    outcome = await run("add_deployment_event", EVENT)
    assert isinstance(outcome, Retry)
    assert "no release with committish 'abcdef1' and tag 'v1.2.3' yet" in outcome.error
    await run("create_release", RELEASE)
    assert await run("add_deployment_event", EVENT) == Succeeded()


async def test_an_event_waits_when_its_release_is_gone_in_between(api: ImbiApi) -> None:
    """404 to the second request of the two."""
    await run("create_release", RELEASE)
    api.faults.add(Fault(status=404, method="POST"))
    outcome = await run("add_deployment_event", EVENT)
    assert isinstance(outcome, Retry)
    assert "answered 404: the release is gone" in outcome.error


@pytest.mark.parametrize("kind", ["cut", "502", "504"])
async def test_an_event_that_may_have_been_written_is_not_appended_twice(
    api: ImbiApi, kind: str
) -> None:
    """It is dead with what to look at; with the run's id it is simply sent again."""
    await run("create_release", RELEASE)
    lost = Fault(kind="cut") if kind == "cut" else Fault(status=int(kind))
    for config, expected in ((APPENDED, Dead), (EVENT, Retry)):
        api.faults.add(lost.model_copy(update={"method": "POST", "path": f"{RELEASES}release"}))
        outcome = await run("add_deployment_event", config)
        assert isinstance(outcome, expected)
        assert ("outcome unknown" in text_of(outcome)) is (expected is Dead)


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(status=500), Fault(status=408)])
async def test_an_event_that_was_refused_for_now_is_sent_again(api: ImbiApi, fault: Fault) -> None:
    """Whether or not it would be appended: it has not been."""
    await run("create_release", RELEASE)
    api.faults.add(fault.model_copy(update={"method": "POST"}))
    assert isinstance(await run("add_deployment_event", APPENDED), Retry)


@pytest.mark.parametrize("state", ["frobbed", "", None, 7])
@pytest.mark.parametrize(
    ("action", "config"), [("add_deployment_event", EVENT), ("publish_release", PUBLISH)]
)
async def test_a_status_that_imbi_does_not_know_is_skipped_by_name(
    api: ImbiApi, action: str, config: dict[str, Any], state: Any
) -> None:
    """The operator reads which one, and nothing is sent."""
    outcome = await run(action, config, deployment(state))
    assert isinstance(outcome, Skipped)
    assert outcome.reason.endswith(repr(str(state)) if state is not None else "null")
    assert api.requests == ()


async def test_an_sbom_is_put_to_its_release(api: ImbiApi) -> None:
    """Of the tag that the expression gives, as it stands in the event."""
    await run("create_release", {**RELEASE, "version_expression": '"v9"'})
    assert await run("ingest_sbom", SBOM, build(ref_name="branch")) == Succeeded()
    (release,) = api.releases(*PROJECT)
    assert release.sbom == DOCUMENT
    assert (api.requests[-1].method, api.requests[-1].status) == ("PUT", 204)
    assert api.requests[-1].path == f"{RELEASES}{release.id}/sbom"


async def test_an_sbom_creates_its_release_where_the_rule_says_of_which_commit(
    api: ImbiApi,
) -> None:
    """With seven digits of the commit and a title of its own; once, however often it runs."""
    for _ in range(2):
        assert await run("ingest_sbom", SBOM, build(), actor="m@t.example") == Succeeded()
    (release,) = api.releases(*PROJECT)
    assert (release.committish, release.tag) == ("abcdef1", "ABCDEF1")
    assert (release.title, release.created_by) == ("Release ABCDEF1", "m@t.example")
    assert release.sbom == DOCUMENT


async def test_an_sbom_takes_the_release_that_somebody_else_created_meanwhile(
    api: ImbiApi,
) -> None:
    """Between looking and creating."""
    api.faults.add(Fault(status=409, method="POST"))
    outcome = await run("ingest_sbom", SBOM, build())
    assert isinstance(outcome, Retry)
    assert "does not list it yet" in outcome.error
    assert await run("ingest_sbom", SBOM, build()) == Succeeded()


async def test_an_sbom_without_a_release_waits_for_it(api: ImbiApi) -> None:
    """Today's gateway drops it."""
    config = {name: value for name, value in SBOM.items() if name != "committish_expression"}
    outcome = await run("ingest_sbom", config, build())
    assert isinstance(outcome, Retry)
    assert "the SBoM waits for it" in outcome.error
    assert [request.method for request in api.requests] == ["GET"]


async def test_an_sbom_of_20_mb_arrives_whole(api: ImbiApi) -> None:
    """What builds of large projects send."""
    components = [{"name": f"component-{n}", "purl": f"pkg:x/{n}@1"} for n in range(340_000)]
    document = {"bomFormat": "CycloneDX", "components": components}
    given = build(sbom=document)
    given["payload"]["sbom"] = document
    assert await run("ingest_sbom", SBOM, given) == Succeeded()
    (release,) = api.releases(*PROJECT)
    assert release.sbom == document


async def test_a_release_is_published_when_its_deployment_has_succeeded(api: ImbiApi) -> None:
    """By its tag, and marked as the rule says; twice does no harm."""
    await run("create_release", RELEASE)
    for prerelease in (True, False):
        config = {**PUBLISH, "prerelease": prerelease}
        assert await run("publish_release", config) == Succeeded()
    assert api.requests[-1].path == (
        "/organizations/tidewater/projects/p-1/deployments/releases/v1.2.3/publish"
    )
    assert [request.body for request in api.requests[1:]] == [
        {"prerelease": True},
        {"prerelease": False},
    ]


@pytest.mark.parametrize("state", ["failure", "error", "inactive", "pending", "queued"])
async def test_a_deployment_that_has_not_succeeded_publishes_nothing(
    api: ImbiApi, state: str
) -> None:
    """Nothing to do is no failure."""
    assert isinstance(await run("publish_release", PUBLISH, deployment(state)), Skipped)
    assert api.requests == ()


async def test_publishing_waits_for_the_release_and_respects_a_block(api: ImbiApi) -> None:
    """404 is not yet; 409 is a decision that somebody took."""
    outcome = await run("publish_release", PUBLISH)
    assert isinstance(outcome, Retry)
    assert "no release with the tag 'v1.2.3' yet" in outcome.error
    await run("create_release", RELEASE)
    api.releases(*PROJECT)[0].is_blocked = True
    blocked = await run("publish_release", PUBLISH)
    assert isinstance(blocked, Skipped)
    assert "is blocked" in blocked.reason


NULL = "payload.deployment_status.nothing"


@pytest.mark.parametrize(
    ("action", "config"),
    [
        ("create_release", {**RELEASE, "committish_expression": NULL}),
        ("add_deployment_event", {**EVENT, "committish_expression": NULL}),
        ("ingest_sbom", {**SBOM, "version_expression": NULL}),
        ("publish_release", {**PUBLISH, "version_expression": NULL}),
    ],
)
async def test_an_expression_that_gives_null_skips_and_says_so(
    api: ImbiApi, action: str, config: dict[str, Any]
) -> None:
    """As today's gateway, which says so in its log only."""
    outcome = await run(action, config, deployment(nothing=None))
    assert isinstance(outcome, Skipped)
    assert "gives null" in outcome.reason
    assert api.requests == ()


@pytest.mark.parametrize(
    ("action", "config", "told"),
    [
        ("create_release", {**RELEASE, "title_selector": "/payload/x"}, "nothing at '/payload/x'"),
        ("create_release", {**RELEASE, "title_selector": "/payload"}, "no text at '/payload'"),
        ("create_release", {**RELEASE, "committish_expression": "payload."}, "no CEL"),
        ("create_release", {**RELEASE, "committish_expression": "payload.x"}, "no field 'x'"),
        ("create_release", {**RELEASE, "committish_expression": "payload"}, "gives a map"),
        ("create_release", {**RELEASE, "committish_expression": "type"}, "answered 422"),
        ("create_release", {**RELEASE, "version_expression": '""'}, "an empty text"),
        ("add_deployment_event", {**EVENT, "status_selector": "/x"}, "nothing at '/x'"),
        ("add_deployment_event", {**EVENT, "environment_selector": "/x"}, "nothing at '/x'"),
        ("add_deployment_event", {**EVENT, "environment_selector": "/attributed_to"}, "an empty"),
        ("add_deployment_event", {**EVENT, "note_selector": "/payload"}, "no text at '/payload'"),
        ("add_deployment_event", {**EVENT, "external_run_id_selector": "/payload/n"}, "has null"),
        ("ingest_sbom", {**SBOM, "version_expression": '"v"'}, "nothing at '/payload/sbom'"),
        ("ingest_sbom", {"version_expression": '"v"', "sbom_selector": "/type"}, "but a str"),
        (
            "ingest_sbom",
            {"version_expression": '"v"', "committish_expression": '"no commit"'},
            "no seven digits of a SHA",
        ),
        ("publish_release", {**PUBLISH, "version_expression": '"..".x'}, "does not fit"),
        ("publish_release", {**PUBLISH, "version_expression": '".."'}, "'..' cannot stand"),
    ],
)
async def test_what_a_rule_cannot_find_ends_the_job_with_the_place(
    api: ImbiApi, action: str, config: dict[str, Any], told: str
) -> None:
    """Dead at once, as trying again finds it no better, and ready for a corrected rule."""
    given = deployment()
    given["payload"]["n"] = None
    outcome = await run(action, config, given)
    assert isinstance(outcome, Dead), outcome
    assert outcome.reason is DeathReason.PERMANENT_ERROR
    assert told in outcome.error
    assert not api.releases(*PROJECT)


ACTIONS = [
    ("create_release", RELEASE),
    ("add_deployment_event", EVENT),
    ("ingest_sbom", SBOM),
    ("publish_release", PUBLISH),
]


def given_for(action: str) -> dict[str, Any]:
    return build() if action == "ingest_sbom" else deployment()


@pytest.mark.parametrize(("action", "config"), ACTIONS)
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(status=500), Retry),
        (Fault(status=503), Retry),
        (Fault(status=429, retry_after=30), Deferred),
        (Fault(status=400), Dead),
        (Fault(status=403), Dead),
        (Fault(kind="html"), Retry),
        (Fault(kind="cut"), Retry),
        (Fault(status=307, location="http://elsewhere.example/"), Dead),
    ],
)
async def test_a_failure_of_imbi_counts_by_its_kind(
    api: ImbiApi, action: str, config: dict[str, Any], fault: Fault, kind: type[Outcome]
) -> None:
    """Today's gateway logs it and reports a success; the token goes nowhere else."""
    api.faults.add(fault)
    outcome = await run(action, config, given_for(action))
    assert isinstance(outcome, kind), outcome
    assert len(api.requests) == 1


@pytest.mark.parametrize(("action", "config"), ACTIONS)
async def test_a_token_that_is_refused_is_looked_up_once_more(
    api: ImbiApi, action: str, config: dict[str, Any], canary: str
) -> None:
    """Then the job is dead, with what to set; without a word of the token."""
    api.faults.add(Fault(status=401, times=2))
    outcome = await run(action, config, given_for(action))
    assert isinstance(outcome, Dead)
    assert "refuses ACTIONS_IMBI_TOKEN; set it to a token that is valid" in outcome.error
    assert canary not in outcome.error
    assert [request.status for request in api.requests] == [401, 401]


async def test_a_token_that_was_changed_in_its_file_is_found_at_the_second_look(
    api: ImbiApi, canary: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """A mounted secret is replaced under a running worker."""
    file = tmp_path / "token"
    file.write_text("old")
    monkeypatch.delenv("ACTIONS_IMBI_TOKEN")
    monkeypatch.setenv("ACTIONS_IMBI_TOKEN_FILE", str(file))
    outcome = await run("create_release", RELEASE)
    assert isinstance(outcome, Dead)
    assert "refuses ACTIONS_IMBI_TOKEN_FILE" in outcome.error
    file.write_text(f"{canary}\n")
    assert await run("create_release", RELEASE) == Succeeded()
    file.unlink()
    gone = await run("create_release", RELEASE)
    assert "ACTIONS_IMBI_TOKEN_FILE names a file that cannot be read" in text_of(gone)


async def test_an_unknown_project_is_no_case_for_waiting(api: ImbiApi) -> None:
    """404 of the project itself: nobody will create it by a webhook."""
    for action, config in ACTIONS[:3]:
        outcome = await run(action, config, given_for(action), project="p-9")
        assert isinstance(outcome, Dead)
        assert "answered 404" in outcome.error


@pytest.mark.parametrize("body", ["{}", "[[]]", "[{}]", '[{"id": 7}]', "null", "x"])
async def test_an_answer_of_another_shape_is_upstreams_fault(
    api: ImbiApi, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    """Nothing is guessed from it; a proxy or a version that will change."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port, *_ = runner.addresses[0]
    monkeypatch.setenv("ACTIONS_IMBI_URL", f"http://{host}:{port}")
    outcome = await run("add_deployment_event", EVENT)
    await runner.cleanup()
    assert isinstance(outcome, Retry)
    assert "answered" in outcome.error
