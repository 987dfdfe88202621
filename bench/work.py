"""The work every engine is given: jobs with a 2 KiB JSON payload, each in a lane of its own ten."""

from typing import Any

from imbi_sdk.queue import ActionQueue, JobContext, Target, WebhookRule

EVENT: dict[str, Any] = {
    "type": "push",
    "third_party_service": "github",
    "attributed_to": "",
    "metadata": {"webhook_id": "w", "headers": {}},
    "payload": {"ref": "refs/heads/main", "padding": "x" * 1900},
}
PROJECTS = 10


async def fill(queue: ActionQueue, jobs: int, *, handler: str, plugin_id: str | None) -> None:
    """*jobs* jobs in deliveries of ten projects; 500 lanes in all."""
    plugin_ids = {handler.partition("#")[0]: plugin_id} if plugin_id else {}
    for number in range(jobs // PROJECTS):
        group = number % 50
        await queue.enqueue_delivery(
            delivery=f"delivery-{number}",
            webhook_id="w",
            event=EVENT,
            rules=[WebhookRule(handler=handler)],
            targets=[
                Target(JobContext(project_id=f"p{group}-{n}", project_slug="p", org_slug="o"))
                for n in range(PROJECTS)
            ],
            plugin_ids=plugin_ids,
        )
