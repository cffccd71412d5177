import resource

import pytest

from hub.gateway.admission import Admission, connection_limit, descriptor_limit


def test_a_budget_is_used_up_and_fills_again() -> None:
    admission = Admission(per_second=2, max_connections=100, descriptors=1_000, now_s=0.0)
    answers = [admission.refuse(connections=0, now_s=0.0) for _ in range(3)]
    assert answers == [None, None, "busy"]
    assert admission.refuse(connections=0, now_s=0.6) is None


def test_a_worker_that_is_late_takes_nobody_until_it_has_caught_up() -> None:
    admission = Admission(per_second=9, max_connections=5, descriptors=1_000, now_s=0.0)
    admission.late_s = 0.6
    assert admission.refuse(connections=0, now_s=0.0) == "busy"
    admission.late_s = 0.0
    assert admission.refuse(connections=0, now_s=0.1) is None


def admission_with_a_queue(*, before: int, came: int, queued: int) -> Admission:
    """One that has looked at its queue twice, a quarter of a second apart."""
    admission = Admission(per_second=9, max_connections=5, descriptors=1_000, now_s=0.0)
    admission.look(queued=before, now_s=0.25)
    admission.came = came
    admission.look(queued=queued, now_s=0.5)
    return admission


def test_a_worker_with_a_long_queue_takes_nobody_until_it_is_short() -> None:
    # 50 newcomers in a quarter of a second: the last of 900 will have waited for 4.5 s.
    admission = admission_with_a_queue(before=700, came=50, queued=900)
    assert admission.refuse(connections=0, now_s=0.5) == "busy"
    admission.came = 600
    admission.look(queued=300, now_s=0.75)
    assert admission.refuse(connections=0, now_s=0.75) is None


@pytest.mark.parametrize(
    ("before", "came", "queued"),
    [(0, 0, 900), (900, 900, 900), (900, 300, 0), (1, 0, 1)],
    ids=["they have only just come", "they move on fast", "they are in", "one is no queue"],
)
def test_a_queue_that_moves_on_keeps_nobody_out(before: int, came: int, queued: int) -> None:
    admission = admission_with_a_queue(before=before, came=came, queued=queued)
    assert admission.refuse(connections=0, now_s=0.5) is None


def test_a_full_worker_takes_nobody() -> None:
    assert (
        Admission(per_second=9, max_connections=5, descriptors=1_000, now_s=0.0).refuse(connections=5, now_s=0.0)
        == "full"
    )


def test_a_draining_worker_takes_nobody() -> None:
    admission = Admission(per_second=9, max_connections=5, descriptors=1_000, now_s=0.0)
    admission.closed = True
    assert admission.refuse(connections=0, now_s=0.0) == "draining"


@pytest.mark.parametrize(
    ("soft", "configured", "expected"), [(20_000, 0, 19_744), (20_000, 500, 500), (300, 5_000, 150)]
)
def test_descriptors_bound_the_connections(
    monkeypatch: pytest.MonkeyPatch, soft: int, configured: int, expected: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, soft))
    assert connection_limit(configured, descriptor_limit()) == expected


def test_without_a_descriptor_limit_the_configured_one_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert connection_limit(50_000, descriptor_limit()) == 50_000


def test_it_is_crowded_where_descriptors_run_out_whoever_has_them() -> None:
    admission = Admission(per_second=9, max_connections=5, descriptors=1_000, now_s=0.0)
    assert not admission.crowded(open_here=936)
    assert admission.crowded(open_here=937)
    admission.elsewhere = 500
    assert admission.crowded(open_here=437)
