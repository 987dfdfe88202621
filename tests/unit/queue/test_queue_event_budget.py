"""The budget: how many bytes a worker asks for, by what it has in hand."""

import pytest

from imbi_worker.queue.event_budget import EventBudget

MIB = 1024**2


def test_an_empty_hand_has_room_for_a_quarter_of_the_limit() -> None:
    """Four times its bytes is what a parsed event takes, and still takes any one that is larger."""
    budget = EventBudget(64 * MIB)
    assert budget.room == 16 * MIB
    assert budget.fits_any


def test_what_is_in_hand_leaves_the_rest() -> None:
    budget = EventBudget(64 * MIB)
    budget.take(10 * MIB)
    assert budget.taken == 40 * MIB
    assert budget.room == 6 * MIB
    assert not budget.fits_any
    budget.give_back(10 * MIB)
    assert (budget.taken, budget.room) == (0, 16 * MIB)


@pytest.mark.parametrize("size", [12 * MIB, 26 * MIB, 1024 * MIB])
def test_beside_the_largest_event_small_ones_still_have_room(size: int) -> None:
    """One long action on a large body must not stop a worker with a hundred slots."""
    budget = EventBudget(64 * MIB)
    budget.take(size)
    assert budget.room == 4 * MIB
    budget.give_back(size)
    assert budget.taken == 0


def test_a_large_event_may_come_while_only_small_ones_run() -> None:
    """A worker that always has some small job would else never take it."""
    budget = EventBudget(64 * MIB)
    for _ in range(100):
        budget.take(40_000)
    assert budget.fits_any
    budget.take(26 * MIB)
    assert budget.taken <= 64 * MIB
    assert not budget.fits_any


def test_more_than_the_limit_in_hand_leaves_no_room_and_no_debt() -> None:
    """An event that came as the first of any size beside others may overdraw."""
    budget = EventBudget(1024)
    budget.take(200)
    budget.take(200)
    assert budget.room == 0
    budget.give_back(200)
    budget.give_back(200)
    assert (budget.taken, budget.room) == (0, 256)
