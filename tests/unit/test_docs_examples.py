"""The examples of the documentation are what the code takes, and what it says."""

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hub.api.mail_webhook import MailNewsBatch
from hub.app import load_playbook
from hub.cli.parser import build_parser
from hub.config import read
from hub.domain.mail_reports import Bounce
from hub.service.feedback.signed_webhooks import is_signed
from hub.service.sending.explanation import explained
from hub.service.sending.records import NotificationRecord
from hub.settings import Settings
from hub.store.records import About, Record

DOCS = Path(__file__).parents[2] / "docs"
_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<code>.*?)^```", re.DOTALL | re.MULTILINE)


def examples(page: str, language: str) -> list[str]:
    """The code blocks of a page in a language."""
    return [each["code"] for each in _FENCE.finditer((DOCS / page).read_text()) if each["language"] == language]


def configurations() -> Iterator[Any]:
    """Every code block with settings: its keys are settings, or there are none."""
    settings = set(Settings.__struct_fields__)
    for page in sorted(DOCS.rglob("*.md")):
        name = str(page.relative_to(DOCS))
        for number, code in enumerate(examples(name, "toml")):
            if tomllib.loads(code).keys() <= settings:
                yield pytest.param(code, id=f"{name}-{number}")


def commands() -> Iterator[str]:
    """Every call of the program in the how-to pages, without its comment."""
    for page in sorted(DOCS.glob("how-to/*.md")):
        name = str(page.relative_to(DOCS))
        lines = "".join([*examples(name, ""), *examples(name, "sh")]).splitlines()
        yield from (line.partition("  #")[0] for line in lines if line.startswith("doorbell ") and "…" not in line)


@pytest.mark.parametrize("code", list(configurations()))
def test_settings_are_valid_but_for_files_that_are_elsewhere(code: str, tmp_path: Path) -> None:
    file = tmp_path / "doorbell.toml"
    file.write_text(code.replace('"…"', f'"{"s" * 32}"'))
    _, mistakes = read(file, {})
    assert {mistake.advice for mistake in mistakes} <= {"there is no such file", "is no file that can be read"}


def test_what_a_mail_service_tells_is_taken() -> None:
    (code,) = examples("how-to/deliver-email.md", "json")
    news = msgspec.json.decode(code, type=MailNewsBatch).reports
    assert [type(each.report()) for each in news].count(Bounce) == len(news) - 1


def test_the_signature_of_a_webhook_is_good() -> None:
    (code,) = examples("how-to/deliver-email.md", "python")
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - our own page.
    signature: Callable[[str, bytes], str] = names["signature"]
    made = signature("secret", b"{}")
    now_s = int(made.removeprefix("t=").partition(",")[0])
    assert is_signed("secret", made, b"{}", now_s=now_s)
    assert not is_signed("other", made, b"{}", now_s=now_s)


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_commands_take_the_arguments_that_they_are_shown_with(command: str) -> None:
    build_parser().parse_args(command.split()[1:])


def test_the_record_is_told_in_these_words() -> None:
    code = examples("reference/records.md", "json")[0]
    shown = msgspec.json.decode(code, type=NotificationRecord)
    assert json.loads(code).keys() == set(NotificationRecord.__struct_fields__)
    ladder = [[step.channel, step.after_s] for step in shown.ladder]
    about = [shown.rule, shown.event_type, shown.category, shown.lane, shown.created_ms, ladder]
    meant = msgspec.convert(about, About)
    record = Record(shown.id, shown.user, meant, seen_ms=shown.seen_ms, attempts=shown.attempts)
    assert shown.explanation == explained(record)


def test_the_record_is_one_of_the_default_playbook() -> None:
    shown = msgspec.json.decode(examples("reference/records.md", "json")[0], type=NotificationRecord)
    (rule,) = (rule for rule in load_playbook(Settings()).rules if rule.name == shown.rule)
    assert (shown.category, shown.ladder) == (rule.category, rule.ladder)
