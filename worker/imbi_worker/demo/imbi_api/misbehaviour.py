"""Answers that go wrong, as a fault asks for."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, assert_never

from aiohttp import web

from imbi_worker.demo.imbi_api.faults import Fault, Faults
from imbi_worker.demo.imbi_api.requests import refusal

_PAGE: Final = "<!doctype html><title>Sign in</title><p>Please sign in to go on."

Answer = Callable[[], Awaitable[web.StreamResponse]]


async def misbehave(
    fault: Fault, faults: Faults, request: web.Request, answer: Answer
) -> web.StreamResponse:
    """What *fault* makes of the *answer* to *request*."""
    match fault.kind:
        case "status":
            return _status(fault)
        case "html":
            return web.Response(text=_PAGE, content_type="text/html")
        case "hang":
            await faults.released()
            return await answer()
        case "cut":
            return await _cut(request, await answer())
        case "slow":
            return await _slow(fault, faults, request, await answer())
        case _:
            assert_never(fault.kind)


def _status(fault: Fault) -> web.Response:
    response = refusal(fault.status, "a fault was asked for")
    if fault.retry_after is not None:
        response.headers["Retry-After"] = f"{fault.retry_after:g}"
    if fault.location is not None:
        response.headers["Location"] = fault.location
    return response


async def _cut(request: web.Request, whole: web.StreamResponse) -> web.StreamResponse:
    response = await _begun(request, whole)
    await response.write(b"{")
    if request.transport is not None:
        request.transport.close()
    return response


async def _slow(
    fault: Fault, faults: Faults, request: web.Request, whole: web.StreamResponse
) -> web.StreamResponse:
    response = await _begun(request, whole)
    body = whole.body if isinstance(whole, web.Response) else b""
    with suppress(ConnectionError):
        for byte in body if isinstance(body, bytes) else b"":
            await response.write(bytes([byte]))
            with suppress(TimeoutError):
                await asyncio.wait_for(faults.released(), fault.seconds)
    return response


async def _begun(request: web.Request, whole: web.StreamResponse) -> web.StreamResponse:
    response = web.StreamResponse(
        status=whole.status, headers={"Content-Type": "application/json", "Content-Length": "1000"}
    )
    await response.prepare(request)
    return response
