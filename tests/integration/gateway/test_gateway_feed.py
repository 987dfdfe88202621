"""The activity feed: what the gateway reads when a delivery's last rule for a project has ended."""

from typing import Any

import pytest
from gateway import RECORDED, Gateway, a_rule, an_event

from factories import WEBHOOK
from imbi_sdk.queue import EnqueueStatus, keys, producer
from integration.queue.desk import Desk

TRIO = (a_rule("github#a", 1), a_rule("github#b", 2), a_rule("sonar#c", 3))


async def run_all(desk: Desk, **fails: str) -> None:
    """Run whatever may run until nothing may; actions named in *fails* are buried."""
    while jobs := (await desk.claim()).jobs:
        for job in jobs:
            facts = await desk.hash(job.id)
            error = fails.get(facts["handler"].partition("#")[2])
            if error is None:
                assert (
                    await desk.end(job, "succeeded", status="succeeded", duration_ms="12") == "ok"
                )
            else:
                await desk.bury(job, error)


def lines(record: Any) -> list[tuple[str, str]]:
    return [(outcome.handler, outcome.status) for outcome in record.outcomes]


async def test_nothing_is_told_before_the_last_rule_has_ended(gateway: Gateway, desk: Desk) -> None:
    """Then one record, with every rule's outcome by ordinal."""
    await gateway.consumer().register()
    await gateway.hand_over(*TRIO)
    first = {job.id: job for job in (await desk.claim()).jobs}
    assert len(first) == 2, "two lanes, one for each plugin"
    for job in first.values():
        await desk.end(job, "succeeded", status="succeeded", duration_ms="12")
        assert await gateway.read() == []
    await run_all(desk)
    (record,) = await gateway.told()
    assert lines(record) == [
        ("github#a", "succeeded"),
        ("github#b", "succeeded"),
        ("sonar#c", "succeeded"),
    ]
    assert (record.delivery, record.project_id, record.version) == ("d-1", "p-1", 2)


async def test_the_record_has_the_complete_row(gateway: Gateway, desk: Desk) -> None:
    """Every column again, since the table keeps the newest version whole."""
    await gateway.consumer().register()
    event = an_event(ref="main", after="abc")
    await gateway.hand_over(*TRIO, event=event)
    await run_all(desk, b="HTTP 404")
    (record,) = await gateway.told()
    assert record.row() == {
        "id": "row-1",
        "project_id": "p-1",
        "recorded_at": RECORDED,
        "type": "webhook",
        "third_party_service": "github",
        "attributed_to": "ann@example.com",
        "metadata": {
            "webhook_id": WEBHOOK,
            "headers": event["metadata"]["headers"],
            "event_type": "push",
            "handlers": [
                {"handler": "github#a", "status": "succeeded", "duration_ms": 12},
                {"handler": "github#b", "status": "failed", "error": "HTTP 404"},
                {"handler": "sonar#c", "status": "succeeded", "duration_ms": 12},
            ],
        },
        "payload": {"ref": "main", "after": "abc"},
        "version": 2,
    }


