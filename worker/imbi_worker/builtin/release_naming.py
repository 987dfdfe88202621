"""By what a rule's expressions name a release: its commit and its tag."""

from collections.abc import Mapping
from typing import Any

from imbi_sdk.errors import Skip
from imbi_worker.builtin import cel


async def committish_of(expression: str, event: Mapping[str, Any]) -> str:
    """The commit that the rule's ``committish_expression`` gives.

    :raises Skip: it gives null
    """
    committish = await cel.evaluate(expression, event, field="committish_expression")
    if committish is None:
        raise Skip("committish_expression gives null: Imbi knows a release by its commit")
    return committish


async def tag_of(expression: str | None, event: Mapping[str, Any]) -> str | None:
    """The tag that the rule's ``version_expression`` gives; None without one, or for null."""
    if expression is None:
        return None
    return await cel.evaluate(expression, event, field="version_expression")
