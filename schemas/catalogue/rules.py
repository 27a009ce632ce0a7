"""TS-R: what can be wrong in a rule file.

1xx an expression's form, 2xx its meaning, 3xx files and tags, 4xx examples, 5xx limits, 9xx warnings.
"""

from __future__ import annotations

from typing import Final

from schemas.catalogue.entry import Entry

_FORM: Final[dict[str, Entry]] = {
    "TS-R101": Entry(
        title="The expression cannot be read here",
        why="At this place another word or sign must stand.",
        cure='Compare it with: count(purchase where kind == "order", 30d) >= 3 and sum(purchase.amount, 90d) > 500.',
        example="when: count(purchase, 30d) >= 3 and",
    ),
    "TS-R102": Entry(
        title="A character that the language does not have",
        why="Expressions consist of names, numbers, texts in quotes, and ( ) [ ] , . == != < <= > >=.",
        cure="Write `and`, `or`, `not` as words, and commas, quotes and parentheses as ASCII characters.",
        example="when: count(purchase, 30d) >= 3 && count(browse, 1d) > 0",
    ),
    "TS-R103": Entry(
        title="An unknown function",
        why="Only the language's own functions can be called.",
        cure="Use count sum avg min max distinct first last top interval days_since ratio trend age present hour "
        "weekday or tag.",
        example="when: total(purchase.amount, 30d) > 100",
    ),
    "TS-R104": Entry(
        title="No word of the language",
        why="Comparisons are true or false; there is no word for either.",
        cure="Write a comparison.",
        example="when: true",
    ),
    "TS-R105": Entry(
        title="Wrong arguments of a function",
        why="Each function takes its arguments in one form only.",
        cure="Write for example count(EVENT where CONDITION, WINDOW), sum(EVENT.FIELD, WINDOW) or days_since(EVENT).",
        example="when: age(birthday) >= 18",
    ),
    "TS-R106": Entry(
        title="Comparisons cannot be chained",
        why="Languages disagree on what `1 < x < 5` means, so it is refused.",
        cure="Write two comparisons joined by `and`.",
        example="when: 1 < count(browse, 1d) < 5",
    ),
    "TS-R107": Entry(
        title="An unknown comparison",
        why="The comparisons are == != < <= > >=.",
        cure="Equality is written ==.",
        example='when: count(purchase where kind = "order", 30d) >= 1',
    ),
    "TS-R108": Entry(
        title="A text that cannot be read",
        why="A text stands in quotes on one line; a backslash stands only before a quote, a backslash, n or t.",
        cure="Close the quote; write \\\\ for a backslash.",
        example='when: count(browse where category == "shoes, 1d) > 0',
    ),
    "TS-R109": Entry(
        title="A window that cannot be read",
        why="A window is a whole number of minutes (m), hours (h) or days (d), or `ever`; not so after `within`.",
        cure="Write for example 30m, 24h or 90d.",
        example="when: count(purchase, 2w) > 0",
    ),
    "TS-R110": Entry(
        title="An event with a field stands where it cannot",
        why="`event.field` names what is summed and so on, as an aggregate's first argument.",
        cure="Inside `where` write the field alone; elsewhere write sum(event.field, WINDOW).",
        example="when: purchase.amount > 100",
    ),
    "TS-R111": Entry(
        title="`where` stands where it cannot",
        why="A filter belongs to the event of an aggregate, its first argument.",
        cure="Write count(EVENT where CONDITION, WINDOW).",
        example='when: count(purchase, 30d where channel == "app") > 0',
    ),
    "TS-R112": Entry(
        title="A list may hold constants only",
        why="What follows `in` is a list of texts or of numbers.",
        cure='Write for example category in ["shoes", "bags"].',
        example="when: count(browse where category in [page_type], 1d) > 0",
    ),
    "TS-R113": Entry(
        title="A number that cannot be kept exactly",
        why="Numbers have at most 9 decimals and 15 digits before the point.",
        cure="Round it, or compare in another unit.",
        example="when: sum(purchase.amount, 90d) > 0.00000000001",
    ),
}

