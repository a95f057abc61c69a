"""The server's certificate: loaded for TLS 1.2 or newer, and shown by its fingerprint."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

from ....domain.errors.settings import InvalidSetting

_END = "-----END CERTIFICATE-----"


def tls_context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """
    The context of a server with *certificate* (PEM, followed by its issuers) and *key*; None without a certificate.

    Raises:
        InvalidSetting: one of the two is missing, cannot be read, or does not belong to the other.
    """
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        missing, there = ("tls_certificate", "tls_key") if certificate is None else ("tls_key", "tls_certificate")
        raise InvalidSetting(missing, f"must be given together with {there}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load_certificate(context, certificate, key)
    return context


def load_certificate(context: ssl.SSLContext, certificate: Path | None, key: Path | None) -> None:
    """
    Make connections that begin from now on in *context* use *certificate* and *key*.

    Raises:
        InvalidSetting: as `tls_context`; which certificate the context uses then is undefined.
    """
    if certificate is None or key is None:
        return
    for setting, file in (("tls_certificate", certificate), ("tls_key", key)):
        try:
            file.read_bytes()
        except OSError as error:
            raise InvalidSetting(setting, f"{file}: {error.strerror}") from error
    try:
        # an empty password: an encrypted key must not make the server prompt at the terminal
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        reason = f"{certificate} and {key} are not a certificate and its key without a password, in PEM"
        raise InvalidSetting("tls_certificate", f"{reason} ({error.reason or 'not readable'})") from error


def certificate_fingerprint(certificate: Path | None) -> str | None:
    """The SHA-256 of *certificate*, as shown by browsers and ``tarkeep --fingerprint``; None without one."""
    if certificate is None:
        return None
    begin, end, _ = certificate.read_text().partition(_END)
    der = ssl.PEM_cert_to_DER_cert(begin[begin.index("-----BEGIN CERTIFICATE-----") :] + end)
    return hashlib.sha256(der).hexdigest().upper()
