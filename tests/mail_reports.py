"""Reports as mail servers send them, for the tests that read and take them."""

_POSTFIX = """\
Return-Path: <>
Date: Tue, 24 Nov 2026 10:00:00 +0000 (UTC)
From: MAILER-DAEMON@relay.example (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {to}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="9B3F04010C.1764842400/relay.example"
Message-Id: <20261124100000.AB12C@relay.example>

This is a MIME-encapsulated message.

--9B3F04010C.1764842400/relay.example
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host relay.example.

--9B3F04010C.1764842400/relay.example
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example
X-Postfix-Queue-ID: 9B3F04010C
Arrival-Date: Tue, 24 Nov 2026 10:00:00 +0000 (UTC)

Final-Recipient: rfc822; {recipient}
Original-Recipient: rfc822;{recipient}
Action: {action}
Status: {status}
Remote-MTA: dns; mx.example.com
Diagnostic-Code: smtp; {diagnostic}

--9B3F04010C.1764842400/relay.example
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

From: "Shop" <no-reply@shop.example>
To: {recipient}
Subject: Your order
Message-ID: <{notification}@shop.example>
{mark}MIME-Version: 1.0

--9B3F04010C.1764842400/relay.example--
"""

_ARF = """\
From: <abuse-reports@mailbox.example>
Date: Tue, 24 Nov 2026 10:05:00 +0000
Subject: FW: Your order
To: <abuse@shop.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="part1_13d.2e68ed54"

--part1_13d.2e68ed54
Content-Type: text/plain; charset="US-ASCII"
Content-Transfer-Encoding: 7bit

This is an email abuse report for an email message received from IP 192.0.2.1.

--part1_13d.2e68ed54
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <no-reply@shop.example>
Original-Rcpt-To: <{recipient}>
Source-IP: 192.0.2.1

--part1_13d.2e68ed54
Content-Type: message/rfc822
Content-Disposition: inline

From: "Shop" <no-reply@shop.example>
To: <{recipient}>
Subject: Your order
Message-ID: <{notification}@shop.example>
{mark}
Spam Spam Spam

--part1_13d.2e68ed54--
"""


def bounce(
    *,
    recipient: str = "zoe@example.com",
    status: str = "5.1.1",
    action: str = "failed",
    diagnostic: str = "550 5.1.1 <zoe@example.com>: Recipient address rejected: no such user",
    notification: str = "n-1",
    mark: str = "",
    to: str = "no-reply@shop.example",
) -> bytes:
    """A delivery status notification of Postfix."""
    text = _POSTFIX.format(
        recipient=recipient,
        status=status,
        action=action,
        diagnostic=diagnostic,
        notification=notification,
        mark=_marked(mark),
        to=to,
    )
    return text.replace("\n", "\r\n").encode()


def complaint(
    *, recipient: str = "zoe@example.com", kind: str = "abuse", notification: str = "n-1", mark: str = ""
) -> bytes:
    """A feedback report of a mailbox provider."""
    text = _ARF.format(recipient=recipient, kind=kind, notification=notification, mark=_marked(mark))
    return text.replace("\n", "\r\n").encode()


def _marked(mark: str) -> str:
    return f"X-Doorbell-Mail: {mark}\n" if mark else ""
