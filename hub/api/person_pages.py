"""A person's own pages behind signed links: preferences (`/p/<token>`) and unsubscribing (`/u/<token>`).

They work without a login and without JavaScript, in the person's language. Opening one changes nothing: mail programs
and virus scanners open every link. A change is a POST to the link itself. Nobody without the link can make a browser
send it, and there is no cookie that could be abused; so the link's signature is all the proof there is and needs to be.
"""

from __future__ import annotations

import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import parse_qs
from zoneinfo import available_timezones

from aiohttp import hdrs, web

from hub.api.routes import read_body
from hub.domain.channels import EMAIL
from hub.domain.decisions import Aggregate, AggregateKind, Document
from hub.domain.errors import InputError, StoreUnavailable
from hub.domain.ids import UserId
from hub.domain.people import Person, person_of
from hub.observe import logger
from hub.service.failures import Failure, OperationFailed
from hub.service.person.person_links import PREFERENCES_PATH, UNSUBSCRIBE_PATH, PersonLinks
from hub.service.person.preference_form import change_of, shown
from hub.service.person.preferences import PreferenceCentre
from hub.service.rate import Rate, RateLimiter
from templates.renderer import Renderer
from templates.texts import TemplateError

_FORM = "application/x-www-form-urlencoded"
_MAX_FORM_BYTES = 65_536
_FIELDS_MAX = 4_000
_BODY_TIMEOUT_S = 15.0
_RATE = Rate(count=60, window_s=60.0)
_SOURCE = "unsubscribe link"
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_NOTHING_TO_SHOW = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Not now</title>
<h1>This page cannot be shown right now</h1>
<p>Please try again later. In the app you always find your messages and settings.</p>
</html>
"""
_log = logger(__name__)
_ZONES = tuple(sorted(name for name in available_timezones() if "/" in name and not name.startswith("Etc/")))


class People(Protocol):
    """The documents of people (`hub.store.documents.Documents`)."""

    async def read_many(self, aggregates: Sequence[Aggregate]) -> list[Document]:
        """Return documents, version 0 where there is none. Raises StoreUnavailable."""
        ...


class PersonPages:
    """Serves the pages."""

    def __init__(
        self,
        links: PersonLinks,
        centre: PreferenceCentre,
        people: People,
        *,
        renderer: Renderer,
        default_locale: str,
        clock: Callable[[], int],
    ) -> None:
        """Take `clock`, Unix ms."""
        self._links = links
        self._centre = centre
        self._people = people
        self._renderer = renderer
        self._default_locale = default_locale
        self._clock = clock
        self._rates = RateLimiter()

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the routes of the pages."""
        for path, show, change in (
            (PREFERENCES_PATH, self._show_preferences, self._change_preferences),
            (UNSUBSCRIBE_PATH, self._show_unsubscribe, self._unsubscribe),
        ):
            yield web.get(path + "/{token}", self._kindly(show))
            yield web.post(path + "/{token}", self._kindly(change))

    async def _show_preferences(self, request: web.Request) -> web.Response:
        user = self._links.read_preferences(request.match_info["token"])
        if user is None:
            return self._notice("gone", HTTPStatus.NOT_FOUND)
        view = await self._centre.of(user)
        variables = shown(view, now_ms=self._clock())
        zones = _ZONES if not view.time_zone or view.time_zone in _ZONES else (view.time_zone, *_ZONES)
        return self._page(
            "preferences",
            await self._person(user),
            {**variables, "zones": zones, "saved": "saved" in request.query},
        )

    async def _change_preferences(self, request: web.Request) -> web.Response:
        user = self._links.read_preferences(request.match_info["token"])
        if user is None:
            return self._notice("gone", HTTPStatus.NOT_FOUND)
        self._count(user)
        form = _form(await _body(request))
        view = await self._centre.of(user)
        await self._centre.change(user, change_of(form, view, now_ms=self._clock()))
        # Opening what this leads to again, or going back, sends nothing a second time.
        return _redirect(f"{request.path}?saved=1")

    async def _show_unsubscribe(self, request: web.Request) -> web.Response:
        found = self._links.read_unsubscribe(request.match_info["token"])
        if found is None:
            return self._notice("gone", HTTPStatus.NOT_FOUND)
        word = (await self._centre.of(found.user)).consent.get(EMAIL)
        variables = {"done": word is None or not word.granted, "preferences_link": self._links.beside(found)}
        return self._page("unsubscribe", await self._person(found.user), variables)

    async def _unsubscribe(self, request: web.Request) -> web.Response:
        """End marketing mails, whatever the body says: the link itself is the wish (RFC 8058)."""
        found = self._links.read_unsubscribe(request.match_info["token"])
        if found is None:
            return self._notice("gone", HTTPStatus.NOT_FOUND)
        self._count(found.user)
        body = await _body(request)
        try:
            await self._centre.record_consent(found.user, EMAIL, granted=False, source=_SOURCE, now_ms=self._clock())
        except OperationFailed as error:
            if error.failure is not Failure.NOT_FOUND:
                raise
            # Somebody who was erased gets nothing as it is.
        if request.content_type == _FORM and "page" in _form(body):
            return _redirect(request.path)
        return web.Response(text="Unsubscribed.", headers={hdrs.CACHE_CONTROL: "no-store"})

    def _kindly(self, handle: Any) -> Any:
        """Let people see a page where something goes wrong."""

        async def handled(request: web.Request) -> web.Response:
            try:
                return await self._excused(handle, request)
            except TemplateError as error:
                _log.error("a page cannot be rendered", problem=str(error))
                return _page(_NOTHING_TO_SHOW, HTTPStatus.INTERNAL_SERVER_ERROR)

        return handled

    async def _excused(self, handle: Any, request: web.Request) -> web.Response:
        try:
            response: web.Response = await handle(request)
        except StoreUnavailable:
            return self._notice("later", HTTPStatus.SERVICE_UNAVAILABLE)
        except InputError:
            return self._notice("mistake", HTTPStatus.BAD_REQUEST)
        except OperationFailed as error:
            notice = "gone" if error.failure is Failure.NOT_FOUND else "later"
            return self._notice(notice, HTTPStatus(error.facts.status))
        return response

    def _count(self, user: UserId) -> None:
        allowance = self._rates.take((user, "pages"), _RATE, now_s=time.monotonic())
        if not allowance.allowed:
            raise OperationFailed(Failure.TOO_MANY_REQUESTS, "too many changes in a minute")

    async def _person(self, user: UserId) -> Person:
        (document,) = await self._people.read_many([Aggregate(AggregateKind.PERSON, user)])
        return person_of(document, user)

    def _notice(self, notice: str, status: HTTPStatus) -> web.Response:
        return self._page("notice", None, {"notice": notice}, status=status)

    def _page(
        self, name: str, person: Person | None, variables: Mapping[str, Any], *, status: HTTPStatus = HTTPStatus.OK
    ) -> web.Response:
        locale = (person.locale if person else None) or self._default_locale
        zone = (person.time_zone if person else None) or "UTC"
        return _page(self._renderer.page(name, locale, zone, variables), status)


def _page(html: str, status: HTTPStatus) -> web.Response:
    return web.Response(text=html, status=status, content_type="text/html", headers=_headers(html))


def _headers(html: str) -> dict[str, str]:
    """Return headers by which a page runs nothing, loads nothing, and tells nobody its address, which is a key."""
    styles = " ".join(f"'sha256-{_hash(style)}'" for style in _STYLE.findall(html))
    policy = f"default-src 'none'; style-src {styles}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    return {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex",
        hdrs.CACHE_CONTROL: "no-store",
    }


def _hash(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode()


def _redirect(path: str) -> web.Response:
    headers = {hdrs.LOCATION: path, hdrs.CACHE_CONTROL: "no-store"}
    return web.Response(status=HTTPStatus.SEE_OTHER, headers=headers)


async def _body(request: web.Request) -> bytes:
    return await read_body(request, limit_bytes=_MAX_FORM_BYTES, timeout_s=_BODY_TIMEOUT_S)


def _form(body: bytes) -> dict[str, list[str]]:
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS_MAX)
    except ValueError as error:
        raise InputError("body", f"is no form: {error}") from error
