"""
The requests by which archives are moved, marked and removed for good, each as one that may fail.

A purge is a run of a job, in a thread of its own: it has come to its end when the run has.
"""

from __future__ import annotations

import shutil
import time
from itertools import count, pairwise
from pathlib import Path
from random import Random
from threading import Event
from typing import Any
from zlib import crc32

import httpx2
from attrs import define, field, frozen

from tarkeep.domain.access.audit import entry_of
from tarkeep.domain.access.on_record import BACK, MOVED, PURGED, STAYS
from tarkeep.domain.access.tokens import Scope
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.host import open_tokens
from tests.faults.ways import address, fresh_name, some_archive

POLICY = """
["changed-*".retention]
keep_last = 1
minimum_points = 0
minimum_fulls = 0
minimum_age = "0d"

["purged-*".retention]
keep_last = 1
minimum_points = 0
minimum_fulls = 0
minimum_age = "0d"
trash_for = "0d"
"""

WORDS = ("prune", "undelete", "hold", "purge")
DONE = {"prune": "in the trash", "undelete": "stored", "hold": "held", "purge": "gone"}
RUN_FAILED = (200, "failed")
"""Told of a run in which something failed."""
EVIDENCE_FAILED = (503, "evidence-not-written")
"""Told of a change that was made, if it could not be put on record."""
RUNS = "/api/v1/jobs/purge/runs"
PATIENCE_SECONDS = 60.0


@frozen
class Answer:
    """What a client was *told* of a change: status and code, (200, "") if it is made."""

    told: tuple[int, str]
    text: str

    @classmethod
    def of(cls, answer: httpx2.Response) -> Answer:
        """That of one request."""
        return cls((200, "") if answer.is_success else (answer.status_code, answer.json()["code"]), answer.text)

    @property
    def is_success(self) -> bool:
        return self.told == (200, "")


@frozen
class Change:
    """One of `WORDS` about the archive *name*, the older of two in its profile; *plan* is that which removes it."""

    word: str
    profile: str
    name: str
    content: bytes = field(repr=False)
    plan: str

    def send(self, client: httpx2.Client) -> Answer:
        """The request, the first time and again, and what became of it."""
        place = address(self.profile, self.name)
        if self.word == "purge":
            return purge(client)
        if self.word == "prune":
            return Answer.of(client.post(f"/api/v1/profiles/{self.profile}/prune", json={"plan": self.plan}))
        if self.word == "undelete":
            return Answer.of(client.post(f"{place}/undelete"))
        return Answer.of(client.put(f"{place}/holds/audit", json={"reason": "tax audit"}))

    def state(self, client: httpx2.Client, data: Path, *, is_halfway: bool = False) -> str:
        """
        What is to be seen of the archive, which is whole in one place: as in `DONE`.

        *is_halfway*: the change has failed. One that is stored may be in the trash as well, and one that is back among
        the files of the stored ones may not be shown until the change is asked for again: it is ``on its way``. So is
        one that is whole in the trash, with a note that says already that it is gone.
        """
        place = address(self.profile, self.name)
        answer, listed = client.get(place), client.get("/api/v1/trash", params={"profile": self.profile})
        in_trash = {one["name"]: one["purged_at"] is None for one in listed.json()["archives"]}
        if answer.status_code == 200:
            assert answer.content == self.content
            assert in_trash == {} or is_halfway
            return "held" if client.get(f"{place}/marks").json()["holds"] else "stored"
        assert answer.status_code == 410, answer.text
        if is_halfway and in_trash == {}:
            assert (data / "archives" / self.profile / "FULL" / self.name).read_bytes() == self.content
            return "on its way"
        assert list(in_trash) == [self.name]
        bytes_in_trash = data / "trash" / self.profile / "FULL" / self.name
        if not in_trash[self.name] and not bytes_in_trash.exists():
            return "gone"
        assert bytes_in_trash.read_bytes() == self.content
        assert in_trash[self.name] or is_halfway
        return "in the trash" if in_trash[self.name] else "on its way"

    def files(self, data: Path) -> tuple[list[str], list[str]]:
        """
        What lies of the archive among the stored ones, and in the trash.

        What lies there beside no archive means nothing, and is left out.
        """
        places = (data / place / self.profile / "FULL" for place in ("archives", "trash"))
        here, there = (
            sorted(path.name.replace(self.name, "") for path in place.glob(f"{self.name}*")) for place in places
        )
        return here if "" in here else [], there


FILES: dict[str, tuple[list[str], list[str]]] = {
    "stored": (["", ".json"], []),
    "held": (["", ".json", ".marks"], []),
    "in the trash": ([], ["", ".json", ".trashed.json"]),
    "gone": ([], [".trashed.json"]),
}
"""What lies of an archive in each state, in both places, when nothing has failed since the last start."""


def purge(client: httpx2.Client) -> Answer:
    """A run of the job that empties the trash, from its beginning to its end."""
    while (asked := client.post("/api/v1/jobs/purge/run")).status_code == 409:
        answer = _end_of(client, asked.json()["run"])  # another one runs, which may have passed by
        if not isinstance(answer, dict):
            return answer
    if not asked.is_success:
        return Answer.of(asked)
    run = _end_of(client, asked.json()["run"])
    if isinstance(run, Answer):
        return run
    failed = [one["detail"] for one in run["problems"] if "not in the audit log" not in one["detail"]]
    if run["outcome"] == "failed" or failed:
        return Answer(RUN_FAILED, f"{run['error']} {failed}")
    return Answer((200, "") if run["outcome"] == "done" else (404, run["outcome"]), run["summary"])


