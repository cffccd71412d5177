"""What a copywriter may do wrong: each mistake is named with its file, its line, and what to do."""

import shutil

import pytest

from templates.catalog import BUILT_IN
from templates.check import check
from templates.findings import Finding
from templates.renderer import Renderer

TEXT = "{% extends 'layouts/email.txt' %}\n{% block subject %}S{% endblock %}\n{% block message %}M{% endblock %}\n"
HTML = "{% extends 'layouts/email.html' %}\n{% block heading %}H{% endblock %}\n"
# The name of a template, the file with the mistake, what is in it, and what is said of it.
MISTAKES: dict[str, tuple[str, str | bytes, str]] = {
    "syntax": ("inbox.txt", "Title\n{% if order_id %}Body", "2: Unexpected end of template"),
    "brace": ("inbox.txt", "Title\n\n{{ order_id }", "3: unexpected '}'"),
    "variable": ("inbox.txt", "Title\n{{ odrer_id }}", "2: 'odrer_id' is undefined for inbox; write order_id"),
    "no-link": ("inbox.txt", "Title\n{{ link }}", "2: 'link' is undefined for inbox; "),
    "filter": ("inbox.txt", "Title\n{{ total | mony }}", "2: No filter named 'mony'"),
    "word": ("inbox.txt", "Title\n{{ words.helo }}", "2: UndefinedError: 'dict object' has no attribute 'helo'"),
    "plural": (
        "inbox.txt",
        "Title\n{{ n | plural('oters') }}",
        "2: ValueError: plural needs at least the form `other`",
    ),
    "money": ("inbox.txt", "Title\n{{ order_id | money }}", "2: ValueError: money needs amount_minor and currency"),
    "none": ("inbox.txt", "Title\n{{ eta | when }}", "2: ValueError: an instant is Unix ms or RFC 3339; values may be"),
    "empty": ("inbox.txt", "Title\n{% if eta %}Body{% endif %}", "body is empty; values may be missing"),
    "one-line": ("inbox.txt", "Title and nothing else", "body is empty"),
    "long": ("sms.txt", "a" * 500, "takes 4 segments (GSM 7-bit), 3 is the most; write less"),
    "http": (
        "email.html",
        HTML + '{% block message %}\n<a href="http://x.example">x</a>{% endblock %}',
        "4: the link",
    ),
    "any-link": ("email.html", HTML + '{% block message %}<a href="{{ order_id }}">x</a>{% endblock %}', "3: the link"),
    "unclosed": (
        "email.html",
        HTML + "{% block message %}\n<p>A <b>b</p>\n{% endblock %}",
        "4: <b> is not closed before </p>",
    ),
    "closes": ("email.html", HTML + "{% block message %}\n<p>A</p>\n</div>{% endblock %}", "5: </div> closes nothing"),
    "block": (
        "email.html",
        HTML + "{% block mesage %}<p>M</p>{% endblock %}",
        "3: layouts/email.html has no block mesage; ",
    ),
    "outside": ("email.txt", TEXT + "\nLost", "5: what stands outside of the blocks is not shown; put it into one"),
    "loop": ("inbox.txt", "{% include 'en/loop/inbox.txt' %}", "it includes or extends itself, in the end"),
    "partial": (
        "email.html",
        HTML + "{% block message %}\n{% include 'layouts/no.html' %}{% endblock %}",
        "4: there is no file",
    ),
    "layout": ("email.txt", "{% extends 'layouts/mail.txt' %}", "1: there is no file layouts/mail.txt; write its path"),
    "latin": ("inbox.txt", "Title\nGrüße".encode("latin-1"), "2: is not in UTF-8; save it so"),
    "reach": ("inbox.txt", "Title\n{{ order_id.__class__ }}", "2: SecurityError: "),
    "huge": ("inbox.txt", "Title\n{{ range(100000) | list }}", "2: OverflowError: a range in a template has at most"),
}
GOOD = {"inbox.txt": "Title\nBody", "email.txt": TEXT, "email.html": HTML + "{% block message %}<p>M</p>{% endblock %}"}
SAMPLE = 'order_id = "A-1"\neta = 1767261600000\nn = 2\ntotal = { amount_minor = 5, currency = "EUR" }\n'
MISPLACED = {
    "pt_br/words.toml": "is no locale as it is spelt; name the folder pt-BR",
    "french/words.toml": "is no locale; name the folder by its BCP 47 tag",
    "xx/words.toml": "is a locale that nobody knows dates and plurals of",
    "sample.toml": "nothing reads it here; only samples.toml lies beside the locales",
    "en/inbox.txt": "nothing reads it here; its place is en/<template>/inbox.txt",
    "en/good/email.htm": "nothing reads it; name it email.html",
    "en/good/Inbox.txt": "nothing reads it; name it inbox.txt",
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    """What a check finds where every mistake has been made, each in a template of its own."""
    folder, shipped = tmp_path_factory.mktemp("own"), tmp_path_factory.mktemp("shipped")
    for name in ("layouts", "pages"):
        shutil.copytree(BUILT_IN / name, shipped / name)
    (shipped / "en").mkdir()
    shutil.copy(BUILT_IN / "en" / "words.toml", shipped / "en")
    files: dict[str, str | bytes] = dict.fromkeys(MISPLACED, "")
    for template, (file, source, _) in {**MISTAKES, "good": ("inbox.txt", GOOD["inbox.txt"], "")}.items():
        files.update({f"en/{template}/{name}": text for name, text in {**GOOD, file: source}.items()})
    files["en/half/email.html"] = GOOD["email.html"]
    files["samples.toml"] = "".join(
        f"[{template}]\n{SAMPLE}" for template in (*MISTAKES, "good", "half", "orders-packed")
    )
    files["en/order-packd/inbox.txt"] = "Title\nBody"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("templates.catalog.BUILT_IN", shipped)
        return check(Renderer(override=folder))


@pytest.mark.parametrize("template", MISTAKES)
def test_a_mistake_is_named_with_its_file_its_line_and_what_to_do(found: list[Finding], template: str) -> None:
    file, _, said = MISTAKES[template]
    of_it = [str(each) for each in found if each.file.startswith(f"en/{template}/")]
    assert len(of_it) == 1 or template == "loop"
    assert of_it[0].startswith(f"en/{template}/{file}:")
    assert said in of_it[0]


@pytest.mark.parametrize("file", MISPLACED)
def test_a_file_that_nothing_reads_is_named_with_its_right_place(found: list[Finding], file: str) -> None:
    said = [each.problem for each in found if each.file in {file, file.partition("/")[0]}]
    assert said[0].startswith(MISPLACED[file])


def test_the_part_that_a_mail_lacks_is_named(found: list[Finding]) -> None:
    said = [each.problem for each in found if each.file == "en/half"]
    assert said == [
        "inbox.txt must be there, or people read this in another language",
        "email.txt must be there, or people read this in another language",
    ]


def test_a_template_that_is_spelt_wrong_is_named_with_the_right_one(found: list[Finding]) -> None:
    (said,) = (each.problem for each in found if each.file == "order-packd")
    assert said.startswith("there is no sample for it; name the folder order-packed, or")


def test_what_is_right_is_not_complained_about(found: list[Finding]) -> None:
    assert [each for each in found if each.file in {f"en/good/{name}" for name in GOOD}] == []