_MEANING: Final[dict[str, Entry]] = {
    "TS-R201": Entry(
        title="An unknown event",
        why="There are four types of events: browse, purchase, service and profile.",
        cure="Name one of them.",
        example="when: count(order, 30d) > 0",
    ),
    "TS-R202": Entry(
        title="An unknown field",
        why="Each type of event has its own fields; attributes of the customer are written profile.NAME.",
        cure="Name a field of that event, or an attribute.",
        example='when: count(browse where coupon_id == "X", 1d) > 0',
    ),
    "TS-R203": Entry(
        title="This is not a condition",
        why="Here something must stand that is true or false: a comparison, or several joined by and, or, not.",
        cure="Compare it with something.",
        example="when: count(purchase, 30d)",
    ),
    "TS-R204": Entry(
        title="A text and a number cannot be compared",
        why="They are never equal, so the comparison would be a mistake that stays silent.",
        cure="Put quotes around a text, and none around a number.",
        example='when: count(purchase where quantity == "2", 30d) > 0',
    ),
    "TS-R205": Entry(
        title="Texts have no order",
        why="Alphabetical order differs from language to language, so texts are only equal or not.",
        cure="Compare texts with ==, != or in.",
        example='when: count(browse where category > "m", 1d) > 0',
    ),
    "TS-R206": Entry(
        title="An unknown kind",
        why="`kind` has a fixed set of values for each type of event.",
        cure="Use one of them.",
        example='when: count(purchase where kind == "refunded", 30d) > 0',
    ),
    "TS-R207": Entry(
        title="The function cannot take this field",
        why="sum avg min max take numbers, first and last also texts, distinct texts and whole numbers, top texts.",
        cure="Name another field, or count the events.",
        example="when: sum(purchase.category, 30d) > 0",
    ),
    "TS-R208": Entry(
        title="What looks at many events stands inside `where`",
        why="A filter looks at one event by itself.",
        cure="Move the comparison out of the filter and join it by `and`.",
        example="when: count(purchase where count(browse, 1d) > 3, 30d) > 0",
    ),
    "TS-R209": Entry(
        title="A field stands outside `where`",
        why="Outside a filter there is no single event whose field it could be.",
        cure="Count or sum events: count(EVENT where FIELD == VALUE, WINDOW) > 0.",
        example='when: category == "shoes"',
    ),
    "TS-R210": Entry(
        title="Two constants are compared",
        why="The result never changes.",
        cure="Compare a constant with an aggregate or, inside `where`, with a field.",
        example="when: 1 < 2",
    ),
    "TS-R211": Entry(
        title="A window out of range",
        why="Windows and lengths of sequences reach from 1m to 400d, those of trends to 200d: they look back twice.",
        cure="Choose a window within that range, or `ever` where the function takes it.",
        example="when: count(purchase, 500d) > 0",
    ),
    "TS-R212": Entry(
        title="These cannot be compared so",
        why="Hours and weekdays go with numbers; kinds, and outside `where` texts, with constants and attributes.",
        cure="Compare with a text in quotes, with profile.NAME, or hour(event_time) with a number.",
        example="when: count(purchase where kind == category, 30d) > 0",
    ),
    "TS-R213": Entry(
        title="`in` needs a field or a text value before it",
        why="A list goes with fields of events, inside `where`, with attributes, and with first, last, top of a text.",
        cure='Write count(EVENT where FIELD in ["a", "b"], WINDOW) > 0.',
        example="when: count(purchase, 30d) in [1, 2]",
    ),
    "TS-R214": Entry(
        title="A condition cannot be compared",
        why="True and false are no values of the language.",
        cure="Join conditions by `and`, `or`, `not`.",
        example="when: (count(browse, 1d) > 0) == (count(purchase, 1d) > 0)",
    ),
    "TS-R215": Entry(
        title="This stands outside `where`",
        why="hour and weekday, and starts_with of a field, look at one event; outside a filter there is no single one.",
        cure="Put it into the filter of an aggregate: count(EVENT where CONDITION, WINDOW) > 0.",
        example="when: hour(event_time) >= 22",
    ),
    "TS-R216": Entry(
        title="`days_since` on too many sides",
        why="Time moves both sides at once, and not evenly, so the moment at which they cross cannot be computed.",
        cure="Compare each of the two with a number, and join the comparisons by `and`.",
        example="when: days_since(browse) > ratio(days_since(purchase), days_since(service))",
    ),
    "TS-R217": Entry(
        title="A trend of something else",
        why="trend takes a count or a sum, whose windows can be taken apart; averages and the like cannot.",
        cure="Write trend(count(EVENT, WINDOW)) or trend(sum(EVENT.FIELD, WINDOW)).",
        example="when: trend(avg(purchase.amount, 30d)) > 0",
    ),
    "TS-R218": Entry(
        title="A field of the wrong sort",
        why="hour and weekday take a time, starts_with takes a field that holds a text and is not `kind`.",
        cure="Name such a field.",
        example="when: count(purchase where hour(amount) > 5, 30d) > 0",
    ),
    "TS-R219": Entry(
        title="`present` asks for something else",
        why="Inside `where` it takes a field, elsewhere a value that is computed; in both an attribute or an age.",
        cure="Write present(FIELD) inside `where`, present(VALUE) elsewhere, present(profile.NAME) in both.",
        example='when: present(tag("gold"))',
    ),
    "TS-R220": Entry(
        title="This cannot stand in a ratio",
        why="Both sides are numbers computed from events: aggregates, days_since or trends, and no further ratio.",
        cure="Take it out; a constant factor belongs into the number that the ratio is compared with.",
        example="when: ratio(count(purchase, 30d), 10) > 2",
    ),
    "TS-R221": Entry(
        title="A tag is compared with no value of its own",
        why="Only a tag with levels is compared, by == or !=, with the name of one, and only a number with numbers.",
        cure='Write tag("ID") alone; or tag("ID") == "LEVEL", or tag("ID") >= NUMBER, of a tag that has such.',
        example='when: tag("spending_level") == "platinum"',
    ),
    "TS-R222": Entry(
        title="An unknown tag",
        why="The id is defined in no file.",
        cure="Correct the id, or define the tag.",
        example='when: tag("hgih_value")',
    ),
    "TS-R223": Entry(
        title="Tags in a circle",
        why="Each waits for the next. A tag of an exclusive group also waits for those before it.",
        cure="Take one of the references out.",
        example='when: tag("b")   (of a, and tag("a") of b)',
    ),
    "TS-R224": Entry(
        title="This is no number that is computed",
        why="A score is an aggregate, a ratio, a trend, an age or an attribute that is read as a number.",
        cure="Write for example score: sum(purchase.amount, 90d); a condition belongs into `when`.",
        example="score: count(purchase, 30d) >= 3",
    ),
    "TS-R225": Entry(
        title="This has no such keys",
        why="With `for_each` all events of `when` and `leave` are told apart by a text field of that name.",
        cure="Name a text field that all events of the conditions have.",
        example="for_each: browse.category   (and when: count(service, 30d) > 0)",
    ),
    "TS-R226": Entry(
        title="The step is missing",
        why="A score with `days_since` moves with every millisecond; without a step each would be a change.",
        cure="Add for example step: 1.",
        example="score: days_since(purchase)",
    ),
}

