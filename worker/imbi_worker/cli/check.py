"""`imbi-worker check`: could a worker run here, and does one.

With ``--live`` and ``--ready`` it is a pod's probe, every few seconds: that way imports nothing
but Typer and the standard library, and asks neither Redis nor the graph.
"""

import json
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from imbi_worker.probes import Check, Health, Heartbeat, NoHeartbeat

_OK: Final = 0
_FAILED: Final = 1


def check(
    *,
    live: Annotated[
        bool, typer.Option("--live", help="Only: does the worker here turn? By its file.")
    ] = False,
    ready: Annotated[
        bool, typer.Option("--ready", help="Only: can the worker here take jobs? By its file.")
    ] = False,
    fleet: Annotated[
        bool, typer.Option("--fleet", help="Only: are enough workers alive anywhere?")
    ] = False,
    file: Annotated[
        Path | None,
        typer.Option(
            help="The worker's heartbeat file.", envvar="IMBI_WORKER_HEARTBEAT_FILE", metavar="FILE"
        ),
    ] = None,
    at_least: Annotated[
        int, typer.Option(min=1, max=10_000, help="With --fleet: as many workers.")
    ] = 1,
    within: Annotated[
        str, typer.Option(metavar="DURATION", help="With --fleet: with a heartbeat so recent.")
    ] = "30s",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")] = False,
) -> None:
    """Check settings, keys, Redis, graph, plugins and workers.

    Exits with 1 when one of them failed; warnings do not count.
    """
    if live + ready + fleet > 1:
        raise typer.BadParameter("--live, --ready and --fleet are three questions: ask one")
    if live or ready:
        raise typer.Exit(_probe(file, is_ready=ready, as_json=as_json))
    # Here, because it takes ten times as long to import as a probe takes to answer.
    full: Any = import_module("imbi_worker.cli.checking")
    if fleet:
        raise typer.Exit(full.fleet(at_least=at_least, within=within, as_json=as_json))
    raise typer.Exit(full.everything(as_json=as_json))


def _probe(file: Path | None, *, is_ready: bool, as_json: bool) -> int:
    if file is None:
        hint = "set IMBI_WORKER_HEARTBEAT_FILE, the same for the worker and for this command"
        raise typer.BadParameter(f"there is no heartbeat file to look at: {hint}")
    try:
        beat = Heartbeat.read(file)
    except NoHeartbeat as error:
        health = Health((Check("heartbeat", is_ok=False, detail=str(error)),))
    else:
        health = beat.ready if is_ready else beat.live
    for one in health.checks:
        _print(one, as_json=as_json)
    return _OK if health.is_ok else _FAILED


def _print(one: Check, *, as_json: bool) -> None:
    status = "ok" if one.is_ok else "failed" if one.counts else "warning"
    if as_json:
        told = {"check": one.name, "status": status, "detail": one.detail, "hint": ""}
        typer.echo(json.dumps(told))
    else:
        typer.echo(f"{one.name:<15} {status:<8} {one.detail}")
