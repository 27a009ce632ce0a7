"""Rule files to rule sets: what a tag becomes, and all errors at their places."""

from __future__ import annotations

from fractions import Fraction

import pytest

from processors.rules import limits
from processors.rules import tree as T
from processors.rules.load import Loaded, load_rules, read_rules
from processors.rules.parse import parse
from processors.rules.problems import RuleErrors
from processors.rules.sorts import sort_of

HEAD = "- tag: a\n  name: A\n  class: dynamic\n  category: base\n"
WHEN = "  when: count(browse, 1d) > 0\n"
KEYED = "  when: count(browse, 7d) > 2\n"


def read(text: str, **more: str) -> Loaded:
    return read_rules({"r.yaml": text} | more, time_zone="UTC", default_currency="CNY")


def places(text: str) -> list[str]:
    """code line:column words, of every error."""
    found = []
    for e in read(text).errors:
        assert e.line is not None and e.column is not None and e.source is not None and e.span is not None
        found.append(f"{e.code} {e.line}:{e.column} {e.source[e.column - 1 :][: e.span[1]]}".rstrip())
    return found


def only_tag(text: str) -> T.Tag:
    (tag,) = load_rules({"r.yaml": text}, time_zone="UTC", default_currency="CNY").tags
    return tag


def test_a_tag_keeps_all_that_was_written() -> None:
    text = """
- tag: high_value
  name: {zh: 高价值客户, en: High value}
  describe: {zh: 近九十天消费满五千元}
  class: dynamic                # a comment
  category: value
  colour: "#C0392B"
  when:  sum(purchase.amount, 90d) >= 5000
  leave: sum(purchase.amount, 90d) < 4000
  dwell: 10m
  cooldown: 90s
  expires: 30d
  examples:
    - given: [purchase 2000 at 0d, purchase 3500 at 2d]
      then: [entered at 2d10m, left at 90d1h]
"""
    tag = only_tag(text)
    assert (tag.id, tag.file, tag.line) == ("high_value", "r.yaml", 2)
    assert tag.name == {"zh": "高价值客户", "en": "High value"}
    assert tag.describe == {"zh": "近九十天消费满五千元"}
    assert (tag.class_, tag.category, tag.colour) == ("dynamic", "value", "#c0392b")
    assert tag.when == parse("sum(purchase.amount, 90d) >= 5000")
    assert tag.leave == parse("sum(purchase.amount, 90d) < 4000")
    assert (tag.dwell_ms, tag.cooldown_ms, tag.expires_ms) == (600_000, 90_000, 30 * 86_400_000)
    assert tag.source == {
        "when": "sum(purchase.amount, 90d) >= 5000",
        "leave": "sum(purchase.amount, 90d) < 4000",
    }
    (example,) = tag.examples
    assert example.line == 14
    assert example.given[1] == T.Given("purchase", 2 * 86_400_000, {"amount_cents": 350_000})
    assert example.then == (T.Then("entered", 173_400_000, None), T.Then("left", 7_779_600_000, None))


def test_what_may_be_left_out_has_its_default() -> None:
    tag = only_tag(HEAD + WHEN)
    assert tag.name == {"zh": "A", "en": "A"}
    assert (tag.describe, tag.colour, tag.leave, tag.tiers, tag.examples) == ({}, None, None, (), ())
    assert (tag.dwell_ms, tag.cooldown_ms, tag.expires_ms) == (0, 0, None)


def test_a_tier_keeps_its_levels_in_order() -> None:
    tag = only_tag(
        HEAD
        + "  tier:\n"
        + "  - {level: gold, when: 'count(browse, 1d) > 9'}\n"
        + "  - {level: iron, when: 'count(browse, 1d) > 1'}\n"
    )
    assert tag.when is None
    assert tag.tiers == (
        T.Level("gold", parse("count(browse, 1d) > 9")),
        T.Level("iron", parse("count(browse, 1d) > 1")),
    )
    assert tag.source == {"tier[0]": "count(browse, 1d) > 9", "tier[1]": "count(browse, 1d) > 1"}


