"""The errors: their tree, their texts, and what they carry."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from imbi_sdk import errors


@pytest.mark.parametrize(
    ("child", "parent"),
    [
        (errors.RetryableError, errors.ActionError),
        (errors.UpstreamError, errors.RetryableError),
        (errors.PluginRateLimited, errors.ActionError),
        (errors.PermanentError, errors.ActionError),
        (errors.ConfigurationError, errors.PermanentError),
        (errors.ActionNotFoundError, errors.PluginNotFoundError),
    ],
)
def test_the_tree_is_the_one_that_is_drawn(child: type, parent: type) -> None:
    """An except clause for a branch catches what stands under it."""
    assert child.__bases__ == (parent,)


def test_every_error_stands_in_the_drawn_tree() -> None:
    """The head of the module names each class it defines."""
    defined = {name for name, found in vars(errors).items() if isinstance(found, type)}
    own = {name for name in defined if getattr(errors, name).__module__ == errors.__name__}
    assert own
    assert {name for name in own if name not in str(errors.__doc__)} == set()


def test_a_skip_is_no_action_error() -> None:
    """An except clause for failures does not catch it."""
    assert not issubclass(errors.Skip, errors.ActionError)
    assert errors.Skip("draft release").reason == "draft release"


@pytest.mark.parametrize(
    ("wish", "understood"),
    [
        (None, None),
        (0, timedelta(0)),
        (1.5, timedelta(seconds=1.5)),
        (timedelta(minutes=2), timedelta(minutes=2)),
        (-1, None),
        (float("nan"), None),
        (float("inf"), timedelta(days=365)),
        (1e300, timedelta(days=365)),
        (10**400, None),
        ("30", timedelta(seconds=30)),
        ("Fri, 15 Jan 2027 08:00:30 GMT", None),
        ([30], None),
    ],
)
def test_a_wish_for_a_wait_never_raises(wish: Any, understood: timedelta | None) -> None:
    """A wrong number in an error handler must not hide the error."""
    assert errors.UpstreamError("down", retry_after=wish).retry_after == understood


def test_a_rate_limit_says_until_when() -> None:
    """The default text names the epoch second, a message replaces it."""
    limited = errors.PluginRateLimited(1234.0)
    assert limited.retry_at == 1234.0
    assert str(limited) == "Rate limited until epoch 1234"
    assert str(errors.PluginRateLimited(1234.0, "secondary limit")) == "secondary limit"


def test_a_rate_limit_takes_a_moment_with_a_zone() -> None:
    """Whoever reads ``retry_at`` finds epoch seconds, as the contract says."""
    noon = datetime(2026, 1, 1, 13, tzinfo=timezone(timedelta(hours=1)))
    limited = errors.PluginRateLimited(noon)
    assert limited.retry_at == 1_767_268_800.0
    assert str(limited) == "Rate limited until epoch 1767268800"


@pytest.mark.parametrize(
    ("moment", "kind"),
    [
        (datetime(2026, 1, 1, 12), "datetime without a zone"),  # noqa: DTZ001 - that is the point
        ("1767268800", "str"),
        (timedelta(minutes=1), "timedelta"),
        (None, "NoneType"),
    ],
)
@pytest.mark.parametrize("message", ["", "slow down"])
def test_a_rate_limit_without_a_moment_says_what_to_give(
    moment: Any, kind: str, message: str
) -> None:
    """Its author learns of it in the first test, not from jobs that come too early."""
    with pytest.raises(TypeError, match=rf"given a {kind} as retry_at; give it epoch seconds"):
        errors.PluginRateLimited(moment, message)


def test_a_missing_plugin_is_named_with_a_hint() -> None:
    """The text names the slug and where to look; the slug is at hand."""
    missing = errors.PluginNotFoundError("tickets")
    assert missing.slug == "tickets"
    assert str(missing) == "No plugin 'tickets' is loaded; is its package installed here?"


def test_a_missing_action_is_named_with_the_known_ones() -> None:
    """The text lists what the plugin offers, in order."""
    missing = errors.ActionNotFoundError("tickets", "shut", ["open", "close"])
    assert str(missing) == "Plugin 'tickets' has no action 'shut'; it has close, open"
    assert "it has no actions" in str(errors.ActionNotFoundError("tickets", "shut"))


def test_errors_about_records_name_the_plugin_id() -> None:
    """Each says which plugin it is about, and what to do."""
    assert "'p1'" in str(errors.PluginRecordMissing("p1"))
    assert "try again" in str(errors.PluginConfigurationConflict("p1"))
    refused = errors.PluginRemediationNotSupported("tickets", "fix")
    assert str(refused) == "Plugin 'tickets' does not support remediation 'fix'"
