"""The page of a tree by the keyboard alone, and without script."""

from __future__ import annotations

import re

import pytest

from tests.browser.conftest import Reading
from tests.browser.filled import Site
from tests.browser.reader import Way

EARLIER, LATER = re.compile("^\u2039"), re.compile("\u203a$")


@pytest.mark.parametrize("way", [Way.KEYBOARD, Way.PLAIN], ids=lambda way: way.value)
def test_through_time_by_search_and_versions(site: Site, come_in: Reading, way: Way) -> None:
    """Steps keep the folder; a name that was found shows its versions, and a version leads to its time."""
    with come_in(site, way) as reader:
        reader.open("/ui/p/laptop/tree?path=root/letters")
        assert reader.sees("night 9.txt")
        for _ in range(2):
            before = reader.page.url
            with reader.page.expect_navigation():
                reader.follow(EARLIER)
            assert reader.page.url != before
        assert reader.sees("night 7.txt")
        assert "night 8.txt" not in reader.text
        with reader.page.expect_navigation():
            reader.follow(LATER)
        assert reader.sees("night 8.txt")
        reader.fill("Find names", "report")
        with reader.page.expect_navigation():
            reader.send("Find", within="[role=search]")
        reader.follow("report.txt")
        assert reader.sees("Its versions")
        with reader.page.expect_navigation():
            reader.follow(re.compile(r"^\d{4}-\d\d-\d\d"), within=".versions")
        assert reader.sees("Its versions")
        reader.check()
