import pytest

from hub.domain.robots import is_robot

CHROME = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"
IN_APP = f"{CHROME} [FBAN/FB4A;FBAV/530.0]"


@pytest.mark.parametrize("browser", [CHROME, SAFARI, FIREFOX, IN_APP])
def test_people_are_no_robots(browser: str) -> None:
    assert not is_robot(browser)


@pytest.mark.parametrize(
    "robot",
    [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "Slackbot 1.0",
        "facebookexternalhit/1.1",
        "WhatsApp/2.24.6.77 A",
        "TelegramBot (like TwitterBot)",
        "Mozilla/5.0 (compatible; bingbot/2.0)",
        "SkypeUriPreview Preview/0.5",
        "LinkedInBot/1.0",
        "Mozilla/5.0 (Windows NT 5.1) GoogleImageProxy",
        "curl/8.5.0",
        "",
    ],
)
def test_who_only_looks_at_a_link_is_a_robot(robot: str) -> None:
    assert is_robot(robot)


@pytest.mark.parametrize("purpose", ["prefetch", "prefetch;prerender", "preview"])
def test_a_browser_that_fetches_ahead_is_no_person_yet(purpose: str) -> None:
    assert is_robot(CHROME, purpose)
