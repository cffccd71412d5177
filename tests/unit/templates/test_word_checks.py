from pathlib import Path

import pytest

from templates.catalog import Catalog
from templates.word_checks import wrong_words


def problems(folder: Path, words: str, text: str = "") -> list[str]:
    (folder / "en" / "mine").mkdir(parents=True)
    (folder / "en" / "words.toml").write_text(words)
    (folder / "en" / "mine" / "inbox.txt").write_text(text)
    return [str(finding) for finding in wrong_words(Catalog(override=folder))]


def test_a_word_that_is_spelt_wrong_is_named_with_the_right_one(tmp_path: Path) -> None:
    assert problems(tmp_path, 'preferencs = "Settings"') == [
        "en/words.toml: no text uses the word preferencs; write preferences, or take it out"
    ]


def test_a_word_that_nothing_resembles_is_to_be_taken_out(tmp_path: Path) -> None:
    assert problems(tmp_path, 'zzz = "?"') == ["en/words.toml: no text uses the word zzz; take it out"]


@pytest.mark.parametrize(
    "use", ["{{ words.mine }}", "{{ words['mine'] }}", '{{ words.get("mine") }}', "{{ n | plural('mine') }}"]
)
def test_a_word_of_ones_own_is_fine_where_a_text_uses_it(tmp_path: Path, use: str) -> None:
    word = 'mine_other = "{n} of mine"' if "plural" in use else 'mine = "my own"'
    assert problems(tmp_path, word, use) == []


@pytest.mark.parametrize("name", ["category_wine", "channel_whatsapp", "others_few"])
def test_names_of_ones_own_categories_and_channels_and_further_plurals_are_fine(tmp_path: Path, name: str) -> None:
    assert problems(tmp_path, f'{name} = "Wine"') == []


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ('others_other = "and {count} more"', "others_other: nothing is put in for {count}; write {n}"),
        ('hello = "Hello {name}"', "hello: nothing is put in for {name}; take it out"),
        ('day_at_time = "{day} {time} {hour}"', "day_at_time: nothing is put in for {hour}; write {day} or {time}"),
        ('day_at_time = "{day}"', "day_at_time must have {time}"),
    ],
)
def test_a_place_that_is_not_filled_in_is_named(tmp_path: Path, word: str, problem: str) -> None:
    assert problems(tmp_path, word) == [f"en/words.toml: {problem}"]


def test_a_word_of_ones_own_must_be_in_every_language_one_writes_in(tmp_path: Path) -> None:
    (tmp_path / "de").mkdir()
    (tmp_path / "de" / "words.toml").write_text('hello = "Moin"')
    assert problems(tmp_path, 'mine = "my own"', "{{ words.mine }}") == [
        'de/words.toml: mine must be there, or texts mix languages; elsewhere it is "my own"'
    ]
