"""What KEDA and the Prometheus operator are given is what their schemas describe."""

import json
import subprocess
from copy import deepcopy
from pathlib import Path

import pytest
from charts import Document, merged, render, values_of

pytestmark = pytest.mark.needs_deploy_tools
JUDGE = Path(__file__).with_name("models.mjs")
CUSTOM = ("gateway.networking.k8s.io/", "keda.sh/", "monitoring.coreos.com/")


def _judged(resources: list[Document], node_modules: Path) -> list[str]:
    """What is wrong with *resources*; a script on the command line finds the folder's modules."""
    script = JUDGE.read_text(encoding="utf-8")
    said = subprocess.run(  # noqa: S603 - our own words
        ["node", "--input-type=module", "--eval", script],  # noqa: S607 - whichever Node.js is at hand
        check=True,
        capture_output=True,
        text=True,
        input=json.dumps(resources),
        cwd=node_modules.parent,
    )
    return [str(one) for one in json.loads(said.stdout)]


def _custom(case: str) -> list[Document]:
    return [one for one in render(values_of(case)) if one["apiVersion"].startswith(CUSTOM)]


def test_custom_resources_fit_their_schemas(node_modules: Path) -> None:
    found = _custom("production") + _custom("several-queues")
    assert {one["kind"] for one in found} == {
        "ScaledObject",
        "TriggerAuthentication",
        "PodMonitor",
        "PrometheusRule",
        "HTTPRoute",
    }
    assert _judged(found, node_modules) == []


def test_without_a_fallbacks_behavior_it_is_left_out(node_modules: Path) -> None:
    """For KEDA before 2.17, which does not know it."""
    values = merged(
        values_of("smallest"), {"autoscaling": {"kind": "keda", "keda": {"fallbackBehavior": ""}}}
    )
    found = [one for one in render(values) if one["apiVersion"].startswith(CUSTOM)]
    assert "behavior" not in found[0]["spec"]["fallback"]
    assert _judged(found, node_modules) == []


def test_unknown_fields_and_wrong_values_are_seen(node_modules: Path) -> None:
    """Or the tests above would prove nothing."""
    scaled = next(one for one in _custom("production") if one["kind"] == "ScaledObject")
    typo, wrong = deepcopy(scaled), deepcopy(scaled)
    typo["spec"]["fallBack"] = {}
    wrong["spec"]["minReplicaCount"] = "three"
    said = "\n".join(_judged([typo, wrong], node_modules))
    assert "'\"fallBack\"' does not exist in type" in said
    assert "/spec/minReplicaCount must be integer" in said
