import pytest

from hub.domain.channels import BUILT_IN, EMAIL, PUSH, SMS, Channel
from hub.domain.contexts import TEMPLATES, sample_context, variables_of
from hub.domain.errors import ConfigurationError, Mistake
from hub.domain.events import PAYLOADS
from hub.domain.notifications import Lane, Step, Throttle
from hub.domain.playbook import Playbook, load_playbook
from hub.domain.rules import Rule
from tests.world import DEFAULT_PLAYBOOK, default_playbook

RULE = '[rules.my-rule]\non = "order.packed"\ncategory = "orders"\ntemplate = "my-template"\n'


def loaded(override: str) -> Playbook:
    return load_playbook(DEFAULT_PLAYBOOK, override.encode(), files=("default.toml", "own.toml"))


def rule(playbook: Playbook, name: str) -> Rule:
    return next(rule for rule in playbook.rules if rule.name == name)


def mistakes(override: str) -> list[Mistake]:
    with pytest.raises(ConfigurationError) as caught:
        loaded(override)
    return list(caught.value.mistakes)


def test_the_default_playbook_has_a_rule_and_a_template_for_every_order_payment_and_shipment_event() -> None:
    playbook = default_playbook()

    assert {rule.on for rule in playbook.rules} == {name for name in PAYLOADS if variables_of(name)}
    assert playbook.templates == TEMPLATES
    assert all(str(rule.name) == rule.template for rule in playbook.rules)


def test_only_a_failed_payment_is_critical() -> None:
    critical = [rule.name for rule in default_playbook().rules if rule.lane is not Lane.TRANSACTIONAL]

    assert critical == ["payment-failed"]


def test_a_rule_with_a_known_name_replaces_only_the_fields_it_gives() -> None:
    before = rule(default_playbook(), "order-packed")
    after = rule(loaded('[rules.order-packed]\nladder = [{ channel = "sms", after = "2h" }]'), "order-packed")

    assert after.ladder == (Step(SMS, 7_200.0),)
    assert (after.on, after.template, after.expires_s) == (before.on, before.template, before.expires_s)


def test_a_rule_with_a_new_name_is_added_with_the_defaults() -> None:
    playbook = loaded(RULE)

    assert len(playbook.rules) == len(default_playbook().rules) + 1
    assert rule(playbook, "my-rule").ladder == (Step(EMAIL, 60.0),)
    assert [rule.name for rule in playbook.rules_for("order.packed")] == ["order-packed", "my-rule"]


def test_own_defaults_hold_for_every_rule_that_does_not_say_otherwise() -> None:
    playbook = loaded('[defaults]\nladder = []\nexpires = "never"')

    assert rule(playbook, "order-placed").ladder == ()
    assert rule(playbook, "order-placed").expires_s is None
    assert rule(playbook, "payment-failed").ladder == (Step(PUSH, 5.0), Step(SMS, 120.0), Step(EMAIL, 900.0))


def test_all_mistakes_of_a_file_are_told_at_once_with_what_to_write() -> None:
    found = mistakes(
        '[defaults]\nlane = "fast"\n[rules.order-packed]\nexpires = "2 days"\ncolour = "red"\n[rules.new]\n'
    )

    assert [(mistake.file, mistake.key, mistake.value) for mistake in found] == [
        ("own.toml", "rules.order-packed.colour", "red"),
        ("own.toml", "defaults.lane", "fast"),
        ("own.toml", "rules.order-packed.expires", "2 days"),
        ("own.toml", "rules.new.on", "(missing)"),
        ("own.toml", "rules.new.category", "(missing)"),
        ("own.toml", "rules.new.template", "(missing)"),
    ]
    assert found[2].advice == "write a whole number and a unit: 60s, 15m, 2h or 1d"


@pytest.mark.parametrize(
    ("field", "value", "advice"),
    [
        ("on", '"order.exploded"', "write one of order.placed,"),
        ("on", '"price.changed"', "write one of order.placed,"),
        ("on", "7", "write a text in quotes"),
        ("category", '"My Orders"', "write a name in lower case"),
        ("template", '""', "write a name in lower case"),
        ("to", '"everybody"', "write one of customer"),
        ("lane", '"fast"', "write one of critical, transactional"),
        ("enabled", '"yes"', "write true or false"),
        ("expires", '"0s"', "write a duration above zero"),
        ("expires", '"400d"', "at most 366d"),
        ("expires", "60", "write a text in quotes"),
        ("expires", '"60s"', "write more than the waits and digests of the ladder"),
        ("digest", '"0s"', "write a duration above zero of at most 7d"),
        ("digest", '"8d"', "write a duration above zero of at most 7d"),
        ("digest", "30", "write a text in quotes"),
        ("ladder", '"email"', "write a list of at most 8 steps"),
        ("ladder", "[1]", "write a step as {"),
        ("ladder", '[{ channel = "inbox" }]', "write one of push, sms, email"),
        ("ladder", '[{ channel = "email", when = "now" }]', "write a step as {"),
        ("ladder", '[{ channel = "email", after = "soon" }]', "write a whole number and a unit"),
        ("when", '"total"', "write a list of conditions"),
        ("when", '["total is large"]', "write `variable operator value`"),
        ("when", '["total.amount_minor >= ten"]', "write the value as JSON"),
        ("when", '["colour == 1"]', "use a variable of order.packed: item,"),
        ("when", '["total.amount == 1"]', "use a variable of order.packed: item,"),
        ("collapse", '"x:{shipment_id}"', "use a variable of order.packed: item,"),
        ("collapse", '"x:{order_id"', "write a key with variables in braces"),
        ("collapse", '"x:{order_id.__class__}"', "use a variable of order.packed: item,"),
    ],
)
def test_a_mistake_names_the_rule_the_field_and_what_to_write(field: str, value: str, advice: str) -> None:
    (mistake,) = mistakes(
        "\n".join([line for line in RULE.splitlines() if not line.startswith(field)] + [f"{field} = {value}"])
    )

    assert (mistake.file, mistake.key) == ("own.toml", f"rules.my-rule.{field}")
    assert mistake.advice.startswith(advice)


