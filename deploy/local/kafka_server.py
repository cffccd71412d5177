"""A private Kafka: one process that is broker and controller (KRaft), from the jars that a pinned pom names."""

import socket
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from deploy.local.errors import DidNotStartError
from deploy.local.jars import fetch_jars
from deploy.local.ports import free_port
from deploy.local.programs import JAVA
from deploy.local.service import LocalService

POM = Path(__file__).parent / "kafka" / "pom.xml"
_CLUSTER_ID = "ZG9vcmJlbGwtbG9jYWwtMQ"
_PROBE_TIMEOUT_S = 2.0
_TOOL_TIMEOUT_S = 300.0
_METADATA_REQUEST, _METADATA_VERSION = 3, 1

# A short-lived broker gains more from a quick start than from the optimizing compiler.
_JAVA_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true")


class KafkaServer(LocalService):
    """Kafka on Java, without authentication, every replication factor 1, topics created on first use."""

    name: ClassVar[str] = "kafka"
    ready_timeout_s: ClassVar[float] = 90
    stop_timeout_s: ClassVar[float] = 30

    def __init__(self, folder: Path, *, library: Path, port: int | None = None) -> None:
        """Keep data in `folder` and the jars, which servers share, in `library`."""
        super().__init__(folder, port=port)
        self.library = library.resolve()
        self._controller_port = free_port()

    @property
    def bootstrap(self) -> str:
        """The bootstrap server, `host:port`."""
        return f"127.0.0.1:{self.port}"

    def _prepare(self) -> None:
        fetch_jars(self.library, pom=POM)
        settings = self.folder / "server.properties"
        settings.write_text(self._properties())
        if not (self.folder / "data" / "meta.properties").exists():
            tool = ["kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(settings)]
            _run([JAVA.require(), *_JAVA_OPTIONS, "-cp", f"{self.library}/*", *tool], doing="format its storage")

    def _command(self) -> Sequence[str]:
        settings = str(self.folder / "server.properties")
        return [JAVA.require(), *_JAVA_OPTIONS, "-cp", f"{self.library}/*", "kafka.Kafka", settings]

    def _properties(self) -> str:
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self._controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self.folder / "data"),
            "offsets.topic.replication.factor": "1",
            # The default of 50 partitions costs seconds when the first group comes.
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            # A group of one member need not wait for more.
            "group.initial.rebalance.delay.ms": "0",
            "controlled.shutdown.enable": "false",
            "log.cleaner.enable": "false",
            "num.partitions": "4",
        }
        return "".join(f"{key}={value}\n" for key, value in settings.items())

    def _is_ready(self) -> bool:
        # The listener is open before the broker has joined its cluster: ask who is in it.
        with socket.create_connection(("127.0.0.1", self.port), timeout=_PROBE_TIMEOUT_S) as probe:
            header = struct.pack(">hhih", _METADATA_REQUEST, _METADATA_VERSION, 1, -1)
            no_topics = struct.pack(">i", 0)
            probe.sendall(struct.pack(">i", len(header + no_topics)) + header + no_topics)
            reply = probe.recv(12, socket.MSG_WAITALL)
            if len(reply) < 12:  # noqa: PLR2004 - size, correlation id, number of brokers
                return False
            brokers: int = struct.unpack(">iii", reply)[2]
            return brokers > 0


def _run(command: Sequence[str], *, doing: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TOOL_TIMEOUT_S, check=False)
    if done.returncode != 0:
        raise DidNotStartError(name="kafka", reason=f"could not {doing}", log_tail=(done.stdout + done.stderr)[-4000:])
