"""Wiring of the commands that run on the server's host."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack
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
from ...domain.errors.settings import InvalidSetting
from ...domain.ports.access import AuditLog
from ...domain.profiles.rules import RuleBook
from ...domain.usecases.access.tokens import ListTokens, MakeToken, RevokeToken
from ..settings.profiles import read_rules
from ..settings.server import StorageSettings
from ..starting import check_is_there
from .beside.kept import is_memory, kept_beside_on_host


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
