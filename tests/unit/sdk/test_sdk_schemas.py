"""Labels of plugins, against each other and against Imbi's own."""

from pathlib import Path
from typing import Any

import pytest

from imbi_sdk import (
    PluginEdgeLabel,
    PluginIndex,
    PluginManifest,
    PluginSchemaCollisionError,
    PluginVertexLabel,
    validate_no_collisions,
)


def manifest(slug: str, **labels: Any) -> PluginManifest:
    return PluginManifest(slug=slug, name=slug, plugin_type="identity", **labels)


def vertex(name: str = "AwsAccount", **fields: Any) -> PluginVertexLabel:
    return PluginVertexLabel(name=name, **{"model_ref": "aws.models:Account"} | fields)


def edge(**fields: Any) -> PluginEdgeLabel:
    given: dict[str, Any] = {
        "name": "MAPS_TO",
        "from_labels": ["Environment"],
        "to_labels": ["AwsAccount"],
    }
    return PluginEdgeLabel(**given | fields)


def test_different_labels_live_together() -> None:
    """The real declarations of the AWS plugin pass."""
    account = vertex(
        indexes=[PluginIndex(fields=["account_id"], unique=True), PluginIndex(fields=["name"])]
    )
    tagged = edge(properties={"tags": "dict[str, str]"})
    validate_no_collisions(
        [manifest("aws", vertex_labels=[account], edge_labels=[tagged]), manifest("other")]
    )


def test_two_plugins_may_declare_one_label_alike() -> None:
    """A family of plugins shares its labels."""
    validate_no_collisions(
        [
            manifest("a", vertex_labels=[vertex()], edge_labels=[edge()]),
            manifest("b", vertex_labels=[vertex()], edge_labels=[edge()]),
        ]
    )


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ({"vertex_labels": [vertex()]}, {"vertex_labels": [vertex(nav_label="A")]}, "vertex"),
        ({"edge_labels": [edge()]}, {"edge_labels": [edge(to_labels=["Team"])]}, "edge"),
    ],
)
def test_two_plugins_may_not_differ_on_a_label(
    one: dict[str, Any], other: dict[str, Any], kind: str
) -> None:
    """The message names both plugins and the label."""
    with pytest.raises(
        PluginSchemaCollisionError, match=f"Plugins 'a' and 'b' declare the {kind} label '"
    ):
        validate_no_collisions([manifest("a", **one), manifest("b", **other)])


@pytest.mark.parametrize("name", ["Project", "WebhookRule", "TOTPSecret", "Component"])
def test_imbis_own_vertex_labels_are_taken(name: str) -> None:
    """A plugin cannot redefine what Imbi stores."""
    with pytest.raises(PluginSchemaCollisionError, match=f"'a' declares the vertex label '{name}'"):
        validate_no_collisions([manifest("a", vertex_labels=[vertex(name)])])


def test_edge_labels_are_not_held_against_imbis() -> None:
    """Only vertex labels are, as in Imbi."""
    validate_no_collisions([manifest("a", edge_labels=[edge(name="Project")])])


def test_a_host_may_bring_its_own_list(tmp_path: Path) -> None:
    """The list in the file counts in place of ours."""
    path = tmp_path / "schemata.toml"
    path.write_text('[vlabels]\nname = ["Special"]\n')
    validate_no_collisions([manifest("a", vertex_labels=[vertex("Project")])], path)
    with pytest.raises(PluginSchemaCollisionError, match="'Special'"):
        validate_no_collisions([manifest("a", vertex_labels=[vertex("Special")])], path)
