"""Green is never stale."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import timedelta

from starlette.testclient import TestClient

from tarkeep.entrypoints.http.app import create_app
from tests.support.watched import Watched


def test_what_nobody_has_looked_at_is_unknown() -> None:
    """After five minutes every light is grey, whatever it was, and the sentence says since when."""
    watched = Watched()
    watched.receive("a", "web")
    watched.receive("a", "mail")
    for _ in range(2):  # the first is too soon after the start
        watched.look()
    with closing(create_app(watched.tarkeep)) as app, TestClient(app, "http://127.0.0.1") as client:
        fresh = client.get("/ui/").text
        watched.clock.advance(timedelta(minutes=6))
        stale = client.get("/ui/").text

    assert "Everything is fine with 2 profiles." in fresh
    assert "The jobs stand still since 2026-11-23 12:01 UTC" in stale
    rows = re.search(r"<tbody>.*?</tbody>", stale, re.DOTALL)
    assert rows is not None
    assert re.findall(r'class="light (\w+)"', rows[0]) == ["grey", "grey"]
