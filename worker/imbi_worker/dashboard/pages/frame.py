"""What every page has: head and navigation.

Pages work without a script, and there is none: a page that should stay fresh asks to be
loaded again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from starlette.responses import HTMLResponse, Response

from imbi_worker.dashboard.access import Person
from imbi_worker.dashboard.desk import Desk
from imbi_worker.dashboard.markup import Content, Tag, document, tag

NAVIGATION: Final = {
    "/": "Overview",
    "/jobs": "Jobs",
    "/dead": "Dead letters",
    "/deliveries": "Deliveries",
    "/holds": "Holds",
    "/workers": "Workers",
    "/plugins": "Plugins",
    "/audit": "Audit",
}
REFRESH_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class View:
    """One look at one page. *root* is the prefix the application is mounted under."""

    desk: Desk
    by: Person
    root: str
    path: str
    query: Mapping[str, str]

    def link(
        self,
        path: str,
        text: Content,
        *,
        query: Mapping[str, str | None] | None = None,
        **attributes: str | None,
    ) -> Tag:
        given = urlencode({name: value for name, value in (query or {}).items() if value})
        address = f"{self.root}{quote(path)}{f'?{given}' if given else ''}"
        return tag("a", text, href=address, **attributes)

    def link_with(self, text: Content, changes: Mapping[str, str | None]) -> Tag:
        """This page with some parameters changed; None takes one away."""
        return self.link(self.path, text, query={**self.query, **changes})

    @property
    def is_fresh(self) -> bool:
        return self.query.get("refresh") == str(REFRESH_SECONDS)


def page(view: View, title: str, *content: Content) -> Response:
    heading = tag("div", tag("h1", title), _freshness(view), class_="heading")
    return HTMLResponse(
        document(
            tag(
                "html",
                head(f"{title} · imbi-worker", view.root, refreshes=view.is_fresh),
                tag(
                    "body",
                    tag("a", "To the content", href="#content", class_="skip"),
                    header(view.root, view.path, f"{view.by.name}, {view.by.role}"),
                    tag("main", heading, *content, id="content"),
                ),
                lang="en",
            )
        )
    )


def head(title: str, root: str, *, refreshes: bool) -> Tag:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", http_equiv="refresh", content=str(REFRESH_SECONDS)) if refreshes else None,
        tag("title", title),
        tag("link", rel="stylesheet", href=f"{root}/style.css"),
    )


def header(root: str, path: str, who: str | None = None) -> Tag:
    """The way to every page, with the place of *path* marked."""
    here = "/" + path.strip("/").partition("/")[0]
    places = [
        tag("li", tag("a", name, href=f"{root}{one}", aria_current="page" if one == here else None))
        for one, name in NAVIGATION.items()
    ]
    return tag(
        "header",
        tag("p", "imbi-worker", class_="brand"),
        tag("nav", tag("ul", places), aria_label="Pages"),
        tag("p", who, class_="who") if who else None,
    )


def _freshness(view: View) -> Tag:
    if view.is_fresh:
        text = f"Reloads every {REFRESH_SECONDS} s: stop"
        return tag("p", view.link_with(text, {"refresh": None}), class_="freshness")
    text = f"Reload every {REFRESH_SECONDS} s"
    return tag("p", view.link_with(text, {"refresh": str(REFRESH_SECONDS)}), class_="freshness")
