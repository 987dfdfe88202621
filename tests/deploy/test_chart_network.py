"""What the chart's network policies let through, judged address by address."""

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from charts import CASES, Document, merged, of_kind, render, values_of

METADATA = ("169.254.169.254", "fd00:ec2::254")


def _policies(values: dict[str, Any]) -> dict[str, Document]:
    found = of_kind(render(values), "NetworkPolicy")
    return {one["metadata"]["name"].removeprefix("demo-imbi-worker"): one["spec"] for one in found}


def _opens(rule: Document, address: str, port: int) -> bool:
    """Whether an egress rule lets packets to an address outside the cluster through."""
    assert rule["to"], "a rule without `to` opens everything"
    assert rule["ports"], "a rule without `ports` opens every port"
    if all(one["port"] != port for one in rule["ports"]):
        return False
    blocks = [one["ipBlock"] for one in rule["to"] if "ipBlock" in one]
    where = ip_address(address)
    return any(
        where in ip_network(block["cidr"])
        and not any(where in ip_network(hole) for hole in block.get("except", []))
        for block in blocks
    )


def _is_open(policy: Document, address: str, port: int) -> bool:
    return any(_opens(rule, address, port) for rule in policy["egress"])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("address", METADATA)
def test_no_pod_reaches_the_clouds_metadata(case: str, address: str) -> None:
    """On no port: whoever reaches it becomes the node."""
    for policy in _policies(values_of(case)).values():
        assert policy["policyTypes"] == ["Ingress", "Egress"]
        for port in (53, 80, 443, 6379, 7687, 8000):
            assert not _is_open(policy, address, port)


def test_workers_reach_the_internet_and_no_private_address() -> None:
    worker = _policies(values_of("smallest"))[""]
    assert _is_open(worker, "140.82.112.3", 443)
    assert _is_open(worker, "2606:50c0::1", 443)
    for private in ("10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd12::1"):
        assert not _is_open(worker, private, 443)
    assert not _is_open(worker, "140.82.112.3", 80)


def test_redis_and_the_graph_may_be_anywhere_until_they_are_named() -> None:
    worker = _policies(values_of("smallest"))[""]
    assert _is_open(worker, "10.9.9.9", 6379)
    assert _is_open(worker, "10.9.9.9", 7687)
    narrow = _policies(values_of("production"))[""]
    assert _is_open(narrow, "10.20.0.7", 6380)
    assert not _is_open(narrow, "10.21.0.7", 6380)
    assert not _is_open(narrow, "10.20.0.7", 6379)


def test_the_dashboard_reaches_redis_and_no_more() -> None:
    dashboard = _policies(values_of("smallest"))["-dashboard"]
    assert _is_open(dashboard, "10.9.9.9", 6379)
    for port in (443, 7687, 8000):
        assert not _is_open(dashboard, "10.9.9.9", port)
        assert not _is_open(dashboard, "140.82.112.3", port)


def test_names_are_asked_of_the_clusters_dns_alone() -> None:
    for policy in _policies(values_of("smallest")).values():
        (rule,) = [one for one in policy["egress"] if one["ports"][0]["port"] == 53]
        assert {one["protocol"] for one in rule["ports"]} == {"UDP", "TCP"}
        assert not _opens(rule, "8.8.8.8", 53)
        assert any("podSelector" in one for one in rule["to"])


@pytest.mark.parametrize("case", CASES)
def test_only_declared_ports_are_open_from_outside(case: str) -> None:
    policies = _policies(values_of(case))
    opened = {
        name: {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
        for name, policy in policies.items()
    }
    assert opened == {"": {9464}, "-dashboard": {8600, 9465}}


def test_who_may_come_in_can_be_narrowed() -> None:
    dashboard = _policies(values_of("production"))["-dashboard"]
    (http,) = [rule for rule in dashboard["ingress"] if rule["ports"][0]["port"] == 8600]
    admitted = [one["namespaceSelector"]["matchLabels"] for one in http["from"]]
    assert [one["kubernetes.io/metadata.name"] for one in admitted] == ["gateways", "keda"]


def test_policies_can_be_left_to_somebody_else() -> None:
    assert _policies(merged(values_of("smallest"), {"networkPolicy": {"enabled": False}})) == {}
