from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web

from hub.api.person_pages import PersonPages
from hub.service.person.person_links import PersonLinks
from hub.service.signing import Signer
from templates.renderer import Renderer
from templates.texts import TemplateError
from tests.unit.api.conftest import Start

LINKS = PersonLinks(Signer("a secret of thirty-two bytes or more"), public_url="https://hub.example", clock=lambda: 0)


class _Broken(Renderer):
    def page(self, name: str, locale: str, time_zone: str, variables: Mapping[str, Any]) -> str:
        raise TemplateError(f"pages/{name}.html", "'dict object' has no attribute 'page_gone_title'", line=2)


@pytest.mark.parametrize("path", ["/p/x", "/u/x"])
async def test_people_see_a_page_even_where_none_can_be_rendered(start: Start, path: str) -> None:
    nothing: Any = None  # A link that is not good asks nobody.
    pages = PersonPages(LINKS, nothing, nothing, renderer=_Broken(), default_locale="en", clock=lambda: 0)
    app = web.Application()
    app.add_routes(pages.routes())
    answer = await (await start(app)).get(path)
    assert (answer.status, answer.content_type) == (500, "text/html")
    assert "This page cannot be shown right now" in await answer.text()
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
