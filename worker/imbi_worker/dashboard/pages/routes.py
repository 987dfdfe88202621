"""The pages' routes: who looks, at what."""

from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from typing import Any, Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from imbi_worker.dashboard import asking
from imbi_worker.dashboard.access import Access
from imbi_worker.dashboard.asking import Question
from imbi_worker.dashboard.desk import Desk
from imbi_worker.dashboard.markup import Content
from imbi_worker.dashboard.pages import dead, deliveries, frame, jobs, lists, overview
from imbi_worker.dashboard.pages.frame import View
from imbi_worker.dashboard.problems import Problem

Show: TypeAlias = Callable[[View, Any], Awaitable[tuple[str, Content]]]

# A browser asks for name and password by itself; the token is the password.
_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="imbi-worker", charset="UTF-8"'}
_PAGES: Final[Mapping[str, tuple[Show, type[Question]]]] = {
    "/": (overview.show, overview.OverviewQuestion),
    "/jobs": (jobs.show_list, jobs.ListQuestion),
    "/jobs/{job:path}": (jobs.show_one, jobs.JobPageQuestion),
    "/dead/groups": (dead.show_groups, jobs.ListQuestion),
    "/dead": (dead.show_list, dead.DeadQuestion),
    "/deliveries/{delivery:path}": (deliveries.show_one, deliveries.DeliveryQuestion),
    "/deliveries": (deliveries.show_list, deliveries.DeliveriesQuestion),
    "/holds": (lists.show_holds, lists.PlainQuestion),
    "/workers": (lists.show_workers, lists.PlainQuestion),
    "/plugins": (lists.show_plugins, lists.PlainQuestion),
    "/audit": (lists.show_audit, lists.PlainQuestion),
}
PATHS: Final = tuple(_PAGES)


class Pages:
    """The pages at one desk."""

    def __init__(self, desk: Desk, access: Access) -> None:
        self._desk = desk
        self._access = access
        self._style = files("imbi_worker.dashboard").joinpath("style.css").read_text("utf-8")

    def routes(self) -> list[Route]:
        found = [
            Route(path, self._showing(show, asks), methods=["GET"])
            for path, (show, asks) in _PAGES.items()
        ]
        return [*found, Route("/style.css", self._styled, methods=["GET"])]

    async def _styled(self, _request: Request) -> Response:
        return Response(self._style, media_type="text/css")

    def _showing(
        self, show: Show, asks: type[Question]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            view = self._view(request)
            asked = asking.of_address(asks, request)
            title, content = await show(view, asked)
            return frame.page(view, title, content)

        return answer

    def _view(self, request: Request) -> View:
        by = self._access.person(request.headers.get("authorization"), from_browser=True)
        if by is None:
            told = "This needs a token: any name, and the token as the password."
            hint = "Ask an admin; `imbi-worker tokens new NAME` makes one."
            raise Problem("unauthorized", 401, told, hint, _CHALLENGE)
        root = request.scope.get("root_path", "")
        path = request.url.path.removeprefix(root)
        return View(self._desk, by, root, path, dict(request.query_params))
