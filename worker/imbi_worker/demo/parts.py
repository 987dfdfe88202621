"""The parts that jobs play in the story: a rule each, and how its job must end."""

import json
from dataclasses import dataclass
from typing import Any

from imbi_worker.builtin.update_project import HANDLER as UPDATE
from imbi_worker.demo.names import NOTIFY, WORK
from imbi_worker.demo.rules import ADD_DEPLOYMENT_EVENT, CREATE_RELEASE, PUBLISH_RELEASE
from imbi_worker.queue.inspection.views import State


@dataclass(frozen=True, slots=True)
class Told:
    """How a job must end: its attempts, and what the stand-in answered to its requests."""

    state: State = State.SUCCEEDED
    attempts: tuple[str, ...] = ("succeeded",)
    answers: tuple[int, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One rule and the end of its job; the stand-in finds *mark* in what the job sends."""

    handler: str
    config: str
    mark: str
    told: Told


def update(mark: str, source: str, told: Told) -> Part:
    """Writes what stands at *source*, a pointer into the event, to the project at ``/<mark>``."""
    return Part(UPDATE, json.dumps([{"path": f"/{mark}", "from": source}]), mark, told)


def notify(mark: str, told: Told) -> Part:
    """Sends *mark* to the stand-in's service."""
    return Part(NOTIFY, json.dumps({"message": mark}), mark, told)


def work(mark: str, seconds: float, told: Told) -> Part:
    """Tells the service of its beginning, works for *seconds*, and tells of its end."""
    return Part(WORK, json.dumps({"label": mark, "seconds": seconds}), mark, told)


def deployment(create: Told) -> tuple[Part, Part, Part]:
    """The three rules of a deployment. The one kind of part without a mark: once a project."""
    return (
        Part(*CREATE_RELEASE, "", create),
        Part(*ADD_DEPLOYMENT_EVENT, "", Told(answers=(200, 201))),
        Part(*PUBLISH_RELEASE, "", Told(answers=(200,))),
    )


def mark_of(body: Any) -> str:
    """The mark in the body of a request that an action of a marked part has sent."""
    if isinstance(body, list) and body:
        return str(body[0].get("path", "")).removeprefix("/")
    if isinstance(body, dict):
        return str(body.get("message") or body.get("label") or "")
    return ""
