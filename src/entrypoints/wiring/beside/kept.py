"""
What a server keeps beside its archives and their catalog: tokens, the audit log, the evidence, the note on
the clock and rules; in files of its data directory, or in the database of the catalog.

The rule: with a catalog in PostgreSQL they are in its tables, so that any number of servers have the same. What a data
directory has of them comes into the tables once, when a server owns the directory and starts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from attrs import frozen

from ....adapters.filesystem.audit_log import FileAuditLog
from ....adapters.filesystem.chained.audit_key import AuditKeyFile
from ....adapters.filesystem.chained.evidence_log import FileEvidenceLog
from ....adapters.filesystem.clock_notes import FileClockNotes
from ....adapters.filesystem.data_directory import AUDIT, AUDIT_KEY, EVIDENCE, TOKENS
from ....adapters.filesystem.tokens import FileTokenStore, TokenMark
from ....adapters.memory.audit_log import MemoryAuditLog
from ....adapters.memory.tokens import MemoryTokenStore
from ....adapters.memory.upkeep.clock_notes import MemoryClockNotes
from ....adapters.memory.upkeep.evidence_log import MemoryEvidenceLog
from ....adapters.sql.agreed.clock_rows import SqlClockNotes
from ....adapters.sql.agreed.rule_rows import SqlRuleTexts
from ....adapters.sql.agreed.upgrading import check_schema
from ....adapters.sql.catalog import SqlCatalog
from ....adapters.sql.shared.audit_rows import SqlAuditLog
from ....adapters.sql.shared.evidence_rows import SqlEvidenceLog
from ....adapters.sql.shared.tables import SharedTables
from ....adapters.sql.shared.token_rows import SqlTokenStore
from ....domain.access.tokens import Keyring
from ....domain.errors.settings import InvalidSetting
from ....domain.ports.access import AuditLog, TokenStore
from ....domain.ports.system import Clock, ClockNotes
from ....domain.ports.upkeep.evidence import EvidenceLog
from ...logs import Log
from ...settings.server import StorageSettings
from ...starting import starting

log = Log("tarkeep")


@frozen
class KeptBeside:
    """All that is kept so; *rules* are those of all servers, None if each has a file of its own, as *tables* are."""

    token_store: TokenStore
    audit: AuditLog
    evidence: EvidenceLog
    clock_notes: ClockNotes
    rules: SqlRuleTexts | None = None
    tables: SharedTables | None = None

    def check_schema(self) -> None:
        """Raise BackendUnavailable if a newer version made the tables ones that this version may not use."""
        if self.tables is not None:
            check_schema(self.tables)


def is_memory(settings: StorageSettings) -> bool:
    """Whether all ends with the process."""
    return settings.store is not None and settings.store.startswith("memory:")


def is_in_tables(settings: StorageSettings) -> bool:
    """Whether it is in the database of the catalog."""
    return not is_memory(settings) and (settings.catalog or "").startswith("postgresql:")


def shown(url: str) -> str:
    """*url* of a database, without the name and the password of its user."""
    return re.sub("://[^/@]*@", "://", url)


@contextmanager
def kept_beside(settings: StorageSettings, clock: Clock) -> Iterator[KeptBeside]:
    """All of it, for the server that owns the data directory. With tables, the catalog was opened before."""
    if is_memory(settings):
        yield KeptBeside(MemoryTokenStore(), MemoryAuditLog(), MemoryEvidenceLog(), MemoryClockNotes())
    elif is_in_tables(settings):
        with closing(SharedTables.open(settings.catalog or "")) as tables:
            yield _moved_into(tables, settings, clock)
    else:
        files = _Files.of(settings)
        with starting(settings.data):
            files.tokens.note_tokens()
        with starting(files.audit.key_file, "audit_key"):
            files.audit.begin(clock.now())
        yield KeptBeside(files.tokens, files.audit, files.evidence, FileClockNotes(settings.data))


@contextmanager
def kept_beside_on_host(settings: StorageSettings) -> Iterator[KeptBeside]:
    """
    All of it, for commands on the host, which work while a server runs.

    Raises:
        InvalidSetting: something of the data directory is not in the catalog yet.
        BackendUnavailable: the catalog that should have it cannot be opened.
    """
    files = _Files.of(settings)
    if not is_in_tables(settings):
        yield KeptBeside(files.tokens, files.audit, files.evidence, FileClockNotes(settings.data))
        return
    url = settings.catalog or ""
    with starting(shown(url), "catalog"):
        SqlCatalog.open(url).close()  # makes the tables if this is before the first start
    with closing(SharedTables.open(url)) as tables:
        audit, evidence = _audit_rows(tables, settings), SqlEvidenceLog(tables)
        for name, is_left in (
            (TOKENS, files.tokens.is_there),
            (AUDIT, files.audit.is_there and audit.is_empty),
            (EVIDENCE, bool(files.evidence.months()) and evidence.is_empty),
        ):
            if is_left:
                detail = f"{settings.data / name} is not in it yet; the next start of the server takes it over"
                raise InvalidSetting("catalog", detail)
        yield KeptBeside(
            _token_rows(tables, settings), audit, evidence, SqlClockNotes(tables), SqlRuleTexts(tables), tables
        )


@frozen
class _Files:
    tokens: FileTokenStore
    audit: FileAuditLog
    evidence: FileEvidenceLog

    @classmethod
    def of(cls, settings: StorageSettings) -> _Files:
        data = settings.data
        return cls(FileTokenStore(data), FileAuditLog(data, _key_file(settings)), FileEvidenceLog(data))


def _moved_into(tables: SharedTables, settings: StorageSettings, clock: Clock) -> KeptBeside:
    files = _Files.of(settings)
    token_store = _token_rows(tables, settings)
    audit, evidence = _audit_rows(tables, settings), SqlEvidenceLog(tables)

    def take(keyring: Keyring, uses: Mapping[str, datetime]) -> None:
        added = token_store.take_over(keyring.tokens.values(), uses)
        log.info("the tokens of the data directory are in the catalog now", added=added, had=len(keyring.tokens))

    with starting(settings.data):
        files.tokens.give_away(take)
        FileClockNotes(settings.data).give_away(SqlClockNotes(tables).take_over)
        for what, had, is_moved in (
            ("audit log", files.audit.is_there, files.audit.give_away(audit.take_over)),
            ("evidence", bool(files.evidence.months()), files.evidence.give_away(evidence.take_over)),
        ):
            if had and is_moved:
                log.info(f"the {what} of the data directory is in the catalog now")
            elif had:
                log.warning(f"the catalog has another {what} than the data directory, whose own is kept as it is")
    with starting(_key_file(settings), "audit_key"):
        audit.begin(clock.now())
    return KeptBeside(token_store, audit, evidence, SqlClockNotes(tables), SqlRuleTexts(tables), tables)


def _key_file(settings: StorageSettings) -> Path:
    return settings.audit_key or settings.data / AUDIT_KEY


def _token_rows(tables: SharedTables, settings: StorageSettings) -> SqlTokenStore:
    mark = TokenMark(settings.data)
    return SqlTokenStore(tables, mark.had_tokens, mark.note_tokens)


def _audit_rows(tables: SharedTables, settings: StorageSettings) -> SqlAuditLog:
    return SqlAuditLog(tables, AuditKeyFile(_key_file(settings), settings.data))
