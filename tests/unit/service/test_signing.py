import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.service.signing import Signer, _decode

SIGNER = Signer("s" * 32)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_what_was_signed_is_read_again(text: str) -> None:
    assert SIGNER.read("link", SIGNER.sign("link", text), now_s=10**10) == text


def test_a_token_ends_when_it_says() -> None:
    token = SIGNER.sign("link", "zoe", expires_s=1_000)
    assert SIGNER.read("link", token, now_s=999) == "zoe"
    assert SIGNER.read("link", token, now_s=1_000) is None


def test_a_token_for_one_purpose_is_good_for_no_other() -> None:
    assert SIGNER.read("unsubscribe", SIGNER.sign("link", "zoe"), now_s=0) is None


def test_another_secret_reads_nothing() -> None:
    assert Signer("t" * 32).read("link", SIGNER.sign("link", "zoe"), now_s=0) is None


def test_what_was_signed_with_a_former_secret_is_still_read() -> None:
    token, seal = SIGNER.sign("link", "zoe"), SIGNER.seal("path", b"n-1")
    changed = Signer("t" * 32, former=["r" * 32, "s" * 32])
    assert changed.read("link", token, now_s=0) == "zoe"
    assert changed.is_sealed("path", b"n-1", seal[:10])
    assert SIGNER.read("link", changed.sign("link", "zoe"), now_s=0) is None
    assert not SIGNER.is_sealed("path", b"n-1", changed.seal("path", b"n-1"))


@pytest.mark.parametrize("token", ["", ".", "abc", "MC56b2U.", "é.é", "MC56b2U.AAAA", "====.===="])
def test_what_is_no_token_is_none(token: str) -> None:
    assert SIGNER.read("link", token, now_s=0) is None


@given(st.integers(0, 200), st.characters(min_codepoint=33, max_codepoint=126))
def test_a_changed_token_is_none(place: int, letter: str) -> None:
    token = SIGNER.sign("link", "zoe:orders")
    place %= len(token)
    changed = token[:place] + letter + token[place + 1 :]
    read = SIGNER.read("link", changed, now_s=0)
    assert read is None or (read == "zoe:orders" and _same_bytes(token, changed))


def _same_bytes(token: str, changed: str) -> bool:
    """Say whether two tokens differ in the bits only that base64 leaves over."""
    return [_decode(part) for part in token.split(".")] == [_decode(part) for part in changed.split(".")]
