"""
The audit log: one line for each write, chained to the line before and sealed with a key.

The rule: lines are only ever added. Each has the SHA-256 of the line before, so that the digest of one fixes all lines
up to it, and an HMAC of itself, which requires the key. So a line that was changed, removed or inserted is detected, as
in signed syslog (RFC 5848). Two attacks are not. The key stays the same, unlike that of a journal with forward-secure
sealing (systemd's FSS): an attacker with the key can write any log, even of the past. And a log cut off at its end
still verifies. Against both, keep the digest of the newest line, the *head*, where the key is not: it fixes every line
up to it.

A log that began without a key continues with one behind a line that says so. That the lines before it fit together
proves nothing about the time before; from then on that line fixes them. A line torn by a crash stays, and the next one
is chained to it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from datetime import datetime

from attrs import define, field, frozen

from ..text.times import rfc3339
from .chain import LineChain, told_in

HOST = "host"
"""The author of a write on the server's own host."""

KEY_BYTES = 32
KEYED = "the log goes on with the key"
"""The result in the line behind which a log continues with a new key; the name of the key follows."""

_SEAL = b', "mac": "'
_SEAL_BYTES = len(_SEAL) + 64 + len(b'"}')


@frozen
class AuditEntry:
    """
    One write: when, *who* (the id of a token, None if none was needed, or ``host``), the *address* it came from, *what*
    was written, the SHA-256 of its bytes if it has any, and *result*, a word.
    """

    at: datetime
    who: str | None
    address: str
    what: str
    sha256: str | None
    result: str


@frozen
class AuditReport:
    """
    The result of checking a log: its *lines*, the digest of the *last* one, and the number of the first that is
    *broken*, which does not follow the one before it, from 1, None if all fit. *torn* lines were cut by a crash.

    *forged* is the number of the first line that cannot be parsed, or lacks the seal of the key and should have it.
    The *unproven* lines, the first ones, are older than the key, which began *keyed_at*; without a key all lines are
    unproven, and *sealed* of them have a seal. *holds_noted* says whether a line has the digest that the caller noted,
    and *noted_line* is its number.
    """

    lines: int
    last: str
    broken: int | None
    torn: int
    holds_noted: bool
    forged: int | None = None
    unproven: int = 0
    keyed_at: str | None = None
    noted_line: int | None = None
    sealed: int = 0

    @property
    def lacks_key(self) -> bool:
        """Whether lines were sealed but could not be checked without the key."""
        return self.sealed > 0 and self.unproven == self.lines and self.forged is None

    @property
    def is_whole(self) -> bool:
        """Whether everything that can be checked was checked and is right."""
        return self.broken is None and self.forged is None and self.holds_noted and not self.lacks_key


def key_name(key: bytes) -> str:
    """The name of *key* in the log, from which the key cannot be derived."""
    return hashlib.sha256(b"tarkeep audit key " + key).hexdigest()[:16]


def key_entry(key: bytes, at: datetime) -> AuditEntry:
    """The entry behind which a log that already has lines continues with *key*."""
    return AuditEntry(at, HOST, "", "audit log", None, f"{KEYED} {key_name(key)}")


def goes_on_with(line: bytes, key: bytes) -> bool:
    """Whether *line* is the one behind which a log continues with *key*."""
    told = told_in(line)
    return told is not None and told.get("result") == f"{KEYED} {key_name(key)}" and _is_sealed(line, key)


def seal_fits(line: bytes, key: bytes) -> bool | None:
    """Whether the seal of *line* is one with *key*; None if it has none, or is torn."""
    told = told_in(line)
    return None if told is None or "mac" not in told else _is_sealed(line, key)


def told_as(result: str) -> bytes:
    """The bytes that a line with *result* contains, and no other line: quotes in text from outside are escaped."""
    return b'"result": ' + json.dumps(result).encode()


def told_about(what: str) -> bytes:
    """The bytes that each line about *what* contains, and no other line."""
    return b'"what": ' + json.dumps(what).encode() + b', "sha256": '


def told_before(before: str) -> bytes:
    """The bytes that the line after the one with the digest *before* contains, and no other; a torn one lacks them."""
    return b', "before": ' + json.dumps(before).encode()


def entry_of(line: bytes) -> AuditEntry | None:
    """What *line* says; None if it is torn or damaged. Its seal is not looked at."""
    told = told_in(line)
    try:
        if told is None:
            return None
        return AuditEntry(
            datetime.fromisoformat(str(told["at"])),
            None if told["who"] is None else str(told["who"]),
            str(told["address"]),
            str(told["what"]),
            None if told["sha256"] is None else str(told["sha256"]),
            str(told["result"]),
        )
    except (KeyError, ValueError):
        return None


