"""What pages show where there is nothing to show yet: why, and what to do."""

from __future__ import annotations

import html
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tarkeep.domain.access.tokens import Scope
from tarkeep.domain.archives.archive import Offer
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.host import open_tokens
from tests.support.archives import make_targz
from tests.support.server import in_process
from tests.support.site import OWN, Site, open_site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two profiles with one archive each, and nothing else: no rule, no channel, no drill."""
    with open_site(tmp_path_factory.mktemp("few") / "data") as site:
        site.come_in(site.token(*Scope))
        yield site


def text(page: httpx2.Response) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page.text)).split())


def commands(page: httpx2.Response) -> list[str]:
    return [html.unescape(one) for one in re.findall(r'class="command"><code>(.*?)</code>', page.text, re.DOTALL)]


def test_no_profile_is_the_first_line_of_curl(tmp_path: Path) -> None:
    """With the address of this server; and with a token where one is needed, which is said."""
    storage = StorageSettings(data=tmp_path / "data", reserve_bytes=0, job_watch="off")
    with in_process(storage, address="127.0.0.1") as (client, _):
        page = client.get("/ui/")
        assert "Nothing is stored yet." in text(page)
        sent = "http://127.0.0.1/api/v1/profiles/laptop/archives/FULL/first.tar.gz"
        assert commands(page)[0] == f"tar -czf - ~/Documents | curl -T - {sent}"
        assert "TARKEEP_TOKEN" not in page.text

        made = open_tokens(storage).make(frozenset({Scope.LIST}), ("*",))
        client.post("/ui/login", data={"token": made.text}, headers=OWN)
        page = client.get("/ui/")
        assert f'curl -u ":$TARKEEP_TOKEN" -T - {sent}' in commands(page)[0]
        assert "TARKEEP_TOKEN holds a token that may push" in text(page)
        assert "Nothing is stored yet." in text(client.get("/ui/storage"))
        assert "Nothing is stored yet that could be read again." in text(client.get("/ui/upkeep"))


def test_one_archive_is_too_few_for_a_schedule(site: Site) -> None:
    assert "5 more archives, then a schedule is learnt, and a missing one is told." in text(
        site.browser.get("/ui/p/laptop")
    )


def test_no_retention_is_said_with_a_table_to_copy(site: Site) -> None:
    assert "Nothing of this profile is ever pruned" in text(site.browser.get("/ui/p/laptop"))
    page = site.browser.get("/ui/p/laptop/prune")
    assert "Nothing of this profile is ever pruned: no rule says what to keep." in text(page)
    (table,) = (one for one in commands(page) if one.startswith("["))
    assert tomllib.loads(table)["laptop"]["retention"] == {"keep_daily": 14, "keep_weekly": 8, "keep_monthly": 12}


def test_no_machine_for_drills_is_said_with_the_two_files(site: Site) -> None:
    page = site.browser.get("/ui/upkeep")

    assert "No machine has restored a point to prove that it restores." in text(page)
    for name, wanted in (("service", "ExecStart="), ("timer", "OnCalendar=")):
        file = re.search(rf"<summary>tarkeep-drill.{name}</summary><pre[^>]*>(.*?)</pre>", page.text, re.DOTALL)
        assert file is not None
        assert wanted in html.unescape(file[1])


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("/ui/", "look at it Nobody would be told if something went wrong. To do: name a channel in notify.toml"),
        ("/ui/upkeep", "no channel If something went wrong, nobody would be told."),
        ("/ui/settings", "no channel If something went wrong, nobody would be told."),
    ],
)
def test_no_channel_means_that_nobody_would_be_told(site: Site, page: str, said: str) -> None:
    assert said in text(site.browser.get(page))


def test_where_nobody_is_to_be_told_no_page_complains(tmp_path: Path) -> None:
    with open_site(tmp_path / "data", notify='channels = "none"\n') as site:
        site.come_in(site.token(*Scope))
        pages = {path: text(site.browser.get(path)) for path in ("/ui/", "/ui/upkeep", "/ui/settings")}

    assert "Everything is fine with 2 profiles." in pages["/ui/"]
    assert "Nobody is told: notify.toml says so." in pages["/ui/settings"]
    assert not [path for path, shown in pages.items() if "would be told" in shown]


@pytest.mark.parametrize(
    ("page", "said", "link"),
    [
        ("/ui/?find=nothing", "No profile has nothing in its name.", "/ui/"),
        ("/ui/?find=nothing&light=red", "No profile has nothing in its name with this light.", "/ui/"),
        ("/ui/?light=red", "No profile with this light.", "/ui/"),
        ("/ui/log?did=nothing", "No line fits.", "/ui/log"),
        ("/ui/p/laptop/tree?find=nothing", "No name of this tree is like that.", "/ui/p/laptop/tree"),
    ],
)
def test_nothing_found_shows_the_filter_and_a_way_out_of_it(site: Site, page: str, said: str, link: str) -> None:
    answer = site.browser.get(page)

    assert said in text(answer)
    value = re.search(r"(find|did)=(\w+)", page)
    assert value is None or f'value="{value[2]}"' in answer.text
    assert f'href="{link}"' in answer.text or f'href="{link}?at=' in answer.text


def test_beyond_the_token_nothing_is_there(site: Site) -> None:
    """No profile, and no count of any: as on an empty server."""
    cookies = dict(site.browser.cookies)
    site.come_in(site.token(Scope.LIST, profiles=("none-*",)))
    pages = {path: site.browser.get(path) for path in ("/ui/", "/ui/upkeep", "/ui/storage", "/ui/log")}
    site.browser.cookies.clear()
    site.browser.cookies.update(cookies)

    assert "Nothing is stored yet." in text(pages["/ui/"])
    assert "Nothing was written yet." in text(pages["/ui/log"])
    for path, page in pages.items():
        assert page.status_code == 200
        assert not re.search(r"laptop/FULL/a|web-1|\b2 (profile|archive)|\bused\b", text(page)), path


def test_profiles_that_nobody_has_looked_at_yet_are_unknown_and_counted(tmp_path: Path) -> None:
    """As after an import: before the job has seen all of them nothing is said to be fine."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "notify.toml").write_text('channels = "none"\n')
    with in_process(StorageSettings(data=data, reserve_bytes=0, job_watch="off"), address="127.0.0.1") as (
        client,
        tarkeep,
    ):
        for number in range(27):
            tarkeep.receive(Offer(ArchiveId(f"p-{number:02}", BackupType.FULL, "a.tar.gz")), [make_targz({"a": b"a"})])
        page = client.get("/ui/")

        assert "Nothing is broken; of 7 profiles nothing is known yet." in text(page)
        assert "all 27" in text(page)
        assert "Nobody has looked at 7 profiles yet" in text(page)
        assert "No profile" not in text(client.get("/ui/?light=grey"))
