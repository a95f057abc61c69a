"""The report of `tarkeep backup` on a stored dump: what it found, what is missing from it, what tar said."""

from __future__ import annotations

from attrs import frozen

from .....domain.client.backup.back_up import BackedUp
from .....domain.client.backup.verdict import DumpVerdict, left_out_text
from .....domain.text.counted import counted
from .....domain.text.durations import duration
from .....domain.text.paths import path_text
from .....domain.text.sizes import human_size
from ...terminal.exits import OK, PARTLY
from ...terminal.output import Output

_SHOWN = 20
MAKING_IT_FULL = "tarkeep backup --type full"


@frozen
class Course:
    """Measurements of a dump: bytes of the tar, and seconds from planning to end; None if unknown."""

    read_bytes: int | None = None
    seconds: float | None = None


def report(
    output: Output, done: BackedUp, parent: str | None, reason: str, course: Course, verdict: DumpVerdict | None = None
) -> int:
    """Print the report, with the server's *verdict* if it gave one; return the exit code."""
    archive = done.archive
    if done.not_whole is not None:
        output.error(f"{archive.id}: {done.not_whole} ({MAKING_IT_FULL})")
    for doubt in verdict.doubts if verdict is not None else ():
        output.message(f"{archive.id}: {doubt}")
    if verdict is not None and verdict.loss:
        output.message(f"{archive.id}: {verdict.loss}: see tarkeep points {archive.id.profile}")
    _tell_unreadable(output, done)
    _tell_messages(output, done)
    if done.snapshot_error is not None:
        output.error(
            f"{archive.id}: the archive is stored, its snapshot file is not: {done.snapshot_error}; the next dump "
            "will continue from the one before, which is correct, but larger"
        )
    if verdict is not None and not verdict.is_good:
        output.error(f"{archive.id}: stored, but {verdict.fault}")
    if verdict is not None and verdict.gap:
        output.error(f"{archive.id}: stored, but {verdict.gap}")
    changes = done.changes
    output.result(
        f"{archive.id}: stored ({human_size(archive.size_bytes)}), {on_top_of(parent)}: {reason}",
        profile=archive.id.profile,
        type=archive.id.type.value,
        name=archive.id.name,
        point=archive.id.label,
        status="stored",
        size=archive.size_bytes,
        sha256=archive.digests.sha256,
        parent=parent,
        reason=reason,
        not_whole=done.not_whole,
        new=changes.new if changes else None,
        changed=changes.changed if changes else None,
        unchanged=changes.unchanged if changes else None,
        deleted=changes.deleted if changes else None,
        read=course.read_bytes,
        seconds=round(course.seconds, 1) if course.seconds is not None else None,
        warnings=list(done.messages),
        unreadable=[{"path": path_text(one.path), "reason": one.reason} for one in done.unreadable],
        clean=done.is_clean,
        restorable=not verdict.obstacles if verdict is not None else None,
        obstacles=list(verdict.obstacles) if verdict is not None else [],
        gaps=verdict.gaps if verdict is not None else None,
        doubts=[*verdict.doubts, *filter(None, [verdict.loss]), *verdict.harmless] if verdict is not None else [],
        forgotten=[path_text(path) for path in verdict.forgotten] if verdict is not None else [],
        left_out=[path_text(path) for path in verdict.left_out] if verdict is not None else [],
        snapshot="stored" if done.snapshot_error is None else "not-stored",
        error=str(done.snapshot_error) if done.snapshot_error is not None else None,
    )
    lines = [_summary(done, course)]
    if verdict is not None:
        lines += [left_out_text(verdict), *(f"doubt: {doubt}" for doubt in verdict.harmless)]
    for line in () if output.as_json else filter(None, lines):
        output.result(line)
    is_all = done.snapshot_error is None and done.not_whole is None and not done.unreadable
    return OK if is_all and (verdict is None or (verdict.is_good and not verdict.gaps)) else PARTLY


def on_top_of(parent: str | None) -> str:
    """What a dump continues from, in words."""
    return f"on top of {parent}" if parent is not None else "on top of nothing"


def _summary(done: BackedUp, course: Course) -> str:
    facts = []
    if done.changes is not None:
        it = done.changes
        found = f"{it.new} new, {it.changed} changed, {it.unchanged} unchanged, {it.deleted} deleted"
        missing = f", {len(done.unreadable)} not readable" if done.unreadable else ""
        facts.append(f"files: {found}{missing}")
    if course.read_bytes is not None and course.seconds is not None:
        sizes = f"{human_size(course.read_bytes)} read, {human_size(done.archive.size_bytes)} stored"
        facts.append(f"{sizes} in {duration(course.seconds)}")
    return "; ".join(facts)


def _tell_unreadable(output: Output, done: BackedUp) -> None:
    if not done.unreadable:
        return
    count = counted(len(done.unreadable), "file or directory", "files and directories")
    output.error(
        f"{done.archive.id}: stored without {count} that could not be read; the next dump tries again, and --strict "
        "stores nothing in such a case:"
    )
    for one in done.unreadable[:_SHOWN]:
        output.error(f"  {path_text(one.path)}: {one.reason}")
    if len(done.unreadable) > _SHOWN:
        output.error(f"  and {len(done.unreadable) - _SHOWN} more; tarkeep points shows the note about them")


def _tell_messages(output: Output, done: BackedUp) -> None:
    # unreadable files were reported before
    said = done.other_messages
    if not said:
        return
    if done.is_clean:
        output.message(f"{done.archive.id}: tar says:")
    else:
        output.error(f"{done.archive.id}: stored, but tar warns that files changed while it read them:")
    tell = output.message if done.is_clean else output.error
    for line in said[:_SHOWN]:
        tell(f"  {line}")
    if len(said) > _SHOWN:
        tell(f"  and {len(said) - _SHOWN} more")
