"""
Layer 2, continued. A write to a file in staging fails, on the lossy file system, which can distinguish it from others.
"""

from __future__ import annotations

import errno
from itertools import count
from pathlib import Path

import pytest

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
                    for which in count(1):
                        tried = attempt(client, way, 200_000)
                        mount.fail("write", f"*/staging/*.{suffix}", which, getattr(errno, error))
                        answer = tried.send(client)
                        if not mount.has_fired():
                            assert answer.is_success
                            break
                        assert (answer.status_code, answer.json()["code"]) == OF_STORE[error], (suffix, which)
                        stored = tried.stored(client)
                        # a resumable upload may be stored without a record of it, and may continue
                        assert stored is None or (suffix == "upload" and stored == tried.content)
                        assert stored is not None or tried.files(data) == []
                        assert way.word == "tus" or staged(data) == set()
                        assert send_again(client, tried).is_success
                        assert tried.stored(client) == tried.content
                        assert staged(data) == set()
                    assert which > 1
