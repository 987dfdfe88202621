"""The values that cross the queue: a rule as the gateway parsed it, a job as it lies in Redis."""

from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from imbi_sdk.handler import parse_handler
from imbi_sdk.queue.tracestate import bounded

WIRE_VERSION: Final = 1


def _is_handler(text: str) -> str:
    parse_handler(text)
    return text


Handler = Annotated[str, AfterValidator(_is_handler)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Value(BaseModel):
    # A config or an event may quote a secret: neither an error nor a repr shows one.
    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        # Whoever only looks at the queue decodes no job, and waits for no validator.
        defer_build=True,
    )


class _OnWire(_Value):
    # Strict, so that a value means in every language what its JSON type says.
    model_config: ClassVar[ConfigDict] = ConfigDict(strict=True)


class WebhookRule(_Value):
    """A rule that matched a delivery. ``handler_config`` is JSON text, not yet validated."""

    handler: Handler
    ordinal: int = 0
    handler_config: str = Field(default="{}", repr=False)
    filter_expression: str | None = None


class RuleOnWire(_OnWire):
    """The part of a rule that a job carries: the filter has done its work."""

    handler: Handler
    ordinal: int = 0
    config: str = Field(default="{}", repr=False)


class JobContext(_OnWire):
    """For whom a job runs; the rest of the plugin context comes from the graph.

    ``actor`` is the Imbi user's e-mail address, ``service`` the slug of the third-party service.
    """

    project_id: Annotated[str, Field(min_length=1)]
    project_slug: str
    org_slug: str
    team_slug: str | None = None
    actor: str | None = None
    service: str | None = None


class ActionJob(_OnWire):
    """One rule to run for one project of one delivery.

    The event is either referred to by its SHA-256 (``event_ref``; it is stored once
    for the delivery) or stands in the job itself (``event``; stock arq clients).
    """

    id: Annotated[str, Field(min_length=1, max_length=256)]
    handler: Handler
    v: Annotated[int, Field(ge=1, le=WIRE_VERSION)] = WIRE_VERSION
    context: JobContext
    plugin_id: str | None = None
    external_identifier: str = ""
    rule: RuleOnWire
    event_ref: Digest | None = None
    event: dict[str, Any] | None = Field(default=None, repr=False)
    delivery: str = ""
    traceparent: str | None = None
    tracestate: Annotated[str | None, BeforeValidator(bounded)] = None
    sig: str | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if (self.event_ref is None) == (self.event is None):
            raise ValueError("a job has either event_ref or event")
        if self.rule.handler != self.handler:
            raise ValueError("rule.handler differs from the arq function name")
        if self.event_ref is not None and not self.delivery:
            raise ValueError("event_ref needs delivery, which names the stored event")
        return self
