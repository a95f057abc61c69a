"""Tokens in tables: how long one server relies on what it read, and what keeps everybody out."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from attrs import define, evolve, field
from sqlalchemy import Executable, text

from tarkeep.adapters.filesystem.tokens import FileTokenStore, TokenMark
from tarkeep.adapters.sql.catalog import SqlCatalog
from tarkeep.adapters.sql.rows import Rows, Values
from tarkeep.adapters.sql.shared.tables import SharedTables
from tarkeep.adapters.sql.shared.token_rows import SqlTokenStore
from tarkeep.adapters.token_records import record_of, sum_of
from tarkeep.domain.errors.capacity import BackendUnavailable
from tests.contracts.token_store import NOW, token
from tests.support.postgres import Postgres


@define
class Seconds:
    """A clock that goes when it is told to."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@define
class Replica:
    """One server's tokens, with its clock and whether it noted that there are tokens."""

    store: SqlTokenStore
    seconds: Seconds
    tables: SharedTables
    noted: list[bool] = field(factory=list)

    def ids(self) -> list[str]:
        return sorted(self.store.keyring().tokens)

    def change(self, statement: str, **values: str) -> None:
        """As somebody does who writes to the database."""
        with self.tables.engine.connect() as connection:
            connection.execute(text("BEGIN")) if self.tables.engine.dialect.name == "sqlite" else None
            connection.execute(text(statement), values)
            connection.commit()


@pytest.fixture
def replica(tmp_path: Path) -> Iterator[Callable[[], Replica]]:
    """Each call gives one more server over one database in a file; what they note is of each alone."""
    url = f"sqlite:///{tmp_path}/catalog.sqlite"
    SqlCatalog.open(url).close()
    with ExitStack() as opened:
        yield lambda: replica_on(opened.enter_context(closing(SharedTables.open(url, busy_seconds=60))))


def replica_on(tables: SharedTables) -> Replica:
    noted: list[bool] = []
    seconds = Seconds()
    store = SqlTokenStore(tables, lambda: bool(noted), lambda: noted.append(True), seconds)
    return Replica(store, seconds, tables, noted)


def test_a_server_looks_once_a_second(replica: Callable[[], Replica]) -> None:
    """So a token that another one revoked is refused within a second, and requests cost nothing in between."""
    one, other = replica(), replica()
    one.store.add(token())
    assert other.ids() == ["aaaaaaaa"]

    one.store.revoke("aaaaaaaa", NOW)
    other.seconds.now += 1.0
    assert other.store.keyring().tokens["aaaaaaaa"].revoked_at is None
    other.seconds.now += 0.001
    assert other.store.keyring().tokens["aaaaaaaa"].revoked_at == NOW


def test_what_a_server_changes_it_knows_at_once(replica: Callable[[], Replica]) -> None:
    one = replica()
    for number in range(3):
        one.store.add(token(f"aaaaaaa{number}"))
        assert len(one.ids()) == number + 1
    one.store.revoke("aaaaaaa1", NOW)
    assert one.store.keyring().tokens["aaaaaaa1"].revoked_at == NOW


@pytest.mark.parametrize("statement", ["DELETE FROM tokens", "DELETE FROM tokens; DELETE FROM versions"])
def test_tokens_that_are_gone_open_no_server(replica: Callable[[], Replica], statement: str) -> None:
    """By what the database says of the time before, or by what the server noted; a new one is the way out."""
    one = replica()
    one.store.add(token())
    for part in statement.split("; "):
        one.change(part)
    one.seconds.now += 2

    with pytest.raises(BackendUnavailable, match="token table is not available: there were some"):
        one.store.keyring()
    if ";" not in statement:
        with pytest.raises(BackendUnavailable):
            replica().store.keyring()
    one.store.add(token("bbbbbbbb"))
    assert one.ids() == replica().ids() == ["bbbbbbbb"]


def test_a_server_notes_that_there_are_tokens_before_it_admits_by_one(replica: Callable[[], Replica]) -> None:
    """Whoever made them: if the database is lost later, that one opens as little as this one."""
    one, other = replica(), replica()
    one.store.add(token())
    assert (one.noted, other.noted) == ([True], [])
    other.ids()
    assert other.noted == [True]


def test_a_table_that_is_not_as_it_was_written_admits_nobody(replica: Callable[[], Replica]) -> None:
    """A flipped bit must not grant more than was meant; once the row is right again, all goes on."""
    one = replica()
    one.store.add(token())
    record = record_of(token())
    wider = json.dumps({**record, "scopes": ["push", "admin"]})
    for told, sum in ((wider, sum_of(record)), ("{", sum_of(record)), ('{"id": 1}', sum_of({"id": 1}))):
        one.change("UPDATE tokens SET told = :told, sum = :sum", told=told, sum=sum)
        one.change("UPDATE versions SET version = version + 1")
        one.seconds.now += 2
        with pytest.raises(BackendUnavailable, match="one of the tokens is not"):
            one.store.keyring()
    one.change("UPDATE tokens SET told = :told, sum = :sum", told=json.dumps(record), sum=sum_of(record))
    one.seconds.now += 2

    assert one.store.keyring().tokens == {"aaaaaaaa": token()}


