"""MD5 and SHA-256, declared and computed."""

from __future__ import annotations

import re

from attrs import frozen

from .invalid import DigestMismatch, InvalidDigest

_HEX_LENGTH = {"md5": 32, "sha256": 64}


_LOWER_HEX = re.compile(r"[0-9a-f]*", re.ASCII)


def parse_digest(algorithm: str, text: str) -> str:
    """
    *text* as lower-case hex of the right length for *algorithm* (``md5`` or ``sha256``).

    Raises:
        InvalidDigest: it is not hex, or has another length.
    """
    length = _HEX_LENGTH[algorithm]
    if len(text) == length and _LOWER_HEX.fullmatch(text):
        return text
    value = text.strip().lower()
    if len(value) != length or not _LOWER_HEX.fullmatch(value):
        raise InvalidDigest(algorithm, text)
    return value


def check_hex(algorithm: str, value: str) -> None:
    if not isinstance(value, str) or len(value) != _HEX_LENGTH[algorithm] or not _LOWER_HEX.fullmatch(value):
        raise InvalidDigest(algorithm, str(value))


@frozen
class Digests:
    """MD5 and SHA-256 of the same bytes. SHA-256 is identity; MD5 serves clients that know nothing else."""

    md5: str
    sha256: str

    def __attrs_post_init__(self) -> None:
        check_hex("md5", self.md5)
        check_hex("sha256", self.sha256)


@frozen
class DeclaredDigests:
    """The digests that a client declares; None for one that it does not."""

    md5: str | None = None
    sha256: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.md5 is not None:
            check_hex("md5", self.md5)
        if self.sha256 is not None:
            check_hex("sha256", self.sha256)

    def check(self, actual: Digests) -> None:
        """
        Compare with the digests of the received bytes.

        Raises:
            DigestMismatch: a declared digest differs; SHA-256 is compared first.
        """
        if self.sha256 is not None and self.sha256 != actual.sha256:
            raise DigestMismatch("sha256", self.sha256, actual.sha256)
        if self.md5 is not None and self.md5 != actual.md5:
            raise DigestMismatch("md5", self.md5, actual.md5)
