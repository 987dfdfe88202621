"""The root command: names and one line for each, the rest when it is called.

A noun lives in a module of its name as the Typer ``app``, a verb as the function of its
name. Importing one costs 0.7 to 1.3 s (neo4j, aiohttp, arq, pydantic); ``--version``, the
help of the program and of its nouns, and shell completion must not wait for that, so this
module imports typer alone.
"""

import json
import logging
from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from imbi_worker.cli.start import put_off_collecting, short_start
from imbi_worker.cli.streams import read_by_somebody

VERBS: Final[Mapping[str, str]] = {
    "run": "Claim and run jobs until SIGTERM; then drain.",
    "demo": "Show the whole of it on this machine, with nothing to set up.",
    "dashboard": "Serve the JSON API and its pages until SIGTERM, on this machine only unless set.",
    "status": "Show the queue on one screen: figures, running jobs, failures, plugins, workers.",
    "check": "Check settings, keys, Redis, graph, plugins and workers.",
    "doctor": "Look for everything that could be wrong, and say what to do about each.",
    "enqueue": "Enqueue jobs by hand, as a gateway would.",
    "bench": "Measure this Redis and this machine, with jobs that do nothing.",
}
NOUNS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "jobs": (
        "Look at jobs, cancel them, run them now.",
        {
            "list": "List jobs: unfinished ones first, then those that ended, newest first.",
            "show": "Show one job: why it waits, its attempts, its config.",
            "why": "Say in one sentence why a job is not running.",
            "cancel": "Cancel jobs: waiting, parked, between two attempts, or running.",
            "retry": "Run waiting jobs now, not at the time of their retry.",
            "tail": "Print the jobs that ended last, the newest at the end.",
        },
    ),
    "dead": (
        "Look at dead letters, replay them, throw them away, take them elsewhere.",
        {
            "list": "List dead letters, newest first.",
            "groups": "Group dead letters by handler and error: how many, since when, what to do.",
            "show": "Show one dead letter: why it died, its attempts, its config.",
            "replay": "Run dead letters again, each at the tail of its lane.",
            "discard": "Throw dead letters away for good: nothing can replay them then.",
            "export": "Write dead letters as lines of JSON: to read, to keep, to import elsewhere.",
            "import": "Bring exported dead letters back, as dead letters; a replay runs them.",
        },
    ),
    "deliveries": (
        "Look at deliveries, and at what became of their rules.",
        {
            "list": "List deliveries, newest first, with the states of their jobs.",
            "show": "Show the matrix of a delivery: each rule, in order, by each project.",
        },
    ),
    "workers": (
        "Look at the workers.",
        {"list": "List the workers heard of in the last minutes: load, version, plugins."},
    ),
    "queue": (
        "Look at the queue, pause and resume it.",
        {
            "pause": "Begin no more jobs; what runs goes on.",
            "resume": "Let jobs begin again, in the order they had.",
            "drain": "Pause the queue and wait until no job runs; it stays paused.",
            "stats": "Show the queue in figures, its holds, and how jobs ended.",
        },
    ),
    "holds": (
        "Look at holds, set and remove them.",
        {
            "list": "List every hold: rate limits, pauses and those with an end.",
            "add": "Hold the queue, an integration or a handler, for a time or until removed.",
            "remove": (
                "Remove a hold, a rate limit too, and give its parked jobs back in their order."
            ),
        },
    ),
    "audit": (
        "Look at what operators changed.",
        {"tail": "Print the last changes, the newest at the end."},
    ),
    "plugins": (
        "Look at the plugins installed here.",
        {
            "list": "List the plugins, and what is wrong with them.",
            "show": "Show one plugin: its credentials, its actions, the schemas of their configs.",
            "schema": "Print the JSON Schema (draft 2020-12) of an action's config.",
            "doctor": "Explain every plugin that did not load or cannot run, and what mends it.",
            "new": "Write a small working plugin package, with tests that pass at once.",
        },
    ),
    "actions": (
        "Run an action here, past the queue.",
        {"run": "Run an action once, here and for real, and say what a worker would make of it."},
    ),
    "config": (
        "Look at the settings; secrets are masked.",
        {
            "show": "Show every setting, where it comes from, and no secret.",
            "schema": "Print the JSON Schema (draft 2020-12) of the settings, by their variables.",
        },
    ),
    "credentials": (
        "Set and rotate credentials in the graph; their values are never shown.",
        {
            "list": "List the fields of each configured plugin, and whether they are set.",
            "check": "Check that workers can use what is stored: its key, and what it lacks.",
            "set": "Set one credential: from a file, from stdin, or typed at a silent prompt.",
            "rotate": "Encrypt anew, under the one new key, every secret still under an old one.",
        },
    ),
    "tokens": (
        "Make tokens for the dashboard.",
        {"new": "Make a token and what the dashboard keeps of it; it is stored nowhere."},
    ),
    "graph": (
        "Prepare the graph database.",
        {"schema": "Create the constraints and indexes that are missing; safe to repeat."},
    ),
}
_HELP: Final = frozenset({"-h", "--help"})
_LONG_LIVED: Final = frozenset({"run", "demo", "dashboard"})


class DeferredCommands(TyperGroup):
    """Stubs for help and completion; a command becomes real when it is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, line in VERBS.items():
            self.commands.setdefault(name, TyperCommand(name, help=line))
        for name, (line, parts) in NOUNS.items():
            self.commands.setdefault(name, _stub(name, line, parts))

    def make_context(self, *args: Any, **extra: Any) -> Any:
        with read_by_somebody():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        with read_by_somebody():
            return super().invoke(ctx)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, rest = args[0], args[1:]
        asks_for_parts = name in NOUNS and (not rest or rest[0] in _HELP)
        if name in self.commands and not asks_for_parts:
            with short_start(is_brief=name not in _LONG_LIVED):
                self.commands[name] = load_command(name)
        return super().resolve_command(ctx, args)


def _stub(name: str, line: str, parts: Mapping[str, str]) -> TyperGroup:
    commands = [TyperCommand(part, help=about) for part, about in parts.items()]
    return TyperGroup(name=name, help=line, commands=commands, no_args_is_help=True)


def load_command(name: str) -> Any:
    """The real command *name*."""
    module = import_module(f"imbi_worker.cli.{name}")
    app = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(add_completion=False)
        app.command(help=getattr(module, name).__doc__)(getattr(module, name))
    command = typer.main.get_command(app)
    command.name = name
    return command


app = typer.Typer(
    cls=DeferredCommands,
    invoke_without_command=True,
    no_args_is_help=True,
    # A traceback with the values of its locals could show a secret.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 ok, 1 failed or unhealthy, 2 usage, 3 not found, 4 refused,"
    " 69 server unavailable, 78 configuration, 130 interrupted, 141 the output was not read.",
)


@app.callback()
def root(
    ctx: typer.Context,
    *,
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the version as JSON.")] = False,
) -> None:
    """Run the actions of Imbi's webhooks from a queue, and look after that queue."""
    if show_version:
        found = import_module("importlib.metadata").version("imbi-worker")
        typer.echo(json.dumps({"version": found}) if as_json else f"imbi-worker {found}")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        ctx.fail("Missing command.")


def main() -> None:
    """The console script."""
    put_off_collecting()
    # What libraries log is no part of a command's answer; `run` sets up its own logs.
    logging.getLogger().addHandler(logging.NullHandler())
    app()
