"""Each example makes manifests that Kubernetes takes; names, labels and references fit."""

import kubernetes_validate
import pytest
from charts import (
    CASES,
    Document,
    deployment,
    environment,
    merged,
    named,
    of_kind,
    pods,
    render,
    values_of,
)

VERSIONS = ("1.28", "1.29", "1.30", "1.31", "1.32", "1.33")
CUSTOM = ("gateway.networking.k8s.io/", "keda.sh/", "monitoring.coreos.com/")
LABELS = {
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/version",
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
}


@pytest.fixture(params=CASES)
def documents(request: pytest.FixtureRequest) -> list[Document]:
    return render(values_of(request.param))


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_every_manifest(documents: list[Document], version: str) -> None:
    """Strictly: an unknown field is an error. Custom resources have a test of their own."""
    ours = [one for one in documents if not one["apiVersion"].startswith(CUSTOM)]
    assert {"Deployment", "NetworkPolicy", "Pod"} <= {one["kind"] for one in ours}
    for one in ours:
        kubernetes_validate.validate(one, version, strict=True)


def test_the_strict_schema_does_refuse() -> None:
    """Or the test above would prove nothing."""
    worker = deployment(render(values_of("smallest")), "worker")
    worker["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(worker, "1.33", strict=True)


def test_no_two_documents_have_one_name(documents: list[Document]) -> None:
    names = [(one["kind"], one["metadata"]["name"]) for one in documents]
    assert len(names) == len(set(names))
    assert all(len(name) <= 63 for _, name in names)


def test_the_longest_names_still_fit() -> None:
    """A release name of 53 letters and a queue name of 16 are the longest allowed."""
    values = merged(values_of("smallest"), {"queues": [{"name": "q" * 16}]})
    names = [one["metadata"]["name"] for one in render(values, release="r" * 53)]
    assert max(len(name) for name in names) == 63


def test_everything_wears_the_recommended_labels(documents: list[Document]) -> None:
    for one in documents:
        assert one["metadata"]["labels"].keys() >= LABELS


def _matches(selector: Document, labels: dict[str, str]) -> bool:
    for rule in selector.get("matchExpressions", []):
        assert rule["operator"] == "In"
        if labels.get(rule["key"]) not in rule["values"]:
            return False
    return selector.get("matchLabels", {}).items() <= labels.items()


def _selectors(document: Document) -> list[Document]:
    spec = document["spec"]
    match document["kind"]:
        case "Service":
            return [{"matchLabels": spec["selector"]}]
        case "NetworkPolicy":
            return [spec["podSelector"]]
        case "PodDisruptionBudget" | "PodMonitor":
            return [spec["selector"]]
        case "Deployment":
            spread = spec["template"]["spec"].get("topologySpreadConstraints", [])
            return [spec["selector"], *(one["labelSelector"] for one in spread)]
        case _:
            return []


def test_every_selector_finds_its_pods(documents: list[Document]) -> None:
    """And those of one queue's Deployment, Service and budget find no other queue's."""
    everyone = [labels for labels, _ in pods(documents)]
    for one in (found for found in documents if "spec" in found):
        for selector in _selectors(one):
            found = [labels for labels in everyone if _matches(selector, labels)]
            assert found, f"{one['kind']} {one['metadata']['name']} selects nothing"
            if one["kind"] in {"Deployment", "Service", "PodDisruptionBudget"}:
                assert len(found) == 1


def test_references_lead_somewhere(documents: list[Document]) -> None:
    """To a ConfigMap, a ServiceAccount, a Service or a Deployment of the same chart."""
    for _, pod in pods(documents):
        named(documents, "ServiceAccount", pod["serviceAccountName"])
    for one in of_kind(documents, "ScaledObject", "HorizontalPodAutoscaler"):
        named(documents, "Deployment", one["spec"]["scaleTargetRef"]["name"])
    for one in of_kind(documents, "Ingress"):
        service = one["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
        ports = named(documents, "Service", service["name"])["spec"]["ports"]
        assert service["port"]["name"] in {port["name"] for port in ports}
    for one in of_kind(documents, "HTTPRoute"):
        (service,) = one["spec"]["rules"][0]["backendRefs"]
        ports = named(documents, "Service", service["name"])["spec"]["ports"]
        assert service["port"] in {port["port"] for port in ports}


def test_a_node_can_always_be_emptied() -> None:
    """One worker at a time, and one that is not ready keeps nobody waiting."""
    (budget,) = of_kind(render(values_of("smallest")), "PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_the_dashboard_may_have_a_user_of_redis_of_its_own() -> None:
    """Whom `helm test` uses, too, since both only look; the worker keeps its own."""

    def keys(case: str) -> dict[str, str]:
        return {
            labels["app.kubernetes.io/component"]: entry["valueFrom"]["secretKeyRef"]["key"]
            for labels, pod in pods(render(values_of(case)))
            for entry in pod["containers"][0]["env"]
            if entry["name"] == "REDIS_URL"
        }

    own = "REDIS_URL_DASHBOARD"
    assert keys("production") == {"worker": "REDIS_URL", "dashboard": own, "check": own}
    assert set(keys("smallest").values()) == {"REDIS_URL"}


def test_each_queue_has_its_own_redis_and_settings() -> None:
    documents = render(values_of("several-queues"))
    found = {}
    for one in of_kind(documents, "Deployment"):
        pod = one["spec"]["template"]["spec"]
        if pod["containers"][0]["name"] == "worker":
            env = {entry["name"]: entry for entry in pod["containers"][0]["env"]}
            address = env["REDIS_URL"]["valueFrom"]["secretKeyRef"]
            told = environment(documents, pod)
            found[one["metadata"]["name"]] = (
                f"{address['name']}/{address['key']}",
                told["IMBI_WORKER_QUEUE"],
                told.get("IMBI_WORKER_CONCURRENCY"),
                pod["terminationGracePeriodSeconds"],
            )
    assert found == {
        "demo-imbi-worker-github": ("imbi-worker/REDIS_URL_GITHUB", "imbi:queue", None, 75),
        "demo-imbi-worker-incidents": (
            "imbi-worker/REDIS_URL_INCIDENTS",
            "imbi:incidents",
            "20",
            45,
        ),
        "demo-imbi-worker-bulk": ("imbi-worker-bulk/REDIS_URL", "imbi:queue", None, 300),
    }
    dashboards = [name for name in _names(documents, "Service") if name.endswith("-dashboard")]
    assert len(dashboards) == 2


def _names(documents: list[Document], kind: str) -> list[str]:
    return [one["metadata"]["name"] for one in of_kind(documents, kind)]


def test_helm_test_counts_the_fleet() -> None:
    """`helm test` asks for as many workers as there must be."""
    pod = named(render(values_of("production")), "Pod", "demo-imbi-worker-check")
    assert pod["spec"]["containers"][0]["args"] == ["check", "--fleet", "--at-least", "3"]
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
