"""The documentation stays true: links lead somewhere, and what the code has, the reference pages have."""

import argparse
import inspect
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast, get_type_hints

import msgspec
import pytest
from prometheus_client.metrics import MetricWrapperBase

from hub import observe
from hub.app import DEFAULT_PLAYBOOK
from hub.cli.parser import build_parser
from hub.config import load
from hub.domain.decisions import Aggregate, AggregateKind
from hub.domain.events import PAYLOADS
from hub.domain.ids import Topic
from hub.domain.topics import BUILT_IN, Namespace
from hub.protocol import codes
from hub.protocol.codes import CommandError, Disconnect
from hub.service.failures import FAILURES, Failure
from hub.service.feedback.mail_intake import MailIntake
from hub.service.feedback.suppression_list import SuppressionList
from hub.service.intake.events import Events
from hub.service.operations import AnyOperation
from hub.service.operator.letters import OperatorLetters
from hub.service.operator.texts import OperatorTexts
from hub.service.operator.view import OperatorView
from hub.service.person.devices import DeviceRegistry
from hub.service.person.inbox import InboxService
from hub.service.person.orders import Orders
from hub.service.person.preferences import PreferenceCentre
from hub.service.sending.bulk_sending import BulkSending
from hub.service.sending.notifications import Notifications
from hub.service.sending.records import NotificationRecords
from hub.service.sending.segments import SegmentService
from hub.service.topics.attendance import Attendances
from hub.service.topics.histories import Histories
from hub.service.topics.installation import Installation
from hub.service.topics.people import PeoplesConnections
from hub.service.topics.publishing import Publishing
from hub.settings import ApiKey, Fcm, Settings, SmtpRelay, Twilio
from hub.store.keys import Keys

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
REFERENCE = ROOT / "docs" / "reference"
PAGES = (README, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<code>.*?)^```", re.DOTALL | re.MULTILINE)


def reference(page: str) -> str:
    """The text of a reference page."""
    return (REFERENCE / f"{page}.md").read_text()


def name_of(page: Path) -> str:
    """A page's path, for the name of a test."""
    return str(page.relative_to(ROOT))


def without_code(text: str) -> str:
    """What is left of a page without its code blocks."""
    return _FENCE.sub("", text)


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings get on the web."""
    headings = re.findall(r"^#+ (.+)$", without_code(page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def snippets(language: str) -> Iterator[Any]:
    """Every code block of a language, as a parameter of a test."""
    for page in PAGES:
        for number, block in enumerate(_FENCE.finditer(page.read_text())):
            if block["language"] == language:
                yield pytest.param(block["code"], id=f"{name_of(page)}-{number}")


# Links and snippets


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    targets = _LINK.findall(without_code(page.read_text()))
    for target in (each for each in targets if "://" not in each):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_every_page_is_found_from_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    linked = {(ROOT / "docs" / target.partition("#")[0]).resolve() for target in _LINK.findall(index)}
    assert {page for page in PAGES if "docs" in page.parts} - linked == {ROOT / "docs" / "README.md"}


@pytest.mark.parametrize("code", list(snippets("python")))
def test_python_in_the_pages_compiles(code: str) -> None:
    compile(code, "page", "exec")


@pytest.mark.parametrize("code", list(snippets("json")))
def test_json_in_the_pages_is_json(code: str) -> None:
    json.loads(code)


@pytest.mark.parametrize("code", list(snippets("toml")))
def test_toml_in_the_pages_is_toml(code: str) -> None:
    tomllib.loads(code)


# README


def test_the_readme_is_read_in_a_few_minutes() -> None:
    assert 450 <= len(without_code(README.read_text()).split()) <= 750


def test_the_commands_of_make_in_the_pages_exist() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        named = re.findall(r"(?:`|^)make ([a-z][a-z0-9-]*)", page.read_text(), re.MULTILINE)
        assert set(named) <= targets, page


# Settings


