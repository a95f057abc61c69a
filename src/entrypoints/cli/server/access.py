"""
Commands on the server's host for access: tokens, the audit log and certificates.

They work while the server runs, which notices changes within a second. Results go to standard output and messages to
standard error, so that a token can be redirected into a file.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from ....domain.access.audit import AuditReport
from ....domain.access.tokens import Scope, Token
from ....domain.errors.settings import InvalidSetting, UsageError
from ....domain.text.counted import counted
from ....domain.text.times import rfc3339
from ...settings.files import expanded
from ...settings.server import StorageSettings
from ..shared.moments import moment_of, tell_zone
from ..terminal.columns import in_columns
from ..terminal.exits import FAILED, OK
from ..terminal.output import Output
from ..terminal.streams import OutputLost, show
from .serve import Unused

if TYPE_CHECKING:
    from ....domain.usecases.access.tokens import MadeToken
    from ...wiring.host import Tokens

_MOST_DAYS = 36_500
ScopeWord = Literal["push", "pull", "list", "verify", "metrics", "prune", "drill", "admin"]


def create_token(
    *,
    scope: list[ScopeWord],
    profile: list[str],
    note: str = "",
    expires: str | None = None,
    network: list[str] | None = None,
    json: bool = False,
    storage: StorageSettings | None = None,
    _server: Unused = None,
) -> int:
    """
    Make a token and print it. It is shown only once; the server stores only its SHA-256.

    As soon as there is one token, every route of the server requires a token.

    Parameters
    ----------
    scope
        What the token allows; the option may be repeated. push: send archives, which are never overwritten; pull: read
        them; list: see what is stored; verify: compare; metrics: read
        figures for a monitor; prune: remove archives and bring them back;
        drill: restore points to prove that they restore; admin: release holds
        and brakes, run jobs.
    profile
        A pattern of the profiles that it is valid for: laptop, or with * for any characters; the option may be
        repeated.
    note
        Whose token it is, shown when the tokens are listed.
    expires
        When it expires: a number of days such as 90d, or a day or time such as 2027-12-31, in this machine's time zone
        unless it names one. Default: never.
    network
        Where it may be used: a network such as 10.0.0.0/8, or an address; the option may be repeated. Default:
        anywhere.
    json
        Print the token as one JSON object, with what it allows.
    """
    try:
        networks = tuple(ip_network(text) for text in network or ())
    except ValueError as error:
        raise UsageError("--network", str(error)) from None
    storage = storage or StorageSettings()
    is_new = not storage.data.exists()
    try:
        with _tokens(storage, may_be_new=True) as tokens:
            made = tokens.make(
                frozenset(map(Scope, scope)),
                tuple(profile),
                note=note,
                expires_at=None if expires is None else _end(expires, datetime.now(UTC)),
                networks=networks,
            )
            _show_token(tokens, made, Output(json, quiet=False))
    except ValueError as error:
        raise UsageError("token create", str(error)) from None
    if is_new:  # the server has not been started yet, or the path is mistyped
        print(f"tarkeep: there was no data directory {storage.data}; it was created", file=sys.stderr)
    print(f"tarkeep: token {made.token.id}; it is not shown again", file=sys.stderr)
    return OK


@contextmanager
def _tokens(storage: StorageSettings | None, *, may_be_new: bool = False) -> Iterator[Tokens]:
    """The tokens of the data directory, which must exist unless it *may_be_new*; errors name the directory."""
    from ...starting import starting
    from ...wiring.host import check_data_directory, open_tokens

    storage = storage or StorageSettings()
    if not may_be_new:
        check_data_directory(storage)
    with starting(storage.data):
        tokens = open_tokens(storage)
        try:
            yield tokens
        finally:
            tokens.close()


def _show_token(tokens: Tokens, made: MadeToken, output: Output) -> None:
    try:
        if output.as_json:
            output.result("", token=made.text, **_members(made.token, None, datetime.now(UTC)))
        else:
            show(made.text)
    except OutputLost:
        tokens.revoke(made.token.id)  # its text was not printed, so it can never be used
        raise


def _end(text: str, now: datetime) -> datetime:
    days = re.fullmatch(r"([1-9]\d{0,4})d", text, re.ASCII)
    if days is not None:
        return now + timedelta(days=int(days[1]))
    try:
        end = moment_of(text, datetime.now())
    except ValueError:
        raise UsageError(
            "--expires",
            f"{text!r} is not a time; give a number of days such as 90d, a day such as 2027-12-31, or a time such as "
            "'2027-12-31 18:00' or 2027-12-31T18:00:00Z",
        ) from None
    if end <= now:
        raise UsageError("--expires", f"{text} is in the past")
    tell_zone("--expires", text, end, Output(as_json=False, quiet=False))
    return end


def list_tokens(*, json: bool = False, storage: StorageSettings | None = None, _server: Unused = None) -> int:
    """
    List the tokens: what each allows, when it was made and last used, and whether it is still valid.

    Parameters
    ----------
    json
        Print each token as one JSON object.
    """
    now = datetime.now(UTC)
    with _tokens(storage) as opened:
        tokens = opened.all()
    output = Output(json, quiet=False)
    for (token, used_at), line in in_columns(tokens, lambda one: _described(*one, now)):
        output.result(line, **_members(token, used_at, now))
    if not tokens:
        print("tarkeep: there is no token; the server accepts requests from its own machine only", file=sys.stderr)
    return OK


def _members(token: Token, used_at: datetime | None, now: datetime) -> dict[str, object]:
    return {
        "id": token.id,
        "valid": token.revoked_at is None and (token.expires_at is None or token.expires_at > now),
        "scopes": [scope.value for scope in Scope if scope in token.scopes],
        "profiles": list(token.profiles),
        "networks": list(map(str, token.networks)),
        "created_at": rfc3339(token.created_at),
        "expires_at": token.expires_at and rfc3339(token.expires_at),
        "revoked_at": token.revoked_at and rfc3339(token.revoked_at),
        "used_at": used_at and rfc3339(used_at),
        "note": token.note,
    }


def _described(token: Token, used_at: datetime | None, now: datetime) -> list[str]:
    if token.revoked_at is not None:
        state = f"revoked {rfc3339(token.revoked_at)}"
    elif token.expires_at is not None:
        state = f"{'expired' if token.expires_at <= now else 'until'} {rfc3339(token.expires_at)}"
    else:
        state = "valid"
    return [
        token.id,
        state,
        ",".join(scope.value for scope in Scope if scope in token.scopes),
        " ".join(token.profiles),
        f"from {' '.join(map(str, token.networks))}" if token.networks else "from anywhere",
        f"made {rfc3339(token.created_at)}",
        f"used {rfc3339(used_at)}" if used_at else "never used",
        token.note,
    ]


def revoke_token(
    id: str, /, *, json: bool = False, storage: StorageSettings | None = None, _server: Unused = None
) -> int:
    """
    Revoke a token; a running server refuses it within a second.

    Parameters
    ----------
    id
        The id that list shows, or the whole token.
    json
        Print the token as one JSON object.
    """
    with _tokens(storage) as tokens:
        token = tokens.revoke(id)
    Output(json, quiet=False).result(f"revoked: {token.id}", **_members(token, None, datetime.now(UTC)))
    return OK


def audit_head(*, json: bool = False, storage: StorageSettings | None = None, _server: Unused = None) -> int:
    """
    Print the digest of the newest line of the audit log, to be kept on another machine for audit verify --head.

    It protects all lines up to that one, even from somebody who has the key. A log that does not verify has no head.

    Parameters
    ----------
    json
        Print it as one JSON object.
    """
    output = Output(json, quiet=False)
    with _tokens(storage) as tokens:
        report = tokens.audit.check()
    if not report.is_whole:
        error, advice = "the log has no head while it does not verify", "see tarkeep audit verify"
        if json:
            output.result(
                "", summary=True, code="audit-broken", error=error, detail=f"{error}; {advice}", exit_code=FAILED
            )
        output.error(f"{error}; {advice}")
        return FAILED
    output.result(report.last, head=report.last, lines=report.lines)
    return OK


def verify_audit(
    *,
    head: Annotated[str | None, Parameter(name=("--head", "--last"))] = None,
    json: bool = False,
    storage: StorageSettings | None = None,
    _server: Unused = None,
) -> int:
    """
    Check that no line of the audit log was changed, removed or inserted by anybody without its key.

    Only --head shows that lines were cut off at the end.

    Parameters
    ----------
    head
        A digest that audit head printed before: some line must still have it.
    json
        Print what was found as one JSON object.
    """
    if head is not None:
        head = head.strip().lower()
        if not re.fullmatch("[0-9a-f]{64}", head):
            raise UsageError("--head", f"{head!r} is not a digest of 64 hex digits; give one that audit head printed")
    with _tokens(storage) as tokens:
        report = tokens.audit.check(head)
    output = Output(json, quiet=False)
    if json:
        output.result("", **_findings(report, list(_verified(report, head))))
    for line in () if json else _verified(report, head):
        output.result(line)
    return OK if report.is_whole else FAILED


def _findings(report: AuditReport, sentences: list[str]) -> dict[str, object]:
    """What a check of the log found, for programs; lines are counted from 1, and null where there is none."""
    return {
        "whole": report.is_whole,
        "lines": report.lines,
        "head": report.last,
        "torn_lines": report.torn,
        "unproven_lines": report.unproven,
        "has_key": not report.lacks_key and report.keyed_at is not None,
        "keyed_at": report.keyed_at,
        "broken_line": report.broken,
        "forged_line": report.forged,
        "holds_kept_head": report.holds_noted,
        "kept_head_line": report.noted_line,
        "detail": sentences,
    }


def _verified(report: AuditReport, head: str | None) -> Iterator[str]:
    yield f"{counted(report.lines, 'line')}, the last with SHA-256 {report.last}"
    if report.torn:
        yield f"lines cut by a crash: {report.torn}"
    if report.lacks_key:
        yield "not proven: the key is missing, so the seals could not be checked, only that the lines follow each other"
    elif report.keyed_at is not None and report.unproven:
        older = "line 1 is" if report.unproven == 1 else f"lines 1 to {report.unproven} are"
        yield (
            f"{older} older than the key: not proven against anybody who could write the log before {report.keyed_at}, "
            f"protected since then by line {report.unproven + 1}"
        )
    elif report.lines and report.keyed_at is None and report.forged is None:
        yield "not proven: the log has no key yet; the next start of the server, or the next token, makes one"
    if report.broken is not None:
        yield f"broken: line {report.broken} does not follow the one before it"
    if report.forged is not None:
        sealed = "it was changed, inserted or sealed with another key"
        yield f"broken: line {report.forged} does not have the seal of the key: {sealed}"
    if report.noted_line is not None:
        yield f"line {report.noted_line} has the kept head, and {report.lines - report.noted_line} came after it"
    if not report.holds_noted:
        yield f"broken: no line has the SHA-256 {head}: lines were cut off or changed since it was kept"


def self_signed(
    *name: str,
    into: Path = Path(),
    days: int = 825,
    json: bool = False,
    storage: Annotated[StorageSettings | None, Parameter(show=False)] = None,  # noqa: ARG001
    _server: Unused = None,
) -> int:
    """
    Make a self-signed certificate with its key: tarkeep-certificate.pem and tarkeep-key.pem.

    Clients trust it by its fingerprint, which is printed, or with the certificate as --cacert.

    Parameters
    ----------
    name
        The names and addresses by which clients reach the server. Default: localhost.
    into
        The folder for both files; existing files are not replaced. Default: the working directory.
    days
        How long it is valid, at most a hundred years.
    json
        Print the paths of both files and the fingerprint as one JSON object.
    """
    from ...wiring.host import self_signed_certificate

    if not 1 <= days <= _MOST_DAYS:
        raise InvalidSetting("days", f"must be 1 to {_MOST_DAYS}, is {days}")
    made = self_signed_certificate(list(name) or ["localhost"], expanded("into", into), days)
    told = {"certificate": str(made.certificate), "key": str(made.key), "fingerprint": made.fingerprint}
    output = Output(json, quiet=False)
    if json:
        output.result("", **told)
    for what, value in () if json else told.items():
        output.result(f"{what}: {value}")
    return OK
