"""
Layer 2, continued. A write to a file in staging fails, on the lossy file system, which can distinguish it from others.
"""

from __future__ import annotations

import errno
from itertools import count
from pathlib import Path

import pytest

from tests.faults.changes import DONE, FILES, POLICY, RUN_FAILED, authorized, ready
from tests.faults.changes import send_again as ask_again
from tests.faults.forked import forked_server
from tests.faults.lossy_mount import lossy_mount
from tests.faults.sites import OF_STORE, attempt, send_again, staged
from tests.faults.ways import BEGINNING, Way

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("way", BEGINNING, ids=lambda way: way.word)
def test_a_write_that_fails_is_told_and_leaves_nothing(tmp_path: Path, way: Way) -> None:
    """Every write to bytes, side-car or journal, with any error: the exact status, nothing stored, then success."""
    files = ["part", "json"] + (["upload"] if way.word.startswith("tus") else [])
    with lossy_mount(tmp_path / "lossy") as mount, forked_server(mount.path / "data", tmp_path / "log") as server:
        data = mount.path / "data"
        with server.client() as client:
            for error in ("ENOSPC", "EDQUOT", "EROFS", "EIO"):
                for suffix in files:
                    told = 0
                    for which in count(1):
                        tried = attempt(client, way, 200_000)
                        mount.fail("write", f"*/staging/*.{suffix}", which, getattr(errno, error))
                        answer = tried.send(client)
                        has_fired = mount.has_fired()
                        if answer.is_success:  # if it did fire, the first part of a long write was done, and the rest
                            assert tried.stored(client) == tried.content  # was written again
                            if has_fired:
                                continue
                            break
                        assert has_fired
                        told += 1
                        assert (answer.status_code, answer.json()["code"]) == OF_STORE[error], (suffix, which)
                        stored = tried.stored(client)
                        # a resumable upload may be stored without a record of it, and may continue
                        assert stored is None or (suffix == "upload" and stored == tried.content)
                        assert stored is not None or tried.files(data) == []
                        assert way.word == "tus" or staged(data) == set()
                        assert send_again(client, tried).is_success
                        assert tried.stored(client) == tried.content
                        assert staged(data) == set()
                    assert told


def test_a_write_that_fails_leaves_an_archive_whole_in_one_place(tmp_path: Path) -> None:
    """Of a note in the trash and of marks, with any error: the archive stays as it was, and the change can be made."""
    rules = tmp_path / "rules.toml"
    rules.write_text(POLICY)
    with (
        lossy_mount(tmp_path / "lossy") as mount,
        forked_server(mount.path / "data", tmp_path / "log", "--profiles", str(rules)) as server,
        server.client() as client,
    ):
        data = mount.path / "data"
        authorized(client, data)
        for word, before in (("prune", "stored"), ("hold", "stored"), ("purge", "in the trash")):
            for error in ("ENOSPC", "EDQUOT", "EROFS", "EIO"):
                for which in count(1):
                    tried = ready(client, word)
                    mount.fail("write", "*/staging/*", which, getattr(errno, error))
                    answer = tried.send(client)
                    if not mount.has_fired():
                        assert answer.is_success
                        break
                    # on a full disk the space that was set aside is given up for what frees space
                    is_made = word != "hold" and error in ("ENOSPC", "EDQUOT")
                    assert answer.told == (200, "") if is_made else answer.told in (OF_STORE[error], RUN_FAILED), (
                        word,
                        error,
                        which,
                        answer,
                    )
                    state = tried.state(client, data)
                    assert state == (DONE[word] if is_made else before)
                    assert tried.files(data) == FILES[state]
                    ask_again(client, data, tried)
                    assert tried.files(data) == FILES[DONE[word]]
                    assert staged(data) == set()
                assert which > 1, (word, error)
