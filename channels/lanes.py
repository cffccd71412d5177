"""Lanes: each has its own share of the worker, so that a campaign never delays "your payment failed"."""

from __future__ import annotations

from collections.abc import Mapping

from hub.domain.notifications import Lane

_WEIGHTS: Mapping[Lane, int] = {
    Lane.CRITICAL: 5,
    Lane.TRANSACTIONAL: 8,
    Lane.CONVERSATIONAL: 3,
    Lane.MARKETING: 4,
}


def shares(total: int) -> dict[Lane, int]:
    """Split `total` places (jobs at once, connections) over the lanes; every lane gets at least one."""
    weight = sum(_WEIGHTS.values())
    return {lane: max(1, total * own // weight) for lane, own in _WEIGHTS.items()}