@pytest.mark.parametrize(
    ("toml", "key"),
    [
        ("[rules", "(the file)"),
        ("rules = 1", "rules"),
        ("[rules]\nx = 1", "rules.x"),
        ("defaults = 1", "defaults"),
        ("[rule.x]", "rule"),
        ('[defaults]\non = "order.packed"', "defaults.on"),
        (RULE.replace("my-rule", "My_Rule"), "rules.My_Rule"),
    ],
)
def test_a_mistake_in_the_shape_of_the_file_is_named(toml: str, key: str) -> None:
    assert [mistake.key for mistake in mistakes(toml)] == [key]


def test_a_category_is_promotional_where_all_of_its_rules_are_marketing() -> None:
    rules = {
        "a": ("sales", "marketing"),
        "b": ("sales", "marketing"),
        "c": ("mixed", "marketing"),
        "d": ("mixed", "critical"),
    }
    own = "".join(
        f'[rules.{name}]\non = "order.packed"\ncategory = "{category}"\ntemplate = "t"\nlane = "{lane}"\nladder = []\n'
        for name, (category, lane) in rules.items()
    )
    assert load_playbook(b"", own.encode(), files=("default.toml", "own.toml")).promotional == {"marketing", "sales"}


@pytest.mark.parametrize("lane", ["", 'lane = "critical"'])
def test_promotion_must_go_by_the_lane_that_asks_for_consent(lane: str) -> None:
    (mistake,) = mistakes(RULE.replace('"orders"', '"marketing"') + lane)
    assert (mistake.key, mistake.advice) == (
        "rules.my-rule.lane",
        "write marketing: promotion goes out only with consent",
    )


def test_a_collapse_key_of_known_variables_is_taken() -> None:
    assert rule(loaded(RULE + 'collapse = "packed:{order_id}"'), "my-rule").collapse == "packed:{order_id}"


def test_sample_contexts_are_complete() -> None:
    assert sample_context("payment.failed").keys() == {variable.name for variable in variables_of("payment.failed")}


def test_a_ladder_may_name_a_channel_of_the_installations_own() -> None:
    own = b'[rules.order-packed]\nladder = [{ channel = "whatsapp" }]'
    channels = (*BUILT_IN, Channel("whatsapp"))
    playbook = load_playbook(DEFAULT_PLAYBOOK, own, files=("default.toml", "own.toml"), channels=channels)

    assert rule(playbook, "order-packed").ladder == (Step(Channel("whatsapp")),)


def test_a_throttle_has_a_count_a_duration_and_a_key_or_the_rules_name() -> None:
    keyed = rule(loaded(RULE + 'throttle = { count = 2, per = "1h", key = "order:{order_id}" }'), "my-rule")
    plain = rule(loaded(RULE + 'throttle = { count = 1, per = "1d" }'), "my-rule")

    assert keyed.throttle == Throttle("order:{order_id}", 2, 3_600)
    assert plain.throttle == Throttle("my-rule", 1, 86_400)


@pytest.mark.parametrize(
    "throttle",
    [
        '"1h"',
        "{ count = 1 }",
        '{ count = 0, per = "1h" }',
        '{ count = true, per = "1h" }',
        '{ count = 101, per = "1h" }',
        '{ count = 1, per = "0s" }',
        '{ count = 1, per = "soon" }',
        '{ count = 1, per = "1h", key = "{" }',
        '{ count = 1, per = "1h", name = "x" }',
    ],
)
def test_a_throttle_of_a_bad_form_is_a_mistake(throttle: str) -> None:
    (mistake,) = mistakes(f"{RULE}throttle = {throttle}")

    assert mistake.key == "rules.my-rule.throttle"


def test_a_throttle_knows_only_the_variables_of_its_event() -> None:
    (mistake,) = mistakes(RULE + 'throttle = { count = 1, per = "1h", key = "{colour}" }')

    assert (mistake.key, mistake.value) == ("rules.my-rule.throttle", "{colour}")


def test_a_digest_can_be_given_and_taken_away() -> None:
    playbook = loaded('[rules.order-packed]\ndigest = "30m"\n[rules.order-placed]\ndigest = "never"')
    names = ("order-packed", "order-placed", "order-confirmed")
    assert [rule(playbook, name).digest_s for name in names] == [1_800, None, None]


def test_what_is_critical_goes_alone() -> None:
    (mistake,) = mistakes('[rules.payment-failed]\ndigest = "30m"')
    assert mistake.key == "rules.payment-failed.digest"
    assert "what is critical goes alone" in mistake.advice


def test_a_ladder_must_not_expire_while_it_gathers() -> None:
    (mistake,) = mistakes('[rules.order-packed]\ndigest = "2d"')
    assert (mistake.file, mistake.key) == ("own.toml", "rules.order-packed.expires")
    assert mistake.advice.startswith("write more than the waits and digests of the ladder")


def test_a_throttle_and_a_digest_do_not_go_together() -> None:
    (mistake,) = mistakes(RULE + 'digest = "30m"\nthrottle = { count = 1, per = "1h" }')

    assert mistake.key == "rules.my-rule.throttle"