def test_tags_of_all_files_are_in_order_of_their_ids() -> None:
    files = {"b.yaml": HEAD + WHEN, "a.yaml": HEAD.replace("tag: a", "tag: z") + WHEN, "empty.yaml": "# nothing\n"}
    rules = load_rules(files, time_zone="Asia/Shanghai", default_currency="EUR")
    assert [(t.id, t.file) for t in rules.tags] == [("a", "b.yaml"), ("z", "a.yaml")]
    assert (rules.time_zone, rules.default_currency) == ("Asia/Shanghai", "EUR")


def test_no_files_make_an_empty_rule_set() -> None:
    assert load_rules({}, time_zone="UTC", default_currency="CNY").tags == ()


def test_all_errors_of_all_files_are_found_before_any_is_raised() -> None:
    files = {
        "b.yaml": HEAD.replace("base", "basic") + "  when: count(brows, 1d) > 0 and count(browse, 1w) > 0\n",
        "a.yaml": HEAD.replace("tag: a", "tag: A")
        + "  when: count(brows, 1d) > 0 and count(browse, 0d) > 0\n  wen: x\n",
    }
    with pytest.raises(RuleErrors) as caught:
        load_rules(files, time_zone="UTC", default_currency="CNY")
    assert [(e.file, e.line, e.code) for e in caught.value.errors] == [
        ("a.yaml", 1, "TS-R308"),
        ("a.yaml", 5, "TS-R201"),
        ("a.yaml", 5, "TS-R211"),
        ("a.yaml", 6, "TS-R305"),
        ("b.yaml", 4, "TS-R310"),
        ("b.yaml", 5, "TS-R109"),
    ]


@pytest.mark.parametrize(
    "written",
    [
        "  when: count(browse where  nope == 1, 1d) > 0\n",
        '  when: "count(browse where  nope == 1, 1d) > 0"\n',
        "  when: 'count(browse where category == ''x'' and  nope == 1, 1d) > 0'\n",
        '  when: "count(browse where category == \\"高\\" and nope == 1, 1d) > 0"\n',
        "  when: >-\n    count(browse\n     where nope == 1, 1d)\n    > 0\n",
        "  when: |\n    count(browse where\n      nope == 1, 1d) > 0\n",
        "  when: count(browse\n    where nope == 1, 1d)\n    > 0\n",
        "  when: {}\n".format("count(browse where category == '鞋' and nope == 1, 1d) > 0"),
    ],
)
def test_the_caret_stands_under_the_word_however_yaml_wraps_the_expression(written: str) -> None:
    (place,) = places(HEAD + written)
    code, _, words = place.split()
    assert (code, words) == ("TS-R202", "nope")


