from imbi_worker.queue.inspection.asking import (
    Client,
)
from imbi_worker.queue.inspection.reader import (
    Inspection,
)
from imbi_worker.queue.inspection.views import (
    JobView,
    Page,
)

__all__ = [
    "Client",
    "Inspection",
    "JobView",
    "Page",
]
