"""Releases: created once, deployed, given an SBoM, published."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from aiohttp import web

from imbi_worker.demo.imbi_api.projects import PATH, Key, Projects
from imbi_worker.demo.imbi_api.requests import parsed, refusal

_COMMITTISH: Final = re.compile(r"[0-9a-f]{7}")
_STATUSES: Final = frozenset({"pending", "in_progress", "success", "failed", "rolled_back"})
_OF_A_RELEASE: Final = frozenset({"committish", "title", "tag", "created_by"})
_OF_A_DEPLOYMENT: Final = frozenset({"status", "note", "external_run_id"})


@dataclass(slots=True)
class Release:
    """A release as Imbi keeps it.

    *deployments* stand in the order of their first event; a later one of the same
    run takes the place of the earlier one.
    """

    id: str
    committish: str
    title: str
    tag: str | None = None
    created_by: str | None = None
    deployments: list[dict[str, str]] = field(default_factory=list)
    sbom: Any = None
    published: int = 0
    prerelease: bool | None = None
    is_blocked: bool = False

    def fits(self, committish: str | None, tag: str | None) -> bool:
        is_commit = committish is None or self.committish == committish
        return is_commit and (tag is None or self.tag == tag)

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "committish": self.committish,
            "title": self.title,
            "tag": self.tag,
            "created_by": self.created_by,
        }


class Releases:
    """*kept* is the state, by project; as strict as Imbi where a request could be wrong."""

    def __init__(self, projects: Projects) -> None:
        self.kept: defaultdict[Key, list[Release]] = defaultdict(list)
        self._projects = projects
        self._numbers = count(1)

    def routes(self) -> list[web.RouteDef]:
        releases = PATH + "/releases/"
        return [
            web.get(releases, self._list),
            web.post(releases, self._create),
            web.post(releases + "{release_id}/environments/{environment}", self._record),
            web.put(releases + "{release_id}/sbom", self._put_sbom),
            web.post(PATH + "/deployments/releases/{tag}/publish", self._publish),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        committish, tag = request.query.get("committish"), request.query.get("tag")
        found = self.kept[self._projects.key(request)]
        return web.json_response([one.shown() for one in found if one.fits(committish, tag)])

    async def _create(self, request: web.Request) -> web.Response:
        releases = self.kept[self._projects.key(request)]
        body = parsed(await request.read())
        flaw = _flaw_of_release(body)
        if flaw:
            return refusal(422, flaw)
        committish, tag = body["committish"], body.get("tag")
        if any(_is_same(one, committish, tag) for one in releases):
            return refusal(409, "there is such a release")
        release = Release(
            id=f"release-{next(self._numbers)}",
            committish=committish,
            title=body["title"],
            tag=tag,
            created_by=body.get("created_by"),
        )
        releases.append(release)
        return web.json_response(release.shown(), status=201)

    async def _record(self, request: web.Request) -> web.Response:
        release = self._release(request)
        body = parsed(await request.read())
        flaw = _flaw(body, {"status"}, _OF_A_DEPLOYMENT)
        if flaw or body["status"] not in _STATUSES:
            return refusal(422, flaw or "no such status")
        event = {"environment": request.match_info["environment"], **body}
        run = body.get("external_run_id")
        places = [
            place
            for place, one in enumerate(release.deployments)
            if run is not None and one.get("external_run_id") == run
        ]
        if places:
            release.deployments[places[0]] = event
        else:
            release.deployments.append(event)
        return web.json_response(event, status=201)

    async def _put_sbom(self, request: web.Request) -> web.Response:
        release = self._release(request)
        body = parsed(await request.read())
        if not isinstance(body, dict):
            return refusal(422, "an SBoM is an object")
        release.sbom = body
        return web.Response(status=204)

    async def _publish(self, request: web.Request) -> web.Response:
        tag = request.match_info["tag"]
        found = [one for one in self.kept[self._projects.key(request)] if one.tag == tag]
        if not found:
            return refusal(404, "no release with that tag")
        if found[0].is_blocked:
            return refusal(409, "the release is blocked")
        found[0].published += 1
        found[0].prerelease = bool((parsed(await request.read()) or {}).get("prerelease"))
        return web.json_response({"published": True})

    def _release(self, request: web.Request) -> Release:
        wanted = request.match_info["release_id"]
        for release in self.kept[self._projects.key(request)]:
            if release.id == wanted:
                return release
        raise web.HTTPNotFound(text="no such release")


def _is_same(release: Release, committish: str, tag: str | None) -> bool:
    if tag is None:
        return release.tag is None and release.committish == committish
    return release.tag == tag


def _flaw_of_release(body: Any) -> str:
    flaw = _flaw(body, {"committish", "title"}, _OF_A_RELEASE)
    if not flaw and not _COMMITTISH.fullmatch(body["committish"]):
        flaw = "a committish is seven digits of a SHA"
    return flaw


def _flaw(body: Any, needed: set[str], known: frozenset[str]) -> str:
    if not isinstance(body, dict) or not all(isinstance(one, str) for one in body.values()):
        return "send an object of texts"
    missing, unknown = needed - body.keys(), body.keys() - known
    return f"missing {sorted(missing)}, unknown {sorted(unknown)}" if missing or unknown else ""
