"""The page of a tree: through time, by search, versions of a file, and names with any byte."""

from __future__ import annotations

import html
import os
import re
import shlex
from collections.abc import Iterator

import httpx2
import pytest

from tarkeep.domain.access.tokens import Scope
from tarkeep.entrypoints.settings.server import StorageSettings
from tests.support.dumper import Dumper
from tests.support.histories import History
from tests.support.server import in_process
from tests.support.site import open_site
from tests.support.tars import END, gz, member

ODD = b'it\'s "odd"; $(id)\n\xff\\.txt'
ODD_TEXT = 'it\'s "odd"; $(id)\\x0a\\xff\\\\.txt'
EARLIER, LATER = "\u2039", "\u203a"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dumper]:
    """Three nights: a draft, a change beside a file with an odd name, and what is left when the draft is deleted."""
    place = tmp_path_factory.mktemp("nights")
    storage = StorageSettings(data=place / "data", reserve_bytes=0, job_watch="off")
    with in_process(storage, address="127.0.0.1") as (client, _):
        machine = Dumper(client, "laptop", History(place))
        letters = machine.root / "letters"
        letters.mkdir(parents=True)
        (letters / "draft.txt").write_text("first\n")
        machine.back_up("FULL")
        (letters / "draft.txt").write_text("second, and longer\n")
        with open(os.path.join(os.fsencode(letters), ODD), "wb") as file:  # noqa: PTH123, PTH118 a path of bytes
            file.write(b"odd\n")
        machine.back_up("INC")
        (letters / "draft.txt").unlink()
        machine.back_up("INC")
        yield machine


def look(machine: Dumper, **query: str) -> httpx2.Response:
    page = machine.client.get("/ui/p/laptop/tree", params={"path": "root/letters", **query})
    assert page.status_code == 200, page.text
    return page


def address(page: httpx2.Response, pattern: str) -> str:
    found = re.search(rf'<a [^>]*href="([^"]*)"[^>]*>(?:(?!</a>).)*{pattern}', page.text, re.DOTALL)
    assert found is not None, pattern
    return html.unescape(found[1])


def commands(page: httpx2.Response) -> list[str]:
    return [html.unescape(one) for one in re.findall(r'class="command"><code>(.*?)</code>', page.text, re.DOTALL)]


def test_steps_through_time_keep_the_folder_and_the_file(machine: Dumper) -> None:
    newest = look(machine, file="draft.txt")
    assert "the newest point" in newest.text
    assert "It is not there at this time." in newest.text

    before = machine.client.get(address(newest, EARLIER))
    assert "Get this file" in before.text
    assert machine.client.get(address(before, "Get this file")).content == b"second, and longer\n"

    first = machine.client.get(address(before, EARLIER))
    assert "no earlier point" in first.text
    assert machine.client.get(address(first, "Get this file")).content == b"first\n"
    assert "2026-11-02" in machine.client.get(address(first, LATER)).text


def test_a_file_shows_its_versions_the_newest_first(machine: Dumper) -> None:
    page = look(machine, file="draft.txt")
    versions = re.findall(r"<li>.*?</li>", page.text[page.text.index("Its versions") :], re.DOTALL)

    told = [html.unescape(re.sub(r"<[^>]*>", "", one)) for one in versions]
    assert told == [
        "2026-11-03 02:00 UTC deleted",
        "2026-11-02 02:00 UTC changed, 19 B get",
        "2026-11-01 02:00 UTC appeared, 6 B get",
    ]
    got = re.search(r'href="([^"]*members[^"]*)"', versions[2])
    assert got is not None
    assert machine.client.get(html.unescape(got[1])).content == b"first\n"


def test_a_day_is_looked_at_as_it_ended(machine: Dumper) -> None:
    assert "draft.txt" in look(machine, at="2026-11-02").text
    assert "draft.txt" not in look(machine, at="2026-11-03").text


def test_names_are_found_anywhere(machine: Dumper) -> None:
    found = machine.client.get("/ui/p/laptop/tree", params={"find": "odd", "at": "2026-11-02"})
    assert html.escape(ODD_TEXT, quote=False).replace('"', "&#34;").replace("'", "&#39;") in found.text
    assert "root/letters" in found.text
    chosen = machine.client.get(address(found, "odd"))
    assert machine.client.get(address(chosen, "Get this file")).content == b"odd\n"

    assert "No name of this tree is like that" in machine.client.get("/ui/p/laptop/tree", params={"find": "zz"}).text


