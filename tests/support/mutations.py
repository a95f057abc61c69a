"""Damaging multipart bodies, from a seed, as a broken client, a bad line or a curious person might."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.support.forms import BOUNDARY

_DELIMITER = b"--" + BOUNDARY.encode()
_TOKENS = [
    *(b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\n\n", b"\r\r\n", b"--", b"\0", b"\xff", b":", b";", b'"', b"\\", b"="),
    *(_DELIMITER, _DELIMITER + b"--", _DELIMITER + b"\r\n", b"\r\n" + _DELIMITER, b"\r\n" + _DELIMITER + b"--\r\n"),
    *(_DELIMITER[:-1], _DELIMITER + b"x", _DELIMITER + b" ", b"\r\n" + _DELIMITER + b"\n", _DELIMITER.upper()),
    *(b"Content-Disposition: form-data", b'name="file"', b'filename="x.tar.gz"', b"filename*=UTF-8''x.tar.gz"),
    *(
        b"Content-Length: 3\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b" continued\r\n",
        b"Content-Type: text/x\r\n",
    ),
]


def mutated(body: bytes, chance: random.Random) -> bytes:
    """*body* after one to four small accidents."""
    for _ in range(chance.choice([1, 1, 1, 2, 2, 4])):
        body = chance.choice(_ACCIDENTS)(body, chance)
    return body


def _flip(body: bytes, chance: random.Random) -> bytes:
    if not body:
        return body
    at = chance.randrange(len(body))
    return body[:at] + bytes([body[at] ^ 1 << chance.randrange(8)]) + body[at + 1 :]


def _cut_end(body: bytes, chance: random.Random) -> bytes:
    return body[: chance.randrange(len(body) + 1)]


def _cut_start(body: bytes, chance: random.Random) -> bytes:
    return body[chance.randrange(min(len(body), 80) + 1) :]


def _delete(body: bytes, chance: random.Random) -> bytes:
    start, stop = _slice(body, chance)
    return body[:start] + body[stop:]


def _double(body: bytes, chance: random.Random) -> bytes:
    start, stop = _slice(body, chance)
    return body[:stop] + body[start:]


def _move(body: bytes, chance: random.Random) -> bytes:
    start, stop = _slice(body, chance)
    rest = body[:start] + body[stop:]
    at = chance.randrange(len(rest) + 1)
    return rest[:at] + body[start:stop] + rest[at:]


def _insert(body: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(body) + 1)
    return body[:at] + chance.choice(_TOKENS) * chance.choice([1, 1, 1, 2, 5]) + body[at:]


def _replace(body: bytes, chance: random.Random) -> bytes:
    old, new = chance.choice([b"\r\n", _DELIMITER, b"form-data", b'"', b"file", b"; "]), chance.choice(_TOKENS)
    return body.replace(old, new, chance.choice([1, 1, -1]))


def _wrap(body: bytes, chance: random.Random) -> bytes:
    """A preamble or an epilogue, which RFC 2046 allows."""
    words = chance.choice([b"preamble", b"\r\n", b"preamble\r\n", bytes(300), _DELIMITER[:20]])
    return words + body if chance.random() < 0.5 else body + words


def _slice(body: bytes, chance: random.Random) -> tuple[int, int]:
    start = chance.randrange(len(body) + 1)
    return start, min(len(body), start + chance.choice([1, 2, 4, 16, 64, 256]))


_ACCIDENTS: list[Callable[[bytes, random.Random], bytes]] = [
    *(_flip, _cut_end, _cut_start, _delete, _double, _move, _insert, _insert, _replace, _wrap),
]
