"""The chart takes what its three examples say, and refuses the rest in words one can act on."""

import json
import subprocess
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml
from charts import CASES, CHART, ROOT, merged, notes, render, settings_names, values_of

OF_THE_CHART = {
    "IMBI_WORKER_QUEUE",
    "IMBI_WORKER_DRAIN",
    "IMBI_WORKER_GRACE",
    "IMBI_WORKER_METRICS_HOST",
    "IMBI_WORKER_METRICS_PORT",
    "IMBI_WORKER_DASHBOARD_HOST",
    "IMBI_WORKER_DASHBOARD_PORT",
    "IMBI_WORKER_DASHBOARD_METRICS_PORT",
    "PORT",
    # The image sets them.
    "IMBI_WORKER_HEARTBEAT_FILE",
    "IMBI_WORKER_REVISION",
}


def refusal(changes: dict[str, Any]) -> str:
    with pytest.raises(helm_python.HelmError) as caught:
        render(merged(values_of("smallest"), changes))
    return str(caught.value)


@pytest.mark.parametrize("case", CASES)
def test_helm_finds_nothing_to_mend(case: str) -> None:
    """`helm lint --strict` with each example."""
    report = helm_python.lint(CHART, values_of(case), strict=True)
    assert report["errors"] == []
    said = [one["error"] for one in report["messages"]]
    assert said == ["icon is recommended"]


def test_chart_and_worker_have_one_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert chart["version"] == chart["appVersion"] == project["version"]


def test_the_schema_knows_every_setting_that_is_no_secret() -> None:
    """A new setting belongs into values.schema.json, or among the chart's own here."""
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    known = set(schema["definitions"]["settings"]["properties"])
    open_ones = {name for name, is_secret in settings_names().items() if not is_secret}
    assert known == open_ones - OF_THE_CHART


