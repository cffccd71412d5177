"""An installation in a language of its own, whose folder was written for an earlier version: no message is lost."""

import tomllib
from pathlib import Path

import pytest

from templates.catalog import BUILT_IN, CHANNEL_FILES, Catalog
from templates.check import check, render, sample
from templates.renderer import Renderer
from templates.texts import EmailText, InboxText, PushText

NEWER = ("preferences", "footer_marketing", "unsubscribe", "updates_one", "updates_other", "more_updates_one")
FRENCH = {
    "hello": "Bonjour",
    "comma": ",",
    "footer": "Vous recevez ce message en raison de votre commande.",
    "others_one": "et un autre article",
    "others_other": "et {n} autres articles",
    "day_at_time": "{day} à {time}",
}
MAIL = {
    "inbox.txt": "Commande emballée\nCommande {{ order_id }}"
    "{% if other_items %}, {{ other_items | plural('others') }}{% endif %}.",
    "email.txt": "{% extends 'layouts/email.txt' %}{% block subject %}Commande {{ order_id }} emballée{% endblock %}"
    "{% block message %}Elle part demain.{% endblock %}",
    "email.html": "{% extends 'layouts/email.html' %}{% block heading %}Commande emballée{% endblock %}"
    "{% block message %}<p>Elle part demain.</p>{% endblock %}",
}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def words(entries: dict[str, str]) -> str:
    return "".join(f'{name} = "{text}"\n' for name, text in entries.items())


@pytest.fixture
def french(tmp_path: Path) -> Renderer:
    texts = {f"fr/order-packed/{name}": text for name, text in MAIL.items()}
    write(tmp_path, {"fr/words.toml": words(FRENCH), **texts})
    return Renderer(override=tmp_path, default_locale="fr")


def test_words_of_a_newer_version_come_in_english(french: Renderer) -> None:
    english = tomllib.loads((BUILT_IN / "en" / "words.toml").read_text())
    for name in NEWER:
        assert french.catalog.words("fr")[name] == english[name]
    assert french.catalog.words("fr")["hello"] == "Bonjour"


def test_a_mail_in_its_own_language_goes_out_with_the_links_of_a_newer_version(french: Renderer) -> None:
    context = {
        **sample(french, "order-packed"),
        "preferences_link": "https://hub.example/p/1",
        "unsubscribe_link": "https://hub.example/u/1",
    }
    mail = french.email("order-packed", "fr-CA", "UTC", context)
    assert mail.subject == "Commande A-1001 emballée"
    assert "Bonjour" in mail.html
    for text in (mail.text, mail.html):
        assert "https://hub.example/p/1" in text
        assert "https://hub.example/u/1" in text


@pytest.mark.parametrize("channel", CHANNEL_FILES)
@pytest.mark.parametrize("template", ["shipment-delayed", "order-placed"])
def test_a_text_that_it_lacks_comes_in_english(french: Renderer, template: str, channel: str) -> None:
    told = render(french, template, channel=channel, locale="fr")
    assert told == render(french, template, channel=channel, locale="en")


def test_a_text_that_is_made_of_words_alone_needs_no_file(french: Renderer) -> None:
    digest = render(french, "digest", channel="email", locale="fr")
    assert isinstance(digest, EmailText)
    assert '<html lang="fr" dir="ltr">' in digest.html
    assert "Bonjour" in digest.text
    # The words for it are missing.
    assert digest.subject == "4 updates: Your order is packed"


def test_a_mail_that_falls_back_is_english_throughout(french: Renderer) -> None:
    mail = render(french, "order-placed", channel="email", locale="fr")
    assert isinstance(mail, EmailText)
    assert '<html lang="en" dir="ltr">' in mail.html
    assert "Bonjour" not in mail.html


def test_a_page_of_a_newer_version_can_be_shown(french: Renderer) -> None:
    assert "This link is no longer good" in french.page("notice", "fr", "UTC", {"notice": "gone"})


def test_the_forms_of_a_plural_are_all_of_one_language(tmp_path: Path) -> None:
    write(tmp_path, {"fr/words.toml": words(FRENCH), "fr/mine/inbox.txt": '{{ n | plural("others") }}'})
    arabic = Renderer(override=tmp_path, default_locale="ar")
    assert arabic.inbox("mine", "fr", "UTC", {"n": 3_000_000}).title == "et 3000000 autres articles"


def test_a_check_names_each_word_and_text_that_is_missing(french: Renderer) -> None:
    found = {(finding.file, finding.problem.partition(" ")[0]) for finding in check(french)}
    assert {("fr/words.toml", name) for name in NEWER if not name.endswith("_one")} <= found
    assert ("fr/order-placed", "inbox.txt") in found
    assert not any(file.startswith(("en/", "de/", "pages/")) for file, _ in found)


def test_a_language_with_words_alone_is_checked_too(tmp_path: Path) -> None:
    write(tmp_path, {"fr/words.toml": words(FRENCH)})
    assert "fr" in Catalog(override=tmp_path).locales()


def test_words_are_enough_for_a_digest_in_its_own_language(tmp_path: Path) -> None:
    own = {"updates_one": "Une nouvelle", "updates_other": "{n} nouvelles", "list_separator": " ; "}
    write(tmp_path, {"fr/words.toml": words(FRENCH | own)})
    push = render(Renderer(override=tmp_path), "digest", channel="push", locale="fr")
    assert push == PushText("4 nouvelles", "Your order is packed ; Your parcel is on its way")


def test_a_text_of_a_locale_goes_before_the_one_in_common(tmp_path: Path) -> None:
    write(tmp_path, {"de/digest/inbox.txt": "Neues\n{{ count }}"})
    renderer = Renderer(override=tmp_path)
    assert render(renderer, "digest", channel="push", locale="de") == PushText("Neues", "4")
    mail = render(renderer, "digest", channel="email", locale="de")
    assert isinstance(mail, EmailText)
    assert mail.subject.startswith("4 neue Nachrichten: ")


def test_a_template_of_ones_own_may_be_in_common_alone(tmp_path: Path) -> None:
    write(tmp_path, {"common/mine/inbox.txt": "{{ words.hello }}\n{{ title }}", "samples.toml": "[mine]\ntitle = 'x'"})
    renderer = Renderer(override=tmp_path)
    assert render(renderer, "mine", channel="inbox", locale="de") == InboxText("Guten Tag", "x")
    assert [each.problem.split()[0] for each in check(renderer) if each.file.endswith("/mine")] == ["email.txt"] * 4
