import pytest

from hub.gateway.addresses import Addresses

PROXIES = ("10.0.0.0/8", "::1")


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("10.0.0.5", "", "10.0.0.5"),
        ("10.0.0.5", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.5", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.5", "198.51.100.1, 10.1.1.1 ", "198.51.100.1"),
        ("10.0.0.5", "10.2.2.2, 10.1.1.1", "10.2.2.2"),
        ("::1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:10.0.0.5", "198.51.100.1", "198.51.100.1"),
        ("::ffff:203.0.113.7", "", "203.0.113.7"),
        ("10.0.0.5", "unknown", "unknown"),
        ("10.0.0.5", "198.51.100.1,, ", "10.0.0.5"),
        ("", "198.51.100.1", ""),
        ("fe80::1%eth0", "", "fe80::/64"),
    ],
)
def test_only_a_trusted_proxy_speaks_for_others(peer: str, forwarded: str, expected: str) -> None:
    assert Addresses(limit=1, trusted=PROXIES).of(peer, forwarded) == expected


def test_an_address_has_so_many_and_gets_them_back() -> None:
    addresses = Addresses(limit=2)
    assert [addresses.take(who) for who in ("a", "a", "a", "b")] == [True, True, False, True]
    addresses.give_back("a")
    assert addresses.take("a")


def test_nothing_is_remembered_of_who_has_gone() -> None:
    addresses = Addresses(limit=2)
    for number in range(100):
        addresses.take(str(number))
        addresses.give_back(str(number))
    addresses.give_back("")
    assert addresses.counted == 0


def test_without_a_limit_nobody_is_counted() -> None:
    assert not Addresses(limit=0).limited
