"""What a worker's operations and pages work on: made once, and shared by all of them."""

from __future__ import annotations

from dataclasses import dataclass

from hub.app import Stores, build_effects, build_ingest, build_mail_reports, build_preference_centre, load_playbook
from hub.domain.rules import Playbook
from hub.service.feedback.mail_reports import MailReports
from hub.service.intake.effects import Effects
from hub.service.intake.ingest import Ingest
from hub.service.person.preferences import PreferenceCentre
from hub.settings import Settings
from templates.renderer import Renderer


@dataclass(frozen=True, slots=True, kw_only=True)
class Back:
    """What stands behind a worker's front."""

    stores: Stores
    playbook: Playbook
    renderer: Renderer
    effects: Effects
    ingest: Ingest
    centre: PreferenceCentre
    mail_reports: MailReports


def build_back(settings: Settings, stores: Stores, renderer: Renderer) -> Back:
    """Return what stands behind a worker's front. Raises ConfigurationError where the playbook has mistakes."""
    playbook = load_playbook(settings)
    effects = build_effects(settings, stores, renderer)
    centre = build_preference_centre(settings, stores, playbook)
    return Back(
        stores=stores,
        playbook=playbook,
        renderer=renderer,
        effects=effects,
        ingest=build_ingest(settings, stores, effects, playbook),
        centre=centre,
        mail_reports=build_mail_reports(settings, stores, centre),
    )