def test_the_schema_describes_every_value() -> None:
    """What values.yaml offers, the schema accepts by name; a typo is no silent default."""
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))

    def unknown(value: Any, shape: dict[str, Any], path: str) -> list[str]:
        if "$ref" in shape:
            shape = schema["definitions"][shape["$ref"].rpartition("/")[2]]
        if not isinstance(value, dict) or "properties" not in shape:
            return []
        assert shape["additionalProperties"] is False, path
        missing = [f"{path}.{key}" for key in value.keys() - shape["properties"].keys()]
        below = shape["properties"]
        return missing + [
            name
            for key in value.keys() & below.keys()
            for name in unknown(value[key], below[key], f"{path}.{key}")
        ]

    assert unknown(values, schema, "values") == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"replicas": 3}, "additional properties 'replicas' not allowed"),
        ({"worker": {"replica": 3}}, "at '/worker': additional properties 'replica'"),
        (
            {"settings": {"IMBI_WORKER_CONCURENCY": 5}},
            "at '/settings': additional properties 'IMBI_WORKER_CONCURENCY'",
        ),
        (
            {"settings": {"IMBI_WORKER_SIGNING_KEY": "s"}},
            "additional properties 'IMBI_WORKER_SIGNING_KEY'",
        ),
        ({"settings": {"NEO4J_URL": "neo4j://me:secret@graph"}}, "at '/settings/NEO4J_URL'"),
        ({"settings": {"NEO4J_URL": ""}}, "at '/settings/NEO4J_URL'"),
        ({"settings": {"IMBI_WORKER_LANE": "plugins"}}, "'plugin', 'project', 'none'"),
        ({"settings": {"IMBI_WORKER_TIMEOUT": "soon"}}, "at '/settings/IMBI_WORKER_TIMEOUT'"),
        ({"autoscaling": {"kind": "vpa"}}, "'none', 'keda', 'hpa'"),
        ({"autoscaling": {"minReplicas": 0}}, "minimum: got 0, want 1"),
        ({"autoscaling": {"keda": {"trigger": "redis"}}}, "'metrics-api', 'prometheus'"),
        ({"image": {"digest": "latest"}}, "at '/image/digest'"),
        ({"queues": [{"queue": "imbi:two"}]}, "missing property 'name'"),
        ({"queues": [{"name": "Upper"}]}, "at '/queues/0/name'"),
    ],
)
def test_the_schema_refuses(changes: dict[str, Any], words: str) -> None:
    """It names the place, and what would be right."""
    assert words in refusal(changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"existingSecret": ""}, "existingSecret is empty: make a Secret with REDIS_URL"),
        ({"secretValues": {"REDIS_URL": "redis://r"}}, "are both set: keep existingSecret"),
        ({"settings": None}, "settings.NEO4J_URL is empty: name the graph"),
        (
            {"worker": {"terminationGracePeriodSeconds": 44}},
            "is 44, but a drain of 30 s needs 45",
        ),
        (
            {"worker": {"drainSeconds": 60, "terminationGracePeriodSeconds": 60}},
            "is 60, but a drain of 60 s needs 75",
        ),
        (
            {"worker": {"graceSeconds": 30, "terminationGracePeriodSeconds": 60}},
            "is 60, but a drain of 30 s needs 70",
        ),
        (
            {"worker": {"extraEnv": [{"name": "IMBI_WORKER_LEASE", "value": "1s"}]}},
            "extraEnv has IMBI_WORKER_LEASE, a setting of ours: write it under settings",
        ),
        (
            {"autoscaling": {"kind": "keda"}, "dashboard": {"enabled": False}},
            "the KEDA trigger metrics-api asks the dashboard: set dashboard.enabled",
        ),
        (
            {"autoscaling": {"kind": "keda", "keda": {"trigger": "prometheus"}}},
            "serverAddress is empty: name Prometheus",
        ),
        ({"autoscaling": {"minReplicas": 9, "maxReplicas": 2}}, "minReplicas is above maxReplicas"),
        (
            {"queues": [{"name": "a"}, {"name": "b"}]},
            "queues a and b read the same Redis address (key REDIS_URL)",
        ),
        (
            {"queues": [{"name": "a"}, {"name": "a", "redisUrlKey": "REDIS_URL_B"}]},
            "two queues are named a",
        ),
        (
            {"dashboard": {"ingress": {"enabled": True}}},
            "dashboard.ingress.host is empty",
        ),
        (
            {"dashboard": {"httpRoute": {"enabled": True, "host": "a.example.com"}}},
            "dashboard.httpRoute.parentRefs is empty: name the Gateway",
        ),
    ],
)
def test_values_that_do_not_go_together_are_refused(changes: dict[str, Any], words: str) -> None:
    assert words in refusal(changes)


def test_the_packaged_chart_is_whole(tmp_path: Path) -> None:
    """`helm package` keeps rules and schema, and leaves the examples out."""
    package = helm_python.package(CHART, destination=tmp_path)
    with tarfile.open(package) as archive:
        names = set(archive.getnames())
    assert {"imbi-worker/files/rules.yaml", "imbi-worker/values.schema.json"} <= names
    assert not any("/ci/" in name for name in names)
    values = values_of("production")
    assert render(values, folder=Path(package)) == render(values)


def test_secrets_in_the_values_are_said_loudly() -> None:
    values = merged(
        values_of("smallest"),
        {"existingSecret": "", "secretValues": {"REDIS_URL": "redis://r/0"}},
    )
    assert "WARNING: secretValues are set" in notes(values)
    assert "WARNING" not in notes(values_of("smallest"))


def test_unsigned_jobs_are_said_loudly() -> None:
    values = merged(values_of("smallest"), {"settings": {"IMBI_WORKER_ACCEPT_UNSIGNED": True}})
    assert "runs jobs without a signature" in notes(values)


@pytest.mark.needs_deploy_tools
@pytest.mark.parametrize("case", CASES)
def test_the_command_helm_renders_what_the_library_does(case: str, helm_cli: Path) -> None:
    """An operator's `helm template` gives the same documents."""
    command = [helm_cli, "template", "demo", CHART, "--namespace", "prod"]
    command += ["--values", CHART / "ci" / f"{case}.yaml"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - a tool the tests fetched, and words of ours
    told = [one for one in yaml.safe_load_all(said) if one]
    assert sorted(told, key=str) == sorted(render(values_of(case)), key=str)
