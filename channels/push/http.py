"""The HTTP client under firebase-admin: aiohttp, where the SDK brings httpx.

httpx costs 0.7 ms and more for each call, and looks for a package that need not be there on every wait for a lock: a
worker could send 200 pushes a second. What the SDK sees is the same: an answer with `json()`, or an error of httpx.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import aiohttp
import httpx
import msgspec

from channels.push.credentials import Bearer

_BODY_MAX_BYTES = 65_536


class Taken:
    """An answer of success."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def json(self) -> Any:
        """Return what the body says. Raises msgspec.DecodeError."""
        return msgspec.json.decode(self._body)


class HttpClient:
    """What the SDK calls in the place of its own client. Sends a request once: a retry is the job's business.

    Half of `timeout_s` may go by until there is a connection. Call `aclose` in the end.
    """

    def __init__(self, bearer: Bearer, *, timeout_s: float, connections: int) -> None:
        self._bearer = bearer
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=timeout_s, connect=timeout_s / 2),
            connector=aiohttp.TCPConnector(limit=connections),
            headers={"Content-Type": "application/json"},
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def request(self, method: str, url: str, *, headers: Mapping[str, str], json: Any) -> Taken:
        """Make one request.

        Raises httpx.HTTPError: ConnectError and ConnectTimeout where nothing was sent, HTTPStatusError for an answer
        that is no success, others where nobody knows.
        """
        sent = {**headers, "Authorization": self._bearer.header()}
        try:
            async with self._session.request(
                method, url, headers=sent, data=msgspec.json.encode(json), allow_redirects=False
            ) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _without_answer(error) from error
        if answer.status == HTTPStatus.UNAUTHORIZED:
            self._bearer.refused()
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            raise _refused(method, url, answer, body)
        return Taken(body)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.close()


def _without_answer(error: Exception) -> httpx.HTTPError:
    match error:
        case aiohttp.ConnectionTimeoutError():
            return httpx.ConnectTimeout(str(error))
        case aiohttp.ClientConnectorError() | aiohttp.InvalidURL():
            return httpx.ConnectError(str(error))
        case TimeoutError():
            return httpx.ReadTimeout(str(error) or "no answer in time")
        case _:
            return httpx.ReadError(repr(error))


def _refused(method: str, url: str, answer: aiohttp.ClientResponse, body: bytes) -> httpx.HTTPStatusError:
    request = httpx.Request(method, url)
    # What aiohttp has unpacked already must not be unpacked again.
    headers = [(name, value) for name, value in answer.headers.items() if name.lower() != "content-encoding"]
    # The SDK decodes the body as UTF-8, whatever it is.
    readable = body[:_BODY_MAX_BYTES].decode(errors="replace").encode()
    response = httpx.Response(answer.status, headers=headers, content=readable, request=request)
    return httpx.HTTPStatusError(f"HTTP {answer.status}", request=request, response=response)
