"""The chart scales by what is due and runs: by asking the dashboard, or Prometheus."""

import re
from dataclasses import fields

import promql_parser
import pytest
from charts import CASES, Document, deployment, environment, merged, of_kind, render, values_of

from imbi_worker.dashboard.api import PREFIX
from imbi_worker.dashboard.catalogue import holds
from imbi_worker.observability.metrics import QUEUE_JOBS, STATES


def _scaled(case: str) -> tuple[list[Document], Document]:
    documents = render(values_of(case))
    return documents, of_kind(documents, "ScaledObject")[0]


def test_keda_asks_the_dashboard() -> None:
    """At an address that the chart's Service has, for a figure that the API answers with."""
    documents, scaled = _scaled("production")
    (trigger,) = scaled["spec"]["triggers"]
    assert trigger["type"] == "metrics-api"
    asked = re.fullmatch(r"http://([\w-]+)\.prod\.svc:(\d+)(/.*)", trigger["metadata"]["url"])
    assert asked is not None
    (service,) = of_kind(documents, "Service")
    assert service["metadata"]["name"] == asked[1]
    assert service["spec"]["ports"][0]["port"] == int(asked[2])
    paths = {f"{PREFIX}{one.path}" for one in holds.ENDPOINTS if one.method == "GET"}
    assert asked[3] in paths
    assert trigger["metadata"]["valueLocation"] in {one.name for one in fields(holds.Load)}


def test_keda_shows_the_token_of_a_viewer() -> None:
    documents, scaled = _scaled("production")
    (trigger,) = scaled["spec"]["triggers"]
    (login,) = of_kind(documents, "TriggerAuthentication")
    assert trigger["metadata"]["authMode"] == "bearer"
    assert trigger["authenticationRef"]["name"] == login["metadata"]["name"]
    assert login["spec"]["secretTargetRef"] == [
        {"parameter": "token", "name": "imbi-worker", "key": "SCALING_TOKEN"}
    ]


def test_keda_asks_prometheus_for_what_workers_export() -> None:
    """The query parses, its metric and its labels exist, and its states are states."""
    documents, scaled = _scaled("several-queues")
    (trigger,) = scaled["spec"]["triggers"]
    assert trigger["type"] == "prometheus"
    parsed = promql_parser.parse(trigger["metadata"]["query"])
    assert isinstance(parsed, promql_parser.AggregateExpr)
    assert isinstance(parsed.expr, promql_parser.AggregateExpr)
    series = parsed.expr.expr
    assert isinstance(series, promql_parser.VectorSelector)
    assert series.name == QUEUE_JOBS.name
    wanted = {one.name: one.value for one in series.matchers.matchers}
    # The Prometheus operator adds the namespace, the PodMonitor the job.
    assert wanted.keys() - {"namespace", "job"} <= set(QUEUE_JOBS.labels)
    assert set(wanted["state"].split("|")) <= set(STATES)
    told = environment(documents, deployment(documents, "worker")["spec"]["template"]["spec"])
    assert wanted["queue"] == told["IMBI_WORKER_QUEUE"]


def test_another_query_can_be_asked() -> None:
    """Where another scrape than the chart's PodMonitor names labels otherwise."""
    prometheus = {"serverAddress": "http://prometheus:9090", "query": "max(my_load)"}
    scaling = {"kind": "keda", "keda": {"trigger": "prometheus", "prometheus": prometheus}}
    documents = render(merged(values_of("smallest"), {"autoscaling": scaling}))
    (scaled,) = of_kind(documents, "ScaledObject")
    assert scaled["spec"]["triggers"][0]["metadata"]["query"] == "max(my_load)"


@pytest.mark.parametrize("case", CASES)
def test_nothing_counts_jobs_that_only_wait(case: str) -> None:
    """The length of the queue holds what waits for its lane or a retry: no trigger reads it."""
    kinds = {
        trigger["type"]
        for one in of_kind(render(values_of(case)), "ScaledObject")
        for trigger in one["spec"]["triggers"]
    }
    assert kinds <= {"metrics-api", "prometheus"}


def test_the_next_pod_comes_before_the_last_slot_is_taken() -> None:
    """At 70 % of IMBI_WORKER_CONCURRENCY, as docs/scaling.md reckons, or where one says."""

    def target(changes: dict[str, object]) -> str:
        values = merged(values_of("smallest"), {"autoscaling": {"kind": "keda"}})
        (scaled,) = of_kind(render(merged(values, changes)), "ScaledObject")
        return str(scaled["spec"]["triggers"][0]["metadata"]["targetValue"])

    assert target({}) == "70"
    assert target({"settings": {"IMBI_WORKER_CONCURRENCY": 40}}) == "28"
    assert target({"settings": {"IMBI_WORKER_CONCURRENCY": 1}}) == "1"
    assert target({"autoscaling": {"target": 25}}) == "25"


@pytest.mark.parametrize("kind", ["keda", "hpa"])
def test_an_autoscaled_deployment_names_no_replicas(kind: str) -> None:
    """Or every upgrade would set them back."""
    documents = render(merged(values_of("smallest"), {"autoscaling": {"kind": kind}}))
    assert "replicas" not in deployment(documents, "worker")["spec"]
    assert deployment(render(values_of("smallest")), "worker")["spec"]["replicas"] == 2


def test_a_fleet_shrinks_slowly_and_never_to_nothing() -> None:
    """A pod that goes drains; a worker at least keeps house."""
    _, scaled = _scaled("production")
    behavior = scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 300
    assert scaled["spec"]["minReplicaCount"] == 3
    assert scaled["spec"]["fallback"]["behavior"] == "currentReplicasIfHigher"
    (hpa,) = of_kind(render(values_of("several-queues")), "HorizontalPodAutoscaler")
    assert hpa["spec"]["minReplicas"] == 2
    assert hpa["spec"]["maxReplicas"] == 4
    assert hpa["spec"]["behavior"] == behavior