def test_the_caret_is_moved_by_wide_characters() -> None:
    (error,) = read(HEAD + "  when: count(browse where category == '鞋' and nope == 1, 1d) > 0\n").errors
    _, source, caret, _ = error.render().split("\n")
    assert caret.index("^") == source.index("nope") + 1
    assert caret.count("^") == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: b: c\n", "TS-R301 1:5"),
        ("- tag: [a\n", "TS-R301"),
        ("- \x07\n", "TS-R301"),
        (HEAD + "  when: &x count(browse, 1d) > 0\n  leave: *x\n", "TS-R302 5:9"),
        ("- &a [x]\n- *a\n", "TS-R302 1:3"),
        ("- *a\n", "TS-R302 1:3"),
        ("- !!python/object:os.system x\n", "TS-R302 1:3"),
        ("- tag: a\n---\n- tag: b\n", "TS-R302 2:1"),
        (HEAD + WHEN + WHEN, "TS-R303 6:3 when"),
        ("tag: a\n", "TS-R304 1:1"),
        ("- a\n", "TS-R304 1:3"),
        ("- ? [a]\n  : b\n", "TS-R304 1:5"),
        (HEAD + "  when: [x]\n", "TS-R304 5:9"),
        (HEAD + WHEN + "  examples: x\n", "TS-R304 6:13"),
        (HEAD + WHEN + "  examples: [x]\n", "TS-R304 6:14"),
        (HEAD + WHEN + "  examples: [{given: [a: b], then: []}]\n", "TS-R304 6:23"),
        (HEAD + "  tier: [x]\n", "TS-R304 5:10"),
        (HEAD + WHEN + "  color: red\n", "TS-R305 6:3 color"),
        (HEAD + WHEN + "  examples: [{given: [], than: []}]\n", "TS-R305 6:26 than"),
        (HEAD + "  tier: [{level: a, when: 'count(browse, 1d) > 0', x: y}]\n", "TS-R305 5:52 x"),
        (HEAD + WHEN + "  review: required\n", "TS-R306 6:3 review"),
        (HEAD + "  score: 5\n", "TS-R224 5:10 5"),
        (HEAD + "  score: count(browse, 7d) > 5\n", "TS-R224 5:10 count(browse, 7d) > 5"),
        (HEAD + "  score: ratio(count(browse, 7d), days_since(browse))\n", "TS-R226 5:35 days_since(browse)"),
        (HEAD + "  score: days_since(browse)\n  step: 0\n", "TS-R226 5:10 days_since(browse)"),
        (HEAD + "  score: count(browse, 7d)\n  step: -1\n", "TS-R321 6:9 -1"),
        (HEAD + "  score: count(browse, 7d)\n  step: 0.0000000001\n", "TS-R321 6:9 0.0000000001"),
        (HEAD + WHEN + "  step: 5\n", "TS-R307 6:3 step"),
        (HEAD + WHEN + "  score: count(browse, 7d)\n", "TS-R313 5:3 when"),
        (HEAD + "  score: count(browse, 7d)\n  dwell: 5m\n", "TS-R313 6:3 dwell"),
        (HEAD + "  score: count(browse, 7d)\n  exclusive: g\n", "TS-R313 6:3 exclusive"),
        (HEAD + "  score: count(browse, 7d)\n  levels: [a]\n", "TS-R313 6:3 levels"),
        (HEAD + KEYED + "  for_each: category\n", "TS-R320 6:13 category"),
        (HEAD + KEYED + "  for_each: brows.category\n", "TS-R201 6:13 brows"),
        (HEAD + KEYED + "  for_each: browse.categry\n", "TS-R202 6:20 categry"),
        (HEAD + KEYED + "  for_each: browse.dwell_ms\n", "TS-R225 6:20 dwell_ms"),
        (HEAD + KEYED + "  for_each: purchase.order_time\n", "TS-R225 6:22 order_time"),
        (HEAD + KEYED + "  for_each: profile.region\n", "TS-R202 6:21 region"),
        (HEAD + KEYED + "  for_each: service.topic\n", "TS-R225 5:15 browse"),
        (HEAD + "  when: browse then service within 1d\n  for_each: browse.category\n", "TS-R225 5:21 service"),
        (
            HEAD + "  when: top(service.topic, 1d) == 'x'\n  for_each: browse.category\n",
            "TS-R225 5:9 top(service.topic, 1d)",
        ),
        (HEAD + KEYED + "  leave: days_since(service) > 5\n  for_each: browse.category\n", "TS-R225 6:21 service"),
        (HEAD + "  when: count(service, 1d) > 0\n  for_each: purchase.kind\n", "TS-R225 5:15 service"),
        (HEAD + "  when: profile.a == 'x'\n  for_each: browse.category\n", "TS-R225 5:9 profile.a == 'x'"),
        (HEAD + KEYED + "  for_each: browse.category\n  limit: 0\n", "TS-R321 7:10 0"),
        (HEAD + KEYED + "  for_each: browse.category\n  limit: 1001\n", "TS-R321 7:10 1001"),
        (HEAD + KEYED + "  for_each: browse.category\n  limit: 2.5\n", "TS-R321 7:10 2.5"),
        (HEAD + KEYED + "  for_each: browse.category\n  limit: many\n", "TS-R321 7:10 many"),
        (HEAD + KEYED + "  limit: 5\n", "TS-R307 6:3 limit"),
        (HEAD + KEYED + "  for_each: browse.category\n  dwell: 5m\n", "TS-R313 7:3 dwell"),
        (HEAD + KEYED + "  for_each: browse.category\n  cooldown: 5m\n", "TS-R313 7:3 cooldown"),
        (HEAD + KEYED + "  for_each: browse.category\n  expires: 5m\n", "TS-R313 7:3 expires"),
        (HEAD + KEYED + "  levels: [a]\n", "TS-R313 6:3 levels"),
        (HEAD + "  manual: true\n  leave: count(browse, 1d) > 0\n", "TS-R313 6:3 leave"),
        (HEAD + "  model: true\n  exclusive: g\n", "TS-R313 6:3 exclusive"),
        (HEAD + "  manual: false\n", "TS-R307 1:3"),
        (HEAD + "  model: false\n", "TS-R307 1:3"),
        (HEAD + "  manual: yes\n", "TS-R310 5:11 yes"),
        (HEAD + "  manual: true\n  levels: []\n", "TS-R507 6:11"),
        (HEAD + "  manual: true\n  levels: [a, Gold]\n", "TS-R308 6:15 Gold"),
        (HEAD + "  manual: true\n  levels: [a, b, a]\n", "TS-R314 6:18 a"),
        (HEAD + WHEN + "  holdout: 120%\n", "TS-R321 6:12 120%"),
        (HEAD + WHEN + "  holdout: 10\n", "TS-R321 6:12 10"),
        (HEAD + WHEN + "  holdout: -0.1\n", "TS-R321 6:12 -0.1"),
        (HEAD + WHEN + "  holdout: ten\n", "TS-R321 6:12 ten"),
        (HEAD + WHEN + "  forecast: 1\n", "TS-R310 6:13 1"),
        (HEAD, "TS-R307 1:3"),
        (WHEN.replace("  when", "- tag: a\n  name: A\n  class: static\n  when"), "TS-R307 1:3"),
        (HEAD + WHEN + "  examples: [{given: []}]\n", "TS-R307 6:14"),
        (HEAD + "  tier: [{level: a}]\n", "TS-R307 5:10"),
        (HEAD.replace("tag: a", "tag: " + "a" * 65) + WHEN, "TS-R308 1:8"),
        (HEAD + "  tier: [{level: Gold, when: 'count(browse, 1d) > 0'}]\n", "TS-R308 5:18 Gold"),
        (HEAD.replace("dynamic", "dynamc") + WHEN, "TS-R310 3:10 dynamc"),
        (HEAD.replace("name: A", "name: {fr: A}") + WHEN, "TS-R310 2:10 fr"),
        (HEAD + WHEN + "  colour: red\n", "TS-R311 6:11 red"),
        (HEAD + WHEN + "  dwell: 600\n", "TS-R312 6:10 600"),
        (HEAD + WHEN + "  dwell: 0s\n", "TS-R312 6:10 0s"),
        (HEAD + WHEN + "  expires: 30s\n", "TS-R312 6:12 30s"),
        (HEAD + WHEN + "  cooldown: 401d\n", "TS-R312 6:13 401d"),
        (HEAD + WHEN + "  tier: [{level: a, when: 'count(browse, 1d) > 0'}]\n", "TS-R313 5:3 when"),
        (
            HEAD + "  tier: [{level: a, when: 'count(browse, 1d) > 0'}]\n  leave: count(browse, 1d) < 1\n",
            "TS-R313 6:3 leave",
        ),
        (HEAD + WHEN + "  colour: #c0392b\n", "TS-R315 6:10"),
        (HEAD.replace("name: A", "name: {}") + WHEN, "TS-R315 2:9"),
        (HEAD + WHEN + "  examples: [{given: [purchase x at 0d], then: []}]\n", "TS-R402 6:32 x"),
        (HEAD + WHEN + "  examples: [{given: [], then: [left at 1]}]\n", "TS-R405 6:41 1"),
        (HEAD + "  tier: []\n", "TS-R507 5:9"),
        ("[" * 100 + "]" * 100, "TS-R509 1:9"),
    ],
)
def test_each_fault_of_a_file_is_found_at_its_place(text: str, expected: str) -> None:
    assert any(place.startswith(expected) for place in places(text)), places(text)


