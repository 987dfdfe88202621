"""The validators of deploy/ are there and are the versions that the tests mean."""

import subprocess
from pathlib import Path

import helm_python
import pytest


def _said(*command: str | Path) -> str:
    answer = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - a tool the tests fetched, and words of ours
    return answer.stdout


def test_helm_is_at_hand_as_a_library() -> None:
    assert helm_python.helm_sdk_version().startswith("v4.")


@pytest.mark.needs_deploy_tools
def test_promtool_runs(promtool: Path) -> None:
    assert _said(promtool, "--version").startswith("promtool, version 2.")


@pytest.mark.needs_deploy_tools
def test_prometheus_runs(prometheus_server: Path) -> None:
    assert _said(prometheus_server, "--version").startswith("prometheus, version 2.")


@pytest.mark.needs_deploy_tools
def test_kubectl_brings_kustomize(kubectl: Path) -> None:
    said = _said(kubectl, "version", "--client")
    assert "Client Version: v1.33" in said
    assert "Kustomize Version: v5" in said


@pytest.mark.needs_deploy_tools
def test_helm_the_command_runs(helm_cli: Path) -> None:
    assert _said(helm_cli, "version", "--short").startswith("v4.")


@pytest.mark.needs_deploy_tools
def test_the_models_of_custom_resources_are_installed(node_modules: Path) -> None:
    names = {path.name for path in (node_modules / "@kubernetes-models").iterdir()}
    assert {"keda", "prometheus-operator"} <= names
