"""A server whose every name is as bad as names can be: long, without a place to break, right to left, or markup."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from tarkeep.domain.access.tokens import Scope
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.text.paths import path_text
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.server import open_tarkeep
from tests.browser.every_page import SERVER_PAGES
from tests.browser.filled import Machine, Site, send, served
from tests.support.archives import make_targz
from tests.support.harm import flip
from tests.support.histories import History

FULL, INC, DIFF = BackupType
NIGHT = timedelta(days=1)

LONG = "W" * 64
"""A profile of the widest letters, without a place to break."""
PRUNED = "x." + "y-" * 31
"""A profile of which much went to the trash."""
ARCHIVE = "W" * 193 + ".tar.gz"
HEBREW = "\u05d0\u05d1\u05d2" * 32 + ".tar.gz"
FOLDER = b"<b>" + b"W" * 200
FILES = (
    *(b"W" * 255, b"\xff" * 255, b"line\nbreak", b"\xe2\x80\xae fdp.exe", b"<script>alert(1)"),
    *(b"'\"><svg onload=alert(1)>", "\u05d0\u05d1".encode() * 60, b"-rf", b"&lt;b&gt;", b"a\\b"),
)
"""Names of files in `FOLDER`."""
REASON = "<script>alert(1)</script> " + "W" * 174
NOTE = "<img src=x onerror=alert(1)>\u202e\n" + "W" * 200

RULES = f"""\
["{PRUNED}".retention]
keep_last = 1
minimum_age = "0d"
minimum_points = 0
minimum_fulls = 0
largest_share = 1.0
"""
CHANNELS = f"""\
[channels."{"c" * 40}"]
webhook = "http://127.0.0.1:1/{"w" * 200}"
allow_private = true
secret_file = "{{secret}}"
"""


def hostile_pages(site: Site) -> list[str]:
    """Every page of the server that shows names, or what somebody typed."""
    folder, at = quote(path_text(b"root/" + FOLDER), safe=""), quote(site.laptop[1].label, safe="")
    tree, typed = f"/ui/p/{LONG}/tree?at={at}", "W" * 900
    return [
        *(path for path in SERVER_PAGES if path != "/ui/login"),
        *(f"/ui/p/{profile}{page}" for profile in (LONG, PRUNED) for page in ("", "/prune?keep_daily=1")),
        *(f"/ui/p/{id.profile}/{id.type.value}/{quote(id.name, safe='')}" for id in site.laptop),
        *(f"{tree}{asked}" for asked in ("", f"&path={folder}", "&find=*", f"&path={typed}", f"&find={typed}")),
        *(f"{tree}&path={folder}&file={quote(path_text(name), safe='')}" for name in (*FILES[:3], b"link")),
        f"/ui/p/{LONG}/tree?at={quote(site.laptop[2].label, safe='')}",
        f"/ui/settings?profile={LONG}",
        f"/ui/tokens?profile={LONG}+{PRUNED}&scope=push&note={typed}",
        f"/ui/?find={typed}",
        f"/ui/log?who={typed}",
        f"/ui/p/{LONG}/FULL/{'W' * 180}.tar.gz",
        f"/ui/{typed}",
    ]


@contextmanager
def hostile_site(place: Path) -> Iterator[Site]:
    """
    `LONG` has a chain of dumps with every name of `FILES`; two of them are held, and the last is damaged. Of `PRUNED`
    all but the newest archives are in the trash.
    """
    data, now = place / "data", datetime.now(UTC) - timedelta(hours=1)
    data.mkdir(mode=0o700)
    (data / "profiles.toml").write_text(RULES)
    (place / "secret").write_text("a secret that signs\n")
    (place / "secret").chmod(0o600)
    (data / "notify.toml").write_text(CHANNELS.format(secret=place / "secret"))
    with open_tarkeep(StorageSettings(data=data, reserve_bytes=0)) as tarkeep:
        (place / "machine").mkdir()
        machine = Machine(tarkeep, LONG, History(place / "machine"), 3, now)
        folder = machine.history.root / os.fsdecode(FOLDER)
        folder.mkdir()
        for file in FILES:
            (folder / os.fsdecode(file)).write_bytes(file)
        (folder / "link").symlink_to("W" * 1000)
        for type, name in ((FULL, ARCHIVE), (INC, HEBREW), (INC, "i" + ARCHIVE[1:])):
            (folder / "changes").write_text(name)
            machine.night(type, name)
        first, hebrew, last = machine.sent
        tarkeep.make_hold(hebrew, "h" * 64, REASON)
        tarkeep.make_hold(first, "h" * 64, REASON)
        tarkeep.lock_archive(first, now + 400 * NIGHT)
        for number, letters in enumerate(("W" * 190, "\u05d0" * 90, "w" * 190)):
            send(tarkeep, ArchiveId(PRUNED, FULL, f"{letters}{number}.tar.gz"), now - (5 - number) * NIGHT)
        tarkeep.apply_prune(PRUNED, None, is_approved=True)
    flip(data / "archives" / last.profile / last.type.value / last.name)
    with served(data, tuple(machine.sent)) as site:
        site.tokens.make(frozenset(Scope), (LONG, PRUNED, "p" * 63 + "*"), note=NOTE)
        with site.server.client() as client:
            client.headers["Authorization"] = f"Bearer {site.make_token(Scope.PULL, Scope.PUSH)}"
            client.get(f"/api/v1/profiles/{last.profile}/restore.tar")  # which finds the damage
            path = f"/api/v1/profiles/{PRUNED}/archives/DIFF/{quote(HEBREW)}"
            client.put(path, content=make_targz({"a": b"a\n"})).raise_for_status()
        yield site
