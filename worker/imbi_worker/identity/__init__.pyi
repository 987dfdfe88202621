from imbi_worker.identity.address import (
    ApiAddress,
)
from imbi_worker.identity.api import (
    ApiClient,
)
from imbi_worker.identity.reply import (
    Reply,
    Unanswered,
)
from imbi_worker.identity.sessions import (
    Sessions,
)
from imbi_worker.identity.users import (
    ImbiIdentity,
)

__all__ = [
    "ApiAddress",
    "ApiClient",
    "ImbiIdentity",
    "Reply",
    "Sessions",
    "Unanswered",
]
