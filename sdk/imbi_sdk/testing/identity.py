"""Users in memory, for tests of actions that ask who somebody is."""

from collections.abc import Mapping, Sequence

from imbi_sdk.context import UserResolver
from imbi_sdk.errors import UpstreamError


class FakeIdentity:
    """Knows users' emails by plugin slug and subject; answers as Imbi does.

    *users* may be changed at any time; ``asked`` is every question so far::

        identity = FakeIdentity({("github", "90211"): "mara@tidewater.example"})
        context = sample_context(resolve_user_by_identity=identity.resolver(["github"]))
    """

    def __init__(self, users: Mapping[tuple[str, str], str] | None = None) -> None:
        self.users: dict[tuple[str, str], str] = dict(users or {})
        self.asked: list[tuple[str, str]] = []
        self._is_down = False

    def go_down(self) -> None:
        """Be unreachable, until `come_back`."""
        self._is_down = True

    def come_back(self) -> None:
        self._is_down = False

    def resolver(self, plugin_slugs: Sequence[str]) -> UserResolver:
        """What ``PluginContext.resolve_user_by_identity`` becomes.

        Each of *plugin_slugs* is asked; if they name two different users, nobody is
        named.
        """

        async def resolve(subject: str) -> str | None:
            if not subject:
                return None
            found = {await self.find(slug, subject) for slug in dict.fromkeys(plugin_slugs)}
            emails = found - {None}
            return emails.pop() if len(emails) == 1 else None

        return resolve

    async def find(self, plugin_slug: str, subject: str) -> str | None:
        """The email of the user whom *plugin_slug* knows as *subject*, or None.

        :raises UpstreamError: it was told to be down
        """
        self.asked.append((plugin_slug, subject))
        if self._is_down:
            raise UpstreamError("the fake identity was told to be down")
        return self.users.get((plugin_slug, subject))
