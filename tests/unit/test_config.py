"""The configuration: what it takes, and that it says everything that is wrong at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints

import msgspec
import pytest

from hub.config import load
from hub.config_checks import _BOUNDS
from hub.config_secrets import redacted
from hub.domain.errors import ConfigurationError
from hub.settings import Settings


def write(folder: Path, text: str) -> Path:
    file = folder / "doorbell.toml"
    file.write_text(text)
    return file


def mistakes(file: Path | None, environ: dict[str, str]) -> dict[str, str]:
    with pytest.raises(ConfigurationError) as raised:
        load(file, environ)
    return {mistake.key: str(mistake) for mistake in raised.value.mistakes}


def test_nothing_configured_is_a_working_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None, {}) == Settings()


def test_the_file_of_the_current_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 'workers = 3\n[kafka]\nbootstrap = "broker:9092"\ntopics = ["a", "b"]\n')
    monkeypatch.chdir(tmp_path)
    settings = load(None, {})
    assert settings.workers == 3
    assert settings.kafka.topics == ("a", "b")


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, 'workers = 3\n[kafka]\nbootstrap = "broker:9092"\ngroup = "shop"\n')
    settings = load(file, {"DOORBELL_WORKERS": "5", "DOORBELL_KAFKA__TOPICS": "a, b", "DOORBELL_DEMO__SIGN_IN": "true"})
    assert (settings.workers, settings.demo.sign_in) == (5, True)
    assert (settings.kafka.group, settings.kafka.topics) == ("shop", ("a", "b"))


def test_a_list_of_tables_comes_from_the_environment_as_json() -> None:
    settings = load(None, {"DOORBELL_NAMESPACES": '[{"name": "board", "kind": "latest", "history_size": 1}]'})
    assert settings.namespaces[0].name == "board"


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    top = 'workers = "many"\nlisten = "here"\nredis_ur = "x"\n'
    file = write(tmp_path, top + '[kafka]\nbootstrap = "broker"\n[smtp]\nurl = "http://x"\n')
    found = mistakes(file, {"DOORBELL_DELIVERY__SHARDS": "0", "DOORBELL_NO_SUCH": "1"})
    typed, checked = {"workers", "redis_ur", "no_such"}, {"listen", "kafka.bootstrap", "smtp.url", "delivery.shards"}
    assert found.keys() == typed | checked


def test_a_proxy_is_an_address_or_a_network() -> None:
    good = load(None, {"DOORBELL_GATEWAY__TRUSTED_PROXIES": "10.0.0.0/8, ::1"})
    assert good.gateway.trusted_proxies == ("10.0.0.0/8", "::1")
    found = mistakes(None, {"DOORBELL_GATEWAY__TRUSTED_PROXIES": "10.0.0.1/8, proxy.example"})
    assert "write an address or a network" in found["gateway.trusted_proxies"]


def test_a_host_of_links_is_written_as_it_stands_in_them() -> None:
    good = load(None, {"DOORBELL_CLICK_HOSTS": "pay.example, shop.example:8443"})
    assert good.click_hosts == ("pay.example", "shop.example:8443")
    for wrong in ("https://pay.example", "Pay.example", "pay.example/x", "me@pay.example", ":80"):
        assert "write a host" in mistakes(None, {"DOORBELL_CLICK_HOSTS": wrong})["click_hosts"]


def test_a_mistake_names_file_key_value_and_what_to_write(tmp_path: Path) -> None:
    file = write(tmp_path, 'listen = "here"\nredis_ur = "x"\n')
    found = mistakes(file, {"DOORBELL_WORKERS": "0"})
    assert found["listen"] == f"{file}: listen = 'here': write host:port, such as 0.0.0.0:8080"
    assert "did you mean redis_url?" in found["redis_ur"]
    assert found["workers"].startswith("environment DOORBELL_WORKERS: workers = 0: write a number from 1")


def test_a_table_given_as_a_value_is_explained(tmp_path: Path) -> None:
    assert "write [kafka]" in mistakes(write(tmp_path, 'kafka = "broker:9092"\n'), {})["kafka"]


@pytest.mark.parametrize("text", ["workers = \n", "\x00", "[kafka\n"])
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, text: str) -> None:
    assert "is not valid TOML" in mistakes(write(tmp_path, text), {})["file"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "cannot be read" in mistakes(tmp_path / "none.toml", {})["file"]


def test_variables_that_kubernetes_sets_for_a_service_are_no_settings() -> None:
    environ = {"DOORBELL_SERVICE_HOST": "10.0.0.1", "DOORBELL_PORT": "tcp://10.0.0.1:80", "DOORBELL_PORT_80_TCP": "x"}
    assert load(None, environ) == Settings()


def test_token_families_never_mix(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("key")
    environ = {
        "DOORBELL_TOKEN__HMAC_SECRET": "s" * 32,
        "DOORBELL_TOKEN__PUBLIC_KEY_FILES": str(key),
        "DOORBELL_TOKEN__ALGORITHMS": "HS256",
    }
    assert mistakes(None, environ).keys() == {"token.hmac_secret", "token.algorithms"}


def test_a_namespace_may_not_take_a_name_of_doorbells_own() -> None:
    assert "Doorbell's own" in mistakes(None, {"DOORBELL_NAMESPACES": '[{"name": "inbox"}]'})["namespaces[0].name"]


@pytest.mark.parametrize(
    ("namespaces", "key"),
    [
        ('[{"name": "a"}, {"name": "a"}]', "namespaces[1].name"),
        ('[{"name": "a"}, {"name": "b", "force_push_join_leave": true}]', "namespaces[1].force_push_join_leave"),
        ('[{"name": "a", "subscribe_roles": ["boss"]}]', "namespaces[0].subscribe_roles"),
    ],
)
def test_a_mistake_in_a_namespace_is_told_with_its_place(namespaces: str, key: str) -> None:
    assert mistakes(None, {"DOORBELL_NAMESPACES": namespaces}).keys() == {key}


@pytest.mark.parametrize("name", ["nobody", "inbox"])
def test_the_personal_namespace_must_be_one_of_ones_own(name: str) -> None:
    found = mistakes(None, {"DOORBELL_GATEWAY__USER_PERSONAL_CHANNEL_NAMESPACE": name})
    assert found.keys() == {"gateway.user_personal_channel_namespace"}


def test_secrets_are_not_shown() -> None:
    settings = load(
        None,
        {
            "DOORBELL_TOKEN__HMAC_SECRET": "topsecret" * 4,
            "DOORBELL_RABBITMQ__URL": "amqp://user:topsecret@host/",
            "DOORBELL_KAFKA__SASL_PASSWORD": "topsecret",
            "DOORBELL_FORMER_SIGNING_SECRETS": '["topsecret-topsecret-topsecret-topsecret"]',
            "DOORBELL_SMS__TWILIO": '[{"account_sid": "AC1", "auth_token": "topsecret", "sender": "Shop"}]',
            "DOORBELL_API_KEYS": '[{"name": "shop", "id": "k1", "sha256": "topsecret"}]',
            "DOORBELL_CHANNELS": '{"fax": {"pin": "topsecret", "more": [{"key": "topsecret"}], "fast": true}}',
        },
    )
    shown = redacted(settings)
    assert "topsecret" not in str(shown)
    assert shown["rabbitmq"]["url"] == "amqp://user:********@host/"
    assert shown["sms"]["twilio"][0]["account_sid"] == "AC1"
    assert shown["channels"]["fax"] == {"pin": "********", "more": [{"key": "********"}], "fast": True}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TOKEN__HMAC_SECRET", "topsecret"),
        ("SIGNING_SECRET", "topsecret"),
        ("FORMER_SIGNING_SECRETS", '["topsecret"]'),
        ("SMTP__WEBHOOK_SECRET", "topsecret"),
        ("TOKEN__HMAC_SECRT", "topsecret"),
        ("TOKEN", '{"hmac_secret": "topsecret"}'),
        ("SMS__TWILIO", '[{"account_sid": "AC1", "auth_tokn": "topsecret"}]'),
        ("SMS__TWILIO", '[{"auth_token": "topsecret"'),
        ("SMS__TWILIO__AUTH_TOKEN", "topsecret"),
        ("API_KEYS", '[{"name": "shop", "id": 1, "sha256": "topsecret"}]'),
        ("API_KEYS", "topsecret"),
        ("SMTP__RELAYS", '[{"url": "smtp://user:topsecret@host", "pool_size": "many"}]'),
        ("SMTP__RELAYS", '[{"url": "smtp://user:topsecret/topsecret@host"}]'),
        ("CHANNELS", '{"fax": {"pin": "topsecret"}, "pager": "topsecret"}'),
        ("SMTP__URL", "user:topsecret@host"),
        ("RABBITMQ__URL", "http://user:topsecret@host"),
        ("RABBITMQ__URL", "amqp://user:topsecret/topsecret@host"),
        ("REDIS_URL", "redis//user:topsecret@host"),
        ("REDIS_URL", "redis://user:topsecret/topsecret@host"),
        ("REDIS_URL", "redis://user:topsecret@topsecret@host:x"),
        ("REDIS_URL", "redis+cluster://user:topsecret#topsecret@host:1"),
    ],
)
def test_a_mistake_does_not_show_a_secret(variable: str, value: str) -> None:
    (found,) = mistakes(None, {f"DOORBELL_{variable}": value}).values()
    assert "topsecret" not in found


def test_a_table_of_the_file_that_cannot_be_read_is_not_shown(tmp_path: Path) -> None:
    file = write(
        tmp_path, '[[sms.twilio]]\nauth_tokn = "topsecret"\n[channels.fax]\n[token]\nhmac_secret = ["topsecret"]'
    )
    found = mistakes(file, {})
    assert found.keys() == {"sms.twilio", "token.hmac_secret"}
    assert "topsecret" not in str(found)
    assert "unknown field `auth_tokn` - at `$[0]`" in found["sms.twilio"]


@pytest.mark.parametrize(
    ("variable", "value", "key"),
    [
        ("LOG_LEVEL", "lout", "log_level"),
        ("TEMPLATES_DIR", "x" * 300, "templates_dir"),
        ("PLAYBOOK", "x" * 300, "playbook"),
        ("TOKEN__PUBLIC_KEY_FILES", "/", "token.public_key_files"),
        ("RABBITMQ__URL", "amqp://", "rabbitmq.url"),
        ("RABBITMQ__URL", "amqp://broker:x", "rabbitmq.url"),
        ("PUBLIC_URL", "https://[::1", "public_url"),
        ("SMTP__URL", "smtp://relay:0", "smtp.url"),
        ("SMTP__URL", "smtp://me:secret@relay:25", "smtp.url"),
        ("SMTP__URL", "smtp://relay/x", "smtp.url"),
        ("SMTP__SENDER", "nobody", "smtp.sender"),
        ("SMTP__RETURN_PATH", "bounces", "smtp.return_path"),
        ("GATEWAY__POSITION_CHECK_S", "nan", "gateway.position_check_s"),
        ("GATEWAY__DRAIN_S", "-5", "gateway.drain_s"),
        ("DELIVERY__BACKOFF_FIRST_S", "-1", "delivery.backoff_first_s"),
        ("SMTP__MAILS_PER_CONNECTION", "0", "smtp.mails_per_connection"),
        ("KAFKA__SASL_MECHANISM", "FOO", "kafka.sasl_mechanism"),
        ("RABBITMQ__EXCHANGE", "", "rabbitmq.exchange"),
        ("GATEWAY__ALLOWED_ORIGINS", "shop.example", "gateway.allowed_origins"),
        ("SMTP__DOMAINS", '{"gmail.com": -1}', "smtp.domains.gmail.com"),
        ("SMTP__DOMAINS", '{"gmail": 1}', "smtp.domains.gmail"),
        ("SMTP__RELAYS", '[{"url": "http://x", "name": "a"}]', "smtp.relays[0].url"),
        ("SMTP__RELAYS", '[{"url": "smtp://x/y", "name": "a"}]', "smtp.relays[0].url"),
        ("SMTP__RELAYS", '[{"url": "smtp://x", "name": "a b"}]', "smtp.relays[0].name"),
        ("SMTP__RELAYS", '[{"url": "smtp://x"}, {"url": "smtp://y"}]', "smtp.relays[1].name"),
        ("SMTP__RELAYS", '[{"url": "smtp://x", "pool_size": 0}]', "smtp.relays[0].pool_size"),
        ("SMTP__RELAYS", '[{"url": "smtp://x", "timeout_s": 30}]', "smtp.relays[0].timeout_s"),
    ],
)
def test_a_value_that_cannot_work_is_refused_by_its_key(variable: str, value: str, key: str) -> None:
    assert key in mistakes(None, {f"DOORBELL_{variable}": value})


def test_a_mistake_in_a_table_of_the_environment_names_its_variable() -> None:
    found = mistakes(None, {"DOORBELL_SMTP__RELAYS": '[{"url": "smtp://x/y", "name": "a"}]'})
    assert found["smtp.relays[0].url"].startswith("environment DOORBELL_SMTP__RELAYS: ")


def numbers(struct: type[msgspec.Struct], prefix: str = "") -> Iterator[str]:
    """Every setting that is a number, by its whole name; those in lists of tables are checked with their table."""
    for name, hint in get_type_hints(struct).items():
        if hint in {int, float}:
            yield f"{prefix}{name}"
        elif isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            yield from numbers(hint, f"{prefix}{name}.")


def test_every_number_has_bounds() -> None:
    assert set(numbers(Settings)) == set(_BOUNDS)
