"""`ops.templates`, `ops.preview`: every text as people get it, written with sample data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hub.service.failures import Failure, OperationFailed
from hub.service.operations import SERVICES, AnyOperation, Call, Http, Operation, Repeat
from hub.service.rate import Rate
from hub.service.signing import Signer
from templates import check as checking
from templates.catalog import CHANNEL_FILES
from templates.renderer import Renderer
from templates.segments import plain, size
from templates.texts import EmailText, InboxText, PushText, SmsText, TemplateError

PREVIEW_PATH = "/ops/preview"
_RATE = Rate(count=600, window_s=60.0)
_PURPOSE = "template-preview"
_GOOD_FOR_S = 600
ChannelName = Literal["inbox", "email", "push", "sms"]
TemplateWord = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,128}\Z")]
LocaleWord = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,35}\Z")]


class NothingToChoose(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """There is nothing to choose."""


class TemplateList(msgspec.Struct, frozen=True):
    """Every template is there for every channel and locale, unless `doorbell templates check` says otherwise."""

    templates: tuple[str, ...]
    channels: tuple[str, ...]
    locales: tuple[str, ...]


class AskPreview(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which text."""

    template: TemplateWord
    channel: ChannelName
    locale: LocaleWord


class PreviewView(msgspec.Struct, frozen=True):
    """A text with sample data, in UTC. `title` is the subject of a mail; what a channel has not is empty."""

    template: str
    channel: str
    locale: str
    title: str
    body: str
    html_path: str | None = None
    """Of a mail: where its HTML is served for ten minutes, under a policy that lets nothing run. None: there is no
    `signing_secret` to sign the path with."""
    segments: int | None = None
    """Of a text message: how many it takes."""
    max_segments: int | None = None
    unicode: bool = False
    """Of a text message: whether a letter is beyond the GSM alphabet, so that a segment holds 70 instead of 160."""


class OperatorTexts:
    """Shows texts. Nothing is sent."""

    def __init__(self, renderer: Renderer, *, signer: Signer | None, max_segments: int) -> None:
        self._renderer = renderer
        self._signer = signer
        self._max_segments = max_segments

    async def templates(self, _: Call, __: NothingToChoose) -> TemplateList:
        """Return what there is to look at."""
        catalog = self._renderer.catalog
        return TemplateList(catalog.templates(), tuple(CHANNEL_FILES), catalog.locales())

    async def preview(self, call: Call, request: AskPreview) -> PreviewView:
        """Return one text. Raises OperationFailed (NOT_FOUND) where it is not there or cannot be rendered."""
        try:
            text = checking.render(self._renderer, request.template, channel=request.channel, locale=request.locale)
        except TemplateError as error:
            raise OperationFailed(Failure.NOT_FOUND, str(error)) from error
        asked = (request.template, request.channel, request.locale)
        match text:
            case InboxText(title, body) | PushText(title, body):
                return PreviewView(*asked, title, body)
            case SmsText(body):
                body = plain(body)
                taken = size(body)
                return PreviewView(*asked, "", body, None, taken.segments, self._max_segments, unicode=taken.unicode)
            case EmailText():
                return PreviewView(*asked, text.subject, text.text, self._html_path(request, call.now_ms))

    def _html_path(self, request: AskPreview, now_ms: int) -> str | None:
        if self._signer is None:
            return None
        name = f"{request.template} {request.locale}"
        return f"{PREVIEW_PATH}/{self._signer.sign(_PURPOSE, name, expires_s=now_ms // 1_000 + _GOOD_FOR_S)}"

    def operations(self) -> tuple[AnyOperation, ...]:
        """Return what operators can ask for here."""
        templates: Operation[NothingToChoose, TemplateList] = Operation(
            name="ops.templates",
            summary="Show which templates, channels and locales there are.",
            request=NothingToChoose,
            response=TemplateList,
            roles=SERVICES,
            http=Http("GET", "/v1/ops/templates"),
            handler=self.templates,
            rate=_RATE,
            repeat=Repeat.READS,
        )
        preview: Operation[AskPreview, PreviewView] = Operation(
            name="ops.preview",
            summary="Show a text of a template with sample data.",
            request=AskPreview,
            response=PreviewView,
            roles=SERVICES,
            http=Http("GET", "/v1/ops/templates/{template}/{channel}/{locale}"),
            handler=self.preview,
            rate=_RATE,
            repeat=Repeat.READS,
            errors=(Failure.NOT_FOUND,),
        )
        return templates, preview


def html_of(token: str, *, renderer: Renderer, signer: Signer, clock: Callable[[], int]) -> str | None:
    """Return the HTML of the mail that a path of `ops.preview` names; None for one that is not (or no longer) good."""
    name = signer.read(_PURPOSE, token, now_s=clock() // 1_000)
    if name is None:
        return None
    template, _, locale = name.partition(" ")
    try:
        text = checking.render(renderer, template, channel="email", locale=locale)
    except TemplateError:
        return None
    return text.html if isinstance(text, EmailText) else None
