"""What can go wrong in a plugin, and what the worker does about each.

What an action raises to have a say::

    ActionError
    ├── RetryableError             the attempt counts; the job runs again later
    │   └── UpstreamError          the remote service failed or could not be reached
    ├── PluginRateLimited          no attempt is used; the integration rests until ``retry_at``
    └── PermanentError             the job is buried now, with its reason
        └── ConfigurationError     a rule, a plugin's options or a setting must be corrected first
    Skip                           no error: there was nothing to do, and the job has succeeded

What Imbi's plugins and hosts raise::

    PluginNotFoundError            no such plugin is loaded; buried
    └── ActionNotFoundError        the plugin is loaded and has no such action; buried
    PluginUnavailableError         the plugin or its service is away for now; runs again later
    PluginTimeoutError             the plugin took too long; runs again later
    PluginCredentialsMissing       a required credential is not set; buried
    PluginAuthenticationFailed     the service refused the credential; fetched anew and tried once
    PluginSchemaCollisionError     two plugins claim one label; no plugin is loaded
    PluginRemediationNotSupported  an analysis plugin offers no remedy
    CursorExpiredError             a log search must begin again
    IdentityAuthorizationPending   the user has not answered yet
    IdentityAuthorizationExpired   the user did not answer in time

What the graph raises::

    GraphUnavailable               the database cannot be reached; the worker waits, no attempt used
    PluginRecordMissing            the plugin id has no node
    PluginConfigurationConflict    other writers were faster, several times in a row
"""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

_LONGEST_WISH = timedelta(days=365)


class ActionError(Exception):
    """What an action raises to say what should happen to its job."""


class RetryableError(ActionError):
    """The attempt has failed and counts; the job runs again after its backoff.

    *retry_after* (seconds or a timedelta) is a floor for that wait. A value that
    is negative or no number is dropped: raising here would hide the failure itself.
    """

    def __init__(self, message: str = "", *, retry_after: timedelta | float | None = None) -> None:
        super().__init__(message)
        self.retry_after: timedelta | None = _wish(retry_after)


class UpstreamError(RetryableError):
    """The remote service failed, timed out or could not be reached."""


class PluginRateLimited(ActionError):  # noqa: N818 - Imbi's name
    """The remote service asks for a rest until *retry_at*: epoch seconds, or an aware datetime.

    No attempt is used, and other jobs of the same integration wait too. The attribute
    ``retry_at`` is always in epoch seconds.

    :raises TypeError: *retry_at* is neither: a guess could rest an integration for hours
    """

    def __init__(self, retry_at: float | datetime, message: str = "") -> None:
        self.retry_at: float = _epoch(retry_at)
        super().__init__(message or f"Rate limited until epoch {self.retry_at:.0f}")


class PermanentError(ActionError):
    """Running the job again cannot help; it is buried with this reason."""


class ConfigurationError(PermanentError):
    """A rule, a plugin's options or a setting has to be corrected first."""


class Skip(Exception):  # noqa: N818 - no error: it says that there was nothing to do
    """There was nothing to do. The job counts as done, and *reason* is shown."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class PluginNotFoundError(Exception):
    """Raised with a plugin slug that is not registered."""

    def __init__(self, slug: str) -> None:
        super().__init__(slug)
        self.slug = slug

    def __str__(self) -> str:
        return f"No plugin {self.slug!r} is loaded; is its package installed here?"


class ActionNotFoundError(PluginNotFoundError):
    """The plugin *slug* is registered, and has no action *name*."""

    def __init__(self, slug: str, name: str, known: Iterable[str] = ()) -> None:
        super().__init__(slug)
        self.name = name
        self.known: tuple[str, ...] = tuple(sorted(known))

    def __str__(self) -> str:
        offer = f"it has {', '.join(self.known)}" if self.known else "it has no actions"
        return f"Plugin {self.slug!r} has no action {self.name!r}; {offer}"


class PluginUnavailableError(Exception):
    """A plugin in the graph that is not loaded here, or whose service is degraded."""


class PluginCredentialsMissing(Exception):  # noqa: N818 - Imbi's name
    """A required credential is not set, or cannot be read."""


class PluginTimeoutError(Exception):
    """A call of a plugin took longer than it may."""


class CursorExpiredError(Exception):
    """The cursor of a log search is no longer valid."""


class PluginAuthenticationFailed(Exception):  # noqa: N818 - Imbi's name
    """The remote service refused the credential (401)."""


class PluginSchemaCollisionError(Exception):
    """Two plugins, or a plugin and Imbi itself, claim one label."""


class PluginRemediationNotSupported(Exception):  # noqa: N818 - Imbi's name
    """The plugin *plugin_slug* offers no remedy *remediation_id*."""

    def __init__(self, plugin_slug: str, remediation_id: str) -> None:
        super().__init__(f"Plugin {plugin_slug!r} does not support remediation {remediation_id!r}")
        self.plugin_slug = plugin_slug
        self.remediation_id = remediation_id


class IdentityAuthorizationPending(Exception):  # noqa: N818 - Imbi's name
    """The user has not answered the authorization request yet."""


class IdentityAuthorizationExpired(Exception):  # noqa: N818 - Imbi's name
    """The user did not answer the authorization request in time."""


class GraphUnavailable(Exception):  # noqa: N818 - a state of the world, named as one
    """The graph database cannot be reached; its text names no credential."""


class PluginRecordMissing(Exception):  # noqa: N818 - a state of the world, named as one
    """The graph has no ``Plugin`` node with this id."""

    def __init__(self, plugin_id: str) -> None:
        super().__init__(f"The graph has no Plugin node with id {plugin_id!r}; was it removed?")
        self.plugin_id = plugin_id


class PluginConfigurationConflict(Exception):  # noqa: N818 - a state of the world, named as one
    """The configuration of *plugin_id* changed under every one of our writes."""

    def __init__(self, plugin_id: str) -> None:
        super().__init__(
            f"The configuration of plugin id {plugin_id!r} keeps changing under our write; "
            "nothing was written, try again"
        )
        self.plugin_id = plugin_id


def _epoch(moment: object) -> float:
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        return moment.timestamp()
    if isinstance(moment, int | float):
        return moment
    kind = "datetime without a zone" if isinstance(moment, datetime) else type(moment).__name__
    raise TypeError(
        f"PluginRateLimited was given a {kind} as retry_at; give it epoch seconds, e.g. "
        "time.time() + 60, or a datetime with a zone, e.g. datetime.now(UTC) + timedelta(minutes=1)"
    )


def _wish(retry_after: Any) -> timedelta | None:
    try:
        wanted = (
            retry_after.total_seconds()
            if isinstance(retry_after, timedelta)
            else float(retry_after)
        )
    except (TypeError, ValueError, OverflowError):
        return None
    if math.isnan(wanted) or wanted < 0:
        return None
    return timedelta(seconds=min(wanted, _LONGEST_WISH.total_seconds()))
