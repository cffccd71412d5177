"""A private RabbitMQ node that shares nothing with the system's: ports, cookie, name service, database, logs."""

import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from deploy.local.child import Child
from deploy.local.ports import free_port, is_free
from deploy.local.programs import EPMD, RABBITMQ, RABBITMQCTL
from deploy.local.service import LocalService

_PROBE_TIMEOUT_S = 2.0
_FLUSH_TIMEOUT_S = 60.0
_PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
_METHOD_FRAME = b"\x01"


class RabbitServer(LocalService):
    """`rabbitmq-server` of Debian as a single node with the default user `guest` on loopback."""

    name: ClassVar[str] = "rabbitmq"
    ready_timeout_s: ClassVar[float] = 90
    stop_timeout_s: ClassVar[float] = 30

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        super().__init__(folder, port=port)
        self._distribution_port = free_port()
        self._epmd_port = free_port()
        self._epmd: Child | None = None

    @property
    def url(self) -> str:
        """Where clients connect; virtual host `/`."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def stop(self) -> None:
        """End the node in good order, then its name service."""
        super().stop()
        if self._epmd is not None:
            self._epmd.terminate(timeout_s=5)

    def flush_definitions(self) -> None:
        """Have the node write its queues, exchanges and bindings to disk. Takes seconds.

        RabbitMQ 3.10 answers "declared" before that: of 20 durable queues declared just before a SIGKILL, 3 were gone
        after it, with the confirmed messages in them. And a quorum queue whose Raft state was not yet in its DETS file,
        which is written every 3 s, never had a leader again. A test that kills the node calls this between the two.

        Raises:
            subprocess.CalledProcessError: The node refused.
            subprocess.TimeoutExpired: It did not answer.
        """
        flush = "ok = mnesia:sync_log(), dumped = mnesia:dump_log(), [ok = dets:sync(T) || T <- dets:all()], ok."
        command = [RABBITMQCTL.require(), "--quiet", "eval", flush]
        subprocess.run(command, env=self._environment(), check=True, capture_output=True, timeout=_FLUSH_TIMEOUT_S)

    def _prepare(self) -> None:
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.default = 127.0.0.1:{self.port}\n"
            "log.console = true\n"
            "log.file = false\n"
            # A nearly full disk of a developer's machine should not block publishers.
            "disk_free_limit.absolute = 10MB\n"
        )
        (self.folder / "enabled_plugins").write_text("[].\n")
        # Erlang would start its name service as a daemon that outlives the node. Started here, it is ours to end.
        if self._epmd is None or not self._epmd.running:
            command = [EPMD.require(), "-address", "127.0.0.1", "-port", str(self._epmd_port)]
            self._epmd = Child.start(command, folder=self.folder, name="epmd", env=os.environ)

    def _command(self) -> Sequence[str]:
        return [RABBITMQ.require()]

    def _environment(self) -> Mapping[str, str]:
        return {
            # An inherited setting of the machine's own node must not leak in.
            **{key: value for key, value in os.environ.items() if not key.startswith(("RABBITMQ_", "ERL_"))},
            "HOME": str(self.folder),  # the Erlang cookie's place
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_NODENAME": "doorbell@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "rabbitmq-env.conf"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.folder / "config"),
            "RABBITMQ_SCHEMA_DIR": str(self.folder / "schema"),
            "RABBITMQ_PID_FILE": str(self.folder / "rabbitmq.pid"),
            # Two schedulers without busy waiting: kind to the tests that run beside it.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
        }

    def _is_ready(self) -> bool:
        if is_free(self.port):
            return False
        # The listener opens last at start; a node that answers the header with Connection.Start is up.
        with socket.create_connection(("127.0.0.1", self.port), timeout=_PROBE_TIMEOUT_S) as probe:
            probe.sendall(_PROTOCOL_HEADER)
            return probe.recv(1) == _METHOD_FRAME
