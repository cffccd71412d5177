"""A mail relay on loopback: a real SMTP server whose mails end in an outbox, and which fails when told to."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from channels.standins.outbox import Outbox
from channels.standins.script import Fault, FaultScript, Phase

HOST = "127.0.0.1"
_DATA_MAX_BYTES = 1_048_576
# It logs every command of every session.
logging.getLogger("mail.log").setLevel(logging.ERROR)


class MailRelay:
    """The stand-in. Use it as `async with MailRelay() as relay:`; `relay.url` is what Doorbell is configured with.

    `tls` makes it offer STARTTLS, with `implicit_tls` it speaks TLS from the first byte. `login` demands
    `(user, password)`. Bound to loopback, and nothing it takes ever leaves it.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        login: tuple[str, str] | None = None,
        outbox: Outbox | None = None,
    ) -> None:
        self.outbox = outbox or Outbox()
        self.faults = FaultScript()
        self.sessions = 0
        """Connections accepted so far."""
        self.in_doubt: set[str] = set()
        """Mails after which the session ended without another word: the sender need not know that they were taken."""
        self.recipients_refused = 0
        self._port = port
        self._tls = tls
        self._implicit_tls = implicit_tls
        self._login = login
        self._server: asyncio.Server | None = None
        self._open: set[_Conversation] = set()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        tls = self._tls if self._implicit_tls else None
        # A port that was given may be held for us by who gave it.
        shared = bool(self._port)
        self._server = await loop.create_server(self._conversation, HOST, self._port, ssl=tls, reuse_port=shared)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            self.hang_up()
            await asyncio.sleep(0)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def url(self) -> str:
        """The URL for `smtp.url`."""
        scheme = "smtps" if self._implicit_tls else "smtp+starttls" if self._tls else "smtp"
        user = f"{self._login[0]}:{self._login[1]}@" if self._login else ""
        return f"{scheme}://{user}{HOST}:{self._port}"

    @property
    def demands_login(self) -> bool:
        """Whether a session must log in first."""
        return self._login is not None

    def hang_up(self) -> None:
        """Close every open session at once, as a relay that restarts does."""
        for conversation in tuple(self._open):
            conversation.drop()

    def _conversation(self) -> _Conversation:
        self.sessions += 1
        return _Conversation(
            self,
            tls_context=None if self._implicit_tls else self._tls,
            auth_require_tls=False,
            authenticator=self._authenticate,
        )

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, auth: Any
    ) -> AuthResult:
        given = (auth.login.decode(), auth.password.decode())
        return AuthResult(success=given == self._login, handled=False)

    def opened(self, conversation: _Conversation) -> None:
        """Note that a session began."""
        self._open.add(conversation)

    def closed(self, conversation: _Conversation) -> None:
        """Note that a session ended."""
        self._open.discard(conversation)
        if conversation.last_word:
            self.in_doubt.add(conversation.last_word)

    # What aiosmtpd calls; it finds these by their names.

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient, or what the script says."""
        fault = self.faults.strike(Phase.RCPT, address)
        if fault is not None and (answer := await conduct(fault, server)):
            self.recipients_refused += 1
            return answer
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a mail, or what the script says. A dropped connection has taken it."""
        fault = self.faults.strike(Phase.DOT, ",".join(envelope.rcpt_tos))
        if fault is not None and fault.reply:
            return await conduct(fault, server)
        content = envelope.original_content or b""
        mail = self.outbox.take(
            sender=envelope.mail_from or "",
            recipients=tuple(envelope.rcpt_tos),
            content=content,
            at_ms=time.time_ns() // 1_000_000,
        )
        if isinstance(server, _Conversation):
            server.last_word = mail.id
        if fault is not None:
            await conduct(fault, server)
        return f"250 2.0.0 OK, kept as {mail.id}"


async def conduct(fault: Fault, server: SMTP) -> str:
    """Do what a fault says and return its reply, empty for the right answer."""
    if fault.delay_s:
        await asyncio.sleep(fault.delay_s)
    if fault.drop and isinstance(server, _Conversation):
        server.drop()
    return fault.reply


class _Conversation(SMTP):
    """One session, with the phases that aiosmtpd's handlers do not reach."""

    def __init__(self, relay: MailRelay, **options: Any) -> None:
        super().__init__(relay, data_size_limit=_DATA_MAX_BYTES, hostname="relay.local", ident="stand-in", **options)
        self._relay = relay
        self.last_word = ""
        """The mail that the client handed over last, while it has said nothing since."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._relay.opened(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._relay.closed(self)
        super().connection_lost(error)

    def drop(self) -> None:
        """End the session without a word."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    async def _handle_client(self) -> None:
        if await self._goes_wrong(Phase.BANNER):
            self.drop_gently()
            return
        await super()._handle_client()

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802
        if not await self._goes_wrong(Phase.EHLO):
            await super().smtp_EHLO(hostname)

    async def smtp_QUIT(self, arg: str | None) -> None:  # noqa: N802
        self.last_word = ""
        await super().smtp_QUIT(arg)

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802
        self.last_word = ""
        # aiosmtpd's own `auth_required` warns of logins without TLS, which never leave this machine here.
        if self._relay.demands_login and not (self.session and self.session.authenticated):
            await self.push("530 5.7.0 Authentication required")
        elif not await self._goes_wrong(Phase.MAIL):
            await super().smtp_MAIL(arg)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        recipients = ",".join(self.envelope.rcpt_tos) if self.envelope else ""
        if await self._goes_wrong(Phase.DATA, recipients):
            return
        fault = self._relay.faults.strike(Phase.BODY, recipients)
        if fault is None:
            await super().smtp_DATA(arg)
            return
        await self.push("354 go on")
        await conduct(fault, self)

    async def _goes_wrong(self, phase: Phase, recipient: str = "") -> bool:
        """Let the script have its way; say whether the conversation has been answered already."""
        fault = self._relay.faults.strike(phase, recipient)
        if fault is None:
            return False
        reply = await conduct(fault, self)
        if reply and not fault.drop:
            await self.push(reply)
            if reply.startswith("421"):
                self.drop_gently()
        return bool(reply) or fault.drop

    def drop_gently(self) -> None:
        """End the session after what was written."""
        if self.transport is not None:
            self.transport.close()
