"""Every endpoint of the API, in the order in which their paths are tried."""

from collections.abc import Sequence
from typing import Final

from imbi_worker.dashboard.catalogue import dead, holds, jobs, looks
from imbi_worker.dashboard.endpoint import Endpoint, TailEndpoint

ENDPOINTS: Final[Sequence[Endpoint]] = (
    *looks.ENDPOINTS,
    *holds.ENDPOINTS,
    *dead.ENDPOINTS,
    *jobs.ENDPOINTS,
)
TAILS: Final[Sequence[TailEndpoint]] = (*jobs.TAILS, *looks.TAILS)
