"""A plugin whose actions play what the test has written for them."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

from pydantic import BaseModel

from imbi_sdk.manifest import PluginManifest
from imbi_sdk.webhook import ActionDescriptor, WebhookActionPlugin

Play: TypeAlias = Callable[[int], Awaitable[None]]


@dataclass
class Stage:
    """What each label plays, by the number of its run from 1, and what was seen."""

    plays: dict[str, Play] = field(default_factory=dict)
    runs: Counter[str] = field(default_factory=Counter)
    seen: list[tuple[str, str]] = field(default_factory=list)

    def of(self, what: str) -> list[str]:
        return [label for name, label in self.seen if name == what]


STAGE = Stage()


def clear() -> None:
    STAGE.plays.clear()
    STAGE.runs.clear()
    STAGE.seen.clear()


class Config(BaseModel):
    label: str = ""


class Silence(BaseModel):
    """Takes anything."""

    label: str = ""
    padding: str = ""


async def act(
    *,
    ctx: Any,
    credentials: dict[str, str],
    external_identifier: str,
    action_config: Config,
    event: Any,
) -> None:
    label = action_config.label
    STAGE.runs[label] += 1
    STAGE.seen.append(("start", label))
    play = STAGE.plays.get(label)
    ended = "cancelled"
    try:
        if play is not None:
            await play(STAGE.runs[label])
        ended = "end"
    except Exception:
        ended = "failed"
        raise
    finally:
        STAGE.seen.append((ended, label))


async def quiet(
    *,
    ctx: Any,
    credentials: dict[str, str],
    external_identifier: str,
    action_config: Silence,
    event: Any,
) -> None:
    """Nothing, for tests of very many jobs."""


class Puppets(WebhookActionPlugin):
    """Under the slug that the room's workers offer."""

    manifest: ClassVar[PluginManifest] = PluginManifest(
        slug="probe", name="Puppets", plugin_type="webhook"
    )

    @classmethod
    def actions(cls) -> list[ActionDescriptor]:
        return [
            ActionDescriptor(name="act", label="Act", callable=act, config_model=Config),
            ActionDescriptor(name="quiet", label="Quiet", callable=quiet, config_model=Silence),
        ]
