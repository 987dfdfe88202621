"""What every request works with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from imbi_sdk.attempt import Redactor
from imbi_sdk.queue import Signer
from imbi_sdk.registry import LoadResult
from imbi_worker.queue.inspection import Inspection


@dataclass(frozen=True, slots=True)
class Desk:
    """*timeout_of* tells a handler's timeout where no worker does.

    *signer* and *accepts_unsigned* are for replays with another config, which sign anew.
    """

    inspection: Inspection
    plugins: LoadResult
    version: str
    timeout_of: Callable[[str], timedelta] | None = None
    signer: Signer | None = None
    accepts_unsigned: bool = False
    redactor: Redactor = field(default_factory=Redactor)
