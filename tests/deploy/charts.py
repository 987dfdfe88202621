"""The chart rendered as Helm renders it, and what the tests ask of its documents."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import helm_python
import yaml

from imbi_worker.settings import Settings, variables_of
from imbi_worker.settings.environment import ELSEWHERE, SECRETS

Document: TypeAlias = dict[str, Any]

ROOT: Final = Path(__file__).parents[2]
CHART: Final = ROOT / "deploy" / "helm" / "imbi-worker"
CASES: Final = ("smallest", "production", "several-queues")
NAMESPACE: Final = "prod"
RELEASE: Final = "demo"


def values_of(case: str) -> dict[str, Any]:
    text = (CHART / "ci" / f"{case}.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def render(
    values: Mapping[str, Any],
    *,
    release: str = RELEASE,
    namespace: str = NAMESPACE,
    folder: Path = CHART,
) -> list[Document]:
    """Every document of the chart with *values*.

    :raises helm_python.HelmError: the values are refused, or a template fails
    """
    with helm_python.Chart.load(folder) as chart:
        files = chart.render(dict(values), name=release, namespace=namespace)
    texts = [text for path, text in sorted(files.items()) if path.endswith(".yaml")]
    # The C parser: the other one takes most of the tests' time.
    every = (yaml.load_all(text, Loader=yaml.CSafeLoader) for text in texts)
    return [found for documents in every for found in documents if found]


def notes(values: Mapping[str, Any]) -> str:
    """What Helm tells the operator at the end."""
    with helm_python.Chart.load(CHART) as chart:
        files = chart.render(dict(values), name=RELEASE, namespace=NAMESPACE)
    return next(text for path, text in files.items() if path.endswith("NOTES.txt"))


def merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """*values* with *changes* on top, as `helm --set` would."""
    result = dict(values)
    for key, change in changes.items():
        below = result.get(key)
        is_deeper = isinstance(change, dict) and isinstance(below, dict)
        result[key] = merged(below or {}, change) if is_deeper else change
    return result


def of_kind(documents: list[Document], *kinds: str) -> list[Document]:
    return [one for one in documents if one["kind"] in kinds]


def named(documents: list[Document], kind: str, name: str) -> Document:
    return next(one for one in of_kind(documents, kind) if one["metadata"]["name"] == name)


def deployment(documents: list[Document], component: str) -> Document:
    """The first Deployment of a component: worker or dashboard."""
    label = "app.kubernetes.io/component"
    found = of_kind(documents, "Deployment")
    return next(one for one in found if one["metadata"]["labels"][label] == component)


def pods(documents: list[Document]) -> Iterator[tuple[dict[str, str], Document]]:
    """The labels and the spec of every pod that would run."""
    for one in of_kind(documents, "Deployment"):
        template = one["spec"]["template"]
        yield template["metadata"]["labels"], template["spec"]
    for one in of_kind(documents, "Pod"):
        yield one["metadata"]["labels"], one["spec"]


def environment(documents: list[Document], pod: Document) -> dict[str, str | None]:
    """What a pod's container gets: None where the value comes from a Secret."""
    (container,) = pod["containers"]
    found: dict[str, str | None] = {}
    for source in container.get("envFrom", []):
        found |= named(documents, "ConfigMap", source["configMapRef"]["name"])["data"]
    return found | {one["name"]: one.get("value") for one in container["env"]}


def settings_names() -> dict[str, bool]:
    """Every variable that the worker reads, and whether it is a secret."""
    fields = Settings.model_fields
    names = {name for field in fields for name in variables_of(field)}
    secret = SECRETS | ELSEWHERE | {"IMBI_AUTH_ENCRYPTION_KEY"}
    return {name: name in secret for name in names | secret}
