"""One connection to the relay: at most one mail at a time, and an exact answer to "may it have been taken?".

Until the last byte of a mail begins to be written nothing can have been taken: a failure there is transient. From then
until a clean reply it is unknown. aiosmtplib's own `data()` does not tell the two apart, so DATA is in two steps here.
"""

from __future__ import annotations

import asyncio
import ssl

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

from channels.channel import Committing
from channels.email.message import Mail
from channels.email.relay import Relay, Security
from channels.email.replies import Phase, refusal
from hub.domain.errors import DeliveryError, TransientDeliveryError, UnknownDeliveryError

_OK = 250
_WILL_FORWARD = 251
_START_INPUT = 354
_CLOSING = 421
_QUIT_TIMEOUT_S = 1.0
_RESET_TIMEOUT_S = 2.0
_MALFORMED = -1


class StaleConnectionError(TransientDeliveryError):
    """The connection broke before the mail was handed over: on a reused one, worth another try at once.

    On a new one it is the relay that fails, as far as anybody can tell.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason, provider_down=True)


class Connection:
    """A connected session. `clean` says whether another mail may follow; close it otherwise."""

    def __init__(self, client: aiosmtplib.SMTP, *, opened_s: float, timeout_s: float) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self.used_s = opened_s
        """When it last had work, monotonic."""
        self.mails = 0
        self.clean = True

    @property
    def is_open(self) -> bool:
        """Whether the socket is open as far as this side knows."""
        return self._client.is_connected

    async def send(self, mail: Mail, *, committing: Committing) -> str:
        """Hand over one mail and return the relay's words of acceptance.

        Raises:
            StaleConnectionError: the connection broke before anything could be taken.
            TransientDeliveryError, PermanentDeliveryError: a clean refusal.
            UnknownDeliveryError: it broke where the mail may have been taken.
        """
        self.clean = False
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._announce(mail)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise _lost_before_the_mail(error) from error
        try:
            await committing()
        except Exception:
            await self._reset()
            raise
        reply = await self._commit(mail)
        self.mails += 1
        self.clean = True
        return reply

    async def _announce(self, mail: Mail) -> None:
        """Say MAIL FROM and RCPT TO."""
        await self._say(b"MAIL FROM:<%b>" % mail.sender.encode(), expected=(_OK,), phase=Phase.SESSION)
        recipient = b"RCPT TO:<%b>" % mail.recipient.encode()
        await self._say(recipient, expected=(_OK, _WILL_FORWARD), phase=Phase.RECIPIENT)

    async def _commit(self, mail: Mail) -> str:
        """Send the mail itself. DATA and the answer share one time limit: the job's lease has to outlast both."""
        written = False
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._say(b"DATA", expected=(_START_INPUT,), phase=Phase.CONTENT)
                protocol = self._protocol()
                # The final dot goes with the rest: there is no moment at which all but the end has been sent.
                protocol.write(_as_data(mail.message))
                written = True
                code, text = await protocol.read_response()
        except (aiosmtplib.SMTPException, OSError) as error:
            if not written:
                raise _lost_before_the_mail(error) from error
            raise UnknownDeliveryError(f"no clean answer after the mail: {error!r}") from error
        if code == _OK:
            return text
        if not 400 <= code < 600:  # noqa: PLR2004 - the range of refusals, RFC 5321.
            raise UnknownDeliveryError(f"no answer that makes sense after the mail: {code}")
        self.clean = code != _CLOSING
        raise refusal(code, text, Phase.CONTENT)

    async def _say(self, command: bytes, *, expected: tuple[int, ...], phase: Phase) -> None:
        """Say a command, inside a time limit of the caller's: aiosmtplib's own would cost one timer for each."""
        try:
            code, text = await self._protocol().execute_command(command)
        except aiosmtplib.SMTPResponseException as error:
            # A malformed reply: the two sides no longer agree where they are.
            reason = f"the relay does not speak SMTP: {error.message}"
            raise TransientDeliveryError(reason, provider_down=True) from error
        if code in expected:
            return
        if code != _CLOSING:
            await self._reset()
        raise refusal(code, text, phase)

    async def _reset(self) -> None:
        """Forget the mail begun. Where that does not work, the connection is not clean and will be closed."""
        try:
            async with asyncio.timeout(_RESET_TIMEOUT_S):
                code, _ = await self._protocol().execute_command(b"RSET")
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            return
        self.clean = code == _OK

    def _protocol(self) -> SMTPProtocol:
        if self._client.protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("the connection is closed")
        return self._client.protocol

    async def quit(self) -> None:
        """Close politely, within a second."""
        try:
            async with asyncio.timeout(_QUIT_TIMEOUT_S):
                await self._client.quit()
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            self.abort()

    def abort(self) -> None:
        """Close at once."""
        self._client.close()


def _lost_before_the_mail(error: Exception) -> StaleConnectionError:
    return StaleConnectionError(f"the relay was lost before the mail: {error!r}")


def _as_data(message: bytes) -> bytes:
    """Return a message as it follows DATA: no line of it is a dot alone but the last (RFC 5321, 4.5.2)."""
    stuffed = message.replace(b"\n.", b"\n..")
    return (b"." if stuffed.startswith(b".") else b"") + stuffed + b".\r\n"


async def connect(
    relay: Relay, *, own_name: str, timeout_s: float, now_s: float, tls: ssl.SSLContext | None = None
) -> Connection:
    """Open a session: greeting, TLS as the URL demands, EHLO and login, in `timeout_s` altogether.

    Raises:
        TransientDeliveryError: the relay cannot be reached, or does not want us, or offers less than the URL demands.
    """
    client = aiosmtplib.SMTP(
        hostname=relay.host,
        port=relay.port,
        username=relay.user,
        password=relay.password,
        local_hostname=own_name,
        timeout=timeout_s,
        use_tls=relay.security is Security.TLS,
        start_tls=relay.security is Security.STARTTLS,
        tls_context=tls,
    )
    try:
        async with asyncio.timeout(timeout_s):
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
    except BaseException as error:
        client.close()
        raise _connect_error(error, relay) from error
    return Connection(client, opened_s=now_s, timeout_s=timeout_s)


def _connect_error(error: BaseException, relay: Relay) -> BaseException:
    match error:
        case aiosmtplib.SMTPResponseException() if error.code != _MALFORMED:
            return refusal(error.code, str(error.message), Phase.SESSION)
        case aiosmtplib.SMTPException() | OSError():
            return TransientDeliveryError(f"no session with {relay.host}:{relay.port}: {error!r}", provider_down=True)
        case DeliveryError():
            return error
        case _:
            return error
