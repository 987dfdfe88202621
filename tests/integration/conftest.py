"""One guarded Redis for all tests that ask for it, as new for each of them."""

from collections.abc import Iterator

import pytest

from guard import Guard, GuardedValkey


@pytest.fixture(scope="session")
def _guarded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedValkey]:
    server = GuardedValkey(tmp_path_factory.mktemp("guarded"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def guard(_guarded_server: GuardedValkey) -> Guard:
    """A Redis that lets nobody in but the users of ``deploy/redis/users.acl``."""
    guard = Guard(_guarded_server)
    guard.reset()
    return guard
