"""What telemetry has counted, by name and labels; what an attempt looks like."""

from datetime import UTC, datetime, timedelta

from imbi_sdk.manifest import PluginManifest
from imbi_sdk.queue.job import ActionJob, JobContext, RuleOnWire
from imbi_sdk.registry import RegistryEntry
from imbi_sdk.webhook import WebhookActionPlugin
from imbi_worker.dispatch import Attempt
from imbi_worker.observability.worker_metrics import WorkerMetrics

HANDLER = "tickets#open"


def counting() -> WorkerMetrics:
    """The metrics of a worker that has one plugin with two actions."""
    manifest = PluginManifest(slug="tickets", name="Tickets", plugin_type="webhook")
    return WorkerMetrics(
        queue="imbi:queue",
        plugins=[RegistryEntry(WebhookActionPlugin, manifest, "tickets", "1.2.3")],
        handlers=[HANDLER, "tickets#close"],
        revision="4f1d",
    )


def attempt(handler: str = HANDLER, *, number: int = 1, traceparent: str | None = None) -> Attempt:
    job = ActionJob(
        id="j1",
        handler=handler,
        context=JobContext(project_id="p1", project_slug="shop", org_slug="acme"),
        rule=RuleOnWire(handler=handler),
        event={},
        delivery="d1",
        traceparent=traceparent,
    )
    enqueued = datetime.now(UTC) - timedelta(seconds=20)
    return Attempt(job=job, event=b"{}", number=number, enqueued_at=enqueued)


def samples(counts: WorkerMetrics) -> dict[tuple[str, ...], float]:
    """Every figure that is not zero, by its name and the values of its labels in their order."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in counts.registry.collect()
        for sample in family.samples
        if sample.value and not sample.name.endswith(("_bucket", "_sum", "_info"))
    }
