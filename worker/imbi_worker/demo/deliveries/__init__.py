"""Sample deliveries, as the gateway would have received them.

Each JSON file holds one: the service, the event type, the headers that matter
and the body. They are invented, in the shape each service documents; the
organization, people and hosts in them do not exist.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

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

    model_config = ConfigDict(frozen=True)

    service: str
    event_type: str
    identifier_selector: str
    headers: Mapping[str, str]
    payload: dict[str, Any]

    def event(self, *, webhook_id: str = "demo", attributed_to: str = "") -> dict[str, Any]:
        """The event context that the gateway makes of it."""
        return event_context(
            event_type=self.event_type,
            service=self.service,
            attributed_to=attributed_to,
            webhook_id=webhook_id,
            headers=self.headers,
            payload=self.payload,
        )

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


@cache
def _text(name: str) -> str:
    return files(__package__).joinpath(f"{name}.json").read_text(encoding="utf-8")