async def test_a_row_has_the_jobs_of_all_its_calls(
    gateway: Gateway, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than 1,000 rules go in several; here three in two."""
    monkeypatch.setattr(producer, "JOBS_PER_CALL", 2)
    await gateway.consumer().register()
    assert (await gateway.hand_over(*TRIO)).calls == 2
    await run_all(desk)
    (record,) = await gateway.told()
    assert [handler for handler, _ in lines(record)] == ["github#a", "github#b", "sonar#c"]


async def test_each_project_has_a_record_of_its_own(gateway: Gateway, desk: Desk) -> None:
    """Under its own row; the event they share is stored once, and goes with the last."""
    await gateway.consumer().register()
    for project in ("p-1", "p-2"):
        await gateway.hand_over(row=f"row-of-{project}", project=project)
    await run_all(desk)
    records = await gateway.read()
    assert {(one.project_id, one.row()["id"]) for one in records} == {
        ("p-1", "row-of-p-1"),
        ("p-2", "row-of-p-2"),
    }
    await gateway.consumer().acknowledge(records[:1])
    assert await gateway.stored_events() == 1
    await gateway.consumer().acknowledge(records[1:])
    assert await gateway.stored_events() == 0


async def test_the_event_stays_until_the_record_is_acknowledged(
    gateway: Gateway, desk: Desk
) -> None:
    """And goes with it: nothing else needs it any more."""
    await gateway.consumer().register()
    await gateway.hand_over()
    await run_all(desk)
    assert await gateway.stored_events() == 1
    await gateway.told()
    assert await gateway.stored_events() == 0
    assert await desk.redis.ttl(f"{keys.DELIVERY}d-1") > 0
    assert await desk.redis.get(keys.FEED_BYTES) == b"0"


async def test_without_a_consumer_nothing_is_kept(gateway: Gateway, desk: Desk) -> None:
    """An installation that has no feed pays nothing for it."""
    await gateway.hand_over(*TRIO)
    await run_all(desk)
    assert await gateway.stored_events() == 0
    assert not await desk.redis.exists(keys.FEED, keys.FEED_BYTES)
    record = await desk.facts(f"{keys.DELIVERY}d-1")
    assert not [name for name in record if name.startswith(("end:", "held:", "version:"))]


async def test_a_consumer_that_registers_late_is_told_what_ends_after(
    gateway: Gateway, desk: Desk
) -> None:
    """With its row, and with the rules that had ended before as long as they are known."""
    await gateway.hand_over(*TRIO)
    for job in (await desk.claim()).jobs:
        await desk.succeed(job)
    await gateway.consumer().register()
    await run_all(desk)
    (record,) = await gateway.told()
    assert [handler for handler, _ in lines(record)] == ["github#a", "github#b", "sonar#c"]
    assert record.row()["id"] == "row-1"


async def test_a_replay_is_told_with_a_higher_version(gateway: Gateway, desk: Desk) -> None:
    """The row shows how each rule ended last; those that did not run again stand as before."""
    await gateway.consumer().register()
    enqueued = await gateway.hand_over(*TRIO)
    await run_all(desk, b="HTTP 404")
    (before,) = await gateway.told()
    dead = enqueued.jobs[1].id
    await desk.replay(dead)
    assert await gateway.read() == []
    await run_all(desk)
    (after,) = await gateway.told()
    assert [status for _, status in lines(before)] == ["succeeded", "failed", "succeeded"]
    assert [status for _, status in lines(after)] == ["succeeded"] * 3
    assert (before.version, after.version) == (2, 3)
    assert after.row()["payload"] == before.row()["payload"]
    assert await gateway.stored_events() == 0


async def test_a_replay_before_the_record_is_read_keeps_it_readable(
    gateway: Gateway, desk: Desk
) -> None:
    """What is told is how each rule ended last, even while one of them runs again."""
    await gateway.consumer().register()
    enqueued = await gateway.hand_over()
    await run_all(desk, sync="HTTP 404")
    await desk.replay(enqueued.jobs[0].id)
    (record,) = await gateway.read()
    assert lines(record) == [("github#sync", "failed")]
    await run_all(desk)
    again, newer = await gateway.told()
    assert (again.version, newer.version) == (2, 3)
    assert lines(newer) == [("github#sync", "succeeded")]
    assert await gateway.stored_events() == 0


async def test_the_version_stays_within_a_byte(gateway: Gateway, desk: Desk) -> None:
    """The column holds 255; from there the row written last counts."""
    await gateway.consumer().register()
    await gateway.hand_over()
    await desk.note(f"{keys.DELIVERY}d-1", **{"version:p-1": 400})
    await run_all(desk)
    assert [record.version for record in await gateway.told()] == [255]


async def test_a_redelivery_of_a_failed_delivery_is_told_under_its_own_row(
    gateway: Gateway, desk: Desk
) -> None:
    """The rule that runs again with its new outcome, the duplicate with the one it has."""
    await gateway.consumer().register()
    await gateway.hand_over(*TRIO)
    await run_all(desk, b="HTTP 404")
    await gateway.told()
    again = await gateway.hand_over(*TRIO, row="row-2", event=an_event(request="2"))
    assert [job.status for job in again.jobs] == [
        EnqueueStatus.DUPLICATE,
        EnqueueStatus.REVIVED,
        EnqueueStatus.DUPLICATE,
    ]
    await run_all(desk)
    (record,) = await gateway.told()
    assert record.row()["id"] == "row-2"
    assert [status for _, status in lines(record)] == ["succeeded"] * 3
    assert record.row()["metadata"]["headers"]["x-request-id"] == "2"
    assert await gateway.stored_events() == 0


async def test_a_redelivery_of_what_has_succeeded_is_told_at_once(
    gateway: Gateway, desk: Desk
) -> None:
    """No rule runs, and still its row shows what became of the delivery."""
    await gateway.consumer().register()
    await gateway.hand_over()
    await run_all(desk)
    await gateway.told()
    again = await gateway.hand_over(row="row-2", event=an_event(request="2"))
    assert again.count(EnqueueStatus.DUPLICATE) == 1
    (record,) = await gateway.told()
    assert (record.row()["id"], lines(record)) == ("row-2", [("github#sync", "succeeded")])
    assert await gateway.stored_events() == 0
    assert await desk.redis.ttl(f"{keys.DELIVERY}d-1") > 0


async def test_a_redelivery_while_rules_still_run_is_told_under_both_rows(
    gateway: Gateway, desk: Desk
) -> None:
    """Neither row is left without its outcomes."""
    await gateway.consumer().register()
    await gateway.hand_over(*TRIO)
    await gateway.hand_over(*TRIO, row="row-2", event=an_event(request="2"))
    await run_all(desk)
    records = await gateway.told()
    assert [record.row()["id"] for record in records] == ["row-1", "row-2"]
    assert [len(record.outcomes) for record in records] == [3, 3]
    assert await gateway.stored_events() == 0


async def test_two_webhooks_with_one_delivery_id_keep_their_rows_apart(
    gateway: Gateway, desk: Desk
) -> None:
    """GitHub gives one event one id at all its webhooks: each row has its own rules."""
    await gateway.consumer().register()
    await gateway.hand_over(a_rule("github#a"), row="row-a", webhook="hook-a")
    await gateway.hand_over(
        a_rule("github#b"), row="row-b", webhook="hook-b", event=an_event(request="b")
    )
    await run_all(desk)
    records = await gateway.told()
    assert {(record.row()["id"], *lines(record)[0]) for record in records} == {
        ("row-a", "github#a", "succeeded"),
        ("row-b", "github#b", "succeeded"),
    }


async def test_what_the_gateway_ran_itself_opens_the_list(gateway: Gateway, desk: Desk) -> None:
    """A gateway that hands over only some rules loses no line of the others."""
    await gateway.consumer().register()
    ran = {"handler": "pagerduty#note", "status": "failed", "error": "E: x", "duration_ms": 3}
    await gateway.hand_over(outcomes=[ran])
    await run_all(desk)
    (record,) = await gateway.told()
    assert record.handlers()[0] == ran
    assert lines(record)[1] == ("github#sync", "succeeded")


async def test_a_delivery_without_a_row_is_told_without_one(gateway: Gateway, desk: Desk) -> None:
    """Its outcomes are there; there is no row to write."""
    await gateway.consumer().register()
    await gateway.hand_over(*TRIO, row=None)
    await gateway.hand_over(row=None, project="p-2")
    await run_all(desk)
    by_project = {record.project_id: record for record in await gateway.told()}
    assert by_project["p-1"].event_row is None
    assert len(by_project["p-1"].outcomes) == 3
    assert len(by_project["p-2"].outcomes) == 1
    assert await gateway.stored_events() == 0


async def test_cancelled_and_skipped_rules_have_their_lines(gateway: Gateway, desk: Desk) -> None:
    """A cancel reads as skipped, since the feed knows no other word."""
    await gateway.consumer().register()
    enqueued = await gateway.hand_over(a_rule("github#a", 1), a_rule("sonar#b", 2))
    await desk.abort(enqueued.jobs[0].id)
    (job,) = (await desk.claim()).jobs
    await desk.end(job, "skipped", status="skipped", reason="nothing new", duration_ms="5")
    (record,) = await gateway.told()
    assert record.handlers() == [
        {"handler": "github#a", "status": "skipped", "error": "cancelled"},
        {"handler": "sonar#b", "status": "skipped", "error": "nothing new", "duration_ms": 5},
    ]


async def test_a_dead_letter_keeps_its_event_after_the_record_is_acknowledged(
    gateway: Gateway, desk: Desk
) -> None:
    """It can still be replayed; the feed was only one of those who needed the event."""
    await gateway.consumer().register()
    enqueued = await gateway.hand_over()
    await run_all(desk, sync="HTTP 404")
    await gateway.told()
    assert await gateway.stored_events() == 1
    assert (await desk.replay(enqueued.jobs[0].id)).result == "replayed"
    await run_all(desk)
    await gateway.told()
    assert await gateway.stored_events() == 0
