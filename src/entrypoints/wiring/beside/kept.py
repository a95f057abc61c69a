"""
What a server keeps beside its archives and their catalog: tokens, in files of its data directory, or in the database of
the catalog.

The rule: with a catalog in PostgreSQL they are in its tables, so that any number of servers have the same. What a data
directory has of them comes into the tables once, when a server owns the directory and starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime

from ....adapters.filesystem.tokens import FileTokenStore, TokenMark
from ....adapters.memory.tokens import MemoryTokenStore
from ....adapters.sql.shared.tables import SharedTables
from ....adapters.sql.shared.token_rows import SqlTokenStore
from ....domain.access.tokens import Keyring
from ....domain.ports.access import TokenStore
from ...logs import Log
from ...settings.server import StorageSettings
from ...starting import starting

log = Log("tarkeep")


def is_memory(settings: StorageSettings) -> bool:
    """Whether all ends with the process."""
    return settings.store is not None and settings.store.startswith("memory:")


def is_in_tables(settings: StorageSettings) -> bool:
    """Whether what is kept beside archives is in the database of the catalog."""
    return not is_memory(settings) and (settings.catalog or "").startswith("postgresql:")


@contextmanager
def tables_of(settings: StorageSettings) -> Iterator[SharedTables]:
    """The tables in the database of the catalog, which exist. Raises as `SharedTables.open`."""
    with closing(SharedTables.open(settings.catalog or "")) as tables:
        yield tables


@contextmanager
def token_store_of(settings: StorageSettings) -> Iterator[TokenStore]:
    """The tokens, for the server that owns the data directory."""
    if is_memory(settings):
        yield MemoryTokenStore()
    elif is_in_tables(settings):
        with tables_of(settings) as tables:
            token_store = token_rows(settings, tables)
            with starting(settings.data):
                _move_tokens(FileTokenStore(settings.data), token_store)
            yield token_store
    else:
        files = FileTokenStore(settings.data)
        with starting(settings.data):
            files.note_tokens()
        yield files


def token_rows(settings: StorageSettings, tables: SharedTables) -> SqlTokenStore:
    """The tokens in *tables*, with what the data directory knows of them."""
    mark = TokenMark(settings.data)
    return SqlTokenStore(tables, mark.had_tokens, mark.note_tokens)


def _move_tokens(files: FileTokenStore, token_store: SqlTokenStore) -> None:
    def take(keyring: Keyring, uses: Mapping[str, datetime]) -> None:
        added = token_store.take_over(keyring.tokens.values(), uses)
        log.info("the tokens of the data directory are in the catalog now", added=added, had=len(keyring.tokens))

    files.give_away(take)