def test_what_a_newer_server_grants_is_granted_by_that_one_alone(replica: Callable[[], Replica]) -> None:
    """Beside it an older one lets the other tokens in, and takes nothing from those that it does not understand."""
    one = replica()
    one.store.add(token())
    for id, scopes in (("bbbbbbbb", ["push", "fly"]), ("cccccccc", ["fly"])):
        record = {**record_of(token(id)), "scopes": scopes, "since": "a later version"}
        row = {"id": id, "told": json.dumps(record), "sum": sum_of(record)}
        one.change("INSERT INTO tokens VALUES (:id, :told, :sum)", **row)
    one.change("UPDATE versions SET version = version + 1")
    one.seconds.now += 2

    tokens = one.store.keyring().tokens
    assert tokens["aaaaaaaa"] == token()
    assert tokens["bbbbbbbb"].scopes == token().scopes
    assert tokens["cccccccc"].revoked_at is not None
    one.store.revoke("cccccccc", NOW)
    ((told,),) = one.tables.engine.connect().execute(text("SELECT told FROM tokens WHERE id = 'cccccccc'"))
    assert json.loads(told)["since"] == "a later version"
    assert json.loads(told)["scopes"] == ["fly"]


def test_tokens_of_a_data_directory_come_in_once(replica: Callable[[], Replica], tmp_path: Path) -> None:
    """With their uses; a revoked one is revoked, whoever brings it in; the file is set aside, and opens nothing."""
    files = FileTokenStore(tmp_path / "data")
    for id in ("aaaaaaaa", "bbbbbbbb"):
        files.add(token(id))
    files.note_use("aaaaaaaa", NOW)
    files.keep_uses()
    one = replica()
    one.store.add(evolve(token("bbbbbbbb"), revoked_at=NOW))
    one.store.add(token("cccccccc"))
    again = (tmp_path / "data" / "tokens.json").read_bytes()

    files.give_away(lambda keyring, uses: one.store.take_over(keyring.tokens.values(), uses))
    files.give_away(lambda _keyring, _uses: pytest.fail("there is nothing to give away"))

    tokens = one.store.keyring().tokens
    assert [(id, one.revoked_at) for id, one in sorted(tokens.items())] == [
        ("aaaaaaaa", None),
        ("bbbbbbbb", NOW),
        ("cccccccc", None),
    ]
    assert one.store.uses() == {"aaaaaaaa": NOW.replace(second=0, microsecond=0)}
    assert (tmp_path / "data" / "tokens.moved.json").read_bytes() == again
    assert TokenMark(tmp_path / "data").had_tokens()
    with pytest.raises(BackendUnavailable, match="it is gone"):
        FileTokenStore(tmp_path / "data").keyring()


def test_a_move_that_was_cut_off_is_done_again(replica: Callable[[], Replica], tmp_path: Path) -> None:
    """Between the table and the file: the tokens are the same, and what was revoked meanwhile stays revoked."""
    files = FileTokenStore(tmp_path / "data")
    files.add(token())
    one = replica()

    def cut_off(*_: object) -> None:
        one.store.take_over(files.keyring().tokens.values(), {})
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.give_away(cut_off)
    one.store.revoke("aaaaaaaa", NOW)
    FileTokenStore(tmp_path / "data").give_away(
        lambda keyring, uses: one.store.take_over(keyring.tokens.values(), uses)
    )

    assert one.store.keyring().tokens["aaaaaaaa"].revoked_at == NOW
    assert not files.is_there


def test_a_database_that_is_away_admits_nobody_until_it_is_back(postgres: Postgres) -> None:
    """Its connections may all have been ended meanwhile."""
    with postgres.database() as url, closing(SharedTables.open(url)) as tables:
        one = replica_on(tables)
        one.store.add(token())
        database = url.rpartition("/")[2]
        postgres.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
        postgres.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")
        for _ in range(2):
            one.seconds.now += 2
            with pytest.raises(BackendUnavailable, match="token table"):
                one.store.keyring()
        postgres.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")
        one.seconds.now += 2
        assert one.ids() == ["aaaaaaaa"]


def test_one_look_that_lasts_makes_nobody_wait_twice(replica: Callable[[], Replica]) -> None:
    """While the database hangs, the first request waits for it; those that come later are refused at once."""
    one = replica()
    one.store.add(token())
    go_on = threading.Event()
    looks: list[bool] = []

    def hang() -> bool:
        looks.append(True)
        return go_on.wait(60)

    one.store.tables = Hanging(one.tables, hang)  # type: ignore[assignment]
    one.store.seconds = Seconds(10.0)
    try:
        for _ in range(3):
            with pytest.raises(BackendUnavailable, match="does not answer"):
                one.store.keyring()
            one.store.seconds.now += 5
    finally:
        go_on.set()
    assert looks == [True]


@define
class Hanging:
    """Tables that do not answer before *hang* returns."""

    tables: SharedTables
    hang: Callable[[], bool]

    def all(self, statement: Executable, values: Values) -> Rows:
        self.hang()
        return self.tables.all(statement, values)
