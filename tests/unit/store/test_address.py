from typing import Any

import pytest
from redis.asyncio.connection import SSLConnection, parse_url

from hub.observe import without_password
from hub.store.address import BadAddress, Deployment, redis_address


@pytest.mark.parametrize(
    "url",
    ["redis://h", "redis://:pw@h:6380/3", "rediss://u:pw@h:6380?ssl_cert_reqs=none", "unix:///run/redis.sock?db=1"],
)
def test_one_server_is_taken_as_it_is(url: str) -> None:
    address = redis_address(url)
    assert (address.deployment, address.url) == (Deployment.SERVER, url)


def test_a_cluster_is_known_by_some_of_its_servers() -> None:
    address = redis_address("redis+cluster://ada:s%40cret@a:7001,b,[::1]:7003")
    assert address.deployment is Deployment.CLUSTER
    assert address.hosts == (("a", 7001), ("b", 6379), ("::1", 7003))
    server = parse_url(address.server_url("::1", 7003))
    assert (server["host"], server["port"], server["username"], server["password"]) == ("::1", 7003, "ada", "s@cret")


def test_sentinels_have_credentials_of_their_own() -> None:
    address = redis_address(
        "rediss+sentinel://:pw@a:1,b/shop/2?sentinel_username=s&sentinel_password=p%26w&ssl_ca_certs=/ca.pem"
    )
    assert (address.deployment, address.master, address.database) == (Deployment.SENTINEL, "shop", 2)
    assert address.hosts == (("a", 1), ("b", 26379))
    server: Any = parse_url(address.server_url("m", 6379))
    sentinel: Any = parse_url(address.sentinel_url("a", 1))
    assert (server["password"], server["db"], server["ssl_ca_certs"]) == ("pw", 2, "/ca.pem")
    assert (sentinel["username"], sentinel["password"]) == ("s", "p&w")
    assert server["connection_class"] is sentinel["connection_class"] is SSLConnection


@pytest.mark.parametrize(
    ("url", "problems"),
    [
        ("http://h", ["starts with"]),
        ("redis", ["starts with"]),
        ("redis://", ["host:port"]),
        ("redis://h:0", ["host:port"]),
        ("redis://[h:1", ["brackets"]),
        ("redis://u:a/b@h", ["as %2F"]),
        ("redis+cluster://u:a#b@h:1", ["as %2F"]),
        ("redis+sentinel://u:a?b@h:1/m", ["as %2F"]),
        ("redis://h:99999", ["from 1 to 65535"]),
        ("redis://h/x", ["no database"]),
        ("redis://a:1,b:2", ["redis+cluster://"]),
        ("unix://", ["name the socket"]),
        ("redis+cluster://", ["'' is not host:port"]),
        ("redis+cluster://a:x,a:1,a:1/3?db=1", ["'a:x' is not", "twice", "one database", "take out db"]),
        ("redis+sentinel://a:1", ["name by which the sentinels know"]),
        ("redis+sentinel://a:1/m/x/y?timeout=1", ["'x/y' is no database", "take out timeout"]),
        ("redis+cluster://a?sentinel_password=x", ["take out sentinel_password"]),
    ],
)
def test_every_mistake_is_told(url: str, problems: list[str]) -> None:
    with pytest.raises(BadAddress) as caught:
        redis_address(url)
    assert len(caught.value.problems) == len(problems)
    assert all(part in problem for part, problem in zip(problems, caught.value.problems, strict=True))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:s3cret@a:1/0", "redis://:********@a:1/0"),
        ("amqp://ada:s3cret/s3cret@s3cret@a", "amqp://ada:********@a"),
        ("ada:s3cret@a", "ada:********@a"),
        ("redis//ada:s3cret@a", "redis//ada:********@a"),
        ("redis+sentinel://a:s3cret@a:1,b:2/m?sentinel_password=s3cret&db=2", None),
        ("redis://ada@a:1", "redis://ada@a:1"),
        ("https://a:8443/@ada", "https://a:********@ada"),
        ("Doorbell <no-reply@shop.example>", "Doorbell <no-reply@shop.example>"),
    ],
)
def test_no_password_is_shown(url: str, shown: str | None) -> None:
    assert without_password(url) == (shown or "redis+sentinel://a:********@a:1,b:2/m?sentinel_password=********&db=2")
