"""The gatekeepers keep their contract; and what only the one in a file can get wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tarkeep.adapters.memory_tokens import MemoryGatekeeper
from tarkeep.adapters.token_file import FileGatekeeper
from tarkeep.domain.errors import BackendUnavailable, FormatUnknown
from tarkeep.domain.ports import Gatekeeper
from tests.contracts.gatekeeper import NOW, GatekeeperContract, token


class TestMemoryGatekeeper(GatekeeperContract):
    @pytest.fixture
    def another(self) -> Callable[[], Gatekeeper]:
        gatekeeper = MemoryGatekeeper()
        return lambda: gatekeeper


class TestFileGatekeeper(GatekeeperContract):
    @pytest.fixture
    def another(self, tmp_path: Path) -> Callable[[], Gatekeeper]:
        return lambda: FileGatekeeper(tmp_path / "data")


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Of the directory, too, where it has to be made; and nothing half written lies beside it."""
    FileGatekeeper(tmp_path / "data").add(token())

    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "data").iterdir()}
    assert modes == {"tokens.json": 0o600, "tokens.lock": 0o600}
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"format": 1}',
        b'{"format": 2, "tokens": []}',
        b'{"format": 1, "tokens": [{"id": "x"}]}',
        None,
    ],
)
def test_a_file_that_cannot_be_understood_lets_nobody_in(tmp_path: Path, content: bytes | None) -> None:
    """Nor does one that is gone: losing it must not open a running server. Once it is back, it counts."""
    keeper = FileGatekeeper(tmp_path)
    keeper.add(token())
    assert keeper.keyring().tokens
    before = (tmp_path / "tokens.json").read_bytes()

    if content is None:
        (tmp_path / "tokens.json").unlink()
    else:
        (tmp_path / "tokens.json").write_bytes(content)
    for _ in range(2):
        with pytest.raises(BackendUnavailable):
            keeper.keyring()
    (tmp_path / "tokens.json").write_bytes(before)

    assert list(keeper.keyring().tokens) == ["aaaaaaaa"]


def test_a_folder_of_other_things_gets_no_tokens(tmp_path: Path) -> None:
    """A mistyped path is told."""
    (tmp_path / "letter.txt").write_text("dear")

    with pytest.raises(FormatUnknown):
        FileGatekeeper(tmp_path).add(token())

    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_tokens_made_at_once_are_all_there(tmp_path: Path) -> None:
    """By several commands that know nothing of each other."""
    makers = [
        threading.Thread(target=lambda id=id: FileGatekeeper(tmp_path).add(token(id))) for id in map(str, range(8))
    ]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()

    assert set(FileGatekeeper(tmp_path).keyring().tokens) == set(map(str, range(8)))


def test_the_uses_may_be_lost(tmp_path: Path) -> None:
    """They are for people: what cannot be read is none, and what cannot be kept is no error."""
    keeper = FileGatekeeper(tmp_path)
    (tmp_path / "token-uses.json").write_text("[1")
    assert keeper.uses() == {}

    keeper.note_use("a", NOW)
    keeper.keep_uses()
    assert list(json.loads((tmp_path / "token-uses.json").read_bytes())) == ["a"]

    lost = FileGatekeeper(tmp_path / "missing")
    lost.note_use("a", NOW)
    lost.keep_uses()
    assert list(lost.uses()) == ["a"]
