"""Multipart forms written byte by byte, so that a test controls every byte."""

from __future__ import annotations

BOUNDARY = "----------tarkeep-test-boundary"
NAME = "full_2025-11-21_09-07-19.tar.gz"


def field_part(name: str, value: str | bytes) -> bytes:
    """A part with a field, from its headers to its last byte."""
    content = value if isinstance(value, bytes) else value.encode()
    return b'Content-Disposition: form-data; name="%s"\r\n\r\n%s' % (name.encode(), content)


def file_part(content: bytes, filename: str | bytes = NAME, name: str = "file") -> bytes:
    """A part with a file."""
    raw = filename if isinstance(filename, bytes) else filename.encode()
    head = b'Content-Disposition: form-data; name="%s"; filename="%s"\r\nContent-Type: application/gzip\r\n\r\n'
    return head % (name.encode(), raw) + content


def form(*parts: bytes, boundary: str = BOUNDARY, closed: bool = True) -> bytes:
    """The body of a form; without its closing boundary unless *closed*."""
    delimiter = b"--" + boundary.encode()
    body = b"".join(delimiter + b"\r\n" + part + b"\r\n" for part in parts)
    return body + delimiter + b"--\r\n" if closed else body


def form_headers(boundary: str = BOUNDARY) -> dict[str, str]:
    return {"Content-Type": f"multipart/form-data; boundary={boundary}"}