def test_a_set_of_keys_has_a_field_and_a_limit() -> None:
    assert only_tag(HEAD + KEYED + "  for_each: browse.category\n").for_each == T.ForEach("browse", "category", 20)
    leave = "  leave: count(browse, 7d) == 0\n"
    tag = only_tag(HEAD + KEYED + leave + "  limit: 7\n  for_each: browse . page_type\n")
    assert tag.for_each == T.ForEach("browse", "page_type", 7)


def test_keys_may_be_those_of_several_events_and_the_customer_is_asked_beside_them() -> None:
    when = 'days_since(purchase) > 5 and count(browse, 7d) > 2 and profile.region == "x" and age(profile.b) > 5'
    tag = only_tag(HEAD + f"  when: {when}\n  for_each: browse.category\n")
    assert tag.for_each is not None
    sequence = only_tag(HEAD + "  when: service then no service within 1d\n  for_each: service.kind\n")
    assert sequence.for_each == T.ForEach("service", "kind", 20)


def test_a_score_has_a_step_and_keeps_its_text() -> None:
    tag = only_tag(HEAD + "  score: days_since(purchase)\n  step: 0.25\n")
    assert (tag.score, tag.step) == (parse("days_since(purchase)"), Fraction(1, 4))
    assert (tag.when, tag.tiers, tag.source) == (None, (), {"score": "days_since(purchase)"})
    assert only_tag(HEAD + "  score: profile.points\n").step == 0


