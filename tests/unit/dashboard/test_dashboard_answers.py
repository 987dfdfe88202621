"""What every answer keeps to: headers, problems, roles, limits."""

import json
from typing import Any

import pytest
from asgi import Answer, basic, call

from imbi_sdk.registry import LoadResult
from imbi_worker.dashboard.access import Access, Role, make_token
from imbi_worker.dashboard.app import build
from imbi_worker.dashboard.asking import BODY_BYTES
from imbi_worker.dashboard.catalogue import ENDPOINTS
from imbi_worker.dashboard.desk import Desk
from imbi_worker.dashboard.endpoint import Endpoint
from imbi_worker.queue.inspection import Inspection

TOKENS = {role: make_token(role, role) for role in Role}
PAGES = ("/", "/jobs", "/dead", "/holds", "/workers", "/plugins", "/audit")
CHANGES = [one for one in ENDPOINTS if one.method == "POST"]


class NoRedis:
    """Nothing here may get as far as Redis."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"Redis was asked: {name}")


def app(*, has_tokens: bool = True) -> Any:
    kept = [kept for _, kept in TOKENS.values()] if has_tokens else []
    loaded = LoadResult(loaded=[], skipped=[], errors={})
    inspection = Inspection(NoRedis())  # type: ignore[arg-type]  # stands in for nothing
    return build(Desk(inspection, loaded, version="0"), Access(kept))


def bearer(role: Role) -> str:
    return f"Bearer {TOKENS[role][0]}"


def is_problem(answer: Answer, status: int, kind: str) -> bool:
    told = answer.json
    return (
        answer.status == told["status"] == status
        and told["type"] == f"/problems/{kind}"
        and answer.headers["content-type"] == "application/problem+json"
        and bool(told["title"])
        and bool(told["detail"])
    )


@pytest.mark.parametrize(
    "path", ["/", "/nowhere", "/style.css", "/api/v1/openapi.json", "/api/v1/x"]
)
async def test_every_answer_keeps_a_browser_strict(path: str) -> None:
    """No script, no frame, no other origin, nothing stored."""
    answer = await call(app(), "GET", path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: one.name)
async def test_a_stranger_is_told_nothing(endpoint: Endpoint) -> None:
    """Every operation needs a token, and a browser's login is none."""
    for header in ("Bearer nothing", basic(TOKENS[Role.ADMIN][0])):
        path = f"/api/v1{endpoint.path}"
        answer = await call(app(), endpoint.method, path, authorization=header)
        assert is_problem(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("endpoint", CHANGES, ids=lambda one: one.name)
async def test_a_change_needs_its_role(endpoint: Endpoint) -> None:
    """A viewer changes nothing, and not everything is for operators."""
    lower = [role for role in Role if not role.includes(endpoint.role)]
    assert Role.VIEWER in lower
    for role in lower:
        path = f"/api/v1{endpoint.path}"
        answer = await call(app(), "POST", path, authorization=bearer(role), body=b"{}")
        assert is_problem(answer, 403, "forbidden")
        assert answer.json["detail"] == f"The role {role} may not do this."
        assert endpoint.role in answer.json["hint"]


@pytest.mark.parametrize("endpoint", CHANGES, ids=lambda one: one.name)
async def test_without_tokens_nothing_can_be_changed(endpoint: Endpoint) -> None:
    """Any page of any browser here could ask for it."""
    answer = await call(
        app(has_tokens=False),
        "POST",
        f"/api/v1{endpoint.path}",
        body=b'{"reason": "r"}',
        content_type="application/json",
    )
    assert is_problem(answer, 403, "forbidden")


@pytest.mark.parametrize("endpoint", CHANGES, ids=lambda one: one.name)
async def test_a_change_needs_a_reason(endpoint: Endpoint) -> None:
    """The audit asks for it."""
    answer = await change(endpoint.path, {"dry_run": True})
    assert is_problem(answer, 400, "invalid-input")
    assert "reason: Field required" in answer.json["detail"]


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_asks_a_browser_for_its_token(path: str) -> None:
    """As the password, of whatever name; the problem is a page, too."""
    answer = await call(app(), "GET", path)
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert answer.headers["content-type"].startswith("text/html")


async def test_without_tokens_a_foreign_name_is_not_served() -> None:
    """A page that lets its name point here would read everything."""
    for path in ("/", "/api/v1/jobs"):
        answer = await call(app(has_tokens=False), "GET", path, host="evil.example")
        assert is_problem(answer, 421, "unknown-host")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "GET", "QUERY"])
async def test_a_method_that_does_nothing_is_told_which_do(method: str) -> None:
    """With the header that HTTP asks for."""
    answer = await call(app(), method, "/api/v1/jobs/cancel")
    assert is_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"


