"""The token stores keep their contract; and tests of the file store alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path

import pytest
from attrs import evolve

from tarkeep.adapters.filesystem.data_directory import DataDirectory
from tarkeep.adapters.filesystem.tokens import FileTokenStore
from tarkeep.adapters.memory.tokens import MemoryTokenStore
from tarkeep.adapters.process.clock_and_ids import RandomIds
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.sql.shared.tables import SharedTables
from tarkeep.adapters.sql.shared.token_rows import SqlTokenStore
from tarkeep.domain.errors.capacity import BackendUnavailable
from tarkeep.domain.errors.settings import DataDirectoryInUse, FormatUnknown
from tarkeep.domain.ports.access import TokenStore
from tests.contracts.token_store import NOW, TokenStoreContract, token
from tests.support.clocks import SequenceIds


class TestMemoryTokenStore(TokenStoreContract):
    @pytest.fixture
    def another(self) -> Callable[[], TokenStore]:
        token_store = MemoryTokenStore()
        return lambda: token_store


class TestFileTokenStore(TokenStoreContract):
    @pytest.fixture
    def another(self, tmp_path: Path) -> Callable[[], TokenStore]:
        return lambda: FileTokenStore(tmp_path / "data")


class TestSqlTokenStore(TokenStoreContract):
    """Each look of its clock is a second later, so that none is spared."""

    @pytest.fixture
    def another(self, catalog_url: str) -> Iterator[Callable[[], TokenStore]]:
        SqlCatalog.open(catalog_url).close()
        with ExitStack() as opened:

            def open_another() -> TokenStore:
                tables = opened.enter_context(closing(SharedTables.open(catalog_url, busy_seconds=60)))
                return SqlTokenStore(tables, lambda: False, lambda: None, count().__next__)

            yield open_another


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    """So is its directory, if it has to be made; and no half-written file stays beside it."""
    FileTokenStore(tmp_path / "data").add(token())

    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "data").iterdir()}
    assert modes == dict.fromkeys(("lock", "tarkeep.json", "tokens.json", "tokens.lock"), 0o600)
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
def test_an_unreadable_file_admits_no_client(tmp_path: Path, content: bytes | None) -> None:
    """Nor does a missing one: losing it must not open a running server. Once it is back, it counts."""
    keeper = FileTokenStore(tmp_path)
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


def test_a_lost_file_does_not_open_a_server_at_its_next_start(tmp_path: Path) -> None:
    """A copy without the file, or a clean-up, must not open a server, whoever owned the folder meanwhile."""
    FileTokenStore(tmp_path).add(token())
    DataDirectory.open(tmp_path, ids=SequenceIds()).close()
    (tmp_path / "tokens.json").unlink()

    for _ in range(2):
        with pytest.raises(BackendUnavailable, match="it is gone"):
            FileTokenStore(tmp_path).keyring()
    with pytest.raises(BackendUnavailable):
        FileTokenStore(tmp_path).revoke("aaaaaaaa", NOW)


def test_a_token_made_after_the_loss_is_the_only_one(tmp_path: Path) -> None:
    """It is the way out without a copy; a waiting client is admitted by it."""
    FileTokenStore(tmp_path).add(token())
    (tmp_path / "tokens.json").unlink()
    server = FileTokenStore(tmp_path)
    with pytest.raises(BackendUnavailable):
        server.keyring()

    FileTokenStore(tmp_path).add(token("bbbbbbbb"))

    assert list(server.keyring().tokens) == ["bbbbbbbb"]


def test_tokens_of_an_older_version_are_noted(tmp_path: Path) -> None:
    """That version left nothing in the marker; the rest of the marker stays."""
    FileTokenStore(tmp_path).add(token())
    (tmp_path / "tarkeep.json").write_text('{"format": 1, "id": "old", "more": [1]}')

    FileTokenStore(tmp_path).note_tokens()

    assert json.loads((tmp_path / "tarkeep.json").read_text()) == {
        "format": 1,
        "id": "old",
        "more": [1],
        "tokens": True,
    }


def test_a_flipped_bit_opens_nothing(tmp_path: Path) -> None:
    """For any bit: no client is admitted, or the tokens are unchanged."""
    FileTokenStore(tmp_path).add(evolve(token(), profiles=("j",), expires_at=NOW))
    before = FileTokenStore(tmp_path).keyring()
    file = tmp_path / "tokens.json"
    whole = file.read_bytes()

    for bit in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        file.write_bytes(flipped)
        try:
            assert FileTokenStore(tmp_path).keyring() == before
        except BackendUnavailable:
            continue


def test_a_file_without_a_sum_is_believed_and_gets_one(tmp_path: Path) -> None:
    """As from an older version, or after a person edited it and removed the sum; it gets one at the next start."""
    FileTokenStore(tmp_path).add(evolve(token(), profiles=("j",)))
    file = tmp_path / "tokens.json"
    told = json.loads(file.read_text())
    told["tokens"][0]["profiles"] = ["k"]
    file.write_text(json.dumps(told))
    with pytest.raises(BackendUnavailable, match='if you changed it by hand, remove its line "sum"'):
        FileTokenStore(tmp_path).keyring()

    del told["sum"]
    file.write_text(json.dumps(told))
    (found,) = FileTokenStore(tmp_path).keyring().tokens.values()
    assert found.profiles == ("k",)
    FileTokenStore(tmp_path).note_tokens()
    assert "sum" in json.loads(file.read_text())
    assert FileTokenStore(tmp_path).keyring().tokens == {found.id: found}


def test_without_a_token_nothing_is_noted(tmp_path: Path) -> None:
    """Nor is a file made; and a server stays open to its own machine."""
    FileTokenStore(tmp_path).note_tokens()

    assert FileTokenStore(tmp_path).keyring().is_open
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("marker", ["{", '{"format": 2, "id": "x"}', "[]"])
def test_a_marker_that_cannot_be_understood_opens_nothing(tmp_path: Path, marker: str) -> None:
    """It may have recorded tokens."""
    server = FileTokenStore(tmp_path)
    assert server.keyring().is_open
    (tmp_path / "tarkeep.json").write_text(marker)

    with pytest.raises(BackendUnavailable):
        server.keyring()


def test_the_first_token_and_the_first_start_make_one_marker(tmp_path: Path) -> None:
    """In either order, and at once: the id that a server took stays, and the token is recorded."""
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir(mode=0o700)
        maker = threading.Thread(target=FileTokenStore(folder).add, args=(token(),))
        maker.start()
        try:
            with closing(DataDirectory.open(folder, ids=RandomIds())) as data:
                maker.join()
                id = data.id
        except DataDirectoryInUse:  # for the moment in which the command makes the marker
            maker.join()
            with closing(DataDirectory.open(folder, ids=RandomIds())) as data:
                id = data.id

        assert json.loads((folder / "tarkeep.json").read_text()) == {"format": 1, "id": id, "tokens": True}


def test_a_folder_of_other_things_gets_no_tokens(tmp_path: Path) -> None:
    """A mistyped path is reported."""
    (tmp_path / "letter.txt").write_text("dear")

    with pytest.raises(FormatUnknown):
        FileTokenStore(tmp_path).add(token())

    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_tokens_made_at_once_are_all_there(tmp_path: Path) -> None:
    """By several independent commands."""
    makers = [
        threading.Thread(target=lambda id=id: FileTokenStore(tmp_path).add(token(id))) for id in map(str, range(8))
    ]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()

    assert set(FileTokenStore(tmp_path).keyring().tokens) == set(map(str, range(8)))


def test_the_uses_may_be_lost(tmp_path: Path) -> None:
    """They only inform people: unreadable ones are ignored, and failing to keep them is no error."""
    keeper = FileTokenStore(tmp_path)
    (tmp_path / "token-uses.json").write_text("[1")
    assert keeper.uses() == {}

    keeper.note_use("a", NOW)
    keeper.keep_uses()
    assert list(json.loads((tmp_path / "token-uses.json").read_bytes())) == ["a"]

    lost = FileTokenStore(tmp_path / "missing")
    lost.note_use("a", NOW)
    lost.keep_uses()
    assert list(lost.uses()) == ["a"]
