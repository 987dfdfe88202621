"""Sample deliveries, as the gateway would have received them.

Each JSON file holds one: the service, the event type, the headers that matter
and the body. They are invented, in the shape each service documents; the
organization, people and hosts in them do not exist.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, ClassVar, Final, cast

from pydantic import BaseModel, ConfigDict

from imbi_sdk.event import event_context

NAMES: Final = (
    "github-push",
    "github-pull-request",
    "github-deployment-status",
    "pagerduty-incident",
    "sonarqube-quality-gate",
)


class Delivery(BaseModel):
    """One webhook; *identifier_selector* points at what names the project in its body."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    service: str
    event_type: str
    identifier_selector: str
    headers: Mapping[str, str]
    payload: dict[str, Any]

    def event(self, *, webhook_id: str = "sample", attributed_to: str = "") -> dict[str, Any]:
        """The event context that the gateway makes of it."""
        return event_context(
            event_type=self.event_type,
            service=self.service,
            attributed_to=attributed_to,
            webhook_id=webhook_id,
            headers=self.headers,
            payload=self.payload,
        )

    def with_payload(self, parts: Mapping[str, Any]) -> "Delivery":
        """The same webhook with *parts* of its body replaced; objects are merged."""
        return self.model_copy(update={"payload": _merged(self.payload, parts)})

    def numbered(self, delivery_id: str) -> "Delivery":
        """The same webhook as another delivery, for senders that number theirs."""
        if "x-github-delivery" not in self.headers:
            raise ValueError(f"a delivery of {self.service} has no number in its headers")
        headers = {**self.headers, "x-github-delivery": delivery_id}
        return self.model_copy(update={"headers": headers})


def sample(name: str) -> Delivery:
    """The sample delivery *name*, one of `NAMES`, free to change."""
    if name not in NAMES:
        raise KeyError(f"no sample delivery {name!r}; there are {', '.join(NAMES)}")
    return Delivery.model_validate_json(_text(name))


def github_push(
    payload: Mapping[str, Any] | None = None, *, attributed_to: str = "", webhook_id: str = "sample"
) -> dict[str, Any]:
    """The event of one commit pushed to a default branch.

    *payload* replaces parts of the body, here and in the functions below: objects
    are merged, everything else is taken as given.
    """
    return _event("github-push", payload, attributed_to, webhook_id)


def github_pull_request(
    payload: Mapping[str, Any] | None = None, *, attributed_to: str = "", webhook_id: str = "sample"
) -> dict[str, Any]:
    """The event of a pull request that was merged."""
    return _event("github-pull-request", payload, attributed_to, webhook_id)


def github_deployment_status(
    payload: Mapping[str, Any] | None = None, *, attributed_to: str = "", webhook_id: str = "sample"
) -> dict[str, Any]:
    """The event of a deployment to production that has succeeded."""
    return _event("github-deployment-status", payload, attributed_to, webhook_id)


def pagerduty_incident(
    payload: Mapping[str, Any] | None = None, *, attributed_to: str = "", webhook_id: str = "sample"
) -> dict[str, Any]:
    """The event of an incident that was triggered (webhooks of version 3)."""
    return _event("pagerduty-incident", payload, attributed_to, webhook_id)


def sonarqube_quality_gate(
    payload: Mapping[str, Any] | None = None, *, attributed_to: str = "", webhook_id: str = "sample"
) -> dict[str, Any]:
    """The event of an analysis with its quality gate."""
    return _event("sonarqube-quality-gate", payload, attributed_to, webhook_id)


def _event(
    name: str, parts: Mapping[str, Any] | None, attributed_to: str, webhook_id: str
) -> dict[str, Any]:
    delivery = sample(name).with_payload(parts or {})
    return delivery.event(attributed_to=attributed_to, webhook_id=webhook_id)


def _merged(whole: Mapping[str, Any], parts: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(whole)
    for name, part in parts.items():
        below = merged.get(name)
        if isinstance(part, Mapping) and isinstance(below, Mapping):
            merged[name] = _merged(
                cast("Mapping[str, Any]", below), cast("Mapping[str, Any]", part)
            )
        else:
            merged[name] = part
    return merged


@cache
def _text(name: str) -> str:
    return files(__name__).joinpath(f"{name}.json").read_text(encoding="utf-8")