def test_a_name_with_any_byte_is_shown_and_got(machine: Dumper) -> None:
    page = look(machine)

    assert "\n\\xff" not in page.text
    chosen = machine.client.get(address(page, "odd"))
    assert machine.client.get(address(chosen, "Get this file")).content == b"odd\n"


def test_the_commands_are_quoted_for_a_shell(machine: Dumper) -> None:
    """What a shell makes of the line is what the page meant, whatever the folder is called."""
    path = "root/letters/" + ODD_TEXT
    page = machine.client.get("/ui/p/laptop/tree", params={"path": path, "at": "2026-11-02"})

    curl, restore, plan = commands(page)
    words = shlex.split(restore)
    assert words[words.index("--path") + 1] == path
    assert words[words.index("--at") + 1] == "INC/inc_2026-11-02_02-00-00.tar.gz"
    fetched, _, extracting = curl.partition(" | ")
    assert extracting == "tar -x"
    got = machine.client.get(shlex.split(fetched)[-1])
    assert got.headers["Content-Type"] == "application/x-tar"
    assert b"odd" in got.content
    script = machine.client.get(shlex.split(plan.partition(" && ")[0])[-1])
    assert script.text.startswith("#!/bin/sh")


def test_long_folders_are_paged(machine: Dumper) -> None:
    content = b"".join(member(b"many/%04d" % number, b"x") for number in range(450)) + END
    machine.client.put("/api/v1/profiles/many/archives/FULL/many.tar.gz", content=gz(content)).raise_for_status()

    for query in ("path=many", "find=many/0*"):
        page, seen, pages = machine.client.get(f"/ui/p/many/tree?{query}"), list[str](), 1
        seen += re.findall(r"<bdi>(\d{4})</bdi>", page.text)
        while "More names" in page.text:
            page, pages = machine.client.get(address(page, "More names")), pages + 1
            seen += re.findall(r"<bdi>(\d{4})</bdi>", page.text)

        assert seen == [f"{number:04}" for number in range(450)]
        assert pages == 3


def test_a_point_that_does_not_restore_says_what_can_be_looked_at(machine: Dumper) -> None:
    lost = Dumper(machine.client, "lost", machine.history)
    full = lost.dump("FULL", "full_2026-12-01_02-00-00.tar.gz")
    (machine.root / "letters" / "later.txt").write_text("later\n")
    lost.put(lost.dump("INC", "inc_2026-12-02_02-00-00.tar.gz", on_top_of=full))

    page = lost.client.get("/ui/p/lost/tree")
    assert page.status_code == 409
    assert "this point does not restore" in page.text

    anyway = lost.client.get(address(page, "all the same"))
    assert anyway.status_code == 200
    assert "cannot be given back" in anyway.text
    assert "--allow-gaps" in anyway.text
    assert "allow_gaps=1" in address(anyway, "root")


def test_who_may_only_list_is_shown_no_way_to_the_content(tmp_path_factory: pytest.TempPathFactory) -> None:
    with open_site(tmp_path_factory.mktemp("site") / "data") as site:
        site.come_in(site.token(Scope.LIST))
        listing = site.browser.get("/ui/p/laptop/tree?file=a").text
        site.come_in(site.token(Scope.LIST, Scope.PULL))
        pulling = site.browser.get("/ui/p/laptop/tree?file=a").text

    assert "members/a" not in listing
    assert 'href="/ui/p/laptop/restore.tar' not in listing
    assert "members/a" in pulling
    assert 'curl -u ":$TARKEEP_TOKEN" ' in html.unescape(listing)


def test_a_folder_that_is_not_there_at_that_time_leads_to_other_times(machine: Dumper) -> None:
    """Steps keep the folder, so a step may lead to a time at which it was not there."""
    page = machine.client.get("/ui/p/laptop/tree", params={"path": "root/none", "at": "latest"})

    assert page.status_code == 404
    assert "<b><bdi>root/none</bdi></b> is not in the tree at this time." in page.text
    assert "path=root%2Fnone" in address(page, EARLIER)
    assert "restore.tar" not in page.text
