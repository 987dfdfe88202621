"""When a failed attempt runs again."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from imbi_sdk.attempt import RetryPolicy
from imbi_sdk.webhook import ActionDescriptor

SPANS = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=30))


class Config(BaseModel):
    pass


async def act(**_: object) -> None:
    pass


def descriptor(**extras: object) -> ActionDescriptor:
    fields = {"name": "act", "label": "Act", "callable": act, "config_model": Config}
    return ActionDescriptor.model_validate(fields | extras)


@pytest.mark.parametrize(
    ("attempt", "seconds"),
    [(1, 10), (2, 30), (3, 120), (4, 600), (5, 1_800), (6, 7_200), (7, 21_600), (8, 21_600)],
)
def test_the_window_grows_with_each_failure(attempt: int, seconds: int) -> None:
    """At its far end the wait is the whole window, at its near end nothing."""
    policy = RetryPolicy()
    assert policy.next_delay(attempt, jitter=1.0) == timedelta(seconds=seconds)
    assert policy.next_delay(attempt, jitter=0.0) == timedelta(0)


@given(attempt=st.integers(1, 1_000), jitter=st.floats(0, 1), floor=SPANS)
def test_a_wait_keeps_between_the_floor_and_the_longest(
    attempt: int, jitter: float, floor: timedelta
) -> None:
    """Retry-After is a floor, up to what the policy lets a remote service ask for."""
    policy = RetryPolicy()
    delay = policy.next_delay(attempt, jitter=jitter, floor=floor)
    assert min(floor, policy.longest) <= delay <= policy.longest


@given(jitter=st.floats(0, 1), floor=st.timedeltas(timedelta(minutes=1), timedelta(hours=5)))
def test_a_floor_is_spread_by_at_most_a_tenth(jitter: float, floor: timedelta) -> None:
    """Jobs that were told the same moment come back one after the other, and soon."""
    delay = RetryPolicy().next_delay(1, jitter=jitter, floor=floor)
    assert delay <= floor * 1.1 + timedelta(microseconds=1)
    assert RetryPolicy().next_delay(1, jitter=1.0, floor=floor) > floor


def test_a_descriptor_without_wishes_leaves_the_policy_alone() -> None:
    """Most actions say nothing, and the operator's policy holds."""
    policy = RetryPolicy(max_attempts=3)
    assert policy.for_action(descriptor()) is policy


def test_a_descriptors_wishes_stand_above_the_policy() -> None:
    """The author knows the action; what is not wished for stays."""
    changed = RetryPolicy(max_age=timedelta(hours=1)).for_action(
        descriptor(max_attempts=2, retry=[5, 7])
    )
    assert changed.max_attempts == 2
    assert changed.backoff == (timedelta(seconds=5), timedelta(seconds=7))
    assert changed.max_age == timedelta(hours=1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"backoff": ()}, "backoff needs"),
        ({"backoff": (timedelta(seconds=-1),)}, "backoff needs"),
        ({"max_attempts": 0}, "max_attempts must be 1"),
        ({"longest": timedelta(0)}, "longest must not"),
    ],
)
def test_a_policy_that_cannot_work_is_refused(wrong: dict[str, object], message: str) -> None:
    """When it is made, and not when the first job fails."""
    with pytest.raises(ValueError, match=message):
        RetryPolicy(**wrong)  # type: ignore[arg-type]  # the point of the test
