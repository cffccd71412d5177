from pathlib import Path

import pytest

from hub.domain.contexts import FAMILIES
from hub.domain.durations import format_duration
from hub.domain.events import PAYLOADS
from hub.domain.rules import Rule
from tests.world import default_playbook

DOCS = Path(__file__).parents[3] / "docs" / "reference"
EVENTS = (DOCS / "events.md").read_text()
PLAYBOOK = (DOCS / "playbook.md").read_text()


@pytest.mark.parametrize("event_type", PAYLOADS)
def test_every_event_and_each_of_its_fields_is_documented(event_type: str) -> None:
    assert f"| `{event_type}` |" in EVENTS
    assert [name for name in PAYLOADS[event_type].__struct_fields__ if f"`{name}`" not in EVENTS] == []


def test_every_variable_is_documented() -> None:
    names = {variable.name for variables in FAMILIES.values() for variable in variables}

    assert {name for name in names if f"`{name}`" not in PLAYBOOK} == set()


@pytest.mark.parametrize("rule", default_playbook().rules, ids=lambda rule: rule.name)
def test_every_rule_that_ships_is_documented_as_it_is(rule: Rule) -> None:
    steps = ", ".join(f"{step.channel} after {format_duration(step.after_s)}" for step in rule.ladder) or "nothing"
    expires = format_duration(rule.expires_s or 0)

    assert f"| `{rule.name}` | `{rule.on}` | {rule.category} | {rule.lane} | {steps} | {expires} |" in PLAYBOOK
