"""A rule and a job are checked when they are made, and quote nothing when they are refused."""

from typing import Any

import pytest
from pydantic import ValidationError
from queue_factory import CANARY, HANDLER, a_job, an_inline_job

from imbi_sdk.queue import JobContext, WebhookRule


@pytest.mark.parametrize("handler", ["github#sync\n", "github", "GitHub#sync", "github#sync#x", ""])
def test_a_rule_with_no_handler_is_refused(handler: str) -> None:
    """At the gateway already; the error says how a handler is written."""
    with pytest.raises(ValidationError, match="write <plugin-slug>#<action_name>"):
        WebhookRule(handler=handler)


@pytest.mark.parametrize("config", ["", "{not json", "[]", "null", "\x00"])
def test_a_config_is_any_text(config: str) -> None:
    """Whether it is JSON, and the right JSON, the worker says, where it can be replayed."""
    assert WebhookRule(handler=HANDLER, handler_config=config).handler_config == config


@pytest.mark.parametrize("config", [{"token": CANARY}, [CANARY], None, 7])
def test_a_config_that_is_no_text_is_refused_unquoted(config: Any) -> None:
    """The parsed object is a gateway's likeliest mistake, and may hold a secret."""
    with pytest.raises(ValidationError, match="handler_config") as refused:
        WebhookRule(handler=HANDLER, handler_config=config)
    assert CANARY not in str(refused.value)
    assert CANARY not in repr(refused.value)


def test_a_job_that_is_refused_is_not_quoted() -> None:
    """Nor is any of its parts."""
    with pytest.raises(ValidationError) as refused:
        a_job(context={"project_slug": CANARY}, event={"token": CANARY}, plugin_id=[CANARY])
    assert CANARY not in str(refused.value)


def test_reprs_name_the_job_and_not_its_content() -> None:
    """Handler and ids are for logs; config and event are not."""
    rule = WebhookRule(handler=HANDLER, handler_config=CANARY)
    job = a_job(rule={"handler": HANDLER, "config": CANARY})
    for value in (rule, job, an_inline_job({"token": CANARY})):
        assert HANDLER in repr(value)
        assert CANARY not in f"{value!r} {value}"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"event_ref": ...}, "either event_ref or event"),
        ({"event": {}}, "either event_ref or event"),
        ({"delivery": ...}, "event_ref needs delivery"),
        ({"delivery": ""}, "event_ref needs delivery"),
        ({"rule": {"handler": "github#other"}}, "rule.handler differs"),
        ({"event_ref": "0" * 64 + "\n"}, "event_ref"),
        ({"id": ""}, "id"),
        ({"id": "x" * 257}, "id"),
        ({"v": 2}, "v"),
        ({"v": True}, "v"),
        ({"rule": {"handler": HANDLER, "ordinal": True}}, "rule.ordinal"),
        ({"rule": {"handler": HANDLER, "ordinal": "1"}}, "rule.ordinal"),
    ],
)
def test_an_inconsistent_job_cannot_be_made(changes: dict[str, Any], said: str) -> None:
    """What no worker could run is refused before it is anywhere."""
    with pytest.raises(ValidationError, match=said):
        a_job(**changes)


def test_a_job_and_its_parts_do_not_change() -> None:
    """Values are frozen: what was checked stays true."""
    job = a_job()
    for value, name in ((job, "id"), (job.context, "project_id"), (job.rule, "config")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(value, name, "x")


def test_members_of_a_later_version_are_let_through() -> None:
    """A newer gateway may add to a version what older workers can ignore."""
    assert a_job(zone="eu").handler == HANDLER
    assert JobContext(project_id="p", project_slug="s", org_slug="o").team_slug is None
