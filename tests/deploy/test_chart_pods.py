"""Pods of the chart keep the worker's promises: settings, secrets, probes, drain, security."""

import re
from typing import Any

import kubernetes_validate
import pytest
from charts import (
    CASES,
    ROOT,
    Document,
    deployment,
    environment,
    merged,
    of_kind,
    pods,
    render,
    settings_names,
    values_of,
)

from imbi_worker.settings import Settings


@pytest.fixture(params=CASES)
def documents(request: pytest.FixtureRequest) -> list[Document]:
    return render(values_of(request.param))


def test_the_drain_always_fits_into_the_grace_period(documents: list[Document]) -> None:
    """Kubernetes' patience is at least the drain plus 15 s, and the actions' grace within it."""
    for labels, pod in pods(documents):
        if labels["app.kubernetes.io/component"] != "worker":
            continue
        told = environment(documents, pod)
        drain, grace = (int(str(told[f"IMBI_WORKER_{one}"])[:-1]) for one in ("DRAIN", "GRACE"))
        assert pod["terminationGracePeriodSeconds"] >= drain + max(15, grace + 10)


def test_pods_are_restricted(documents: list[Document]) -> None:
    """Pod Security *restricted*, and beyond: a root nobody writes, no token, no service links."""
    for _, pod in pods(documents):
        assert pod["automountServiceAccountToken"] is False
        # A Service named imbi-worker-* would set IMBI_WORKER_..., which the worker refuses.
        assert pod["enableServiceLinks"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        for volume in pod["volumes"]:
            kinds = volume.keys() - {"name"}
            assert kinds <= {"emptyDir", "persistentVolumeClaim", "configMap", "secret"}
        for container in pod.get("initContainers", []) + pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert all("hostPort" not in port for port in container.get("ports", []))
            assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]  # noqa: S108 - an emptyDir of its own


def test_pods_ask_for_what_they_need(documents: list[Document]) -> None:
    """CPU and memory are asked for, memory is limited, CPU is not."""
    for _, pod in pods(documents):
        for container in pod.get("initContainers", []) + pod["containers"]:
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert container["resources"]["limits"].keys() == {"memory"}


def test_every_variable_is_one_that_the_worker_reads(documents: list[Document]) -> None:
    """A secret one comes from a Secret, any other from the ConfigMap."""
    names = settings_names()
    for _, pod in pods(documents):
        told = environment(documents, pod)
        ours = {name: value for name, value in told.items() if not name.startswith("OTEL_")}
        assert ours.keys() <= names.keys()
        assert {name for name, value in ours.items() if value is None} == {
            name for name in ours if names[name]
        }


