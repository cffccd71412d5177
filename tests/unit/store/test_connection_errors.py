import pytest
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    InvalidResponse,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from hub.domain.errors import StoreUnavailable
from hub.store.connection import means_unavailable, store_errors


@pytest.mark.parametrize(
    "error",
    [
        RedisConnectionError("gone"),
        RedisTimeoutError("slow"),
        InvalidResponse('Protocol error, got "<" as reply type byte'),
        AuthenticationError("not with this password"),
        BusyLoadingError("Redis is loading the dataset in memory", status_code="LOADING"),
        OutOfMemoryError("command not allowed", status_code="OOM"),
        ReadOnlyError("You can't write against a read only replica.", status_code="READONLY"),
        ResponseError("MISCONF Redis is configured to save, but cannot"),
        ResponseError("NOREPLICAS Not enough good replicas to write."),
        ResponseError("BUSY Redis is busy running a script."),
        ResponseError(
            "Error running script (call to f_1): @user_script: 7: -OOM command not allowed", status_code="ERR"
        ),
        ResponseError("ERR Error running script (call to f_12): @user_script:7: @user_script: 7: -READONLY You can't"),
    ],
)
def test_a_condition_that_passes_means_unavailable(error: RedisError) -> None:
    assert means_unavailable(error)


def test_what_is_no_redis_is_told() -> None:
    with pytest.raises(StoreUnavailable, match="jobs: what answers there is no Redis"), store_errors("jobs"):
        raise InvalidResponse('Protocol error, got "H" as reply type byte')


@pytest.mark.parametrize(
    "error",
    [
        ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"),
        ResponseError("ERR value is not an integer or out of range"),
        ResponseError("Error running script (call to f_12): @user_script:7: WRONGTYPE Operation"),
        ResponseError("ERR the word OOM in the middle"),
        NoScriptError("No matching script.", status_code="NOSCRIPT"),
        NoPermissionError("this user has no permissions", status_code="NOPERM"),
    ],
)
def test_a_bug_does_not(error: RedisError) -> None:
    assert not means_unavailable(error)
