"""A TCP proxy that holds every request back for a while: a network of its own.

python -m bench.delay --port PORT --to PORT --milliseconds 1

Ends with its standard input.

The whole round trip is on the way there: the event loop's timers have a grain of 1 ms,
and two halves would cost two grains.
"""

import argparse
import asyncio
import sys
from collections import deque


class _Way(asyncio.Protocol):
    """One direction of a connection; what arrives leaves *delay* seconds later, in order."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._held: deque[bytes] = deque()
        self.to: asyncio.Transport | None = None

    def data_received(self, data: bytes) -> None:
        self._held.append(data)
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._pass_on)
        else:
            self._pass_on()

    def _pass_on(self) -> None:
        # While the other side is still being reached the data wait for it.
        while self.to is not None and self._held:
            self.to.write(self._held.popleft())
            if self._delay:
                return

    def reach(self, transport: asyncio.Transport) -> None:
        self.to = transport
        while self._held:
            transport.write(self._held.popleft())

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if self.to is not None:
            self.to.close()


class _Front(_Way):
    def __init__(self, delay: float, port: int) -> None:
        super().__init__(delay)
        self._port = port
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._opening = asyncio.get_running_loop().create_task(self._open(transport))

    async def _open(self, front: asyncio.Transport) -> None:
        back = _Way(0.0)
        back.to = front
        transport, _ = await asyncio.get_running_loop().create_connection(
            lambda: back, "127.0.0.1", self._port
        )
        self.reach(transport)


async def serve(port: int, to: int, delay: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Front(delay, to), "127.0.0.1", port)
    print('{"ready": true}', flush=True)
    async with server:
        await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--to", type=int, required=True)
    parser.add_argument("--milliseconds", type=float, default=1.0)
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.to, options.milliseconds / 1000))


if __name__ == "__main__":
    main()
