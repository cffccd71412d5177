import shutil
from pathlib import Path

import pytest

from hub.domain.ids import UserId
from hub.service.person.preference_form import shown
from hub.service.person.preferences import InForce, PreferencesView
from templates.catalog import BUILT_IN, PAGES
from templates.check import check
from templates.page_checks import SAMPLES, wrong_pages
from templates.renderer import Renderer


def test_every_page_has_samples() -> None:
    pages = {path.stem for path in (BUILT_IN / PAGES).glob("*.html")} - {"layout"}
    assert pages == SAMPLES.keys()


def test_the_samples_of_the_preferences_have_what_the_page_is_given() -> None:
    in_force = InForce(quiet_hours=None, time_zone="UTC")
    view = PreferencesView(UserId("zoe"), 0, {}, {}, {}, {}, {}, None, None, in_force, 0, {}, {})
    for state in SAMPLES["preferences"]:
        assert state.keys() == {*shown(view, now_ms=0), "zones", "saved"}


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("pages/preferences.html", "{% if paused_until %}{{ words.no_such_word }}{% endif %}"),
        ("pages/preferences.html", "{% if not saved %}{{ typo }}{% endif %}"),
        ("pages/unsubscribe.html", "{% if done %}{{ words.no_such_word }}{% endif %}"),
        ("pages/notice.html", "{% if notice == 'later' %}{{ typo }}{% endif %}"),
        ("pages/layout.html", "{{ typo }}"),
    ],
)
def test_a_page_that_fails_in_one_of_its_states_is_found(tmp_path: Path, file: str, source: str) -> None:
    shutil.copytree(BUILT_IN / PAGES, tmp_path / PAGES)
    (tmp_path / file).write_text(source)
    assert any(finding.file.startswith(PAGES) for finding in wrong_pages(Renderer(override=tmp_path)))


def test_a_check_of_the_templates_checks_the_pages(tmp_path: Path) -> None:
    (tmp_path / PAGES).mkdir()
    shutil.copy(BUILT_IN / PAGES / "notice.html", tmp_path / PAGES)
    (tmp_path / PAGES / "layout.html").write_text("{{ typo }}")
    assert any(finding.file.startswith(PAGES) for finding in check(Renderer(override=tmp_path)))
