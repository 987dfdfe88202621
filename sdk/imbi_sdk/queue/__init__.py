"""The queue between a gateway and the workers, seen from the gateway (extra ``queue``)."""

from imbi_sdk.names import on_demand

__all__, __getattr__ = on_demand(
    __name__,
    {
        "batch": ("Target",),
        "consumer": ("OutcomeConsumer",),
        "delivery": (
            "Lane",
            "by_project",
            "by_project_and_plugin",
            "delivery_id",
            "job_id",
            "without_lane",
        ),
        "documents": ("schema", "vectors"),
        "enqueue_counter": ("EnqueueCounter",),
        "enqueued": ("EnqueueStatus", "Enqueued", "EnqueuedJob"),
        "errors": (
            "ForeignJob",
            "InvalidDelivery",
            "NewerWire",
            "QueueError",
            "QueueUnavailable",
            "SigningKeyError",
            "WireError",
        ),
        "job": ("ActionJob", "JobContext", "RuleOnWire", "WebhookRule"),
        "outcomes": ("OutcomeRecord",),
        "producer": ("ActionQueue",),
        "rows": ("EventRow",),
        "serializer": ("ActionFailed", "arq_deserializer", "arq_serializer"),
        "signing": ("Signer",),
    },
)
