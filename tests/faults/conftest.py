"""The brokers of the acceptance tests, for tests that hurt them longer."""

from tests.acceptance.conftest import brokers, kafka, rabbit

__all__ = ["brokers", "kafka", "rabbit"]
