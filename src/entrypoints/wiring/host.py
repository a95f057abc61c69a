"""Wiring of the commands that run on the server's host."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import tzinfo
from pathlib import Path

from attrs import frozen

from ...adapters.cron_lines import CronsimLines
from ...adapters.filesystem.data_directory import AUDIT, TOKENS
from ...adapters.filesystem.marker import MARKER
from ...adapters.local.legacy_folder import LegacyFolder
from ...adapters.process import openssl_certificate
from ...adapters.process.clock_and_ids import SystemClock
from ...adapters.process.openssl_certificate import MadeCertificate
from ...adapters.sql.agreed.rule_rows import KeptRules
from ...adapters.sql.agreed.upgrading import Upgraded, upgrade_database
from ...domain.access.audit import HOST, AuditEntry
from ...domain.errors.settings import InvalidSetting
from ...domain.ports.access import AuditLog
from ...domain.profiles.rules import RuleBook
from ...domain.usecases.access.tokens import ListTokens, MakeToken, RevokeToken
from ..settings.files import read_setting_text
from ..settings.profiles import read_rules
from ..settings.server import StorageSettings
from ..starting import check_is_there, starting
from .beside.kept import is_in_tables, is_memory, kept_beside_on_host, shown
from .beside.rules import RuleSource


def _nothing_to_close() -> None:
    """Files are closed after each use."""


@frozen
class Tokens:
    """The use cases of tokens, and the audit log, for the server's host: they work while a server runs."""

    make: MakeToken
    all: ListTokens
    revoke: RevokeToken
    audit: AuditLog
    close: Callable[[], None] = _nothing_to_close


def open_tokens(settings: StorageSettings) -> Tokens:
    """
    The tokens of the server with these *settings*. The caller closes them.

    Raises:
        InvalidSetting: the store is memory, which ends with its process, and so do its tokens; or what the
            data directory has of them is not in the catalog yet.
        BackendUnavailable: the catalog that should have them cannot be opened.
    """
    if is_memory(settings):
        raise InvalidSetting("store", "a server over memory has no tokens and no audit log; give it a data directory")
    with ExitStack() as opened:
        beside = opened.enter_context(kept_beside_on_host(settings))
        token_store, audit = beside.token_store, beside.audit
        clock = SystemClock()
        return Tokens(
            MakeToken(token_store, clock, secrets.token_bytes, audit),
            ListTokens(token_store),
            RevokeToken(token_store, clock, audit),
            audit,
            opened.pop_all().close,
        )


def rules_in(file: Path, *, must_exist: bool) -> RuleBook:
    """The rules of profiles in *file*; raises as `read_rules`."""
    return read_rules(file, must_exist=must_exist, read_times=CronsimLines().read)


@contextmanager
def rules_on_host(settings: StorageSettings) -> Iterator[HostRules]:
    """
    The rules of the server with these *settings*.

    Raises:
        InvalidSetting: what the data directory has for all servers is not in the catalog yet.
        BackendUnavailable: the catalog that should have them cannot be opened.
    """
    if not is_in_tables(settings):
        yield HostRules(RuleSource(settings, None), None)
        return
    with kept_beside_on_host(settings) as beside:
        yield HostRules(RuleSource(settings, beside.rules), beside.audit)


@frozen
class HostRules:
    """The rules of profiles; *audit* is the log of those who set them, None if each server has a file of its own."""

    source: RuleSource
    audit: AuditLog | None

    def set(self, file: Path) -> KeptRules:
        """
        Let what *file* has be the rules of all servers.

        Raises:
            InvalidSetting: it has something that is not a rule, or is missing; or the servers have no rules in common.
        """
        texts = self.source.texts
        if texts is None or self.audit is None:
            detail = f"the rules are in the catalog only if that is in PostgreSQL; here they are in {self.source.file}"
            raise InvalidSetting("catalog", detail)
        rules_in(file, must_exist=True)
        at = SystemClock().now()
        kept = texts.set(read_setting_text("profiles", file), at)
        self.audit.append(AuditEntry(at, HOST, "", "rules of profiles", kept.sha256, "set"))
        return kept


def upgrade_catalog(settings: StorageSettings) -> Upgraded:
    """
    Bring the tables of the catalog up to date; servers may use it meanwhile.

    Raises:
        InvalidSetting, FolderUnusable: the catalog ends with its process, or cannot be upgraded.
    """
    if is_memory(settings) or (settings.catalog or "").startswith("memory:"):
        raise InvalidSetting("catalog", "a catalog in memory ends with its server")
    url = settings.catalog or f"sqlite:///{settings.data}/catalog.sqlite"
    with starting(shown(url), "catalog"):
        return upgrade_database(url)


def check_data_directory(settings: StorageSettings) -> None:
    """
    Check that there is a data directory for tokens and the audit log; nothing is created.

    Raises:
        InvalidSetting, FolderUnusable: the directory is missing or is not a data directory of Tarkeep.
    """
    check_is_there(settings.data, (MARKER, TOKENS, AUDIT))


def check_store(settings: StorageSettings) -> None:
    """
    Check that there is a store, in a data directory of its own; nothing is created.

    Raises:
        InvalidSetting, FolderUnusable: the directory is missing or is not a data directory of Tarkeep.
    """
    url = settings.store or f"file:{settings.data}"
    if url.startswith("file:"):
        check_is_there(Path(url.removeprefix("file:").removeprefix("//")), (MARKER,))


def self_signed_certificate(names: Sequence[str], folder: Path, days: int) -> MadeCertificate:
    """A certificate and its key in *folder*. Raises InvalidSetting."""
    return openssl_certificate.self_signed_certificate(names, folder, days)


def legacy_folder(path: Path, zone: tzinfo | None, profile: str) -> LegacyFolder:
    """The folder of the original server, to import from."""
    return LegacyFolder(path, zone, profile)
