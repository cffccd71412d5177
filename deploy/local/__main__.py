"""``python -m deploy.local``: the local services from a shell.

ensure   install the Debian packages that are missing (root), or say which ones; fetch the jars of Kafka
up       start Redis, RabbitMQ and Kafka on fixed private ports; they stay after the command ends
down     stop them
status   say which of them run, and where
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from deploy.local import packages
from deploy.local.child import RECORD_SUFFIX, Child
from deploy.local.errors import LocalServiceError
from deploy.local.jars import fetch_jars
from deploy.local.kafka_server import POM, KafkaServer
from deploy.local.programs import JAVA, MAVEN
from deploy.local.rabbit_server import RabbitServer
from deploy.local.redis_server import RedisServer
from deploy.local.service import LocalService, end_recorded

LOCAL = Path(".local")
SERVICES = LOCAL / "services"
KAFKA_JARS = LOCAL / "kafka-jars"


def services() -> list[tuple[LocalService, str]]:
    """The services with the address of each, on ports beside the usual ones."""
    redis = RedisServer(SERVICES / "redis", port=16379)
    rabbit = RabbitServer(SERVICES / "rabbitmq", port=15673)
    kafka = KafkaServer(SERVICES / "kafka", library=KAFKA_JARS, port=19092)
    return [(redis, redis.url), (rabbit, rabbit.url), (kafka, kafka.bootstrap)]


def ensure() -> int:
    """Install what is missing; where that is not possible, a failure in CI and a warning elsewhere."""
    missing = packages.missing()
    if missing and packages.can_install():
        print(f"Installing: {', '.join(program.name for program in missing)}")
        try:
            packages.install(missing)
        except subprocess.CalledProcessError as error:
            print(f"{error}", file=sys.stderr)
        missing = packages.missing()
    for program in missing:
        print(f"Missing: {program.name}. As root: apt-get install {program.package}", file=sys.stderr)
    if JAVA not in missing and MAVEN not in missing:
        fetch_jars(KAFKA_JARS, pom=POM)
    return 1 if missing and os.environ.get("CI", "").lower() in {"1", "true"} else 0


def up() -> int:
    """Start those that do not run yet."""
    for service, address in services():
        if _recorded(service) is None:
            service.start()
        print(f"{service.name:10} {address}")
    return 0


def down() -> int:
    """Stop those that run."""
    for name in end_recorded(SERVICES):
        print(f"{name:10} stopped")
    return 0


def status() -> int:
    """Print a line for each."""
    for service, address in services():
        child = _recorded(service)
        print(f"{service.name:10} {f'{address} (process {child.pid})' if child else 'stopped'}")
    return 0


def _recorded(service: LocalService) -> Child | None:
    return Child.recorded(service.folder / f"{service.name}{RECORD_SUFFIX}")


COMMANDS: dict[str, Callable[[], int]] = {"ensure": ensure, "up": up, "down": down, "status": status}


def main() -> int:
    """Run one command; 1 when it cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="Real services without containers.")
    parser.add_argument("command", choices=COMMANDS)
    try:
        return COMMANDS[parser.parse_args().command]()
    except LocalServiceError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
