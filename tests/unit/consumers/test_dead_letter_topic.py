from consumers.dead_letter_topic import body_of, headers_of
from hub.domain.envelope import Origin, Rejected, Source


def letter(body: bytes = b"x", **attributes: str) -> Rejected:
    return Rejected(Origin(Source.KAFKA, "orders/3/7"), "not JSON", "body", body, "application/json", dict(attributes))


def test_the_headers_tell_where_a_letter_is_from_and_what_is_wrong_with_it() -> None:
    assert headers_of(letter()) == [
        ("doorbell-origin", b"kafka:orders/3/7"),
        ("doorbell-reason", b"not JSON"),
        ("doorbell-field", b"body"),
        ("content-type", b"application/json"),
    ]


def test_the_attributes_of_a_binary_event_are_headers_again() -> None:
    assert ("ce_id", b"a") in headers_of(letter(id="a", datacontenttype="application/json"))


def test_a_body_too_large_for_a_broker_is_cut_and_says_so() -> None:
    large = letter(b"x" * 5_000_000)
    assert len(body_of(large)) == 900 * 1024
    assert ("doorbell-cut-from-bytes", b"5000000") in headers_of(large)


def test_a_lone_surrogate_in_a_reason_does_not_stop_the_letter() -> None:
    bad = Rejected(Origin(Source.KAFKA, "orders/3/7"), "got \ud800", "id", b"x")
    assert ("doorbell-reason", b"got ?") in headers_of(bad)
