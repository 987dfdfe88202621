"""Every Python example of the documents, run as it stands there.

The examples of one document are one module, top to bottom. A document whose examples
are parts of a package says here by which name; names that a reader has at hand
(a connection, the request of a webhook) are given to it.
"""

import ast
import inspect
import re
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any

import pytest
from redis.asyncio import Redis

from imbi_sdk import compat, find_action, load_plugins, registry
from imbi_sdk.attempt import Retry, Succeeded
from imbi_sdk.queue import EnqueueStatus
from imbi_sdk.testing import github_push, run_action
from imbi_sdk.testing.queue import FakeQueue
from integration.queue.desk import Desk
from waiting import until

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
MODULES = {"sdk/README.md": "imbi_plugin_tickets", "docs/plugins.md": "plugin_greeter"}
DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / "README.md", ROOT / "sdk" / "README.md", *(ROOT / "docs").rglob("*.md"))
    if "```python" in path.read_text(encoding="utf-8")
)


class Document:
    """A document as a module."""

    def __init__(self, path: str, given: dict[str, Any]) -> None:
        self.module = ModuleType(MODULES.get(path, "example"))
        vars(self.module).update(given)
        text = (ROOT / path).read_text(encoding="utf-8")
        self._path = path
        self._blocks = [
            (found[1], found[2], text.count("\n", 0, found.start()) + 1)
            for found in BLOCK.finditer(text)
        ]

    def entry_points(self) -> list[metadata.EntryPoint]:
        """What the TOML examples declare."""
        return [
            metadata.EntryPoint(name, value, group)
            for kind, block, _ in self._blocks
            if kind == "toml"
            for group, points in tomllib.loads(block)["project"]["entry-points"].items()
            for name, value in points.items()
        ]

    async def run(self) -> int:
        """How many examples there were; their tests are run as well."""
        examples = [(block, line) for kind, block, line in self._blocks if kind == "python"]
        for block, line in examples:
            before = set(vars(self.module))
            await _finished(eval(self._compiled(block, line), vars(self.module)))  # noqa: S307 - our own documents
            for name in sorted(set(vars(self.module)) - before):
                if name.startswith("test_"):
                    await _finished(getattr(self.module, name)())
        return len(examples)

    def _compiled(self, block: str, line: int) -> CodeType:
        # Blank lines in front, so that a traceback names the line of the document.
        return compile(
            "\n" * line + block,
            str(ROOT / self._path),
            "exec",
            flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        )


