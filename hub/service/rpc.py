"""The socket's side of the operations: `rpc` calls the same ones as HTTP does."""

from __future__ import annotations

from hub.domain.permission import Identity
from hub.protocol.codes import CommandError, method_not_found
from hub.service.calls import Operations
from hub.service.decoding import decode_json
from hub.service.failures import OperationFailed
from hub.service.operations import AnyOperation, Document

_EMPTY = b"{}"
_SOURCE = {"content-type": "application/json"}


class Rpc:
    """What a gateway asks when a client calls a method."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def __call__(self, who: Identity, method: str, data: bytes) -> bytes:
        """Call the operation `method` with the JSON `data` (empty: no fields) and return its JSON answer.

        Raises CommandError with a code of the error table. Its message is the failure's detail.
        """
        operation = self._operations.named(method)
        if operation is None:
            raise method_not_found()
        call = self._operations.call_of(who)
        answer = await self._operations.answer(
            operation, call, read=lambda: _request(operation, data or _EMPTY), transport="rpc"
        )
        if answer.failed is not None:
            raise command_error(answer.failed)
        return answer.body


def _request(operation: AnyOperation, data: bytes) -> object:
    return Document(_SOURCE, data) if operation.request is Document else decode_json(operation.request, data)


def command_error(failed: OperationFailed) -> CommandError:
    """Return a failure as the socket tells it."""
    facts = failed.facts
    return CommandError(facts.code, f"{facts.title}: {failed.detail}", temporary=facts.temporary)