def test_a_tag_without_a_rule_is_set_from_outside() -> None:
    by_hand = only_tag(HEAD + "  manual: true\n  levels: [gold, black]\n")
    assert (by_hand.manual, by_hand.model, by_hand.levels) == (True, False, ("gold", "black"))
    by_model = only_tag(HEAD + "  model: true\n  manual: false\n")
    assert (by_model.manual, by_model.model, by_model.levels) == (False, True, ())
    assert only_tag(HEAD + WHEN).manual and not only_tag(HEAD + WHEN).model


@pytest.mark.parametrize(
    ("written", "share"),
    [("10%", Fraction(1, 10)), ("0.1", Fraction(1, 10)), ("12.5%", Fraction(1, 8)), ("0", Fraction(0)),
     ("100%", Fraction(1)), ("1", Fraction(1))],
)  # fmt: skip
def test_a_share_is_written_as_a_number_or_in_percent(written: str, share: Fraction) -> None:
    tag = only_tag(HEAD + WHEN + f"  holdout: {written}\n  forecast: true\n")
    assert (tag.holdout, tag.forecast) == (share, True)
    assert only_tag(HEAD + WHEN).holdout is None


@pytest.mark.parametrize(
    ("rule", "sort", "line"),
    [
        (WHEN, "plain", "entered at 1d"),
        (WHEN + "  model: true\n", "plain", "entered at 1d"),
        ("  manual: true\n", "plain", "entered at 1d"),
        ("  tier: [{level: a, when: 'count(browse, 1d) > 0'}]\n", "level", "changed a at 1d"),
        ("  model: true\n  levels: [a, b]\n", "level", "changed b at 1d"),
        ("  score: count(browse, 1d)\n", "number", "changed 5 at 1d"),
        ("  model: true\n", "number", "changed 0.5 at 1d"),
        (KEYED + "  for_each: browse.category\n", "keys", "changed [a, b] at 1d"),
    ],
)
def test_the_changes_of_examples_have_the_values_of_the_tag(rule: str, sort: str, line: str) -> None:
    tag = only_tag(HEAD + rule + f"  examples:\n  - given: []\n    then:\n    - {line}\n")
    assert sort_of(tag) == sort
    assert len(tag.examples[0].then) == 1


def test_keys_that_exclude_each_other_are_reported_once() -> None:
    text = HEAD + "  score: count(browse, 1d)\n  for_each: browse.category\n  dwell: 5m\n  limit: 5\n"
    assert [place.split()[0::2] for place in places(text)] == [["TS-R313", "for_each"], ["TS-R313", "dwell"]]


def test_what_a_score_filters_is_looked_into() -> None:
    loaded = read(HEAD + "  score: count(service where satisfaction > 5, 1d)\n")
    assert [(w.code, w.line, w.column) for w in loaded.warnings] == [("TS-R901", 5, 30)]


