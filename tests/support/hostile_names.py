"""Malicious names, and names from unusual sources: an endless supply, from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

GOOD_PROFILE = "web-1"
GOOD_TYPE = "FULL"
GOOD_NAME = "full_2025-11-21_09-07-19.tar.gz"

_TRAVERSAL = ["..", "../", "..\\", "....//", "/", "//", "./", "/etc/passwd", "../../../../tmp/x", "C:\\", "\\\\host\\x"]
_ENCODED = ["%2e%2e%2f", "%2F", "%5c", "%252e%252e%252f", "%00", "%0a", "%c0%ae%c0%ae/", "%u002e", "%", "%zz", "%ff"]
_CONTROL = [chr(code) for code in (*range(32), 127, 0x85, 0x9F)]
_FORMAT = ["\u202e", "\u200b", "\u2066", "\ufeff", "\u00ad", "\u2028", "\u2029", "\U000e0041", "\u200d"]
_STRANGE = ["\ud800", "\udfff", "\ufffe", "\uffff", "\ue000", "\U0010ffff", "\U0001f4a9", "\U0001f468\u200d\U0001f469"]
_NFD = ["e\u0301", "A\u030a", "\u1112\u1161\u11ab", "\u0344", "\u212b", "q\u0307\u0323"]
_DEVICES = ["CON", "NUL", "AUX", "COM1", "LPT9", "con.tar.gz", "NUL.tar.gz", "PRN .tar.gz", "CLOCK$"]
_SHELL = [
    "$(id)",
    "`id`",
    "; rm -rf /",
    "| cat",
    "&& true",
    "-rf",
    "--help",
    "*",
    "?",
    "~root",
    "'",
    '"',
    "\\",
    "!!",
    "> x",
]
_INJECTION = [
    *(
        "' OR 1=1 --",
        "'; DROP TABLE archives; --",
        "<script>alert(1)</script>",
        "{{7*7}}",
        "${jndi:ldap://x}",
        "%s%n%x",
    ),
    *("\r\nX-Injected: 1", "{0.__class__}", "__proto__", "../../x\0.tar.gz", "&#46;&#46;/", "a\r\n\r\nGET / HTTP/1.1"),
]
_RESERVED = [".", "..", "...", ".hidden.tar.gz", ".tar.gz", "x.tar.gz.json", "tarkeep.json", "catalog.sqlite", "lock"]
_ALL = [
    *(_TRAVERSAL, _ENCODED, _CONTROL, _FORMAT, _STRANGE, _NFD, _DEVICES, _SHELL, _INJECTION, _RESERVED),
]


def hostile_names(seed: int, good: str) -> Iterator[str]:
    """Names derived from *good* or from nothing. Some may hold surrogates: encode with ``surrogatepass``."""
    chance = random.Random(seed)
    shapes: list[Callable[[str], str]] = [
        lambda bad: bad,
        lambda bad: bad + good,
        lambda bad: good + bad,
        lambda bad: bad + ".tar.gz",
        lambda bad: _inside(chance, good, bad),
        lambda bad: bad * chance.randint(2, 60) + ".tar.gz",
        lambda bad: "".join(chance.choice(chance.choice(_ALL)) for _ in range(chance.randint(1, 6))),
        lambda _: chance.choice("aé备") * chance.choice([0, 1, 64, 65, 192, 193, 194, 255, 256, 4000]) + ".tar.gz",
        lambda _: "".join(chr(chance.randrange(0x110000)) for _ in range(chance.randint(0, 12))) + ".tar.gz",
        lambda _: "",
    ]
    while True:
        yield chance.choice(shapes)(chance.choice(chance.choice(_ALL)))


def _inside(chance: random.Random, good: str, bad: str) -> str:
    at = chance.randrange(len(good))
    return good[:at] + bad + good[at:]


def raw(name: str) -> bytes:
    """*name* as UTF-8, surrogates too, which makes it invalid."""
    return name.encode("utf-8", "surrogatepass")
