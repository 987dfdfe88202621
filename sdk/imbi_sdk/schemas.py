"""The labels plugins add to the graph, and that no two mean different things."""

import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from imbi_sdk.errors import PluginSchemaCollisionError
from imbi_sdk.manifest import PluginEdgeLabel, PluginManifest, PluginVertexLabel

_Label = TypeVar("_Label", PluginVertexLabel, PluginEdgeLabel)

CORE_VERTEX_LABELS = frozenset(
    {
        "APIKey",
        "AnalysisReport",
        "AnalysisResult",
        "Blueprint",
        "ClientCredential",
        "Comment",
        "CommentThread",
        "Component",
        "ComponentIdentifier",
        "ComponentRelease",
        "Conversation",
        "DocumentTemplate",
        "Environment",
        "IdentityConnection",
        "LinkDefinition",
        "MCPServer",
        "Message",
        "OAuthClient",
        "OAuthIdentity",
        "Organization",
        "Permission",
        "Plugin",
        "PluginRegistration",
        "Project",
        "ProjectType",
        "Release",
        "Role",
        "ScoringPolicy",
        "ServiceAccount",
        "ServiceApplication",
        "Session",
        "TOTPSecret",
        "Team",
        "ThirdPartyService",
        "TokenMetadata",
        "Upload",
        "User",
        "Webhook",
        "WebhookImplementation",
        "WebhookRule",
    }
)
"""What Imbi 2.11 itself stores. A host with more says so with ``schemata_toml_path``."""


def validate_no_collisions(
    manifests: Sequence[PluginManifest], schemata_toml_path: Path | None = None
) -> None:
    """Refuse the first label that two parties claim.

    Two plugins may declare one label if they declare it alike. The names of
    Imbi's own vertex labels are taken; *schemata_toml_path* names a file that
    lists them (``[vlabels] name``) in place of the built-in list.

    :raises PluginSchemaCollisionError: names the label and who claims it
    """
    core = _core_labels(schemata_toml_path)
    for manifest in manifests:
        for label in manifest.vertex_labels:
            if label.name in core:
                raise PluginSchemaCollisionError(
                    f"Plugin {manifest.slug!r} declares the vertex label {label.name!r}, "
                    "which is one of Imbi's own; rename it"
                )
    _refuse_differences(
        "vertex",
        ((manifest.slug, label) for manifest in manifests for label in manifest.vertex_labels),
    )
    _refuse_differences(
        "edge", ((manifest.slug, label) for manifest in manifests for label in manifest.edge_labels)
    )


def _refuse_differences(kind: str, declarations: Iterable[tuple[str, _Label]]) -> None:
    first: dict[str, tuple[str, _Label]] = {}
    for slug, label in declarations:
        owner, known = first.setdefault(label.name, (slug, label))
        if known != label:
            raise PluginSchemaCollisionError(
                f"Plugins {owner!r} and {slug!r} declare the {kind} label {label.name!r} "
                "differently; make the declarations equal or rename one"
            )


def _core_labels(path: Path | None) -> frozenset[str]:
    if path is None:
        return CORE_VERTEX_LABELS
    return frozenset(tomllib.loads(path.read_text(encoding="utf-8"))["vlabels"]["name"])
