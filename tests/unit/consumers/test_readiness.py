from structlog.testing import capture_logs

from consumers.readiness import Condition, Readiness, State


def test_it_is_connecting_at_first() -> None:
    readiness = Readiness("kafka")
    assert readiness.condition == Condition(State.CONNECTING)
    assert not readiness.ready


def test_connected_without_trouble_is_ready() -> None:
    readiness = Readiness("kafka")
    readiness.enter(State.CONNECTED)
    assert readiness.ready


def test_connected_with_trouble_is_degraded_and_says_why() -> None:
    readiness = Readiness("kafka")
    readiness.enter(State.CONNECTED)
    readiness.trouble("redis", "Redis: refused")
    readiness.trouble("topics", "no topics named sales")
    assert readiness.condition == Condition(State.DEGRADED, "Redis: refused; no topics named sales")


def test_it_is_ready_again_when_the_last_trouble_is_over() -> None:
    readiness = Readiness("kafka")
    readiness.enter(State.CONNECTED)
    readiness.trouble("redis", "Redis: refused")
    readiness.fine("redis")
    assert readiness.ready


def test_each_change_is_logged_once_however_often_it_is_reported() -> None:
    readiness = Readiness("kafka")
    with capture_logs() as lines:
        for _ in range(5):
            readiness.trouble("broker", "refused")
        for _ in range(5):
            readiness.fine("broker")
    assert [line["event"] for line in lines] == ["consumer_trouble", "consumer_recovered"]
