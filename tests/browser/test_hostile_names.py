"""No name breaks a page, whatever is in it and however long it is."""

from __future__ import annotations

from tests.browser.conftest import Reading
from tests.browser.filled import Site
from tests.browser.fitting import assert_it_fits, assert_it_prints
from tests.browser.hostile import hostile_pages

_MARKUP = "main script, main img, main [onload], main [onerror]"


def test_every_page_fits_with_them(hostile: Site, come_in: Reading) -> None:
    """On every screen and on paper; and nothing of a name is markup."""
    with come_in(hostile) as reader:
        for path in hostile_pages(hostile):
            reader.open(path)
            assert_it_prints(reader)
            assert_it_fits(reader)
            assert reader.page.locator(_MARKUP).count() == 0, path
        reader.check()
