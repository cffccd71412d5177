import pytest

from channels.email.replies import Phase, refusal
from hub.domain.errors import PermanentDeliveryError, TransientDeliveryError


@pytest.mark.parametrize(
    ("code", "text", "phase"),
    [
        (421, "4.3.2 closing", Phase.RECIPIENT),
        (450, "4.2.1 greylisted", Phase.RECIPIENT),
        (451, "4.3.0 try later", Phase.CONTENT),
        (452, "4.2.2 over quota", Phase.RECIPIENT),
        (535, "5.7.8 wrong password", Phase.SESSION),
        (554, "5.7.1 we do not know you", Phase.SESSION),
        (550, "5.1.8 bad sender", Phase.SESSION),
        (250, "OK where it makes no sense", Phase.RECIPIENT),
        (999, "?", Phase.CONTENT),
    ],
)
def test_what_may_pass_is_transient(code: int, text: str, phase: Phase) -> None:
    assert isinstance(refusal(code, text, phase), TransientDeliveryError)


@pytest.mark.parametrize(
    ("code", "text", "phase", "suppress"),
    [
        (550, "5.1.1 no such user", Phase.RECIPIENT, True),
        (550, "5.1.1 no such user", Phase.CONTENT, True),
        (556, "5.1.10 null MX", Phase.RECIPIENT, True),
        (550, "No such user here", Phase.RECIPIENT, True),
        (553, "mailbox name not allowed", Phase.RECIPIENT, True),
        (550, "5.1.8 sender's domain not found", Phase.RECIPIENT, False),
        (550, "5.7.1 blocked by policy", Phase.RECIPIENT, False),
        (554, "5.7.1 looks like spam", Phase.CONTENT, False),
        (552, "5.2.2 mailbox full", Phase.RECIPIENT, False),
        (552, "5.3.4 too big", Phase.CONTENT, False),
        (550, "content refused", Phase.CONTENT, False),
        (554, "no", Phase.RECIPIENT, False),
    ],
)
def test_what_is_for_good_suppresses_only_bad_addresses(code: int, text: str, phase: Phase, suppress: bool) -> None:
    error = refusal(code, text, phase)
    assert isinstance(error, PermanentDeliveryError)
    assert error.suppress is suppress


@pytest.mark.parametrize(
    ("code", "text", "phase", "down"),
    [
        (421, "4.7.0 too many connections", Phase.RECIPIENT, True),
        (421, "closing", Phase.CONTENT, True),
        (452, "4.3.1 no space left", Phase.CONTENT, True),
        (451, "4.3.0 queue is full", Phase.RECIPIENT, True),
        (554, "5.7.1 we do not know you", Phase.SESSION, True),
        (450, "4.2.0 greylisted", Phase.RECIPIENT, False),
        (452, "4.2.2 mailbox full", Phase.RECIPIENT, False),
        (451, "try later", Phase.CONTENT, False),
        (451, "4.7.1 too much to this mailbox", Phase.RECIPIENT, False),
    ],
)
def test_a_relay_that_refuses_for_its_own_sake_is_down(code: int, text: str, phase: Phase, down: bool) -> None:
    error = refusal(code, text, phase)
    assert isinstance(error, TransientDeliveryError)
    assert error.provider_down is down


def test_a_long_reply_is_cut() -> None:
    assert len(str(refusal(451, "x" * 10_000, Phase.CONTENT))) < 300
