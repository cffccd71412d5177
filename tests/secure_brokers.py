"""Brokers that let nobody in who does not log in, and speak TLS: each with one such listener beside its plain one."""

from pathlib import Path
from urllib.parse import quote

from deploy.local import KafkaServer, RabbitServer
from deploy.local.ports import free_port
from tests.certificates import Certificates

USER, PASSWORD = "shop", "kept secret"


class SecureKafka(KafkaServer):
    """`login_bootstrap` wants SASL PLAIN, `secure_bootstrap` that and TLS."""

    def __init__(self, folder: Path, *, library: Path, certificates: Certificates) -> None:
        super().__init__(folder, library=library)
        self._certificates = certificates
        self._login_port = free_port()
        self._secure_port = free_port()

    @property
    def login_bootstrap(self) -> str:
        return f"127.0.0.1:{self._login_port}"

    @property
    def secure_bootstrap(self) -> str:
        return f"127.0.0.1:{self._secure_port}"

    def _properties(self) -> str:
        plain = dict(line.split("=", 1) for line in super()._properties().splitlines())
        more = f"SASL_PLAINTEXT://{self.login_bootstrap},SASL_SSL://{self.secure_bootstrap}"
        module = "org.apache.kafka.common.security.plain.PlainLoginModule"
        who = f'{module} required user_{USER}="{PASSWORD}";'
        settings = {
            **plain,
            "listeners": f"{plain['listeners']},{more}",
            "advertised.listeners": f"{plain['advertised.listeners']},{more}",
            "listener.security.protocol.map": (
                f"{plain['listener.security.protocol.map']},SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL"
            ),
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl_plaintext.plain.sasl.jaas.config": who,
            "listener.name.sasl_ssl.plain.sasl.jaas.config": who,
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._certificates.server),
        }
        return "".join(f"{key}={value}\n" for key, value in settings.items())


class SecureRabbit(RabbitServer):
    """`secure_url()` speaks TLS from the first byte."""

    def __init__(self, folder: Path, *, certificates: Certificates) -> None:
        super().__init__(folder)
        self._certificates = certificates
        self._secure_port = free_port()

    def secure_url(self, *, host: str = "127.0.0.1", authority: Path | None) -> str:
        """The URL with the file of the authority to trust; None: those of the system."""
        trust = f"?cafile={quote(str(authority))}" if authority is not None else ""
        return f"amqps://guest:guest@{host}:{self._secure_port}/{trust}"

    def _prepare(self) -> None:
        super()._prepare()
        with (self.folder / "rabbitmq.conf").open("a") as settings:
            settings.write(
                f"listeners.ssl.default = 127.0.0.1:{self._secure_port}\n"
                f"ssl_options.cacertfile = {self._certificates.authority}\n"
                f"ssl_options.certfile = {self._certificates.server}\n"
                f"ssl_options.keyfile = {self._certificates.server}\n"
                "ssl_options.verify = verify_none\n"
            )
