"""
A self-signed certificate, made by the command openssl, which every system with TLS has.

The rule: the key is written to a file that only its owner can read, and existing files are never replaced.
"""

from __future__ import annotations

import hashlib
import os
import re
import ssl
import subprocess
import tempfile
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

from attrs import frozen

from ...domain.errors.settings import InvalidSetting

_NAME = re.compile(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]*)(\.[A-Za-z0-9-]+)*", re.ASCII)


@frozen
class MadeCertificate:
    """The two PEM files, and the SHA-256 of the certificate in hex."""

    certificate: Path
    key: Path
    fingerprint: str


def self_signed_certificate(names: Sequence[str], folder: Path, days: int) -> MadeCertificate:
    """
    A certificate for *names*, which may be addresses, valid for *days*, with its key (P-256), both in *folder*.

    Raises:
        InvalidSetting: a name is not valid, a file exists already, or openssl is missing or fails.
    """
    certificate, key = folder / "tarkeep-certificate.pem", folder / "tarkeep-key.pem"
    subject = ",".join(map(_alternative, names))
    for file in (certificate, key):
        if file.exists():
            raise InvalidSetting("into", f"{file} exists already; move it away first")
    with tempfile.TemporaryDirectory() as made:
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        command += ["-days", str(days), "-subj", "/CN=Tarkeep", "-addext", f"subjectAltName={subject}"]
        command += ["-keyout", f"{made}/key", "-out", f"{made}/certificate"]
        try:
            ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise InvalidSetting("tls self-signed", "the command openssl was not found; install it") from None
        if ran.returncode:
            raise InvalidSetting("tls self-signed", f"openssl ended with {ran.returncode}: {ran.stderr.strip()[-200:]}")
        texts = Path(made, "key").read_bytes(), Path(made, "certificate").read_bytes()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text, mode in zip((key, certificate), texts, (0o600, 0o644), strict=True):
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as written:
                written.write(text)
    except OSError as error:
        raise InvalidSetting("into", f"{folder}: {error.strerror}") from error
    der = ssl.PEM_cert_to_DER_cert(texts[1].decode())
    return MadeCertificate(certificate, key, hashlib.sha256(der).hexdigest().upper())


def _alternative(name: str) -> str:
    try:
        return f"IP:{ip_address(name)}"
    except ValueError:
        if not _NAME.fullmatch(name):
            raise InvalidSetting("name", f"{name!r} is not a name or address of a server") from None
        return f"DNS:{name}"
