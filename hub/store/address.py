"""`redis_url` taken apart: one server, a cluster, or a master that sentinels watch.

```
redis://[[user]:password@]host:port[/db]            rediss:// over TLS, unix:///path?db=0 over a socket
redis+cluster://[[user]:password@]host:port[,host:port...]                        rediss+cluster:// over TLS
redis+sentinel://[[user]:password@]host:port[,host:port...]/master-name[/db]     rediss+sentinel:// over TLS
```

User and password are the Redis servers'; sentinels have theirs in `?sentinel_username=...&sentinel_password=...`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

DEFAULT_PORT = 6_379
DEFAULT_SENTINEL_PORT = 26_379
_TLS_OPTIONS = frozenset({"ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_keyfile"})
_SENTINEL_OPTIONS = frozenset({"sentinel_username", "sentinel_password"})
_MAX_PORT = 65_535


class Deployment(StrEnum):
    """How Redis is deployed."""

    SERVER = "server"
    CLUSTER = "cluster"
    SENTINEL = "sentinel"


_SCHEMES: Mapping[str, tuple[Deployment, bool]] = MappingProxyType(
    {
        "redis": (Deployment.SERVER, False),
        "rediss": (Deployment.SERVER, True),
        "unix": (Deployment.SERVER, False),
        "redis+cluster": (Deployment.CLUSTER, False),
        "rediss+cluster": (Deployment.CLUSTER, True),
        "redis+sentinel": (Deployment.SENTINEL, False),
        "rediss+sentinel": (Deployment.SENTINEL, True),
    }
)
SCHEMES = tuple(_SCHEMES)


class BadAddress(ValueError):
    """A `redis_url` that cannot be used. `problems` says of each mistake what to write instead."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where Redis is. `hosts` are some of a cluster's servers, or the sentinels; of one server, use `url`."""

    url: str
    deployment: Deployment
    hosts: tuple[tuple[str, int], ...] = ()
    master: str = ""
    """The name by which the sentinels know the master."""
    database: int = 0
    credentials: str = ""
    tls: bool = False
    options: Mapping[str, str] = field(default_factory=dict)

    def server_url(self, host: str, port: int) -> str:
        """Return the URL of one server of the deployment, as redis-py takes it."""
        options = {name: value for name, value in self.options.items() if name in _TLS_OPTIONS}
        return self._url(host, port, self.credentials, f"/{self.database}", options)

    def sentinel_url(self, host: str, port: int) -> str:
        """Return the URL of one of the sentinels."""
        user, password = (quote(self.options.get(f"sentinel_{part}", ""), safe="") for part in ("username", "password"))
        credentials = f"{user}:{password}" if user or password else ""
        options = {name: value for name, value in self.options.items() if name in _TLS_OPTIONS}
        return self._url(host, port, credentials, "", options)

    def _url(self, host: str, port: int, credentials: str, path: str, options: Mapping[str, str]) -> str:
        scheme = "rediss" if self.tls else "redis"
        at = f"{credentials}@" if credentials else ""
        name = f"[{host}]" if ":" in host else host
        query = f"?{urlencode(options)}" if options else ""
        return f"{scheme}://{at}{name}:{port}{path}{query}"


def redis_address(url: str) -> RedisAddress:
    """Return what a URL names. Raises BadAddress with every mistake."""
    scheme, found, _ = url.partition("://")
    if not found or scheme not in _SCHEMES:
        listed = ", ".join(f"{each}://" for each in SCHEMES)
        raise BadAddress((f"write a URL that starts with one of {listed}",))
    deployment, tls = _SCHEMES[scheme]
    try:
        parts = urlsplit(url)
    except ValueError:
        raise BadAddress((f"write {scheme}://host:port, and an IPv6 address in brackets",)) from None
    if _holds_part_of_password(parts):
        raise BadAddress(("write / ? # @ in a password as %2F %3F %23 %40",))
    if deployment is Deployment.SERVER:
        problems = tuple(_single_problems(parts))
        address = RedisAddress(url, deployment, tls=tls)
    else:
        problems, address = _of_many(url, parts, deployment, tls=tls)
    if problems:
        raise BadAddress(problems)
    return address


def _holds_part_of_password(parts: SplitResult) -> bool:
    """Say whether what stands behind the host was meant as a password, which problems of the parts would show."""
    in_query = "@" in parts.query and "_password=" not in parts.query
    return in_query or "@" in parts.path or "@" in parts.fragment


def _single_problems(parts: SplitResult) -> Iterator[str]:
    if parts.scheme == "unix":
        if not parts.path:
            yield "name the socket: unix:///run/redis/redis.sock"
        return
    if "," in parts.netloc:
        yield f"several servers are written as {parts.scheme}+cluster:// or {parts.scheme}+sentinel://"
        return
    try:
        if not parts.hostname or parts.port == 0:
            yield f"write {parts.scheme}://host:port"
    except ValueError:
        yield f"write {parts.scheme}://host:port with a port from 1 to {_MAX_PORT}"
    path = parts.path.strip("/")
    if path and not path.isdecimal():
        yield f"{path!r} is no database: write its number, or nothing"


def _of_many(
    url: str, parts: SplitResult, deployment: Deployment, *, tls: bool
) -> tuple[tuple[str, ...], RedisAddress]:
    """Return the mistakes of a URL with several hosts, and what it names if there are none."""
    credentials, _, hosts_text = parts.netloc.rpartition("@")
    default_port = DEFAULT_PORT if deployment is Deployment.CLUSTER else DEFAULT_SENTINEL_PORT
    hosts, problems = _hosts(hosts_text, default_port)
    path = [unquote(part) for part in parts.path.split("/")[1:] if part]
    options = dict(parse_qsl(parts.query))
    problems += _path_problems(path, deployment)
    problems += _option_problems(options, deployment)
    sentinel = deployment is Deployment.SENTINEL
    address = RedisAddress(
        url,
        deployment,
        hosts=tuple(hosts),
        master=path[0] if sentinel and path else "",
        database=int(path[1]) if sentinel and path[1:] and path[1].isdecimal() else 0,
        credentials=credentials,
        tls=tls,
        options=MappingProxyType(options),
    )
    return tuple(problems), address


def _hosts(text: str, default_port: int) -> tuple[list[tuple[str, int]], list[str]]:
    hosts: list[tuple[str, int]] = []
    problems: list[str] = []
    for each in text.split(","):
        try:
            parts = urlsplit(f"//{each}")
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or port == 0:
            problems.append(f"{each!r} is not host:port")
        elif (host, port or default_port) in hosts:
            problems.append(f"{each!r} is there twice")
        else:
            hosts.append((host, port or default_port))
    return hosts, problems


def _path_problems(path: list[str], deployment: Deployment) -> list[str]:
    if deployment is Deployment.CLUSTER:
        return [f"take out /{'/'.join(path)}: a cluster has one database"] if path else []
    if not path:
        return ["write the name by which the sentinels know the master: redis+sentinel://host:port/mymaster"]
    numbers = path[1:]
    if numbers and not (len(numbers) == 1 and numbers[0].isdecimal()):
        return [f"{'/'.join(numbers)!r} is no database: write its number, or nothing"]
    return []


def _option_problems(options: Mapping[str, str], deployment: Deployment) -> list[str]:
    known = _TLS_OPTIONS | (_SENTINEL_OPTIONS if deployment is Deployment.SENTINEL else frozenset())
    wrong = sorted(set(options) - known)
    return [f"take out {', '.join(wrong)}; the options are {', '.join(sorted(known))}"] if wrong else []
