import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from channels.email.address import sender
from channels.email.message import build
from channels.email.pool import SmtpPool
from channels.email.relay import relay
from channels.standins.mail_relay import MailRelay
from hub.domain.errors import TransientDeliveryError
from hub.domain.ids import NotificationId
from templates.texts import EmailText


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key and a self-signed certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path_factory.mktemp("tls") / "relay.pem"
    path.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def client_tls(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate)


async def send(url: str, tls: ssl.SSLContext | None) -> None:
    own = sender("no-reply@shop.example")
    mail = build(NotificationId("n"), EmailText("s", "t", "h"), sender=own, recipient="zoe@example.com", at_ms=0)

    async def committing() -> None:
        pass

    async with SmtpPool(relay(url), own_name=own.domain, timeout_s=2.0, tls=tls) as pool:
        await pool.send(mail, committing=committing)


@pytest.mark.parametrize("implicit", [False, True])
async def test_mails_travel_over_tls(implicit: bool, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    async with MailRelay(tls=server_tls, implicit_tls=implicit, login=("me", "secret")) as stand_in:
        await send(stand_in.url, client_tls)
    assert stand_in.outbox.total == 1


@pytest.mark.parametrize("implicit", [False, True])
async def test_a_certificate_nobody_vouches_for_is_refused(implicit: bool, server_tls: ssl.SSLContext) -> None:
    async with MailRelay(tls=server_tls, implicit_tls=implicit) as stand_in:
        with pytest.raises(TransientDeliveryError):
            await send(stand_in.url, None)
    assert stand_in.outbox.total == 0
