import pytest

from hub.store.cluster_view import fields, life_of, view_of
from hub.store.routes import NOBODY, SLOTS, Routes, slot_of

INFO = b"cluster_state:ok\r\ncluster_current_epoch:7\r\n"


def url_of(host: str, port: int) -> str:
    return f"redis://{host}:{port}/0"


@pytest.mark.parametrize(
    ("key", "slot"), [(b"123456789", 12739), (b"foo", 12182), (b"{foo}:x", 12182), (b"p{foo}{bar}", 12182), (b"", 0)]
)
def test_slots_are_those_of_the_specification(key: bytes, slot: int) -> None:
    assert slot_of(key) == slot


def test_a_view_tells_who_has_which_slot() -> None:
    slots = [[0, 99, [b"a", 1, b"id"], [b"replica", 9, b"id"]], [200, SLOTS - 1, [b"b", 2, b"id"]]]
    view = view_of([slots, INFO], asked="a", url_of=url_of)
    assert (view.epoch, view.covered) == (7, SLOTS - 100)
    assert view.routes.urls == ("redis://a:1/0", "redis://b:2/0")
    assert view.routes.owners is not None
    assert (view.routes.owners[99], view.routes.owners[100], view.routes.owners[200]) == (0, NOBODY, 1)


@pytest.mark.parametrize("name", [b"", None, b"?"])
def test_a_server_may_leave_out_its_own_name(name: bytes | None) -> None:
    view = view_of([[[0, SLOTS - 1, [name, 1, b"id"]]], INFO], asked="here", url_of=url_of)
    assert view.routes.url_of(b"any") == "redis://here:1/0"


def test_a_slot_that_nobody_has_has_no_server() -> None:
    assert Routes(("redis://a",), (NOBODY,) * SLOTS).url_of(b"k") is None
    assert Routes(("redis://a",)).url_of(b"k") == "redis://a"


def test_a_masters_life_is_read_from_what_it_says_of_itself() -> None:
    life = life_of([b"# Server\r\nrun_id:abc\r\n", b"# Replication\r\nrole:slave\r\n", INFO])
    assert (life.run_id, life.is_master, life.epoch) == ("abc", False, 7)
    assert fields(b"# Head\r\na:b:c\r\n\r\n")["a"] == "b:c"
