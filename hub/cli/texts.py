"""`doorbell templates check|render`: the texts with sample data."""

from __future__ import annotations

import argparse
import sys
from typing import assert_never

from hub.app import build_renderer
from hub.settings import Settings
from templates import check as checking
from templates.texts import EmailText, InboxText, PushText, SmsText, TemplateError


def check(_: argparse.Namespace, settings: Settings) -> int:
    """Print everything that is wrong with the templates; 1 if anything is."""
    findings = checking.check(build_renderer(settings), sms_segments=settings.sms.max_segments)
    for finding in findings:
        sys.stderr.write(f"{finding}\n")
    if not findings:
        print("Every template renders for every channel and locale.")
    return 1 if findings else 0


def render(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print one text."""
    try:
        text = checking.render(
            build_renderer(settings), arguments.template, channel=arguments.channel, locale=arguments.locale
        )
    except TemplateError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    match text:
        case InboxText(title, body) | PushText(title, body):
            print(f"{title}\n\n{body}")
        case SmsText(body):
            print(body)
        case EmailText():
            print(f"Subject: {text.subject}\n\n{text.text}\n{text.html}")
        case _:
            assert_never(text)
    return 0