async def change(path: str, told: Any, **headers: str) -> Answer:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    given = {"content_type": "application/json", **headers}
    authorization = bearer(Role.ADMIN)
    return await call(
        app(), "POST", f"/api/v1{path}", body=body, authorization=authorization, **given
    )


async def test_a_body_has_an_end() -> None:
    """More than the limit is not even read."""
    answer = await change("/queue/pause", b" " * (BODY_BYTES + 1))
    assert is_problem(answer, 413, "too-large")


async def test_a_body_is_json() -> None:
    """A form, which any page can send, is none."""
    form = "application/x-www-form-urlencoded"
    answer = await change("/queue/pause", b"reason=r", content_type=form)
    assert is_problem(answer, 415, "not-json")
    for body in (b"", b"{", b"[]", b'{"reason": NaN}', b'"text"'):
        assert is_problem(await change("/queue/pause", body), 400, "invalid-input")


@pytest.mark.parametrize("number", ["1e400", "-1e400", "Infinity", "NaN"])
async def test_a_number_beyond_a_double_is_no_null(number: str) -> None:
    """A hold that was to last so long must not become one without an end."""
    body = f'{{"scope": "queue", "reason": "r", "lasts": {number}}}'.encode()
    answer = await change("/holds/add", body)
    assert is_problem(answer, 400, "invalid-input")
    assert answer.json["detail"].startswith("The body holds ")


@pytest.mark.parametrize(
    ("path", "told", "detail"),
    [
        ("/jobs/cancel", {"jobs": ["a"], "filter": "", "reason": "r"}, "one of the two"),
        ("/jobs/cancel", {"reason": "r"}, "one of the two"),
        ("/jobs/cancel", {"jobs": [], "reason": "r"}, "at least 1 item"),
        ("/jobs/cancel", {"jobs": ["a"] * 501, "reason": "r"}, "at most 500 items"),
        ("/jobs/cancel", {"jobs": ["a"], "limit": "5", "reason": "r"}, "valid integer"),
        ("/jobs/cancel", {"jobs": ["a"], "dry_run": 1, "reason": "r"}, "valid boolean"),
        ("/jobs/cancel", {"jobs": ["a"], "reason": "r", "sure": True}, "sure is not asked for"),
        ("/jobs/cancel", {"filter": "state:dad", "reason": "r"}, "^^^"),
        ("/holds/add", {"scope": "queue", "lasts": "soon", "reason": "r"}, "lasts"),
        ("/holds/add", {"scope": "everything", "reason": "r"}, "no scope"),
        ("/dead/replay", {"jobs": ["a"], "group": "g", "reason": "r"}, "group goes with a filter"),
        ("/dead/replay", {"jobs": ["a"], "config": "{", "reason": "r"}, "config is no JSON"),
    ],
)
async def test_bad_input_is_told_with_its_place(path: str, told: Any, detail: str) -> None:
    """Before Redis is asked anything."""
    answer = await change(path, told)
    assert is_problem(answer, 400, "invalid-input")
    assert detail in answer.json["detail"]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("limit=0", "greater than or equal to 1"),
        ("limit=501", "less than or equal to 500"),
        ("limit=ten", "write a whole number"),
        ("limit=1&limit=2", "limit is given more than once"),
        ("filtre=x", "filtre is not asked for here"),
        ("filter=sttae:dead", "no field 'sttae'"),
        ("filter=" + "x" * 1001, "at most 1000 characters"),
    ],
)
async def test_a_bad_address_is_told_with_its_place(query: str, detail: str) -> None:
    """And what was given is not repeated."""
    answer = await call(
        app(), "GET", "/api/v1/jobs", query=query, authorization=bearer(Role.VIEWER)
    )
    assert is_problem(answer, 400, "invalid-input")
    assert detail in answer.json["detail"]


async def test_a_secret_in_a_request_is_not_repeated(canary: str) -> None:
    """Not in a name, not in a value, not in a header."""
    answers = [
        await change("/jobs/cancel", {"jobs": ["a"], "limit": canary, "reason": "r"}),
        await change("/jobs/cancel", {"jobs": ["a"], "dry_run": [canary], "reason": "r"}),
        await change("/queue/pause", canary.encode()),
        await call(app(), "GET", "/api/v1/jobs", authorization=f"Bearer {canary}"),
        await call(app(), "GET", "/jobs", authorization=basic(canary)),
    ]
    for answer in answers:
        assert answer.status in {400, 401}
        assert canary.encode() not in answer.body


async def test_events_are_for_operators() -> None:
    """Redacted or not, they are what somebody else's service said."""
    for path in ("/api/v1/jobs/j", "/jobs/j"):
        token = TOKENS[Role.VIEWER][0]
        header = f"Bearer {token}" if path.startswith("/api") else basic(token)
        answer = await call(app(), "GET", path, query="event=true", authorization=header)
        assert answer.status == 403
