"""Secrets given to the program, left out of all output."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SHORTEST_SECRET = 5  # anything shorter may be part of any word


# secret wherever it stands, for example in place of a name
_TOKEN = re.compile(r"\b(tk_[a-z2-7]{8}_)[a-z2-7]{4,}")


_LOGIN = re.compile(r"(://[^\s/:@]*):([^\s@]+)@")


_secrets: set[str] = set()


def keep_secret(text: str) -> None:
    """Leave *text* out of all output from now on."""
    if len(text) >= _SHORTEST_SECRET:
        _secrets.add(text)


def keep_secrets_in(words: Iterable[str]) -> None:
    """The same for the passwords in all addresses among *words*, wherever they are on a command line."""
    for word in words:
        for _, password in _LOGIN.findall(word) if "://" in word else ():
            keep_secret(password)


def without_secrets(text: str) -> str:
    """*text* with secrets replaced by stars, also if only the greater part of one is in it."""
    if "tk_" in text:
        text = _TOKEN.sub(r"\1***", text)
    if "@" in text:
        text = _LOGIN.sub(r"\1:***@", text)
    for secret in _secrets:
        text = _without(text, secret)
    return text


def _without(text: str, secret: str) -> str:
    least = max(_SHORTEST_SECRET, (len(secret) + 1) // 2)
    at = text.find(secret[:least])
    while at >= 0:
        end = at + least
        while end < len(text) and end - at < len(secret) and text[end] == secret[end - at]:
            end += 1
        text = f"{text[:at]}***{text[end:]}"
        at = text.find(secret[:least], at + 3)
    return text