def test_the_settings_can_be_read(
    documents: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's own reader takes what the pods are given."""
    for _, pod in pods(documents):
        with monkeypatch.context() as patch:
            for name, value in environment(documents, pod).items():
                patch.setenv(name, value if value is not None else "redis://r/0")
            settings = Settings.load()
        assert settings.queue.startswith("imbi:")


def test_numbers_arrive_as_they_were_written() -> None:
    """Helm reads numbers as floats: 134217728 must not become 1.34217728e+08."""
    worker = environment(
        documents := render(values_of("production")),
        deployment(documents, "worker")["spec"]["template"]["spec"],
    )
    assert worker["IMBI_WORKER_EVENT_BYTES"] == "134217728"
    assert worker["IMBI_WORKER_CONCURRENCY"] == "200"
    assert worker["IMBI_WORKER_DRAIN"] == "120s"


def test_ports_can_be_reached_from_outside_the_pod(documents: list[Document]) -> None:
    for labels, pod in pods(documents):
        if labels["app.kubernetes.io/component"] == "check":
            continue
        told = environment(documents, pod)
        assert told["IMBI_WORKER_METRICS_HOST"] == "0.0.0.0"  # noqa: S104 - that is the point
        ports = {one["name"]: str(one["containerPort"]) for one in pod["containers"][0]["ports"]}
        if labels["app.kubernetes.io/component"] == "worker":
            assert ports == {"metrics": told["IMBI_WORKER_METRICS_PORT"]}
        else:
            assert told["IMBI_WORKER_DASHBOARD_HOST"] == "0.0.0.0"  # noqa: S104 - that is the point
            assert ports == {
                "http": told["IMBI_WORKER_DASHBOARD_PORT"],
                "metrics": told["IMBI_WORKER_DASHBOARD_METRICS_PORT"],
            }


def _served(folder: str) -> set[str]:
    sources = (ROOT / "worker" / "imbi_worker" / folder).rglob("*.py")
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    return set(re.findall(r'"(/(?:livez|readyz|metrics))"', text))


def test_probes_ask_pages_that_exist(documents: list[Document]) -> None:
    """By the worker's port and the dashboard's, as their code serves them."""
    served = {"worker": _served("observability"), "dashboard": _served("dashboard")}
    for one in of_kind(documents, "Deployment"):
        (container,) = one["spec"]["template"]["spec"]["containers"]
        ports = {port["name"] for port in container["ports"]}
        for probe, path in [
            ("startupProbe", "/livez"),
            ("livenessProbe", "/livez"),
            ("readinessProbe", "/readyz"),
        ]:
            asked = container[probe]["httpGet"]
            assert asked["path"] == path
            assert path in served[container["name"]]
            assert asked["port"] in ports


def test_no_secret_stands_in_a_config_map() -> None:
    """Also where the chart itself makes the Secret; pods restart when it changes."""
    names = settings_names()
    canary = "canary-7d2f"
    secrets = {name: canary for name, is_secret in names.items() if is_secret}
    secrets = {name: value for name, value in secrets.items() if name != "VALKEY_URL"}
    values = merged(values_of("smallest"), {"existingSecret": "", "secretValues": secrets})
    documents = render(values)
    for one in documents:
        assert (canary in str(one)) == (one["kind"] == "Secret")
    (secret,) = of_kind(documents, "Secret")
    assert secret["stringData"].keys() == secrets.keys()
    assert not any(names.get(key) for one in of_kind(documents, "ConfigMap") for key in one["data"])
    worker = deployment(documents, "worker")["spec"]["template"]["metadata"]["annotations"]
    assert "checksum/secret" in worker


def test_the_dashboard_is_given_no_key_it_does_not_need() -> None:
    documents = render(values_of("smallest"))
    told = environment(documents, deployment(documents, "dashboard")["spec"]["template"]["spec"])
    assert {name for name, value in told.items() if value is None} == {
        "REDIS_URL",
        "IMBI_WORKER_SIGNING_KEY",
        "IMBI_WORKER_DASHBOARD_TOKENS",
    }


def test_pods_restart_when_their_settings_change() -> None:
    def checksum(changes: dict[str, Any]) -> str:
        documents = render(merged(values_of("smallest"), changes))
        template = deployment(documents, "worker")["spec"]["template"]
        return str(template["metadata"]["annotations"]["checksum/config"])

    assert checksum({}) == checksum({"worker": {"replicas": 7}})
    assert checksum({}) != checksum({"settings": {"IMBI_WORKER_CONCURRENCY": 7}})


def test_the_image_is_run_with_arguments_alone() -> None:
    """The image's entry point is the command; args say which."""
    dockerfile = ROOT / "deploy" / "Dockerfile"
    assert 'ENTRYPOINT ["imbi-worker"]' in dockerfile.read_text(encoding="utf-8")
    for _, pod in pods(render(values_of("smallest"))):
        assert "command" not in pod["containers"][0]


PLACEMENT = {
    "nodeSelector": {"example.com/pool": "workers"},
    "tolerations": [{"key": "example.com/pool", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "high",
}


@pytest.mark.parametrize("component", ["worker", "dashboard"])
def test_what_an_operator_adds_arrives_in_the_pod(component: str) -> None:
    """Placement, labels, variables, volumes, plugins; and Kubernetes takes it."""
    volume = {"name": "ca", "configMap": {"name": "ca"}}
    mount = {"name": "ca", "mountPath": "/etc/ca"}
    variable = {"name": "SSL_CERT_FILE", "value": "/etc/ca/ca.pem"}
    part = {
        **PLACEMENT,
        "podLabels": {"example.com/team": "platform"},
        "podAnnotations": {"example.com/note": "x"},
        "extraEnv": [variable],
        "extraVolumes": [volume],
        "extraVolumeMounts": [mount],
    }
    changes = {
        component: part,
        "pluginsVolume": {"persistentVolumeClaim": {"claimName": "plugins"}},
        "imagePullSecrets": [{"name": "registry"}],
        "serviceAccount": {"annotations": {"example.com/role": "r"}},
    }
    found = deployment(render(merged(values_of("smallest"), changes)), component)
    kubernetes_validate.validate(found, "1.33", strict=True)
    template = found["spec"]["template"]
    pod, (container,) = template["spec"], template["spec"]["containers"]
    assert {key: pod[key] for key in PLACEMENT} == PLACEMENT
    assert template["metadata"]["labels"]["example.com/team"] == "platform"
    assert template["metadata"]["annotations"]["example.com/note"] == "x"
    assert variable in container["env"]
    assert volume in pod["volumes"]
    assert mount in container["volumeMounts"]
    plugins = {"name": "plugins", "mountPath": "/plugins", "readOnly": True}
    assert plugins in container["volumeMounts"]
    assert pod["imagePullSecrets"] == [{"name": "registry"}]


def test_init_containers_fill_the_plugins_volume() -> None:
    """In worker and dashboard; image and security are ours unless they say otherwise."""
    first = {"name": "first", "command": ["true"]}
    second = {
        "name": "second",
        "image": "registry.example.com/other:1",
        "volumeMounts": [{"name": "plugins", "mountPath": "/plugins"}],
    }
    changes = {"pluginsVolume": {"emptyDir": {}}, "initContainers": [first, second]}
    documents = render(merged(values_of("smallest"), changes))
    for component in ("worker", "dashboard"):
        found = deployment(documents, component)
        kubernetes_validate.validate(found, "1.33", strict=True)
        pod = found["spec"]["template"]["spec"]
        ours = pod["containers"][0]
        one, other = pod["initContainers"]
        assert (one["name"], one["command"], one["image"]) == ("first", ["true"], ours["image"])
        assert other["image"] == "registry.example.com/other:1"
        assert one["securityContext"] == other["securityContext"] == ours["securityContext"]
        tmp = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 - an emptyDir of its own
        assert one["volumeMounts"] == [tmp]
        assert other["volumeMounts"] == [tmp, *second["volumeMounts"]]


def test_certificates_reach_every_pod() -> None:
    """The one of `helm test`, too: it talks to Redis like the others."""
    documents = render(values_of("production"))
    mount = {"name": "certificates", "mountPath": "/certificates", "readOnly": True}
    volume = {"name": "certificates", "configMap": {"name": "internal-ca"}}
    found = list(pods(documents))
    assert len(found) == 3
    for _, pod in found:
        assert mount in pod["containers"][0]["volumeMounts"]
        assert volume in pod["volumes"]
        told = environment(documents, pod)
        assert told["IMBI_WORKER_REDIS_CA_FILE"] == "/certificates/ca.crt"


def test_pods_are_spread_unless_the_operator_says_otherwise() -> None:
    """Over nodes and zones; an empty list takes that away."""

    def spread(changes: dict[str, Any]) -> list[Any]:
        worker = deployment(render(merged(values_of("smallest"), changes)), "worker")
        found = worker["spec"]["template"]["spec"]["topologySpreadConstraints"]
        return [one["topologyKey"] for one in found or []]

    assert spread({}) == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    assert spread({"worker": {"topologySpreadConstraints": []}}) == []
    own = [{"topologyKey": "example.com/rack", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}]
    assert spread({"worker": {"topologySpreadConstraints": own}}) == ["example.com/rack"]
