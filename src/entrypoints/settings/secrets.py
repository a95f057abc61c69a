"""What was given as a secret, left out of everything that is said."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SHORTEST_SECRET = 5  # what is shorter may be part of any word


# what is one wherever it stands, such as where a name was to be given
_TOKEN = re.compile(r"\b(tk_[a-z2-7]{8}_)[a-z2-7]{4,}")


_LOGIN = re.compile(r"(://[^\s/:@]*):([^\s@]+)@")


_secrets: set[str] = set()


def keep_secret(text: str) -> None:
    """Leave *text* out of everything that is said from now on."""
    if len(text) >= _SHORTEST_SECRET:
        _secrets.add(text)


def keep_secrets_in(words: Iterable[str]) -> None:
    """The same of the passwords of all addresses in *words*, wherever on a command line they may stand."""
    for word in words:
        for _, password in _LOGIN.findall(word) if "://" in word else ():
            keep_secret(password)


def without_secrets(text: str) -> str:
    """*text* with stars in the place of what was to be kept secret, also where only the greater part of it is there."""
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
