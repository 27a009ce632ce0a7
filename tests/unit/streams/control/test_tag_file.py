"""Files of tags: what a line means, which lines are none, and the ids of its requests."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import RequestError
from schemas.records import Request
from streams.control.tag_file import Line, TagFile


def lines(tmp_path: Path, text: str | bytes, name: str = "tags.csv") -> list[Line]:
    file = tmp_path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(TagFile(file, "bob").lines())


def asked(line: Line) -> Request:
    assert isinstance(line.asked, Request), line.asked
    return line.asked


def code(line: Line) -> str:
    assert isinstance(line.asked, RequestError)
    return line.asked.code


def test_a_line_is_a_request_with_what_its_cells_say(tmp_path: Path) -> None:
    head = "tag,customer_id,value,term,reason,kind\n"
    text = head + 'tier,anna,gold,30d,"moved, twice",\nvip, berta ,,,,absent\nvip,c,true,,,'
    first, second, third = (asked(line) for line in lines(tmp_path, text))
    assert (first.customer_id, first.tag, first.kind, first.value) == ("anna", "tier", "assign", "gold")
    assert (first.term_ms, first.reason, first.actor) == (30 * 86_400_000, "moved, twice", "bob")
    assert (second.customer_id, second.kind, second.value, second.term_ms) == ("berta", "absent", None, None)
    assert third.value is True


def test_ids_are_of_the_files_content_and_the_line_so_the_same_file_asks_the_same(tmp_path: Path) -> None:
    text = "customer_id,tag\na,vip\n\nb,vip\n"
    ids = [asked(line).request_id for line in lines(tmp_path, text)]
    assert ids == [asked(line).request_id for line in lines(tmp_path, text, "copy.csv")]
    assert [i.rpartition("-")[2] for i in ids] == ["2", "4"]
    assert not set(ids) & {asked(line).request_id for line in lines(tmp_path, text + "c,vip\n")}


def test_a_line_that_is_no_request_is_told_by_its_number_and_the_others_are_read(tmp_path: Path) -> None:
    text = (
        'customer_id,tag,term,kind\na,vip\n,vip,,\na,vip,soon,\na,vip,,grant\n"a\nb",vip,,\nb,vip,20000d,\nc,vip,1d,\n'
    )
    found = lines(tmp_path, text)
    assert [line.number for line in found] == [2, 3, 4, 5, 6, 8, 9]
    bad = [line for line in found if isinstance(line.asked, RequestError)]
    assert [(line.number, code(line)) for line in bad] == [
        (2, "TS-Q204"),
        (3, "TS-Q101"),
        (4, "TS-Q107"),
        (5, "TS-Q204"),
        (8, "TS-Q107"),
    ]


def test_a_byte_order_mark_and_other_line_ends_are_no_matter(tmp_path: Path) -> None:
    found = lines(tmp_path, b"\xef\xbb\xbfcustomer_id,tag\r\na,vip\r\n")
    assert asked(found[0]).customer_id == "a"


@pytest.mark.parametrize("head", ["", "a,vip", "customer_id", "customer_id,tag,colour", "customer_id,tag,tag"])
def test_a_first_line_that_does_not_name_the_columns_is_refused(tmp_path: Path, head: str) -> None:
    with pytest.raises(RequestError) as caught:
        lines(tmp_path, f"{head}\na,vip\n")
    assert caught.value.code == "TS-Q203"


@pytest.mark.parametrize("content", [b"customer_id,tag\n\xff,vip\n", b'customer_id,tag\n"a"b,vip\n'])
def test_a_file_that_is_no_csv_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        lines(tmp_path, content)
    assert caught.value.code == "TS-Q202"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(RequestError, match="TS-Q202"):
            TagFile(path, "bob")
