"""Settings, rules and channels as a browser shows them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tarkeep.domain.access.tokens import Scope
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.host import open_tokens
from tests.support.server import live_server
from tests.support.site import Site, open_site

RULES = '["lap*"]\nmax_bytes = "5G"\n["lap*".retention]\nkeep_daily = 14\n'


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("settings") / "data", RULES) as site:
        yield site


def test_the_rules_of_a_profile_are_those_of_its_pattern(site: Site) -> None:
    """Also of one that has no archive yet."""
    site.come_in(site.token(Scope.ADMIN))

    laptop = site.browser.get("/ui/settings?profile=lap-2").text
    other = site.browser.get("/ui/settings?profile=other").text

    assert '["lap*"]' in laptop
    assert re.search(r"max_bytes</code></th><td[^>]*>5.0 GB", laptop)
    assert re.search(r"retention.keep_daily</code></th><td[^>]*>14", laptop)
    assert "no pattern matches its name" in other
    assert site.browser.get("/ui/settings?profile=a/b").status_code == 400


def test_without_a_channel_nobody_would_be_told(site: Site) -> None:
    site.come_in(site.token(Scope.ADMIN))

    assert "nobody would be told" in site.browser.get("/ui/settings").text
    missing = site.send("/ui/settings", "/ui/settings/channels/ops/test")
    assert (missing.status_code, "there is no channel ops; there is none" in missing.text) == (404, True)


def test_only_for_who_administers_everything(site: Site) -> None:
    site.come_in(site.token(Scope.LIST))
    assert site.browser.get("/ui/settings").status_code == 403
    site.come_in(site.token(Scope.ADMIN, profiles=("lap*",)))
    assert site.browser.get("/ui/settings").status_code == 403


def test_a_channel_is_tried(tmp_path: Path) -> None:
    """One that nobody answers at says why not."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "notify.toml").write_text('[channels.ops]\nwebhook = "http://127.0.0.1:9/hook"\nallow_private = true\n')
    with open_site(data) as site:
        site.come_in(site.token(Scope.ADMIN))
        assert "nothing was sent yet" in site.browser.get("/ui/settings").text

        tried = site.send("/ui/settings", "/ui/settings/channels/ops/test")

        assert tried.status_code == 503
        assert "the channel ops did not take the trial: " in tried.text
        assert '"result": "tried in vain"' in next(iter(site.tokens.audit.newest_first())).decode()


def test_settings_are_shown_with_where_they_came_from(tmp_path: Path) -> None:
    """Of a server that was started as people start it."""
    data = tmp_path / "data"
    (tmp_path / "tarkeep.toml").write_text("max_uploads = 5\n")
    made = open_tokens(StorageSettings(data=data)).make(frozenset({Scope.ADMIN}), ("*",))
    with live_server(data, environment={"TARKEEP_JOB_WATCH": "off"}) as server, server.client() as browser:
        own = {"Sec-Fetch-Site": "same-origin"}
        browser.post("/ui/login", data={"token": made.text}, headers=own)
        page = browser.get("/ui/settings").text

    def row(name: str) -> list[str]:
        found = re.search(rf"<code>{name}</code></th><td[^>]*>(.*?)</td><td[^>]*>(.*?)</td>", page)
        assert found is not None
        return [re.sub("<.*?>", "", text) for text in found.groups()]

    assert row("port") == ["0", "option --port"]
    assert row("job_watch") == ["off", "variable TARKEEP_JOB_WATCH"]
    assert row("max_uploads") == ["5", "file tarkeep.toml"]
    assert row("job_prune") == ["0 4 * * *", "default"]
