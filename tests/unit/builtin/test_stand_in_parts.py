"""The parts of the stand-in API that need no server."""

import asyncio
from typing import Any

import pytest
from pydantic import ValidationError

from imbi_worker.demo.imbi_api import Fault, Faults
from imbi_worker.demo.imbi_api.json_patch import PatchRefused, patched


def test_a_patch_adds_replaces_and_removes() -> None:
    """In order, on a copy."""
    project: dict[str, Any] = {"name": "a", "tags": ["x", "z"], "old": 1}
    operations = [
        {"op": "add", "path": "/facts", "value": {}},
        {"op": "add", "path": "/facts/lang", "value": "py"},
        {"op": "add", "path": "/tags/1", "value": "y"},
        {"op": "add", "path": "/tags/-", "value": "end"},
        {"op": "replace", "path": "/name", "value": "b"},
        {"op": "remove", "path": "/old"},
    ]
    assert patched(project, operations) == {
        "name": "b",
        "tags": ["x", "y", "z", "end"],
        "facts": {"lang": "py"},
    }
    assert project == {"name": "a", "tags": ["x", "z"], "old": 1}


@pytest.mark.parametrize(
    "operations",
    [
        {},
        ["add"],
        [{"op": "add", "path": "/a"}],
        [{"op": "add", "path": "/a/b/c", "value": 1}],
        [{"op": "add", "path": "/tags/7", "value": 1}],
        [{"op": "add", "path": "/tags/x", "value": 1}],
        [{"op": "add", "path": "", "value": {}}],
        [{"op": "replace", "path": "/gone", "value": 1}],
        [{"op": "remove", "path": "/gone"}],
        [{"op": "test", "path": "/tags", "value": []}],
    ],
)
def test_a_patch_that_does_not_fit_changes_nothing(operations: Any) -> None:
    """As Imbi does: all of it or nothing."""
    project: dict[str, Any] = {"tags": []}
    with pytest.raises(PatchRefused):
        patched(project, operations)
    assert project == {"tags": []}


def test_a_fault_is_used_up() -> None:
    """*times* requests are hit and the next one is served."""
    faults = Faults()
    faults.add(Fault(times=2))
    assert [faults.take("GET", "/x", None) is not None for _ in range(3)] == [True, True, False]


def test_a_fault_without_end_stays_until_cleared() -> None:
    """For a service that is down."""
    faults = Faults()
    faults.add(Fault(times=None))
    assert all(faults.take("GET", "/x", None) for _ in range(5))
    faults.clear()
    assert faults.take("GET", "/x", None) is None


def test_one_fault_can_be_taken_back() -> None:
    """And the others stay, though they may be equal to it."""
    faults, one, other = Faults(), Fault(times=None), Fault(times=None)
    faults.add(one)
    faults.add(other)
    faults.remove(one)
    assert faults.take("GET", "/x", None) is other
    faults.remove(other)
    assert faults.take("GET", "/x", None) is None


def test_a_share_of_the_requests_is_drawn_by_its_seed() -> None:
    """About one in ten, and the same ones each time."""

    def drawn(seed: int) -> list[bool]:
        faults = Faults()
        faults.add(Fault(times=None, share=0.1, seed=seed))
        return [faults.take("GET", "/x", None) is not None for _ in range(1000)]

    assert 50 < sum(drawn(4)) < 150
    assert drawn(4) == drawn(4) != drawn(5)


def test_a_fault_hits_its_project_and_path_only() -> None:
    """One broken project beside whole ones."""
    faults = Faults()
    faults.add(Fault(project_id="p-1", path="/organizations"))
    assert faults.take("GET", "/organizations/o/projects/p-2", "p-2") is None
    assert faults.take("GET", "/users/by-identity", "p-1") is None
    assert faults.take("GET", "/organizations/o/projects/p-1", "p-1") is not None


@pytest.mark.parametrize("fault", [{"kind": "odd"}, {"status": 200}, {"times": 0}, {"what": 1}])
def test_a_fault_that_makes_no_sense_is_refused(fault: dict[str, Any]) -> None:
    """A misspelt fault must not look like a passing test."""
    with pytest.raises(ValidationError):
        Fault.model_validate(fault)


async def test_a_release_frees_those_who_wait_and_no_later_ones() -> None:
    """So that a test can hang the same service twice."""
    faults = Faults()
    first = asyncio.create_task(faults.released())
    await asyncio.sleep(0)
    faults.release()
    await first
    second = asyncio.create_task(faults.released())
    await asyncio.sleep(0)
    assert not second.done()
    faults.release()
    await second
