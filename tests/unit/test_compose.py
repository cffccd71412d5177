"""The containers: their parts fit together, and are given settings that there are, with defaults that are valid."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.config import load
from hub.config_checks import MIN_SECRET_BYTES
from hub.settings import Settings

COMPOSE = (Path(__file__).parents[2] / "deploy" / "compose.yaml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
ROLES = {name: service for name, service in SERVICES.items() if name != "redis"}
_SETTING = re.compile(r"^ +(DOORBELL_\w+): (.+)$", re.MULTILINE)
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")
SECRET = "s" * MIN_SECRET_BYTES


def filled(value: str, given: dict[str, str]) -> str:
    """A value as Compose makes it: with what is given in the environment, else its default."""
    match = _VARIABLE.fullmatch(value)
    if match is None:
        return value
    name, kind, default = match.groups()
    return given.get(name) or (default if kind == "-" else SECRET)


def environment(**given: str) -> dict[str, str]:
    """The settings of every role together."""
    return {name: filled(value, given) for name, value in _SETTING.findall(COMPOSE)}


def names() -> Iterator[str]:
    yield from {name for name, _ in _SETTING.findall(COMPOSE)}


def loaded(folder: Path, **given: str) -> Settings:
    empty = folder / "doorbell.toml"
    empty.write_text("")
    return load(empty, environment(**given))


def test_it_starts_with_nothing_but_a_secret(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    assert settings.token.hmac_secret == SECRET
    assert (settings.smtp.all_relays, settings.push.fcm, settings.sms.twilio) == ((), (), ())


def test_channels_are_configured_by_the_environment(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        DOORBELL_PUBLIC_URL="https://hub.example",
        DOORBELL_SMTP__URL="smtp://mail.example",
        DOORBELL_SMTP__RELAYS='[{"name": "spare", "url": "smtp://spare.example"}]',
        DOORBELL_PUSH__FCM='[{"endpoint": "http://fcm.example", "project_id": "p"}]',
        DOORBELL_SMS__TWILIO='[{"account_sid": "AC1", "auth_token": "t", "sender": "+15550100"}]',
        DOORBELL_SMS__COUNTRIES="DE,AT",
    )
    assert settings.public_url == "https://hub.example"
    assert [relay.name for relay in settings.smtp.all_relays] == ["smtp", "spare"]
    assert [project.project_id for project in settings.push.fcm] == ["p"]
    assert [account.account_sid for account in settings.sms.twilio] == ["AC1"]
    assert settings.sms.countries == ("DE", "AT")


def test_every_role_may_open_many_connections() -> None:
    assert {service["command"][0] for service in ROLES.values()} == {"serve", "deliver", "consume"}
    assert {service["ulimits"]["nofile"]["hard"] for service in ROLES.values()} == {65_536}


def test_what_a_service_refers_to_is_there() -> None:
    whole = yaml.safe_load(COMPOSE)
    assert {other for service in SERVICES.values() for other in service.get("depends_on", ())} == {"redis"}
    mounted = {volume.partition(":")[0] for volume in SERVICES["redis"]["volumes"]}
    assert mounted == whole["volumes"].keys()


@pytest.mark.parametrize("name", ["deliver", "consume"])
def test_a_worker_can_be_started_several_times(name: str) -> None:
    assert not {"ports", "container_name"} & SERVICES[name].keys()


def test_a_port_of_the_machine_is_published_once() -> None:
    published = [port.rpartition(":")[0] for service in SERVICES.values() for port in service.get("ports", ())]
    assert sorted(published) == ["127.0.0.1:8024", "8080"]


def test_reports_come_in_where_a_worker_listens_for_them() -> None:
    listening = {
        name: service["environment"]["DOORBELL_SMTP__REPORTS_LISTEN"].rpartition(":")[2]
        for name, service in ROLES.items()
        if "DOORBELL_SMTP__REPORTS_LISTEN" in service["environment"]
    }
    assert listening == {"deliver-reports": "8024"}
    assert SERVICES["deliver-reports"]["ports"] == ["127.0.0.1:8024:8024"]


def test_what_is_given_to_one_role_is_no_secret_from_another() -> None:
    shared = COMPOSE.partition("x-environment: &environment")[2].partition("\nservices:")[0]
    own = {"DOORBELL_SMTP__REPORTS_LISTEN", "DOORBELL_KAFKA__BOOTSTRAP", "DOORBELL_RABBITMQ__URL"}
    assert {name for name in names() if name not in shared} == own