_FILES: Final[dict[str, Entry]] = {
    "TS-R301": Entry(
        title="The file is not YAML",
        why="A sign stands where YAML does not allow it; often a colon, # or bracket in a text without quotes.",
        cure="Put the text in quotes, or correct the indentation.",
        example="name: High: value",
    ),
    "TS-R302": Entry(
        title="This part of YAML is not used in rules",
        why="Anchors, aliases, merge keys, types (!…) and several documents in one file make rules hard to read.",
        cure="Write it out.",
        example="leave: *when",
    ),
    "TS-R303": Entry(
        title="A key is given twice",
        why="Only one of them could count.",
        cure="Take one of them out.",
        example="dwell: 1h\n  dwell: 2h",
    ),
    "TS-R304": Entry(
        title="Another shape is needed here",
        why="A file is a list of tags, a tag is a map of keys, and each key has its own shape.",
        cure="Compare it with the rules that come with the product.",
        example="examples: entered at 0d",
    ),
    "TS-R305": Entry(
        title="An unknown key",
        why="A misspelt key would be ignored without a word.",
        cure="Use one of the known keys.",
        example="colour_: red",
    ),
    "TS-R306": Entry(
        title="A key that is not yet supported in this version",
        why="The key belongs to the language, but this version cannot do what it says.",
        cure="Take it out, or wait for a later version.",
        example="review: required",
    ),
    "TS-R307": Entry(
        title="A key is missing",
        why="A tag needs tag, name, class, category; when, tier or score, or manual or model; some need another one.",
        cure="Add it.",
        example="- tag: gold",
    ),
    "TS-R308": Entry(
        title="This cannot be an id",
        why="Ids of tags and names of levels are values in Redis: 1 to 64 characters a-z, 0-9 and _, a letter first.",
        cure="Write it so, and put what people see into `name`.",
        example="- tag: High-Value",
    ),
    "TS-R309": Entry(
        title="A tag is defined twice",
        why="Ids are unique over all files.",
        cure="Rename or remove one of them.",
        example="- tag: gold   (in a.yaml and in b.yaml)",
    ),
    "TS-R310": Entry(
        title="A value that this key does not have",
        why="The key has a fixed set of values.",
        cure="Use one of them.",
        example="category: money",
    ),
    "TS-R311": Entry(
        title="This is not a colour",
        why="A colour is # and six hex digits; without quotes YAML takes what follows # for a comment.",
        cure='Write it in quotes: "#c0392b".',
        example="colour: red",
    ),
    "TS-R312": Entry(
        title="A length of time that cannot be read",
        why="It is a whole number and a unit, up to 400d.",
        cure="Write for example 10m, 1h or 30d; dwell and cooldown may also be in s.",
        example="dwell: 600",
    ),
    "TS-R313": Entry(
        title="Keys that exclude each other",
        why="A tag has one rule, `when`, `tier` or `score`, or none; the other keys each belong to some of these.",
        cure="Keep one of them.",
        example="when: … beside tier: …",
    ),
    "TS-R314": Entry(
        title="A level is given twice",
        why="The value is the level's name.",
        cure="Rename one of them.",
        example="tier: [{level: gold, when: …}, {level: gold, when: …}]",
    ),
    "TS-R315": Entry(
        title="A key has no value",
        why="The value is empty, or all of it is a comment.",
        cure="Give it a value, in quotes if it begins with #, or take the key out.",
        example="describe:",
    ),
    "TS-R316": Entry(
        title="The directory of rules cannot be read",
        why="It is not there, is not a directory, or may not be read.",
        cure="Name the directory that holds the *.yaml files.",
        example="tagstream check ruels/",
    ),
    "TS-R317": Entry(
        title="There are no rules",
        why="The directory holds no *.yaml or *.yml file.",
        cure="Name the directory that holds the rules, or write the first one.",
        example="tagstream check empty/",
    ),
    "TS-R318": Entry(
        title="A rule file cannot be read",
        why="It may not be read, or is not UTF-8.",
        cure="Correct its permissions, or save it as UTF-8.",
        example="rules/alt.yaml in Latin-1",
    ),
    "TS-R319": Entry(
        title="A date that cannot be read",
        why="A date is written as year, month and day, and there must be such a day.",
        cure="Write for example 2030-01-31.",
        example="review_by: 31.1.2030",
    ),
    "TS-R320": Entry(
        title="A `for_each` that cannot be read",
        why="It is written EVENT.FIELD: the values of this field are the keys.",
        cure="Write for example for_each: browse.category.",
        example="for_each: category",
    ),
    "TS-R321": Entry(
        title="A number out of range",
        why="`limit` is whole, from 1 to 1,000; `step` is 0 or more; `holdout` is a share, from 0 to 1 or 0% to 100%.",
        cure="Choose a number within the range.",
        example="limit: 5000",
    ),
}

