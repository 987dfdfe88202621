"""What docs/dashboards.md gives to dashboards made for arq."""

import re
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from imbi_sdk.queue import keys
from integration.cli.station import Station

PAGE = (Path(__file__).parents[3] / "docs" / "dashboards.md").read_text(encoding="utf-8")


def example(name: str) -> str:
    (found,) = re.findall(rf"```py\n *# {name}.py\n(.*?)```", PAGE, re.DOTALL)
    return re.sub(r"^ {2}", "", found, flags=re.MULTILINE)


def test_the_deserializer_shows_jobs_without_what_may_be_secret(
    station: Station, canary: str
) -> None:
    """Waiting ones and those that ended; the handler is the function."""
    payload = {"password": canary}
    station.enqueue("github#sync", config=f'{{"token": "{canary}"}}', payload=payload)
    module: dict[str, Any] = {}
    exec(example("eye"), module)  # noqa: S102 - our own document
    waiting = station.do(lambda redis: read(redis, keys.BODY))
    station.bury("HTTP 404")
    ended = station.do(lambda redis: read(redis, "arq:result:"))
    assert canary.encode() in waiting
    for stored in (waiting, ended):
        shown = module["for_the_eye"](stored)
        assert shown["f"] == "github#sync"
        assert shown["k"]
        assert canary not in str(shown)
    assert "404" in module["for_the_eye"](ended)["r"]


async def read(redis: Redis, prefix: str) -> bytes:
    (key,) = await redis.keys(f"{prefix}*")
    return await redis.get(key) or b""
