"""What every request works with."""

from dataclasses import dataclass, field

from imbi_sdk.attempt import Redactor
from imbi_sdk.queue import Signer
from imbi_sdk.registry import LoadResult
from imbi_worker.queue.inspection import Inspection


@dataclass(frozen=True, slots=True)
class Desk:
    """*signer* and *accepts_unsigned* are for replays with another config, which sign anew."""

    inspection: Inspection
    plugins: LoadResult
    version: str
    signer: Signer | None = None
    accepts_unsigned: bool = False
    redactor: Redactor = field(default_factory=Redactor)