_EXAMPLES: Final[dict[str, Entry]] = {
    "TS-R401": Entry(
        title="An event of an example cannot be read",
        why="It is written: type, a bare amount for a purchase, field=value as needed, `at`, time since the start.",
        cure='Write for example: purchase 20.50 kind=refund category="shoes" at 1d2h.',
        example="given: [purchase 2000]",
    ),
    "TS-R402": Entry(
        title="A field of an example's event cannot be used",
        why="The event has no such field, or the field cannot hold this value.",
        cure="Use a field of the event with a value that a real event could have.",
        example="given: [service satisfaction=9 at 0d]",
    ),
    "TS-R403": Entry(
        title="A change of an example cannot be read",
        why="It is written: entered, changed or left; the level, number or [keys], if any; `at`, time since the start.",
        cure="Write for example: entered at 2d10m, changed silver at 6d, entered [bags, shoes] at 1d, left at 90d1h.",
        example="then: [gone at 3d]",
    ),
    "TS-R404": Entry(
        title="A change that this tag cannot have",
        why="Only levels, numbers and keys are values and can be `changed`; levels are those listed; `left` has none.",
        cure="Compare it with the tag's `when`, `tier`, `score` or `for_each`.",
        example="then: [changed gold at 3d]   (of a tag with `when`)",
    ),
    "TS-R405": Entry(
        title="A time of an example cannot be read",
        why="It counts from the example's start, in d, h, m, s, ms in this order, up to 400d.",
        cure="Write for example 0d, 90m, 1d2h or 30s.",
        example="given: [purchase 10 at 2h1d]",
    ),
    "TS-R406": Entry(
        title="An example does not come out as it says",
        why="The changes up to 400 days on differ from those listed; the list is complete.",
        cure="Correct the rule if it is wrong, or else the example.",
        example="then: [entered at 1d]   (it entered at 2d)",
    ),
}

