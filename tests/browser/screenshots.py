"""
Pictures of every page, for a person to look at: empty, ordinary, broken and huge, wide and narrow, light and dark.

``python -m tests.browser.screenshots FOLDER [WORD]`` writes them to FOLDER; with a WORD those with it in their name.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser.conftest import session
from tests.browser.every_page import PAGES, SERVER_PAGES, path_of
from tests.browser.filled import Site, empty_site, huge_site, ordinary_site
from tests.browser.reader import CHROMIUM, NARROW, WIDE, reading

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HUGE_PAGES = ("/ui/", "/ui/p/laptop", "/ui/p/wide/tree?path=root/folder", "/ui/storage", "/ui/log")
_MOST_PIXELS = 3000


def photograph(browser: Browser, site: Site, pages: Mapping[str, str], folder: Path, word: str) -> None:
    """One picture of each of *pages*, paths by names, in each width and scheme."""
    cookie = session(site, site.make_token())
    for width in (WIDE, NARROW):
        with reading(browser, site.url, cookie=cookie, width=width, zone="UTC") as reader:
            for name, path in pages.items():
                for scheme in ("light", "dark"):
                    file = folder / f"{name.strip('/').replace('/', '-') or 'fleet'} {width} {scheme}.png"
                    if word not in file.name:
                        continue
                    reader.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type, unused-ignore]
                    reader.open(path)
                    reader.page.wait_for_load_state("networkidle")
                    height = reader.page.evaluate("document.documentElement.scrollHeight")
                    clip = {"x": 0, "y": 0, "width": width, "height": min(height, _MOST_PIXELS)}
                    reader.page.screenshot(path=file, full_page=True, clip=clip)  # type: ignore[arg-type, unused-ignore]
                    print(file)


def main(folder: Path, word: str = "") -> None:
    """Start the servers one after the other, and take the pictures."""
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as place:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        places = [Path(place, name) for name in ("empty", "ordinary", "huge")]
        for one in places:
            one.mkdir()
        with ordinary_site(places[1]) as site:
            ordinary = {f"ordinary {name.replace('/ui/', '') or 'fleet'}": path_of(name, site) for name in PAGES}
            photograph(browser, site, ordinary, folder, word)
        with empty_site(places[0]) as site:
            empty = {f"empty {path.removeprefix('/ui/') or 'fleet'}": path for path in SERVER_PAGES}
            photograph(browser, site, empty, folder, word)
        with huge_site(places[2]) as site:
            huge = {f"huge {path.removeprefix('/ui/').partition('?')[0] or 'fleet'}": path for path in HUGE_PAGES}
            photograph(browser, site, huge, folder, word)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
