"""The page that says what went wrong, and the way on from there."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from imbi_worker.dashboard.markup import Tag, document, tag
from imbi_worker.dashboard.pages import frame, parts
from imbi_worker.dashboard.problems import Problem


def problem_page(request: Request, problem: Problem) -> Response:
    """A filter's caret stands under its place, and the filter below it, to be mended.

    Redis that is away may be back soon: then the page asks to be loaded again.
    """
    root = request.scope.get("root_path", "")
    is_away = problem.status == HTTPStatus.SERVICE_UNAVAILABLE
    again = f"This page asks again every {frame.REFRESH_SECONDS} s."
    content = (
        tag("h1", str(problem.status), " ", problem.title),
        tag("pre", problem.detail),
        tag("p", parts.told(problem.hint)) if problem.hint else None,
        tag("p", again, role="status") if is_away else None,
        _mending(request, problem),
    )
    return HTMLResponse(
        document(
            tag(
                "html",
                frame.head(f"{problem.status} · imbi-worker", root, refreshes=is_away),
                tag(
                    "body",
                    frame.header(root, request.url.path.removeprefix(root)),
                    tag("main", *content, id="content"),
                ),
                lang="en",
            )
        ),
        problem.status,
        dict(problem.headers),
    )


def _mending(request: Request, problem: Problem) -> Tag | None:
    wanted = request.query_params.get("filter")
    if not wanted or problem.status != HTTPStatus.BAD_REQUEST:
        return None
    return parts.search(wanted, action=request.url.path)
