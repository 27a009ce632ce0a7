"""Pages that are made from the code are as the code is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schemas.catalogue import CATALOGUE
from schemas.catalogue import page as errors
from schemas.catalogue.page import FAMILIES
from streams import settings_page
from streams.settings import Loaded, Settings
from tests.tidy.files import ROOT


@pytest.mark.parametrize(
    ("path", "page", "command"),
    [
        ("docs/errors.md", errors.page, "python -m schemas.catalogue.page > docs/errors.md"),
        ("docs/settings.md", settings_page.page, "python -m streams.settings_page > docs/settings.md"),
    ],
)
def test_the_page_is_up_to_date(path: str, page: Callable[[], str], command: str) -> None:
    assert (ROOT / path).read_text("utf-8") == page(), f"make it anew: {command}"


def test_every_code_is_of_a_family_that_the_page_has() -> None:
    assert {code[:4] for code in CATALOGUE} == set(FAMILIES)
    assert all(f"### {code}: " in errors.page() for code in CATALOGUE)


def test_every_setting_is_on_the_page() -> None:
    page = settings_page.page()
    assert [row.path for row in Loaded(Settings(), {}).rows() if f"| `{row.path}` |" not in page] == []
