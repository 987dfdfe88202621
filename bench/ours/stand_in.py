"""Imbi's API as the demo plays it, in a process of its own; ends with its standard input."""

import argparse
import asyncio
import json
import sys

from pydantic import SecretStr

from bench.ours.producer import LANES
from imbi_worker.demo.imbi_api import ImbiApi


async def serve(token: SecretStr) -> None:
    async with ImbiApi(token=token, remembered=1) as api:
        for number in range(LANES):
            api.add_project("o", f"p{number}", label="")
        print(json.dumps({"ready": api.url}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--token", required=True)
    asyncio.run(serve(SecretStr(parser.parse_args().token)))


if __name__ == "__main__":
    main()
