"""Carries calls out: permission, rate limit, decoding, the handler, and a count of it all.

HTTP and `rpc` differ only in how they read a request and tell a failure; what happens between is here, once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import msgspec

from hub.domain.errors import DoorbellError
from hub.domain.permission import Identity, Role
from hub.observe import REQUEST_SECONDS, REQUESTS, logger
from hub.service.failures import Failure, OperationFailed, failure_of
from hub.service.operations import AnyOperation, Call
from hub.service.rate import Allowance, RateLimiter
from hub.service.repeats import NoRepeats, Repeats

_log = logger(__name__)


class Answer(msgspec.Struct, frozen=True):
    """What a call came to: a JSON `body`, or a failure.

    `replayed`: it is the answer to an earlier request with the same Idempotency-Key. `allowance` is what the rate limit
    still lets through, None where the call was refused before it counted.
    """

    body: bytes = b""
    failed: OperationFailed | None = None
    replayed: bool = False
    allowance: Allowance | None = None


class Operations:
    """All operations of this installation, and the one way to call them.

    `clock` is Unix ms, `monotonic` seconds. `repeats` remembers the answers to writes with an Idempotency-Key.
    """

    def __init__(
        self,
        operations: Iterable[AnyOperation],
        *,
        rates: RateLimiter,
        repeats: Repeats | None = None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._by_name = {operation.name: operation for operation in operations}
        self._rates = rates
        self._repeats = repeats or NoRepeats()
        self._clock = clock
        self._monotonic = monotonic

    def __iter__(self) -> Iterator[AnyOperation]:
        return iter(self._by_name.values())

    def named(self, name: str) -> AnyOperation | None:
        """Return the operation of this name, None where there is none."""
        return self._by_name.get(name)

    def call_of(self, who: Identity, *, correlation_id: str = "", idempotency_key: str | None = None) -> Call:
        """Return a call by `who`, made now."""
        return Call(who, self._clock(), correlation_id, idempotency_key)

    async def answer(
        self, operation: AnyOperation, call: Call, *, read: Callable[[], object], transport: str
    ) -> Answer:
        """Carry one call out. `read` returns the request's struct, or raises InputError; it is asked only if allowed.

        Never raises a DoorbellError: failures are answers. CancelledError passes, and leaves a write's outcome unknown;
        every write may be sent again.
        """
        started_s = self._monotonic()
        answer = await self._guarded(operation, call, read)
        status = answer.failed.facts.status if answer.failed else operation.http.status
        REQUESTS.labels(operation.name, transport, str(status)).inc()
        REQUEST_SECONDS.labels(operation.name).observe(self._monotonic() - started_s)
        if call.who.role is Role.ADMIN:
            _audit(operation, call, status)
        return answer

    async def _guarded(self, operation: AnyOperation, call: Call, read: Callable[[], object]) -> Answer:
        allowance: Allowance | None = None
        try:
            self._permit(operation, call)
            allowance = self._rates.take((call.who.user, operation.name), operation.rate, now_s=self._monotonic())
            self._hold_back(operation, allowance)
            body, replayed = await self._carry_out(operation, call, read())
        except DoorbellError as error:
            failed = failure_of(error)
            if failed.failure is Failure.UNAVAILABLE:
                _log.warning("operation_unavailable", operation=operation.name, problem=str(error))
            elif failed.failure is Failure.INTERNAL:
                _log.error("operation_failed", operation=operation.name, exc_info=error)
        except Exception as error:  # noqa: BLE001 - the border: a caller gets an answer, the log the truth
            _log.exception("operation_crashed", operation=operation.name)
            failed = failure_of(DoorbellError(str(error)))
        else:
            return Answer(body, replayed=replayed, allowance=allowance)
        return Answer(failed=failed, allowance=allowance)

    @staticmethod
    def _permit(operation: AnyOperation, call: Call) -> None:
        if not operation.may_call(call.who):
            raise OperationFailed(Failure.FORBIDDEN, f"{operation.name} is not for {call.who.role} with these scopes")

    @staticmethod
    def _hold_back(operation: AnyOperation, allowance: Allowance) -> None:
        if not allowance.allowed:
            detail = f"at most {operation.rate.count} in {operation.rate.window_s:g} s"
            raise OperationFailed(Failure.TOO_MANY_REQUESTS, detail, retry_after_s=allowance.retry_after_s)

    async def _carry_out(self, operation: AnyOperation, call: Call, request: object) -> tuple[bytes, bool]:
        claim = await self._repeats.claim(operation, call, request)
        if claim.answer is not None:
            return claim.answer, True
        try:
            body = msgspec.json.encode(await operation.handler(call, request))
        except BaseException:
            await claim.release()
            raise
        await claim.keep(body)
        return body, False


def _audit(operation: AnyOperation, call: Call, status: int) -> None:
    """Log what an administrator did: admins may see and send what is other people's."""
    _log.info(
        "audit", actor=call.who.user, operation=operation.name, status=status, request_id=call.correlation_id or None
    )
