"""Writes base/ anew: the Helm chart with its smallest values, for those who use kustomize.

    .venv/bin/python deploy/kustomize/render.py

What only Helm needs is left out: its labels, the test pod, and the checksum that restarts pods,
since kustomize names a ConfigMap by its content. A test compares base/ with the chart.
"""

import re
from pathlib import Path
from typing import Final

import helm_python
import yaml

_HERE: Final = Path(__file__).parent
_CHART: Final = _HERE.parent / "helm" / "imbi-worker"
_NAME: Final = "imbi-worker"
_HEAD: Final = "# Rendered from the Helm chart by deploy/kustomize/render.py: change that one.\n"
_OF_HELM: Final = re.compile(
    r"^ *(?:helm\.sh/chart|app\.kubernetes\.io/managed-by): .*\n"
    r"|^ *annotations:\n *checksum/config: .*\n",
    re.MULTILINE,
)


def files() -> dict[str, str]:
    """The text of each file of base/, by its name."""
    values = yaml.safe_load((_CHART / "ci" / "smallest.yaml").read_text(encoding="utf-8"))
    with helm_python.Chart.load(_CHART) as chart:
        rendered = chart.render(values, name=_NAME, namespace="default")
    texts = {
        path.rpartition("/")[2]: _OF_HELM.sub("", text).strip().removeprefix("---\n")
        for path, text in rendered.items()
        if path.endswith(".yaml") and "/tests/" not in path and text.strip()
    }
    settings = yaml.safe_load(texts.pop("configmap.yaml"))
    manifests = {name: f"{_HEAD}{text}\n" for name, text in sorted(texts.items())}
    return {
        **manifests,
        "settings.env": "".join(f"{key}={value}\n" for key, value in settings["data"].items()),
        "kustomization.yaml": _HEAD + _kustomization(list(manifests), settings),
    }


def _kustomization(resources: list[str], settings: dict[str, dict[str, object]]) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": resources,
            "configMapGenerator": [
                {
                    "name": settings["metadata"]["name"],
                    "envs": ["settings.env"],
                    "options": {"labels": settings["metadata"]["labels"]},
                }
            ],
        },
        sort_keys=False,
    )


def main() -> None:
    base = _HERE / "base"
    for stale in base.iterdir():
        stale.unlink()
    for name, text in files().items():
        (base / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
