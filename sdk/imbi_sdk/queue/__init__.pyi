from imbi_sdk.queue.batch import Target
from imbi_sdk.queue.consumer import OutcomeConsumer
from imbi_sdk.queue.delivery import (
    Lane,
    by_project,
    by_project_and_plugin,
    delivery_id,
    job_id,
    without_lane,
)
from imbi_sdk.queue.documents import schema, vectors
from imbi_sdk.queue.enqueue_counter import EnqueueCounter
from imbi_sdk.queue.enqueued import Enqueued, EnqueuedJob, EnqueueStatus
from imbi_sdk.queue.errors import (
    ForeignJob,
    InvalidDelivery,
    NewerWire,
    QueueError,
    QueueUnavailable,
    SigningKeyError,
    WireError,
)
from imbi_sdk.queue.job import ActionJob, JobContext, RuleOnWire, WebhookRule
from imbi_sdk.queue.outcomes import OutcomeRecord
from imbi_sdk.queue.producer import ActionQueue
from imbi_sdk.queue.rows import EventRow
from imbi_sdk.queue.serializer import ActionFailed, arq_deserializer, arq_serializer
from imbi_sdk.queue.signing import Signer

__all__ = [
    "ActionFailed",
    "ActionJob",
    "ActionQueue",
    "EnqueueCounter",
    "EnqueueStatus",
    "Enqueued",
    "EnqueuedJob",
    "EventRow",
    "ForeignJob",
    "InvalidDelivery",
    "JobContext",
    "Lane",
    "NewerWire",
    "OutcomeConsumer",
    "OutcomeRecord",
    "QueueError",
    "QueueUnavailable",
    "RuleOnWire",
    "Signer",
    "SigningKeyError",
    "Target",
    "WebhookRule",
    "WireError",
    "arq_deserializer",
    "arq_serializer",
    "by_project",
    "by_project_and_plugin",
    "delivery_id",
    "job_id",
    "schema",
    "vectors",
    "without_lane",
]