def leaves(struct: type[msgspec.Struct], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting by its whole name, with its default."""
    hints = get_type_hints(struct)
    for field in msgspec.structs.fields(struct):
        hint = hints[field.name]
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            yield from leaves(hint, f"{prefix}{field.name}.")
        else:
            made = field.default is msgspec.NODEFAULT
            yield f"{prefix}{field.name}", field.default_factory() if made else field.default


SETTINGS = dict(leaves(Settings))


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_explained_with_its_default(name: str) -> None:
    default = SETTINGS[name]
    shown = json.dumps(list(default) if isinstance(default, tuple) else default)
    assert re.search(
        rf"^\| `{re.escape(name)}` \| [^|]+ \| `{re.escape(shown)}` \| .+ \|$", configuration(), re.MULTILINE
    )


def test_no_setting_is_explained_that_does_not_exist() -> None:
    explained = set(re.findall(r"^\| `([a-z0-9_.]+)` \|", configuration(), re.MULTILINE))
    tables = {
        field.name for table in (ApiKey, Fcm, Namespace, SmtpRelay, Twilio) for field in msgspec.structs.fields(table)
    }
    assert explained == SETTINGS.keys() | tables


def configuration() -> str:
    """The page of settings."""
    return reference("configuration")


@pytest.mark.parametrize("with_comments", [False, True], ids=["as it is", "with what is commented out"])
def test_the_example_configuration_is_valid(tmp_path: Path, *, with_comments: bool) -> None:
    text = (ROOT / "doorbell.example.toml").read_text()
    if with_comments:
        text = re.sub(r"^# (?=\[|[a-z0-9_]+ = )(?!playbook|templates_dir)", "", text, flags=re.MULTILINE)
        assert "[[namespaces]]\nname" in text
    file = tmp_path / "doorbell.toml"
    file.write_text(text)
    load(file, {})


# Command line


def commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command that can be run, by its whole name."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield parser.prog, parser
    for group in groups:
        for child in group.choices.values():
            yield from commands(child)


@pytest.mark.parametrize(("command", "parser"), list(commands(build_parser())), ids=lambda each: str(each)[:40])
def test_every_command_is_listed_with_its_options(command: str, parser: argparse.ArgumentParser) -> None:
    page = reference("command-line")
    assert f"| `{command}" in page
    for action in parser._actions:
        if action.help is not argparse.SUPPRESS:
            assert all(option in page for option in action.option_strings if option.startswith("--"))


# Metrics, events, topics, keys


@pytest.mark.parametrize("metric", [each for each in vars(observe).values() if isinstance(each, MetricWrapperBase)])
def test_every_metric_is_listed_with_its_labels(metric: MetricWrapperBase) -> None:
    labels = ", ".join(f"`{label}`" for label in metric._labelnames)
    assert re.search(rf"^\| `{metric._name}` \| {metric._type} \| {labels}", reference("metrics"), re.MULTILINE)


@pytest.mark.parametrize("event_type", PAYLOADS)
def test_every_type_of_event_is_listed(event_type: str) -> None:
    assert f"| `{event_type}` |" in reference("events")


def test_every_rule_of_the_default_playbook_is_listed() -> None:
    rules = tomllib.loads(DEFAULT_PLAYBOOK.read_text())["rules"]
    listed = re.findall(r"^\| `([a-z-]+)` \| `([a-z]+\.[a-z_]+)` \|", reference("playbook"), re.MULTILINE)
    assert dict(listed) == {name: rule["on"] for name, rule in rules.items()}


@pytest.mark.parametrize("namespace", BUILT_IN, ids=lambda each: each.name)
def test_every_namespace_is_listed_with_its_kind(namespace: Namespace) -> None:
    assert re.search(rf"^\| `{namespace.name}(:<\w+>)?` \| {namespace.kind} \|", reference("topics"), re.MULTILINE)


ARGUMENTS: dict[str, Any] = {
    **{
        name: name.upper()
        for name in (
            "effect",
            "notification",
            "lane",
            "job",
            "token",
            "channel",
            "digest",
            "key",
            "caller",
            "worker",
            "bound",
            "name",
            "generation",
        )
    },
    **dict.fromkeys(("order", "user", "device", "bulk"), "ID"),
    "aggregate": Aggregate(AggregateKind.ORDER, "ID"),
    "shard": "N",
    "window": 0,
    "topic": Topic("TOPIC"),
}
PARTS = {
    "outcomes": "waiting",
    "inbox": "entries",
    "bulk": "state",
    "jobs": "due",
    "dead_letters": "index",
    "presence": "expiry",
    "suppressions": "index",
    "workers": "alive",
    "delivery_workers": "alive",
}


@pytest.mark.parametrize("name", [name for name, _ in inspect.getmembers(Keys, inspect.isfunction) if name[0] != "_"])
def test_every_kind_of_redis_key_is_listed(name: str) -> None:
    method = getattr(Keys(), name)
    arguments = {**ARGUMENTS, "part": PARTS.get(name)}
    made = method(*(arguments[parameter] for parameter in inspect.signature(method).parameters))
    for key in made if isinstance(made, tuple) else (made,):
        assert f"| `{key}`" in reference("redis-keys")


# Operations and the protocol


def operations() -> tuple[AnyOperation, ...]:
    """Every operation that there is; none of them is called."""
    nobody = cast("Any", None)
    services = (
        InboxService(nobody),
        Orders(nobody),
        Events(nobody),
        DeviceRegistry(nobody),
        PreferenceCentre(nobody, nobody, nobody, house=nobody, channels=(), categories=()),
        Notifications(nobody, cancel_keys=nobody, templates={}),
        NotificationRecords(nobody, nobody),
        BulkSending(nobody, nobody, nobody, templates={}),
        SegmentService(nobody),
        Publishing(nobody, nobody),
        Histories(nobody, nobody),
        Attendances(nobody, nobody),
        PeoplesConnections(nobody, nobody),
        Installation(nobody),
        MailIntake(nobody),
        SuppressionList(nobody),
        OperatorView(nobody, nobody),
        OperatorLetters(nobody, nobody),
        OperatorTexts(nobody, signer=None, max_segments=3),
    )
    return tuple(operation for service in services for operation in service.operations())


@pytest.mark.parametrize("operation", operations(), ids=lambda each: each.name)
def test_every_operation_is_listed_with_its_route_roles_and_limit(operation: AnyOperation) -> None:
    rows = reference("operations").splitlines()
    row = next(line for line in rows if line.startswith(f"| `{operation.name}` |"))
    assert f"`{operation.http.method} {operation.http.path}`" in row
    assert set(row.split("|")[3].replace(" ", "").split(",")) == {str(role) for role in operation.roles}
    assert f"{operation.rate.count:,} in {operation.rate.window_s:g} s" in row


@pytest.mark.parametrize("operation", operations(), ids=lambda each: each.name)
def test_every_field_of_a_request_is_explained(operation: AnyOperation) -> None:
    page = reference("operations")
    fields = () if operation.media else msgspec.structs.fields(operation.request)
    assert all(re.search(rf"`{field.name}\b", page) for field in fields)


@pytest.mark.parametrize("failure", Failure)
def test_every_failure_is_in_the_table_of_errors(failure: Failure) -> None:
    facts = FAILURES[failure]
    temporary = "yes" if facts.temporary else "no"
    assert f"| `{failure}` | {facts.status} | {facts.code} | {temporary} | {facts.meaning} |" in reference("operations")


@pytest.mark.parametrize("disconnect", [each for each in vars(codes).values() if isinstance(each, Disconnect)])
def test_every_disconnect_code_is_listed(disconnect: Disconnect) -> None:
    reason = disconnect.reason
    assert f"| {disconnect.code} | {reason} |" in reference("protocol")


def test_every_error_code_is_listed() -> None:
    makers = [
        each for each in vars(codes).values() if inspect.isfunction(each) and not inspect.signature(each).parameters
    ]
    errors = [error for error in (make() for make in makers) if isinstance(error, CommandError)]
    rows = reference("protocol").splitlines()
    for error in errors:
        row = next(line for line in rows if line.startswith(f"| {error.code} | {error.message}"))
        assert row.endswith(f"| {'yes' if error.temporary else 'no'} |")