async def _finished(value: Any) -> None:
    if inspect.isawaitable(value):
        await value


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Runs a document by its path; imports, entry points and registry are put back after."""
    compat.install()
    kept = dict(registry._registry)

    async def run(path: str, **given: Any) -> ModuleType:
        document = Document(path, given)
        monkeypatch.setitem(sys.modules, document.module.__name__, document.module)
        monkeypatch.setattr(metadata, "entry_points", lambda **_: document.entry_points())
        assert await document.run() > 0
        return document.module

    yield run
    registry._registry.clear()
    registry._registry.update(kept)


def test_every_document_with_examples_has_its_test() -> None:
    """One that is added has to be run as well."""
    assert DOCUMENTS == ["README.md", "docs/gateway.md", "docs/plugins.md", "sdk/README.md"]


async def test_the_gateways_example_enqueues(run: Any, redis: Redis) -> None:
    """With a connection, a key and a request at hand, as in a gateway."""
    module = await run(
        "README.md",
        redis=redis,
        signing_key="a-signing-key-of-a-test",
        headers={"X-GitHub-Delivery": "72d3162e"},
        body=b"{}",
        event=github_push(),
    )
    assert [job.status for job in module.answer.jobs] == [EnqueueStatus.ACCEPTED]


async def test_the_gateways_three_changes_work(run: Any, redis: Redis) -> None:
    """Handed over, run, and written as the complete row; nothing else is asked of the gateway."""
    rows: list[dict[str, Any]] = []

    async def insert(table: str, given: list[dict[str, Any]]) -> None:
        assert table == "events"
        rows.extend(given)

    given = {"signing_key": "a-signing-key-of-a-test", "pod_name": "gateway-0", "insert": insert}
    module = await run("docs/gateway.md", redis=redis, **given)
    await until(lambda: redis.exists("imbi:feed"))
    assert await module.dispatch(a_dispatch("sonarqube#update", "github#sync")) == (202, {}, "")
    desk = Desk(redis, slugs=("sonarqube", "github"))
    for job in (await desk.claim()).jobs:
        await desk.succeed(job)
    await until(lambda: bool(rows))
    module.feed.cancel()
    assert [line["handler"] for line in rows[0]["metadata"]["handlers"]] == [
        "sonarqube#update",
        "github#sync",
    ]
    assert rows[0]["id"] == "row-1"
    await module.consumer.unregister()


async def test_the_gateway_answers_the_sender_as_the_page_says(run: Any, redis: Redis) -> None:
    """What is not stored is never answered with a 202."""
    given = {"signing_key": "a-signing-key-of-a-test", "pod_name": "gateway-0", "insert": None}
    module = await run("docs/gateway.md", redis=redis, **given)
    module.feed.cancel()
    module.queue = FakeQueue()
    status, _, said = await module.dispatch(a_dispatch("no handler"))
    assert (status, "rules[0].handler" in said) == (422, True)
    module.queue.go_down()
    status, headers, _ = await module.dispatch(a_dispatch("github#sync"))
    assert (status, list(headers)) == (503, ["Retry-After"])


async def test_a_gateway_can_hand_over_rule_by_rule(run: Any, redis: Redis) -> None:
    """What it keeps runs first, and its outcomes go along."""
    given = {"signing_key": "a-signing-key-of-a-test", "pod_name": "gateway-0", "insert": None}
    module = await run("docs/gateway.md", redis=redis, **given)
    module.feed.cancel()
    module.queue = FakeQueue()
    ((call, event_row),) = a_dispatch("sonarqube#update", "github#sync")
    ran: list[str] = []

    async def run_handlers(**given: Any) -> None:
        ran.extend(rule.handler for rule in given["rules"])

    await module.dispatch_some(call, event_row, run_handlers)
    assert ran == ["github#sync"]
    assert [job.handler for job in module.queue.jobs] == ["sonarqube#update"]


def a_dispatch(*handlers: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """What the gateway has at hand for one project."""
    call = {
        "org_slug": "acme",
        "project_id": "p1",
        "project_slug": "api",
        "team_slug": None,
        "service_slug": "github",
        "service_endpoint": "https://api.github.com",
        "external_identifier": "acme/api",
        "event": github_push(),
        "user_id": None,
        "rules": [
            SimpleNamespace(handler=handler, ordinal=number, handler_config="{}")
            for number, handler in enumerate(handlers)
        ],
        "plugins_by_slug": {"github": {"id": "pl-1", "plugin_configuration": "ciphertext"}},
        "outcomes": [],
    }
    return [(call, {"id": "row-1", "recorded_at": datetime(2026, 11, 22, tzinfo=UTC)})]


async def test_the_sdks_example_is_a_plugin_with_a_test(run: Any) -> None:
    """Found by the entry point that stands beside it, tested by the tests that do."""
    module = await run("sdk/README.md")
    assert module.result.loaded == ["tickets"]
    assert module.entry.handler_cls is module.TicketsPlugin


async def test_a_plugin_written_for_imbi_runs_as_the_page_shows_it(run: Any) -> None:
    """Its import paths, its ``payload``, its error."""
    module = await run("docs/plugins.md")
    assert load_plugins(builtins=[module.Greeter]).loaded == ["greeter"]
    assert find_action("greeter", "greet")[1].callable is module.greet
    empty = github_push() | {"payload": {}}
    assert isinstance((await run_action(module.Greeter, event=empty)).outcome, Retry)
    assert (await run_action(module.Greeter, event=github_push())).outcome == Succeeded()
