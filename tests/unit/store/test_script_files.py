import re
from pathlib import Path

import pytest

from hub.store import scripts
from hub.store.scripts import load_script

FOLDER = Path(scripts.__file__).parent / "lua"
NAMES = sorted(path.stem for path in FOLDER.glob("*.lua"))
NEWER_THAN_6_2 = ["SPUBLISH", "ZMPOP", "LMPOP", "EXPIRETIME", "SINTERCARD", "HEXPIRE", "ZINTERCARD", "redis.register"]


@pytest.mark.parametrize("name", NAMES)
def test_a_script_says_what_it_takes_and_gives(name: str) -> None:
    header = (FOLDER / f"{name}.lua").read_text().split("\n\n")[0:2]
    assert all(word in "\n".join(header) for word in ("-- KEYS", "-- ARGV", "-- Returns"))


@pytest.mark.parametrize("name", NAMES)
def test_a_script_builds_no_key_of_its_own(name: str) -> None:
    literal_key = re.compile(r"redis\.call\('[A-Z]+', *['\"]")
    assert literal_key.findall(load_script(name).source) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_script_needs_nothing_newer_than_redis_6_2(name: str) -> None:
    source = load_script(name).source
    assert [word for word in NEWER_THAN_6_2 if word in source] == []


def test_includes_are_filled_in() -> None:
    source = load_script("topic_publish").source
    assert "local function append(" in source
    assert "--#include" not in source


def test_a_script_is_known_by_the_hash_of_its_text() -> None:
    assert re.fullmatch("[0-9a-f]{40}", load_script("park").sha)
    assert load_script("park").sha != load_script("unpark").sha


def test_an_unknown_script_is_told_at_once() -> None:
    with pytest.raises(FileNotFoundError):
        load_script("nowhere")
