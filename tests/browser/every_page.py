"""Every page there is, for tests that look at all of them: a new page is a line here."""

from __future__ import annotations

from tarkeep.domain.identity.archive_id import ArchiveId
from tests.browser.filled import Site

SERVER_PAGES = ("/ui/", "/ui/upkeep", "/ui/storage", "/ui/log", "/ui/tokens", "/ui/settings", "/ui/login")
"""Those that an empty server has, too."""

PAGES = {
    **{path: path for path in SERVER_PAGES},
    "no such page": "/ui/p/laptop/FULL/nothing/here",
    "one light": "/ui/?light=red",
    "nothing found": "/ui/?find=nothing",
    "refused": "/ui/?light=blue",
    "fine": "/ui/p/laptop",
    "damaged": "/ui/p/web-3",
    "token to be made": "/ui/tokens?profile=laptop&scope=push&scope=list",
    "suspicious": "/ui/p/db-1",
    "overdue": "/ui/p/late",
    "orphan": "/ui/p/alone",
    "one archive": "/ui/p/mail",
    "unknown profile": "/ui/p/nobody",
    "kept": "/ui/p/laptop/prune",
    "other rules": "/ui/p/laptop/prune?keep_daily=2",
    "never pruned": "/ui/p/mail/prune",
    "no policy": "/ui/p/laptop/prune?keep_daily=many",
    "tree": "/ui/p/laptop/tree",
    "folder": "/ui/p/laptop/tree?path=root",
    "search": "/ui/p/laptop/tree?find=*.txt",
    "search in vain": "/ui/p/laptop/tree?find=nothing",
    "versions": "/ui/p/laptop/tree?path=root&file=report.txt",
    "unknown folder": "/ui/p/laptop/tree?path=no",
    "first archive": "/ui/p/laptop/FIRST",
    "last archive": "/ui/p/laptop/LAST",
}
"""The paths of the pages of the ordinary server, by what they show."""


def path_of(page: str, site: Site) -> str:
    """The path of a page, with the archives that *site* has."""
    first, last = (_in_path(id) for id in (site.laptop[0], site.laptop[-1]))
    return PAGES[page].replace("FIRST", first).replace("LAST", last)


def _in_path(id: ArchiveId) -> str:
    return f"{id.type.value}/{id.name}"
