"""A server with tokens and two profiles, and a browser at its pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
from attrs import frozen

from tarkeep.domain.access.tokens import Scope
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.host import Tokens, open_tokens
from tests.support.archives import make_targz
from tests.support.server import in_process

OWN = {"Sec-Fetch-Site": "same-origin"}


@frozen
class Site:
    """A server with tokens, and a *browser* that has not come in yet; *data* is the server's folder."""

    browser: httpx2.Client
    tokens: Tokens
    data: Path

    def token(self, *scopes: Scope, profiles: tuple[str, ...] = ("*",)) -> str:
        """A new token."""
        return self.tokens.make(frozenset(scopes), profiles).text

    def come_in(self, token: str, **headers: str) -> httpx2.Response:
        """Come in with *token*, in a browser that was nowhere before."""
        self.browser.cookies.clear()
        return self.browser.post("/ui/login", data={"token": token}, headers={**OWN, **headers}, follow_redirects=False)

    def send(self, page: str, action: str, **fields: str) -> httpx2.Response:
        """Send a form of *page* to the address *action*."""
        data = {"form_token": form_token(self.browser.get(page)), **fields}
        return self.browser.post(action, data=data, headers=OWN, follow_redirects=False)

    def put(self, path: str, content: bytes) -> None:
        """Send an archive, at *path* below the profiles."""
        headers = {"Authorization": f"Bearer {self.token(Scope.PUSH)}"}
        self.browser.put(f"/api/v1/profiles/{path}", content=content, headers=headers).raise_for_status()


def form_token(page: httpx2.Response) -> str:
    """The token for forms that *page* has."""
    found = re.search(r'name="form_token" value="(\w+)"', page.text)
    assert found is not None
    return found[1]


def without_form_tokens(page: httpx2.Response) -> str:
    """The text of *page* but for its form tokens, which are masked anew each time."""
    return re.sub(r'(name="form_token" value=)"\w+"', r"\1", page.text)


@contextmanager
def open_site(data: Path, rules: str = "", notify: str = "") -> Iterator[Site]:
    """
    The site over *data*, which is empty, with the profiles laptop and web-1. *rules* are those of profiles, *notify*
    says who is told.
    """
    data.mkdir(parents=True, exist_ok=True)
    for name, content in (("profiles.toml", rules), ("notify.toml", notify)):
        if content:
            (data / name).write_text(content)
    storage = StorageSettings(data=data, reserve_bytes=0, job_watch="off")
    with in_process(storage, address="127.0.0.1") as (client, _):
        site = Site(client, open_tokens(storage), data)
        for profile in ("laptop", "web-1"):
            site.put(f"{profile}/archives/FULL/a.tar.gz", make_targz({"a": b"a\n"}))
        yield site
