"""Projects: read them, patch them."""

from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from imbi_worker.demo.imbi_api.json_patch import PatchRefused, patched
from imbi_worker.demo.imbi_api.requests import parsed, refusal

PATH: Final = "/organizations/{org_slug}/projects/{project_id}"

Key = tuple[str, str]


@dataclass(slots=True)
class Projects:
    """*kept* is the state, by organization and id: free to read and to change."""

    kept: dict[Key, dict[str, Any]] = field(default_factory=dict)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(PATH, self._get),
            web.patch(PATH, self._patch),
            web.get("/_projects", self._list),
        ]

    def key(self, request: web.Request) -> Key:
        """The project that the path names. Raises a 404 for one that is not there."""
        key = (request.match_info["org_slug"], request.match_info["project_id"])
        if key not in self.kept:
            raise web.HTTPNotFound(text="no such project")
        return key

    async def _get(self, request: web.Request) -> web.Response:
        return web.json_response(self.kept[self.key(request)])

    async def _patch(self, request: web.Request) -> web.Response:
        key = self.key(request)
        # Imbi reads the body as JSON whatever patch type it is called; sonarqube sends plain JSON.
        if request.content_type not in {"application/json-patch+json", "application/json"}:
            return refusal(415, "send application/json-patch+json")
        try:
            self.kept[key] = patched(self.kept[key], parsed(await request.read()))
        except PatchRefused as refused:
            return refusal(422, str(refused))
        return web.json_response(self.kept[key])

    async def _list(self, _request: web.Request) -> web.Response:
        return web.json_response(list(self.kept.values()))
