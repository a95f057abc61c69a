"""
Commands on the server's host for the evidence: writing out a month for an auditor, and checking all of it.

They read the evidence and nothing else, while the server runs as well.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from .....domain.errors.access import EvidenceNotFound
from .....domain.errors.settings import InvalidSetting, UsageError
from .....domain.evidence.entry import EvidenceReport, check_month
from .....domain.evidence.statement import Statement
from .....domain.text.counted import counted
from .....domain.text.times import rfc3339
from ....settings.files import expanded
from ....settings.server import StorageSettings
from ...terminal.exits import DIFFERENT, OK
from ...terminal.output import Output
from ..serve import Unused

if TYPE_CHECKING:
    from ....wiring.commands.evidence import EvidenceOnHost


def export(
    *,
    month: str,
    sign: Path | None = None,
    output: Path = Path(),
    json: bool = False,
    storage: StorageSettings | None = None,
    _server: Unused = None,
) -> int:
    """
    Write out what was proven in a month: each scrub, damage, repair, drill, removal and release, a line of JSON each.

    Beside the lines, evidence-MONTH.jsonl, there is a statement about them, which fixes each of them, and with --sign
    its signature and the public key. The commands that are printed at the end check both without Tarkeep. Files of an
    earlier export are replaced. It works beside a running server.

    Exit codes: 0 done; 10 there is no evidence of that month; 13 done, but the chain of lines is broken somewhere.

    Parameters
    ----------
    month
        The month in UTC, such as 2026-11.
    sign
        A PEM file with an Ed25519 key of yours, which openssl signs with. It should not be on the server for longer
        than that.
    output
        The folder for the files. Default: the working directory.
    json
        Print the statement and the files as a JSON object.
    """
    from ....wiring.commands.evidence import signature, signing_key

    try:
        check_month(month)
    except ValueError as error:
        raise UsageError("--month", str(error)) from None
    key = None if sign is None else signing_key(expanded("sign", sign))
    folder = expanded("output", output)
    name = f"evidence-{month}"
    with _evidence(storage) as evidence:
        report = evidence.check()
        found = report.of(month)
        if found is None:
            raise EvidenceNotFound(month, tuple(one.month for one in report.months))
        fingerprint = "" if key is None else key.fingerprint
        statement = Statement(found, f"{name}.jsonl", datetime.now(UTC), report.broken, fingerprint)
        lines = (line + b"\n" for line in islice(evidence.show(month), found.lines))
        parts: dict[str, Iterator[bytes]] = {
            "jsonl": lines,
            "statement": iter([str(statement).encode()]),
        }
        if key is not None:
            parts |= {"sig": iter([signature(key, str(statement).encode())]), "pub": iter([key.public])}
        files = {suffix: _written(folder, f"{name}.{suffix}", pieces) for suffix, pieces in parts.items()}
    checks = _checks(name, is_signed=key is not None)
    _tell(Output(json, quiet=False), statement, folder, files, checks)
    return OK if report.is_whole else DIFFERENT


def verify(
    *, head: str | None = None, json: bool = False, storage: StorageSettings | None = None, _server: Unused = None
) -> int:
    """
    Check that no line of the evidence, of whatever month, was changed, removed or inserted.

    The lines are chained but not sealed: whoever can write the data directory can write all of them anew. What protects
    them is an export that is kept elsewhere, or --head. Exit codes: 0 the chain is whole; 13 it is broken.

    Parameters
    ----------
    head
        The SHA-256 of a line, such as that of the last line in a statement of an earlier export: some line must still
        have it.
    json
        Print the result as a JSON object.
    """
    if head is not None:
        head = head.strip().lower()
        if not re.fullmatch("[0-9a-f]{64}", head):
            raise UsageError("--head", f"{head!r} is not a digest of 64 hex digits; give one of a statement")
    with _evidence(storage) as evidence:
        report = evidence.check(head)
    output = Output(json, quiet=False)
    told = list(_verified(report, head))
    output.result(
        told[0],
        whole=report.is_whole,
        lines=report.lines,
        months=[one.month for one in report.months],
        head=report.last,
        torn=report.torn,
        broken=None if report.broken is None else {"month": report.broken.month, "line": report.broken.line},
        kept_head=None if report.noted is None else {"month": report.noted.month, "line": report.noted.line},
    )
    if not json:
        for line in told[1:]:
            output.result(line)
    return OK if report.is_whole else DIFFERENT


@contextmanager
def _evidence(storage: StorageSettings | None) -> Iterator[EvidenceOnHost]:
    """The evidence; the data directory must exist, and errors name it."""
    from ....starting import starting
    from ....wiring.commands.evidence import open_evidence
    from ....wiring.host import check_data_directory

    storage = storage or StorageSettings()
    with open_evidence(storage) as opened:
        check_data_directory(storage)
        with starting(storage.data):
            yield opened


def _written(folder: Path, name: str, pieces: Iterator[bytes]) -> Path:
    """The file *name* in *folder* with *pieces*, only for its owner; it replaces one of an earlier export."""
    file, part = folder / name, folder / f"{name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as written:
            written.writelines(pieces)
            written.flush()
            os.fsync(written.fileno())
        part.rename(file)
    except OSError as error:
        raise InvalidSetting("output", f"{file}: {error.strerror}") from error
    return file


def _checks(name: str, *, is_signed: bool) -> list[str]:
    """The commands that check an export without Tarkeep, to be run in its folder."""
    digest = f"openssl dgst -sha256 -r {name}.jsonl | grep -xF -f - {name}.statement"
    if not is_signed:
        return [digest]
    public = f"{name}.pub"
    return [
        f"openssl pkey -pubin -in {public} -outform DER | openssl dgst -sha256",
        f"openssl pkeyutl -verify -pubin -inkey {public} -rawin -in {name}.statement -sigfile {name}.sig",
        digest,
    ]


def _tell(output: Output, statement: Statement, folder: Path, files: dict[str, Path], checks: list[str]) -> None:
    month = statement.month
    told = f"{counted(month.lines, 'line')} of {month.month}: {files['jsonl']}"
    output.result(
        told,
        month=month.month,
        lines=month.lines,
        torn=month.torn,
        first=month.first,
        last=month.last,
        follows=month.follows,
        sha256=month.sha256,
        stated_at=rfc3339(statement.made_at),
        is_over=statement.is_over,
        is_whole=statement.broken is None,
        key=statement.signed_by or None,
        files=[str(file) for file in files.values()],
        checks=checks,
    )
    if output.as_json:
        return
    output.result(f"what is stated about them: {files['statement']}")
    if not statement.is_over:
        output.result(f"{month.month} is not over: more lines may follow")
    if statement.broken is not None:
        output.result(f"broken: {statement.broken} does not follow the one before it")
    if statement.signed_by:
        output.result(f"signed by the key with the SHA-256 {statement.signed_by}: compare it with the first command")
    output.result(f"check it without Tarkeep in {shlex.quote(str(folder))}:")
    for check in checks:
        output.result(f"  {check}")


def _verified(report: EvidenceReport, head: str | None) -> Iterator[str]:
    months = f" of {counted(len(report.months), 'month')}" if report.months else ""
    yield f"{counted(report.lines, 'line')}{months}, the last with SHA-256 {report.last}"
    if report.torn:
        yield f"lines cut by a crash: {report.torn}"
    if report.broken is not None:
        yield (
            f"broken: {report.broken} does not follow the one before it: lines before it were changed, removed or "
            "inserted"
        )
    if report.noted is not None:
        yield f"{report.noted} has the kept head"
    if not report.holds_noted:
        yield f"broken: no line has the SHA-256 {head}: lines were cut off or changed since it was kept"