_LIMITS: Final[dict[str, Entry]] = {
    "TS-R501": Entry(
        title="The expression is too long",
        why="An expression has at most 4,000 characters.",
        cure="Name groups in the events (a category, a topic) instead of listing their members.",
        example='category in ["a", "b", … a thousand more]',
    ),
    "TS-R502": Entry(
        title="The expression is nested too deep",
        why="An expression has at most 32 levels and 200 conditions waiting for each other.",
        cure="Split it into two tags, or use `in [...]`.",
        example="not not not not … count(browse, 1d) > 0",
    ),
    "TS-R503": Entry(
        title="Too many aggregates in one expression",
        why="Each is a running value kept for every customer; 64 is the most. A trend and a sequence count as two.",
        cure="Split it into several tags.",
        example="count(browse, 1m) > 0 or count(browse, 2m) > 0 or …",
    ),
    "TS-R504": Entry(
        title="A list is too long",
        why="A list has from 1 to 100 values, each compared with every event.",
        cure="Name groups in the events instead of listing their members.",
        example="product_id in []",
    ),
    "TS-R505": Entry(
        title="A text is too long",
        why="Constants have at most 256 characters, names and owners 100, descriptions 2,000.",
        cure="Shorten it.",
        example="name: (a page of text)",
    ),
    "TS-R506": Entry(
        title="Too many tags",
        why="A rule set has at most 10,000 tags, the number at which the engine is measured.",
        cure="Use a tier in place of several tags, or a second pipeline.",
        example="10,001 tags",
    ),
    "TS-R507": Entry(
        title="The wrong number of levels",
        why="A tier, or a tag that is set by hand, has from 1 to 32 levels.",
        cure="Join levels, or add one.",
        example="tier: []",
    ),
    "TS-R508": Entry(
        title="Too many examples",
        why="A tag has at most 100 examples, each with at most 1,000 events and changes of 1,000 characters.",
        cure="Keep the examples that show something.",
        example="(101 examples)",
    ),
    "TS-R509": Entry(
        title="YAML nested too deep",
        why="A rule file needs five levels of lists and maps; at most 8 are read.",
        cure="Correct the brackets or the indentation.",
        example="[[[[[[[[[]]]]]]]]]",
    ),
    "TS-R510": Entry(
        title="Too much to read",
        why="A directory has at most 1,000 rule files of 8 MiB each, 32 MiB together.",
        cure="Move what are no rules out of the directory.",
        example="rules/dump.yaml of 1 GB",
    ),
    "TS-R511": Entry(
        title="Too many tags in an exclusive group",
        why="Each looks at all that come before it, so a group has at most 100 tags.",
        cure="Use a tier, or several groups.",
        example="(101 tags with exclusive: offer)",
    ),
    "TS-R512": Entry(
        title="The rules are too large to be published",
        why="A rule set is one record of tags.definitions, which has at most 900,000 bytes when compressed.",
        cure="Take out tags that nobody uses, and long examples.",
        example="tagstream apply --rules rules/ (12 MB of them)",
    ),
}