def _end_of(client: httpx2.Client, number: int) -> dict[str, Any] | Answer:
    """The run of that number, once it has ended; or the answer to a request that failed."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    for tries in count(1):
        listed = client.get(RUNS, params={"limit": 1, "before": number + 1})
        if not listed.is_success:
            return Answer.of(listed)
        run: dict[str, Any] = listed.json()["runs"][0]
        if run["outcome"] != "running":
            return run
        assert time.monotonic() < deadline, run
        if tries % 100 == 0:  # its end may be one that could not be noted: whoever asks again has it noted
            client.post("/api/v1/jobs/purge/run")
    raise AssertionError


def settled(client: httpx2.Client) -> None:
    """Wait until a purge that a crash interrupted was gone on with; no two run at once."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        runs = client.get(RUNS).raise_for_status().json()["runs"]
        assert [run["outcome"] for run in runs[1:]].count("running") == 0, runs
        if not runs or runs[0]["outcome"] not in ("running", "interrupted"):
            break
        assert time.monotonic() < deadline, runs
    for later, run in pairwise(runs):
        assert run["outcome"] != "interrupted" or later["cause"] == "continued", runs


def ready(client: httpx2.Client, word: str) -> Change:
    """A change that can be made, in a profile of its own."""
    name, newer = fresh_name(), fresh_name()
    profile = ("purged-" if word == "purge" else "changed-") + name.partition(".")[0]
    content = some_archive(crc32(name.encode()), 2_000)
    for one, sent in ((name, content), (newer, some_archive(crc32(newer.encode()), 2_000))):
        client.put(address(profile, one), content=sent).raise_for_status()
    shown = client.get(f"/api/v1/profiles/{profile}/prune").raise_for_status()
    plan = shown.json()["plan"]
    change = Change(word, profile, name, content, plan)
    if word in ("undelete", "purge"):
        client.post(f"/api/v1/profiles/{profile}/prune", json={"plan": plan}).raise_for_status()
    return change


def send_again(client: httpx2.Client, data: Path, change: Change) -> None:
    """
    The request of a client that does not know the outcome; afterwards the change is made.

    It is refused only if the change was made already, be it a moment ago: each minute the server shows an archive that
    came back while the catalog failed. A purge then has nothing to do.
    """
    answer = change.send(client)
    assert answer.is_success or answer.told[0] in (404, 409), answer.text
    assert change.state(client, data) == DONE[change.word], answer.text


def forget_gone(data: Path) -> None:
    """Empty the trash by hand, notes too: each one makes every purge longer."""
    for profile in (data / "trash").iterdir():
        shutil.rmtree(profile)


@define
class Asked:
    """
    The changes that a server was asked for: those it acknowledged, and the one whose fate is *unknown*, if any.

    So is that of one that was acknowledged after *is_over*, which is set just before the storage ends.
    """

    made: list[Change] = field(factory=list)
    unknown: Change | None = None

    def change_until_it_fails(
        self, client: httpx2.Client, random: Random, waiting: list[Change], is_over: Event | None = None
    ) -> None:
        """Make those *waiting*, and then others, one after the other."""
        while True:
            try:
                tried = waiting.pop() if waiting else ready(client, random.choice(WORDS))
            except httpx2.HTTPError:
                return  # not even ready
            self.unknown = tried
            try:
                is_made = tried.send(client).is_success
            except httpx2.HTTPError:
                return
            if not is_made or (is_over is not None and is_over.is_set()):
                return
            self.made.append(tried)
            self.unknown = None

    def check(self, client: httpx2.Client, data: Path, few: int = 5) -> None:
        """Each of the last *few* is as acknowledged; the unknown one is whole in one place, and is made now."""
        settled(client)
        if self.unknown is not None:
            assert self.unknown.files(data) == FILES[self.unknown.state(client, data)], self.unknown
            send_again(client, data, self.unknown)
            self.made.append(self.unknown)
            self.unknown = None
        for change in self.made[-few:]:
            assert change.state(client, data) == DONE[change.word], change
            assert change.files(data) == FILES[DONE[change.word]], change

    def check_lines(self, log: Path) -> None:
        """The log has one line for each removal that was made, and none that does not hold."""
        said = [entry for line in log.read_bytes().splitlines() if (entry := entry_of(line)) is not None]
        for change in self.made:
            if change.word not in ("prune", "purge"):
                continue
            results = [one.result for one in said if one.what == f"{change.profile}/FULL/{change.name}"]
            moved, back, gone = (
                sum(one.startswith(word) for one in results) for word in (MOVED, (BACK, STAYS), PURGED)
            )
            assert (moved - back, gone) == (1, int(change.word == "purge")), (change, results)


def authorized(client: httpx2.Client, data: Path) -> httpx2.Client:
    """*client* with a token for all that changes need; the first one closes the server to others."""
    made = open_tokens(StorageSettings(data=data)).make(
        frozenset([Scope.PUSH, Scope.PULL, Scope.LIST, Scope.PRUNE, Scope.ADMIN]), ("*",)
    )
    client.headers["Authorization"] = f"Bearer {made.text}"
    return client
