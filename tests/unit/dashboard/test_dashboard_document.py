"""The OpenAPI document and the page about the API say what the endpoints do."""

import re
from pathlib import Path

from jsonschema import Draft202012Validator

from imbi_worker.dashboard.catalogue import ENDPOINTS, TAILS
from imbi_worker.dashboard.openapi import document

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")


def test_every_endpoint_stands_on_the_page() -> None:
    """With its role, what it asks and what it means; and no other one does."""
    rows = re.findall(r"^\| `((?:GET|POST) /[^`]*)` \| (.*) \|$", PAGE, re.MULTILINE)
    expected = {}
    for one in ENDPOINTS:
        parts = set(re.findall(r"{(\w+)}", one.path))
        asked = ", ".join(f"`{name}`" for name in one.asks.model_fields if name not in parts)
        expected[f"{one.method} {one.path}"] = f"{one.role} | {asked} | {one.summary}"
    for tail in TAILS:
        asked = ", ".join(f"`{name}`" for name in tail.asks.model_fields)
        expected[f"GET {tail.path}"] = f"viewer | {asked} | {tail.summary}"
    assert dict(rows) == expected


def test_every_kind_of_problem_stands_on_the_page() -> None:
    """With no other one."""
    found = document(ENDPOINTS, TAILS, version="0")
    kinds = found["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]
    assert re.findall(r"^\| `(/problems/[\w-]+)`", PAGE, re.MULTILINE) == kinds


def test_every_schema_of_the_document_is_one() -> None:
    """Draft 2020-12, as OpenAPI 3.1 has it; every reference leads somewhere."""
    found = document(ENDPOINTS, TAILS, version="0")
    assert found["openapi"] == "3.1.0"
    schemas = found["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    for reference in re.findall(r"'\$ref': '#/components/schemas/([^']+)'", str(found)):
        assert reference in schemas


def test_operations_have_names_of_their_own() -> None:
    """A client made of the document calls them by these."""
    paths = document(ENDPOINTS, TAILS, version="0")["paths"]
    names = [one["operationId"] for path in paths.values() for one in path.values()]
    assert len(names) == len(set(names)) == len(ENDPOINTS) + len(TAILS)
