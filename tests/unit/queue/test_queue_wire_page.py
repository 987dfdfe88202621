"""The page on the wire names what schema, vectors and script have, and shows what is true."""

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from imbi_sdk.queue import schema, vectors
from imbi_sdk.queue.delivery import DELIVERY_ID_LIMIT, EVENT_BYTES_LIMIT
from imbi_sdk.queue.flaws import EVENT_DEPTH_LIMIT
from imbi_sdk.queue.producer import JOBS_PER_CALL
from imbi_sdk.queue.signing import SHORTEST_KEY

PAGE = (Path(__file__).parents[3] / "docs" / "wire.md").read_text(encoding="utf-8")


def described(node: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Every member of the schema by its path."""
    whole = schema()
    for name, member in node["properties"].items():
        yield prefix + name
        target = member
        if "$ref" in member:
            target = whole["$defs"][member["$ref"].rpartition("/")[2]]
        if "properties" in target:
            yield from described(target, f"{prefix}{name}.")


def test_the_page_explains_every_member_of_the_schema() -> None:
    """And none that is not there."""
    table = PAGE[PAGE.index("| member |") : PAGE.index("Members that a worker does not know")]
    rows = re.findall(r"^\| `([a-z_.]+)` \|", table, re.MULTILINE)
    assert sorted(rows) == sorted(described(schema()))


def test_the_worked_example_is_the_first_vector() -> None:
    """Its text and signature are recomputed by the tests of the vectors."""
    first = vectors()["jobs"][0]
    assert f"```\n{first['signed_text']}\n```" in PAGE
    assert f"gives `{first['sig']}`" in PAGE
    assert f"signed with `{first['key']}`" in PAGE


def test_the_limits_on_the_page_are_the_limits_in_code() -> None:
    """Each figure once, where a reader looks for it."""
    mebibytes = EVENT_BYTES_LIMIT // 1024**2
    for text in (
        f"at most {EVENT_DEPTH_LIMIT} levels and {mebibytes} MiB",
        f"nested at most {EVENT_DEPTH_LIMIT + 2} levels",
        f"1 to {DELIVERY_ID_LIMIT} printable characters",
        f"at least {SHORTEST_KEY} characters",
        f"up to {JOBS_PER_CALL:,} jobs of one delivery",
    ):
        assert text in " ".join(PAGE.split()), text


def test_the_arguments_on_the_page_are_those_of_the_script() -> None:
    """The head of the script lists eight for each job, in the same order."""
    head = (files("imbi_sdk.queue.scripts") / "enqueue.lua").read_text(encoding="utf-8")
    said = re.search(r"then for each: ([^.]*?)\n-- Reply", head)
    assert said
    in_script = [part.strip() for part in said[1].replace("--", "").split(",")]
    on_page = re.search(r"for each job eight: ([^.]*)\.", " ".join(PAGE.split()))
    assert on_page
    listed = [part.strip().removesuffix(' or `""`') for part in on_page[1].split(",")]
    assert listed == in_script
    assert len(listed) == 8


def test_every_number_on_the_page_is_signed_as_it_says() -> None:
    """The examples of the trap stand in the table of the vectors too."""
    table = {
        entry["in_the_body"]: entry["signed_as"] for entry in vectors()["numbers_in_inline_events"]
    }
    examples = re.findall(r"`([-0-9.e]+)` (?:is signed )?as `([-0-9.e]+)`", " ".join(PAGE.split()))
    assert len(examples) == 3
    assert all(table[spelled] == signed for spelled, signed in examples)
