"""Commands as an operator types them: what they print, and how they end."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from channels.standins.account import ACCOUNT_SID, AUTH_TOKEN
from channels.standins.fcm import FcmStandIn, fcm_error
from channels.standins.mail_relay import MailRelay
from channels.standins.script import Fault, Phase
from channels.standins.twilio import TwilioStandIn, twilio_error
from hub.service.identity.api_keys import ApiKeys
from hub.settings import ApiKey
from tests.acceptance.programs import DOORBELL

EVENT = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/shop",
    "type": "order.packed",
    "time": "2026-01-05T08:00:00Z",
    "data": {"order_id": "A-1"},
}
NUMBER = "+4915112345678"


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    output: str
    problems: str


class Shell:
    """Runs `doorbell` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def run(self, *arguments: str, **settings: str) -> Ended:
        """Run one command; `settings` are variables without their DOORBELL_."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DOORBELL_")}
        process = await asyncio.create_subprocess_exec(
            *(str(DOORBELL), *arguments),
            cwd=self.folder,
            env={**kept, **{f"DOORBELL_{name}": value for name, value in settings.items()}},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, problems = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode is not None
        return Ended(process.returncode, output.decode(), problems.decode())


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


# playbook explain


async def test_explain_says_what_an_event_would_send_to_whom(shell: Shell) -> None:
    (shell.folder / "event.json").write_text(json.dumps(EVENT))
    ended = await shell.run("playbook", "explain", "event.json")
    assert (ended.code, ended.problems) == (0, "")
    assert "order-packed" in ended.output
    assert "email after 1m" in ended.output


async def test_explain_follows_the_installations_own_playbook(shell: Shell) -> None:
    (shell.folder / "event.json").write_text(json.dumps(EVENT))
    (shell.folder / "own.toml").write_text('[rules.order-packed]\nladder = [{ channel = "sms", after = "9m" }]\n')
    ended = await shell.run("playbook", "explain", "event.json", PLAYBOOK="own.toml")
    assert "sms after 9m" in ended.output


@pytest.mark.parametrize(
    ("event", "code", "word"),
    [
        ("{", 1, "JSON"),
        (json.dumps({**EVENT, "data": {}}), 1, "order_id"),
        (json.dumps({**EVENT, "type": "moon.rose"}), 1, "none of ours"),
    ],
    ids=["not JSON", "a field is missing", "an unknown type"],
)
async def test_explain_tells_what_is_wrong_with_an_event(shell: Shell, event: str, code: int, word: str) -> None:
    (shell.folder / "event.json").write_text(event)
    ended = await shell.run("playbook", "explain", "event.json")
    assert (ended.code, ended.output) == (code, "")
    assert word in ended.problems


async def test_explain_names_a_file_that_is_not_there(shell: Shell) -> None:
    ended = await shell.run("playbook", "explain", "gone.json")
    assert ended.code == 1
    assert "gone.json" in ended.problems


async def test_explain_by_what_is_known_says_where_nothing_has_ever_run(shell: Shell) -> None:
    (shell.folder / "event.json").write_text(json.dumps(EVENT))
    ended = await shell.run("playbook", "explain", "--live", "event.json")
    assert ended.code == 78
    assert "data_dir" in ended.problems


# templates


async def test_the_templates_that_ship_are_all_right(shell: Shell) -> None:
    ended = await shell.run("templates", "check")
    assert (ended.code, ended.problems) == (0, "")


async def test_a_mistake_in_an_own_template_is_named_with_its_file(shell: Shell) -> None:
    own = shell.folder / "texts" / "en" / "order-packed"
    own.mkdir(parents=True)
    (own / "inbox.txt").write_text("{{ nonsense }}\nPacked")
    ended = await shell.run("templates", "check", TEMPLATES_DIR="texts")
    assert ended.code == 1
    assert "en/order-packed/inbox.txt" in ended.problems
    assert "nonsense" in ended.problems


@pytest.mark.parametrize(("channel", "begin"), [("email", "Subject: "), ("sms", ""), ("push", ""), ("inbox", "")])
async def test_a_text_is_printed_with_sample_data(shell: Shell, channel: str, begin: str) -> None:
    ended = await shell.run("templates", "render", "payment-failed", "--channel", channel, "--locale", "de")
    assert (ended.code, ended.problems) == (0, "")
    assert ended.output.startswith(begin)
    assert "A-1001" in ended.output


async def test_a_text_that_is_not_there_is_named(shell: Shell) -> None:
    ended = await shell.run("templates", "render", "moon-rose")
    assert (ended.code, ended.output) == (1, "")
    assert "moon-rose" in ended.problems


# api-key


async def test_a_new_key_fits_the_setting_that_is_printed_with_it(shell: Shell) -> None:
    ended = await shell.run("api-key", "--name", "operator", "--scope", "ops.*", "--scope", "hub.info")
    assert ended.code == 0
    (key,) = re.findall(r"db_live_\w+", ended.output)
    (shell.folder / "doorbell.toml").write_text(ended.output[ended.output.index("[[api_keys]]") :])
    shown = json.loads((await shell.run("config", "show")).output)["api_keys"]
    assert [(each["name"], each["scopes"]) for each in shown] == [("operator", ["ops.*", "hub.info"])]
    fields = dict(re.findall(r'^(\w+) = "(\w+)"$', ended.output, re.MULTILINE))
    who = ApiKeys([ApiKey(fields["name"], fields["id"], fields["sha256"], ("ops.*",))]).verify(key)
    assert who.user == "service:operator"


# channels test


def sms_settings(*twilios: TwilioStandIn) -> dict[str, str]:
    accounts = [
        {
            "name": f"t{index}",
            "account_sid": ACCOUNT_SID,
            "auth_token": AUTH_TOKEN,
            "sender": "Shop",
            "endpoint": twilio.url,
        }
        for index, twilio in enumerate(twilios)
    ]
    return {"SMS__TWILIO": json.dumps(accounts)}


async def test_a_mail_is_handed_to_the_relay_and_its_words_are_told(shell: Shell) -> None:
    async with MailRelay() as relay:
        ended = await shell.run("channels", "test", "email", "--to", "zoe@example.com", SMTP__URL=relay.url)
    (mail,) = relay.outbox.mails("zoe@example.com")
    assert mail.parsed()["Subject"] == "A test from Doorbell"
    assert (ended.code, ended.problems) == (0, "")
    assert ended.output.startswith("smtp: taken: ")


async def test_a_text_goes_to_the_next_account_when_the_first_refuses(shell: Shell) -> None:
    async with TwilioStandIn() as first, TwilioStandIn() as second:
        first.faults.add(twilio_error(401, 20_003))
        ended = await shell.run("channels", "test", "sms", "--to", NUMBER, **sms_settings(first, second))
    assert ended.code == 0
    refused, taken = ended.output.splitlines()
    assert refused == "t0: refused: HTTP 401, code 20003"
    assert taken.startswith("t1: taken: SM")
    assert [text.to for text in second.taken] == [NUMBER]


async def test_who_comes_after_the_one_that_has_taken_it_is_not_asked_unless_all_are(shell: Shell) -> None:
    async with TwilioStandIn() as first, TwilioStandIn() as second:
        some = await shell.run("channels", "test", "sms", "--to", NUMBER, **sms_settings(first, second))
        assert some.output.splitlines()[1] == "t1: not asked: t0 has settled it"
        assert (first.requests, second.requests) == (1, 0)
        every = await shell.run("channels", "test", "sms", "--to", NUMBER, "--all", **sms_settings(first, second))
    assert (some.code, every.code) == (0, 0)
    assert (first.requests, second.requests) == (2, 1)


async def test_with_all_one_that_refuses_is_a_failure(shell: Shell) -> None:
    async with TwilioStandIn() as first, TwilioStandIn() as second:
        second.faults.add(twilio_error(500, 20_500))
        ended = await shell.run("channels", "test", "sms", "--to", NUMBER, "--all", **sms_settings(first, second))
    assert ended.code == 1
    assert "t1: refused: HTTP 500" in ended.output


async def test_a_push_goes_to_a_registration(shell: Shell) -> None:
    async with FcmStandIn() as fcm:
        project = json.dumps([{"project_id": "demo", "endpoint": fcm.url}])
        ended = await shell.run("channels", "test", "push", "--to", "app-1", PUSH__FCM=project)
        (push,) = fcm.taken
        fcm.faults.add(fcm_error(404, "NOT_FOUND", "UNREGISTERED"))
        gone = await shell.run("channels", "test", "push", "--to", "app-2", PUSH__FCM=project)
    assert (ended.code, push.to, push.message["notification"]["title"]) == (0, "app-1", "A test from Doorbell")
    assert gone.code == 1
    assert gone.output.startswith("fcm: impossible: ")


async def test_a_relay_that_cannot_be_reached_is_told(shell: Shell, unused_tcp_port: int) -> None:
    url = f"smtp://127.0.0.1:{unused_tcp_port}"
    ended = await shell.run("channels", "test", "email", "--to", "zoe@example.com", SMTP__URL=url)
    assert ended.code == 1
    assert ended.output.startswith("smtp: refused: ")


async def test_a_mailbox_that_is_refused_for_good_is_told(shell: Shell) -> None:
    async with MailRelay() as relay:
        relay.faults.add(Fault(Phase.RCPT, "550 5.1.1 no such user"))
        ended = await shell.run("channels", "test", "email", "--to", "zoe@example.com", SMTP__URL=relay.url)
    assert ended.code == 1
    assert "smtp: impossible: " in ended.output
    assert "no such user" in ended.output


@pytest.mark.parametrize(
    ("arguments", "settings", "code", "word"),
    [
        (("email", "--to", "zoe@example.com"), {}, 78, "smtp.url"),
        (("sms", "--to", NUMBER), {}, 78, "sms.twilio"),
        (("push", "--to", "app-1"), {}, 78, "push.fcm"),
        (("email", "--to", "zoe"), {"SMTP__URL": "smtp://127.0.0.1:9"}, 2, "name@domain"),
        (("sms", "--to", "0151"), {"ACCOUNT": "yes"}, 2, "E.164"),
        (("sms", "--to", NUMBER), {"ACCOUNT": "yes", "SMS__COUNTRIES": "AT,CH"}, 2, "sms.countries"),
        (("fax", "--to", "1"), {}, 2, "invalid choice"),
        (("email",), {}, 2, "--to"),
    ],
)
async def test_what_cannot_be_tried_is_told_with_what_to_write(
    shell: Shell, arguments: tuple[str, ...], settings: Mapping[str, str], code: int, word: str
) -> None:
    account = {"account_sid": "AC1", "auth_token": "t", "sender": "Shop", "endpoint": "http://127.0.0.1:9"}
    given = {name: value for name, value in settings.items() if name != "ACCOUNT"}
    if "ACCOUNT" in settings:
        given["SMS__TWILIO"] = json.dumps([account])
    ended = await shell.run("channels", "test", *arguments, **given)
    assert (ended.code, ended.output) == (code, "")
    assert word in ended.problems
