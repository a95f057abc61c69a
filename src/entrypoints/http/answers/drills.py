"""Restore drills as JSON."""

from __future__ import annotations

from ....domain.drills.choice import DrillLimits
from ....domain.drills.drill import Drill
from ....domain.text.paths import path_text
from ....domain.text.times import rfc3339
from .archives import archive_reference


def due_json(drill: Drill, limits: DrillLimits) -> dict[str, object]:
    """What is to be restored."""
    return {
        "id": drill.id,
        "profile": drill.profile,
        "point": archive_reference(drill.point),
        "way": drill.way.value,
        "exact": drill.is_exact,
        "archives": [
            {
                **archive_reference(one.id),
                "sha256": one.sha256,
                "size": one.size_bytes,
                "incremental": one.is_incremental,
            }
            for one in drill.archives
        ],
        "folders": [path_text(folder) for folder in drill.folders],
        "share": drill.share,
        "max_bytes": limits.most_bytes,
        "minutes": limits.minutes,
    }


def drill_json(drill: Drill) -> dict[str, object]:
    """A drill or a rehearsal, and what came of it."""
    report = drill.report
    return {
        "id": drill.id,
        "kind": drill.kind.value,
        "profile": drill.profile,
        "point": archive_reference(drill.point),
        "way": drill.way.value,
        "outcome": drill.outcome.value,
        "started_at": rfc3339(drill.started_at),
        "ended_at": None if drill.ended_at is None else rfc3339(drill.ended_at),
        "token": drill.who,
        "archives": [{**archive_reference(one.id), "sha256": one.sha256} for one in drill.archives],
        "size": drill.size_bytes,
        "folders": [path_text(folder) for folder in drill.folders],
        "share": drill.share,
        "expected": report.expected,
        "names": report.names,
        "bytes": report.restored_bytes,
        "seconds": report.seconds,
        "different": report.different,
        "differences": [{"path": path_text(one.path), "detail": one.what} for one in report.differences],
        "not_compared": list(report.not_compared),
        "tar": report.tar,
        "sandbox": report.sandbox,
        "said": list(report.said),
        "error": report.error or None,
    }
