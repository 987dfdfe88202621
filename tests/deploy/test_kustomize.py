"""The kustomize base is the chart with its smallest values; an overlay of the README builds."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from charts import CHART, ROOT, Document, deployment, named, of_kind, render, values_of
from yamllint import linter
from yamllint.config import YamlLintConfig

KUSTOMIZE = ROOT / "deploy" / "kustomize"
BASE = KUSTOMIZE / "base"
README = ROOT / "deploy" / "README.md"
HELM_LABELS = {"helm.sh/chart", "app.kubernetes.io/managed-by"}
TIDY = YamlLintConfig(
    "{extends: default, rules: {line-length: {max: 130}, document-start: disable,"
    " indentation: {indent-sequences: consistent}}}"
)


def _rendered() -> Mapping[str, str]:
    spec = importlib.util.spec_from_file_location("render", KUSTOMIZE / "render.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.files())


def test_the_base_is_up_to_date() -> None:
    """Or run `.venv/bin/python deploy/kustomize/render.py`, and look at what it changes."""
    committed = {path.name: path.read_text(encoding="utf-8") for path in BASE.iterdir()}
    assert committed == _rendered()


@pytest.mark.parametrize("folder", [KUSTOMIZE, CHART / "ci", CHART])
def test_yaml_is_tidy(folder: Path) -> None:
    """What a template makes is judged in the base; templates themselves are no YAML yet."""
    paths = folder.glob("*.yaml") if folder == CHART else folder.rglob("*.yaml")
    found = [
        f"{path}:{problem.line}: {problem.desc}"
        for path in paths
        for problem in linter.run(path.read_text(encoding="utf-8"), TIDY)
    ]
    assert found == []


def _built(kubectl: Path, folder: Path) -> list[Document]:
    said = subprocess.run(  # noqa: S603 - a tool the tests fetched, and words of ours
        [kubectl, "kustomize", folder],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return list(yaml.safe_load_all(said))


def _without_helm(value: Any) -> Any:
    """*value* without what Helm alone adds, and with generated names as they were given."""
    match value:
        case dict():
            kept = {key: _without_helm(one) for key, one in value.items() if key not in HELM_LABELS}
            if set(kept.get("annotations", {})) == {"checksum/config"}:
                del kept["annotations"]
            return kept
        case list():
            return [_without_helm(one) for one in value]
        case str():
            return re.sub(r"^imbi-worker-[0-9a-z]{10}$", "imbi-worker", value)
        case _:
            return value


def _as_set(documents: list[Document]) -> dict[tuple[str, str], Document]:
    plain = [_without_helm(one) for one in documents if one["kind"] != "Pod"]
    return {(one["kind"], one["metadata"]["name"]): one for one in plain}


@pytest.mark.needs_deploy_tools
def test_kustomize_makes_of_the_base_what_helm_makes_of_the_chart(kubectl: Path) -> None:
    chart = render(values_of("smallest"), release="imbi-worker", namespace="default")
    assert _as_set(_built(kubectl, BASE)) == _as_set(chart)


@pytest.mark.needs_deploy_tools
def test_the_readmes_overlay_builds(kubectl: Path, tmp_path: Path) -> None:
    """It changes image, settings and replicas, and pods follow its ConfigMap."""
    text = README.read_text(encoding="utf-8")
    found = re.search(r"```yaml\n# kustomization\.yaml\n(.*?)```", text, re.DOTALL)
    assert found is not None
    overlay = yaml.safe_load(found[1])
    # The README's way there begins elsewhere.
    overlay["resources"] = ["base"]
    shutil.copytree(BASE, tmp_path / "base")
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    documents = _built(kubectl, tmp_path)
    for one in (found for found in documents if found["kind"] != "Namespace"):
        kubernetes_validate.validate(one, "1.33", strict=True)
    worker = deployment(documents, "worker")
    (container,) = worker["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example.com/platform/imbi-worker:0.1.0"
    assert worker["spec"]["replicas"] == 4
    settings = named(documents, "ConfigMap", container["envFrom"][0]["configMapRef"]["name"])
    assert settings["data"]["NEO4J_URL"] == "neo4j+s://graph.example.com:7687"
    assert settings["data"]["IMBI_WORKER_QUEUE"] == "imbi:queue"
    assert len(of_kind(documents, "ConfigMap")) == 1