_WARNINGS: Final[dict[str, Entry]] = {
    "TS-R901": Entry(
        title="This can never be true",
        why="No value that it could have fulfils the comparison.",
        cure="Correct the comparison or the number, or take it out.",
        example="when: count(purchase, 30d) < 0",
    ),
    "TS-R902": Entry(
        title="This is always true",
        why="Every value that it could have fulfils the comparison.",
        cure="Correct the comparison or the number, or take it out.",
        example="when: count(purchase, 30d) >= 0",
    ),
    "TS-R903": Entry(
        title="These conditions exclude each other",
        why="No value fulfils all that `and` joins.",
        cure="Correct one of them, or join them by `or`.",
        example="when: count(browse, 1d) > 5 and count(browse, 1d) < 3",
    ),
    "TS-R904": Entry(
        title="A level that is never reached",
        why="Levels are tried top down, and whenever this one holds an earlier one does.",
        cure="Put the strictest level first.",
        example="tier: [{level: silver, when: … >= 100}, {level: gold, when: … >= 500}]",
    ),
    "TS-R905": Entry(
        title="`leave` and `when` hold at the same time",
        why="Where both hold, the tag would leave and enter again at the next evaluation.",
        cure="Make `leave` exclude `when`, with a lower threshold for example.",
        example="when: count(browse, 1d) >= 5 beside leave: count(browse, 1d) < 8",
    ),
    "TS-R906": Entry(
        title="A review is overdue",
        why="The day of `review_by` is over.",
        cure="Look whether the tag is still wanted and right, then set the next date.",
        example="review_by: 2020-01-01",
    ),
    "TS-R907": Entry(
        title="Two tags decide the same",
        why="Conditions, levels and timing are the same, so a customer always has both or neither.",
        cure='Remove one of them, or write when: tag("…") if both names are needed.',
        example="- tag: vip   (with the `when` of - tag: gold)",
    ),
    "TS-R908": Entry(
        title="A group of one tag",
        why="An exclusive group means something only from two tags on; often its name is misspelt.",
        cure="Correct the name, or take the key out.",
        example="exclusive: ofer",
    ),
    "TS-R909": Entry(
        title="Two tags decide nearly the same",
        why="Only numbers or lengths differ, each by less than twice, so most customers have both or neither.",
        cure="Remove one; or make them levels of a tier, one `exclusive` group, or children of one `parent`.",
        example="when: count(browse, 7d) >= 5   (and of another tag: count(browse, 7d) >= 6)",
    ),
}

ENTRIES: Final[dict[str, Entry]] = {**_FORM, **_MEANING, **_FILES, **_EXAMPLES, **_LIMITS, **_WARNINGS}