def test_a_level_given_twice_is_an_error() -> None:
    level = "{level: a, when: 'count(browse, 1d) > %d'}"
    assert places(HEAD + f"  tier:\n  - {level % 5}\n  - {level % 1}\n")[0].startswith("TS-R314 7:5")


def test_a_tag_defined_twice_names_both_places() -> None:
    (error,) = read(HEAD + WHEN, **{"s.yaml": "\n" + HEAD + WHEN}).errors
    assert (error.code, error.file, error.line) == ("TS-R309", "s.yaml", 2)
    assert "r.yaml:1" in error.message and "s.yaml:2" in error.message


def test_a_faulty_tag_still_has_its_id_taken() -> None:
    errors = read(HEAD, **{"s.yaml": HEAD + WHEN}).errors
    assert [(e.file, e.code) for e in errors] == [("r.yaml", "TS-R307"), ("s.yaml", "TS-R309")]


def test_an_alias_bomb_is_refused_at_its_first_anchor() -> None:
    lines = ["- &a0 [x, x]"] + [f"- &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    assert [e.code for e in read("\n".join(lines)).errors] == ["TS-R302"]


def test_lines_end_as_in_windows_or_not() -> None:
    text = HEAD + "  when: count(browse, 1d) > 0 and nope > 1\n"
    assert places(text) == ["TS-R209 5:35 nope"]
    windows = read(text.replace("\n", "\r\n")).errors
    assert [(e.line, e.column) for e in windows] == [(5, 35)]


def test_control_characters_of_a_file_do_not_reach_the_terminal() -> None:
    rendered = "".join(e.render() for e in read(HEAD + WHEN + '  colour: "\\e[31mred"\n  dwell: \x1b[2J\n').errors)
    assert rendered and "\x1b" not in rendered


def test_warnings_are_no_errors() -> None:
    loaded = read(HEAD + "  when: count(browse, 1d) >= 5 or count(browse, 1d) < 0\n")
    assert loaded.rule_set is not None
    assert loaded.errors == ()
    assert [(w.code, w.line, w.column) for w in loaded.warnings] == [("TS-R901", 5, 35)]


def test_leave_beside_when_and_levels_out_of_reach_are_warned_about() -> None:
    loaded = read(
        HEAD + "  when: count(browse, 1d) >= 5\n  leave: count(browse, 1d) < 8\n",
        **{
            "s.yaml": HEAD.replace("tag: a", "tag: b")
            + "  tier:\n  - {level: x, when: 'count(browse, 1d) > 1'}\n  - {level: y, when: 'count(browse, 1d) > 2'}\n"
        },
    )
    assert [(w.code, w.file, w.line) for w in loaded.warnings] == [("TS-R905", "r.yaml", 6), ("TS-R904", "s.yaml", 7)]


def test_the_number_of_tags_examples_and_texts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_TAGS", 3)
    many = "".join(HEAD.replace("tag: a", f"tag: a{i}") + WHEN for i in range(5))
    assert [e.code for e in read(many).errors] == ["TS-R506"]
    example = "{given: [], then: []}"
    assert (
        places(HEAD + WHEN + f"  examples: [{', '.join([example] * (limits.MAX_EXAMPLES + 1))}]\n")[0][:7] == "TS-R508"
    )
    line = "browse category=" + "x" * limits.MAX_EXAMPLE_CHARS + " at 0d"
    assert places(HEAD + WHEN + f"  examples: [{{given: [{line}], then: []}}]\n")[0][:7] == "TS-R508"
    events = ", ".join(["browse at 0d"] * (limits.MAX_EXAMPLE_LINES + 1))
    assert places(HEAD + WHEN + f"  examples: [{{given: [{events}], then: []}}]\n")[0][:7] == "TS-R508"
    assert places(HEAD.replace("name: A", "name: " + "A" * 101) + WHEN)[0][:7] == "TS-R505"


def test_10_000_tags_load() -> None:
    text = "".join(HEAD.replace("tag: a", f"tag: t{i}") + WHEN for i in range(limits.MAX_TAGS))
    assert len(load_rules({"r.yaml": text}, time_zone="UTC", default_currency="CNY").tags) == limits.MAX_TAGS
