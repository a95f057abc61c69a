"""
Signatures by the command openssl, with a key of the operator's.

The rule: the key is only named to openssl, which reads it; if it has a passphrase, openssl asks for it.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from pathlib import Path

from attrs import frozen

from ....domain.errors.settings import InvalidSetting

_MAKE = "make one with: openssl genpkey -algorithm ed25519 -out key.pem"


@frozen
class SigningKey:
    """The Ed25519 key in the file *path*, with its public half in PEM, and the SHA-256 of that in DER."""

    path: Path
    public: bytes
    fingerprint: str


def signing_key(path: Path) -> SigningKey:
    """
    The key in the PEM file *path*.

    Raises:
        InvalidSetting: it cannot be read, is no Ed25519 key, or openssl is missing.
    """
    if not path.is_file():
        raise InvalidSetting("sign", f"there is no file {path}; {_MAKE}")
    public = _openssl("pkey", "-in", str(path), "-pubout")
    told = _openssl("pkey", "-pubin", "-noout", "-text", given=public)
    if not told.upper().startswith(b"ED25519"):
        raise InvalidSetting("sign", f"{path} is not an Ed25519 key; {_MAKE}")
    der = _openssl("pkey", "-pubin", "-outform", "DER", given=public)
    return SigningKey(path, public, hashlib.sha256(der).hexdigest())


def signature(key: SigningKey, text: bytes) -> bytes:
    """
    The signature of *text*.

    Raises:
        InvalidSetting: openssl fails.
    """
    with tempfile.NamedTemporaryFile() as file:  # for Ed25519 openssl wants a file whose length it can ask for
        file.write(text)
        file.flush()
        return _openssl("pkeyutl", "-sign", "-inkey", str(key.path), "-rawin", "-in", file.name)


def _openssl(*arguments: str, given: bytes | None = None) -> bytes:
    try:
        ran = subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=False)
    except FileNotFoundError:
        raise InvalidSetting("sign", "the command openssl was not found; install it") from None
    if ran.returncode:
        said = ran.stderr.decode(errors="replace").strip().splitlines()
        raise InvalidSetting("sign", f"openssl {arguments[0]} ended with {ran.returncode}: {' '.join(said)[-200:]}")
    return ran.stdout
