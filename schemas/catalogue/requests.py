"""TS-Q: why a request to set or remove a tag by hand, or to erase a customer, is refused, and what can be wrong with
asking."""

from __future__ import annotations

from typing import Final

from schemas.catalogue.entry import Entry

ENTRIES: Final[dict[str, Entry]] = {
    "TS-Q101": Entry(
        title="An id of the request cannot be used",
        why="The ids of requests and of customers are texts of 1 to 256 bytes that do not begin with @.",
        cure="Send the request again with an id that is as it must be.",
        example='{"request_id": "r-1", "customer_id": "", "kind": "assign", "tag": "vip", "actor": "anna"}',
    ),
    "TS-Q102": Entry(
        title="There is no such tag",
        why="The rules that the control role read when it started do not define this tag.",
        cure="Correct the name. If the tag is new, restart the control role, which reads the rules at start.",
        example="tagstream tag anna hihg_value",
    ),
    "TS-Q103": Entry(
        title="The tag may not be set by hand",
        why="Its definition says that its rule alone decides.",
        cure="Change the definition, or use another tag.",
        example="tagstream tag anna age_band",
    ),
    "TS-Q104": Entry(
        title="The value does not fit the tag",
        why="A plain tag is there or not: its value is true, or left out. A tier has one of its levels. To be without "
        "a tag is a kind of its own, `absent`, and no value.",
        cure="Give a value that the tag can have, or none.",
        example="tagstream tag anna value_tier --value platinium",
    ),
    "TS-Q105": Entry(
        title="The actor is missing or too long",
        why="Whoever looks at a customer's tags later must see who set them: 1 to 256 characters.",
        cure="Name the person or the system that asks.",
        example='{"request_id": "r-1", "customer_id": "anna", "kind": "assign", "tag": "vip", "actor": ""}',
    ),
    "TS-Q106": Entry(
        title="The reason is too long",
        why="A reason has 1,000 characters at most: it is carried along with every change that it explains.",
        cure="Say it shorter, and refer to where the rest is written.",
        example='tagstream tag anna vip --reason "$(cat letter.txt)"',
    ),
    "TS-Q107": Entry(
        title="The term cannot be used",
        why="A term is a whole number of seconds, minutes, hours or days, from one second to 3,650 days, and belongs "
        "to an assignment: what is taken back has none.",
        cure="Give a term within these limits, such as 30d, or none.",
        example="tagstream tag anna vip --term 20y",
    ),
    "TS-Q108": Entry(
        title="The id of the request was used before, for another request",
        why="A request is known by its id, so that it can be sent again when its answer was lost. This one says "
        "something else than the first of its id; the first holds, and this one is not obeyed.",
        cure="Give each request an id of its own, such as a UUID.",
        example='two requests with "request_id": "r-1", one of them for another tag',
    ),
    "TS-Q109": Entry(
        title="The request lies in the wrong partition",
        why="All that concerns a customer has to lie in the partition that the murmur2 hash of the customer's id "
        "gives. The request has another key, or its producer another partitioner, as librdkafka has by default.",
        cure="Send it with customer_id as its key, and set partitioner to murmur2_random in librdkafka.",
        example="kcat -P -t tags.requests -k anna   (without -X topic.partitioner=murmur2_random)",
    ),
    "TS-Q110": Entry(
        title="A request to erase a customer gives more than the customer",
        why="All that is known of the customer is forgotten, at once and for good: there is no tag, value or term to "
        "it. A request that gives one was meant otherwise, perhaps.",
        cure="Leave them out; to take back one tag, ask for the kind remove.",
        example='{"request_id": "r-1", "customer_id": "anna", "kind": "erase", "tag": "vip", "actor": "anna"}',
    ),
    "TS-Q201": Entry(
        title="No answer came in time",
        why="The control role does not run, is starting, or has much to do. The request lies in tags.requests and is "
        "decided as soon as it runs, unless that is 7 days away.",
        cure="Look whether `tagstream control` (or `tagstream run`) runs. Send the request again only with the same "
        "id, as `tagstream import-tags` does with the same file: with a new id it is a second request.",
        example="tagstream tag anna vip   (while no control role runs)",
    ),
    "TS-Q202": Entry(
        title="The file of tags cannot be read",
        why="It is not there, is a directory, may not be read, or is not a CSV file in UTF-8.",
        cure="Correct the path, or save the table as CSV in UTF-8 with commas between the columns.",
        example="tagstream import-tags vips.xlsx",
    ),
    "TS-Q203": Entry(
        title="The first line of the file of tags does not name its columns",
        why="The first line names the columns: customer_id and tag are needed; kind, value, reason and term may be "
        "there; no other, and none twice, since a mistyped name would be passed over without a word.",
        cure="Begin the file with a line such as customer_id,tag,value,reason,term",
        example="anna,vip   as the first line",
    ),
    "TS-Q204": Entry(
        title="A line of the file of tags is no request",
        why="It has more or fewer cells than the first line has columns, or a kind that is none of assign, absent and "
        "remove.",
        cure="Correct the line. A cell with a comma in it stands in double quotes.",
        example="anna,vip,birthday, and a letter   in a file with the columns customer_id,tag,reason",
    ),
}