def line_of(entry: AuditEntry, before: str, key: bytes) -> bytes:
    """The line of *entry*, without its newline, after the one with the digest *before*, sealed with *key*."""
    told = {
        "at": rfc3339(entry.at),
        "who": entry.who,
        "address": entry.address,
        "what": entry.what,
        "sha256": entry.sha256,
        "result": entry.result,
        "before": before,
    }
    unsealed = json.dumps(told).encode()
    return unsealed[:-1] + _SEAL + _mac(unsealed, key) + b'"}'


def check(lines: Iterable[bytes], noted: str | None = None, key: bytes | None = None) -> AuditReport:
    """Check *lines*, without their newlines, from the first on; and whether one of them has the digest *noted*."""
    checking = _Checking(LineChain(noted), key)
    for line in lines:
        checking.take(line)
    return checking.report()


@define
class _Checking:
    _chain: LineChain
    _key: bytes | None
    _torn: int = field(default=0, init=False)
    _sealed: int = field(default=0, init=False)
    _keyed_from: int | None = field(default=None, init=False)  # from this line on all must be sealed with the key
    _keyed_at: str | None = field(default=None, init=False)
    _forged: int | None = field(default=None, init=False)

    def take(self, line: bytes) -> None:
        told = told_in(line)
        self._chain.take(line, told)
        if told is None and _MAYBE_CUT.fullmatch(line):
            self._torn += 1
        elif told is None:
            self._forged = self._forged or self._chain.lines
        else:
            self._sealed += "mac" in told
            if self._key is not None and not self._is_in_order(line, told, self._key):
                self._forged = self._forged or self._chain.lines

    def _is_in_order(self, line: bytes, told: dict[str, object], key: bytes) -> bool:
        is_right = _is_sealed(line, key)
        if self._keyed_from is not None:
            return is_right
        is_first = self._chain.lines - self._torn == 1
        if is_right and (is_first or told.get("result") == f"{KEYED} {key_name(key)}"):
            self._keyed_from, self._keyed_at = self._chain.lines, str(told.get("at"))
            return True
        # Older than the key, unless it has a seal: then that is of another key, or the line was moved.
        return "mac" not in told

    def report(self) -> AuditReport:
        chain = self._chain
        has_lines = chain.lines > self._torn
        if self._key is not None and self._keyed_from is None and has_lines:
            self._forged = 1  # with a key, every log has a line sealed with it
        return AuditReport(
            lines=chain.lines,
            last=chain.last,
            broken=chain.broken,
            torn=self._torn,
            holds_noted=chain.holds_noted,
            forged=self._forged,
            unproven=chain.lines if self._keyed_from is None else self._keyed_from - 1,
            keyed_at=self._keyed_at,
            noted_line=chain.noted_line,
            sealed=self._sealed,
        )


def _maybe_cut() -> re.Pattern[bytes]:
    """
    Matches what a power cut can leave of a line, and no other bytes that are not a line.

    That is the beginning of a line. A file system may have recorded that the file grew, but lost what was written: then
    NULs stand there, followed by what was kept of this line or of the next ones, if their newlines were lost as well. A
    single NUL between two parts is a space with a flipped bit, since no sector is that short. An attacker cannot hide
    a line this way: the next line has its digest, and a log with a cut end looks just as good.
    """
    character = rb'(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-f]{4}))'
    text, cut_text = rb'"%b*"' % character, rb'"%b*(?:\\(?:u[0-9a-f]{0,3})?)?' % character
    digest, cut_digest = rb'"[0-9a-f]{64}"', rb'"[0-9a-f]{0,64}'
    values = {"at": text, "who": text, "address": text, "what": text, "sha256": text, "result": text}
    pattern = rb""
    for name in reversed((*values, "before", "mac")):
        value, cut = (text, cut_text) if name in values else (digest, cut_digest)
        if name in ("who", "sha256"):
            value, cut = rb"(?:null|%b)" % value, rb"(?:%b|%b)" % (_beginning(b"null"), cut)
        before = (b"{" if name == "at" else b", ") + b'"%b": ' % name.encode()
        pattern = rb"(?:%b|%b(?:%b|%b%b))" % (_beginning(before), re.escape(before), cut, value, pattern)
    rest = rb"\x00[^\x01-\x1f]*"
    return re.compile(rb"%b|%b(?:}?\x00(?:%b)?)?" % (rest, pattern, rest))


def _beginning(literal: bytes) -> bytes:
    """A pattern for every prefix of *literal*, including the empty one and itself."""
    pattern = b""
    for byte in reversed(literal):
        pattern = b"(?:%b%b)?" % (re.escape(bytes([byte])), pattern)
    return pattern


_MAYBE_CUT = _maybe_cut()


def _mac(unsealed: bytes, key: bytes) -> bytes:
    return hmac.new(key, unsealed, hashlib.sha256).hexdigest().encode()


def _is_sealed(line: bytes, key: bytes) -> bool:
    unsealed, seal = line[:-_SEAL_BYTES] + b"}", line[-_SEAL_BYTES:]
    return hmac.compare_digest(seal, _SEAL + _mac(unsealed, key) + b'"}')
