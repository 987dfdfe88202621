"""How built-in actions reach Imbi's API."""

import os
from typing import Final

from imbi_worker.identity import ApiAddress, ApiClient, Sessions

# Empty until an action runs. A module holds it because the contract calls actions as
# plain functions, which can be given nothing; everything else in the worker is handed it.
SESSIONS: Final = Sessions()


def imbi_client() -> ApiClient:
    """A client of Imbi's API, its address read from the environment now.

    :raises ConfigurationError: ``ACTIONS_IMBI_TOKEN`` is missing
    """
    return ApiClient(ApiAddress.from_environment(os.environ), SESSIONS)


async def close() -> None:
    """Close what the running loop's actions have opened. Idempotent."""
    await SESSIONS.close()
