"""Secrets given to the program, left out of all output."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...domain.errors.settings import InvalidSetting

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


_WORD = re.compile(r"[!-~]{1,4096}", re.ASCII)


def token_in(setting: str, text: str, without: str) -> str:
    """
    The single word in *text*, which never becomes part of a message; *without* says that there is none.

    Raises:
        InvalidSetting: it is not one word of a token.
    """
    words = text.split()
    if not words:
        raise InvalidSetting(setting, without)
    if len(words) > 1 or not _WORD.fullmatch(words[0]):
        raise InvalidSetting(setting, "a token is one word of plain letters, digits and signs, at most 4096 of them")
    keep_secret(words[0])
    return words[0]


def check_fingerprint(_instance: object, _attribute: object, value: str | None) -> None:
    """Check that *value* is one, if it is given. Raises InvalidSetting."""
    if value is not None and not re.fullmatch(r"[0-9A-Fa-f]{64}", value.replace(":", ""), re.ASCII):
        raise InvalidSetting("fingerprint", f"must be the SHA-256 of a certificate, 64 hex digits, is {value!r}")
