"""The private redis-server of an installation without one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import redis.asyncio as aioredis

from hub.domain.errors import ConfigurationError
from hub.store import embedded
from hub.store.embedded import answers, embedded_redis, socket_path


async def test_data_is_there_after_a_restart(tmp_path: Path) -> None:
    async with embedded_redis(tmp_path) as url, aioredis.from_url(url) as client:
        await client.set("key", "value")
    async with embedded_redis(tmp_path) as url, aioredis.from_url(url) as client:
        assert await client.get("key") == b"value"


async def test_a_second_role_shares_the_server_and_does_not_stop_it(tmp_path: Path) -> None:
    async with embedded_redis(tmp_path) as first:
        async with embedded_redis(tmp_path) as second:
            assert first == second
        assert answers(socket_path(tmp_path))
    assert not answers(socket_path(tmp_path))


async def test_a_long_folder_name_does_not_break_the_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    async with embedded_redis(folder) as url, aioredis.from_url(url) as client:
        assert await client.ping()


async def test_it_says_what_to_install_where_there_is_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "redis_binary", lambda: None)
    with pytest.raises(ConfigurationError, match="install the Debian package redis-server"):
        async with embedded_redis(tmp_path):
            pass


async def test_a_server_that_cannot_start_is_explained_by_its_log(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").write_text("a file where a folder has to be")
    async with asyncio.timeout(10):
        with pytest.raises(ConfigurationError, match="did not start"):
            async with embedded_redis(tmp_path):
                pass
