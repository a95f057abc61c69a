"""Wiring of the commands for the evidence: what signs starts a program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from ....adapters.process.upkeep import openssl_signature
from ....adapters.process.upkeep.openssl_signature import SigningKey
from ....domain.errors.settings import InvalidSetting
from ....domain.usecases.keeping.evidence import CheckEvidence, ShowEvidence
from ...settings.server import StorageSettings
from ..beside.kept import is_memory, kept_beside_on_host


@frozen
class EvidenceOnHost:
    """The use cases of the evidence, for the server's host: they work while a server runs."""

    show: ShowEvidence
    check: CheckEvidence


@contextmanager
def open_evidence(settings: StorageSettings) -> Iterator[EvidenceOnHost]:
    """
    The evidence of the server with these *settings*.

    Raises:
        InvalidSetting: the store is memory, which ends with its process, and so does its evidence; or that of the data
            directory is not in the catalog yet.
        BackendUnavailable: the catalog that should have it cannot be opened.
    """
    if is_memory(settings):
        raise InvalidSetting("store", "the evidence of a server over memory ends with it; give it a data directory")
    with kept_beside_on_host(settings) as beside:
        yield EvidenceOnHost(ShowEvidence(beside.evidence), CheckEvidence(beside.evidence))


def signing_key(path: Path) -> SigningKey:
    """The operator's Ed25519 key in the PEM file *path*. Raises InvalidSetting."""
    return openssl_signature.signing_key(path)


def signature(key: SigningKey, text: bytes) -> bytes:
    """The signature of *text* with *key*. Raises InvalidSetting."""
    return openssl_signature.signature(key, text)
