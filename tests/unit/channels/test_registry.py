from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from channels.registry import GROUP, Tools, open_registered
from hub.domain.errors import ConfigurationError
from templates.renderer import Renderer

TOOLS = Tools(Renderer(), "https://shop.example", "en")
FOUND = [EntryPoint("carrier-pigeon", f"{__name__}:open_pigeons", GROUP)]


class Pigeons:
    """What an installation's own channel may look like, as far as it is looked at here."""

    def __init__(self, loft: str) -> None:
        self.loft = loft
        self.open = True


@asynccontextmanager
async def open_pigeons(table: Mapping[str, Any], tools: Tools) -> AsyncIterator[Pigeons]:
    assert tools is TOOLS
    pigeons = Pigeons(table["loft"])
    yield pigeons
    pigeons.open = False


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EntryPoint, "load", lambda point: globals()[point.value.rpartition(":")[2]])


async def test_a_registered_channel_with_a_table_is_opened_and_closed() -> None:
    async with open_registered({"carrier-pigeon": {"loft": "north"}}, TOOLS, found=FOUND) as channels:
        (pigeons,) = channels.values()
        assert list(channels) == ["carrier-pigeon"]
        assert isinstance(pigeons, Pigeons)
        assert pigeons.loft == "north"
    assert not pigeons.open


async def test_a_registered_channel_without_a_table_stays_closed() -> None:
    async with open_registered({}, TOOLS, found=FOUND) as channels:
        assert channels == {}


@pytest.mark.parametrize(
    ("name", "advice"), [("whatsapp", "registered: carrier-pigeon"), ("email", "email is built in")]
)
async def test_a_table_without_a_channel_of_its_own_is_a_mistake(name: str, advice: str) -> None:
    with pytest.raises(ConfigurationError, match=advice):
        async with open_registered({name: {}}, TOOLS, found=FOUND):
            pass
