"""Prune plans, marks, the brake and the trash as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ....domain.identity.archive_id import ArchiveId
from ....domain.ports.store import TrashedArchive
from ....domain.retention.decisions import PruneDecision, PrunePlan, Reason, kept_bytes
from ....domain.retention.marks import Marks
from ....domain.retention.simulation import Simulation
from ....domain.retention.suspicion import Suspicion
from ....domain.retention.trash_note import TrashNote
from ....domain.text.times import rfc3339
from .archives import archive_reference


def plan_json(plan: PrunePlan) -> dict[str, object]:
    """A plan with a decision for every archive, in the order in which they were received."""
    return {
        "profile": plan.profile,
        "plan": plan.digest,
        "verdict": plan.verdict.value,
        "pauses": [{"code": pause.kind.value, "detail": pause.reason} for pause in plan.pauses],
        "policy": dict(plan.settings),
        "keeps": {"archives": len(plan.decisions) - len(plan.removed), "size": kept_bytes(plan.decisions)},
        "removes": {"archives": len(plan.removed), "size": plan.removed_bytes},
        "decisions": [_decision(one) for one in plan.decisions],
    }


def _decision(decision: PruneDecision) -> dict[str, object]:
    archive = decision.archive
    return {
        **archive_reference(archive.id),
        "size": archive.size_bytes,
        "received_at": rfc3339(archive.received_at),
        "taken_at": rfc3339(archive.taken_at),
        "kept": decision.is_kept,
        "reasons": _reasons(decision.reasons),
    }


def _reasons(reasons: Iterable[Reason]) -> list[dict[str, str]]:
    return [{"code": reason.kind.value, "detail": reason.text} for reason in reasons]


def simulation_json(profile: str, simulation: Simulation) -> dict[str, object]:
    """A day after the other, and what each rule alone keeps at the end."""
    return {
        "profile": profile,
        "days": [
            {
                "at": rfc3339(day.at),
                "points": day.points,
                "archives": day.archives,
                "size": day.size_bytes,
                "longest_chain": day.longest,
                "removed": day.removed,
            }
            for day in simulation.days
        ],
        "alone": dict(simulation.alone),
    }


def marks_json(marks: Marks) -> dict[str, object]:
    """The holds and the lock of an archive."""
    return {
        "holds": [
            {
                "id": hold.id,
                "reason": hold.reason,
                "made_at": rfc3339(hold.made_at),
                "until": hold.until and rfc3339(hold.until),
            }
            for hold in marks.holds
        ],
        "locked_until": marks.locked_until and rfc3339(marks.locked_until),
        "readable": not marks.is_unreadable,
        "suspicion": marks.suspicion and _suspicion(marks.suspicion),
    }


def brake_json(profile: str, stopping: Mapping[ArchiveId, Suspicion | None]) -> dict[str, object]:
    """Why pruning *profile* is stopped: its suspicious archives, and those that may be."""
    return {
        "profile": profile,
        "suspicious": [{**archive_reference(id), **_suspicion(one)} for id, one in stopping.items() if one is not None],
        "unreadable": [archive_reference(id) for id, one in stopping.items() if one is None],
    }


def _suspicion(suspicion: Suspicion) -> dict[str, object]:
    return {
        "judged_at": rfc3339(suspicion.judged_at),
        "signs": [{"code": one.sign.value, "weight": one.weight, "detail": one.text} for one in suspicion.indications],
    }


def trashed_json(trashed: TrashedArchive, note: TrashNote | None) -> dict[str, object]:
    """A removed archive: whether its bytes are still there, until when at least, and why it was removed."""
    return {
        "profile": trashed.id.profile,
        **archive_reference(trashed.id),
        "size": trashed.size_bytes if note is None else note.size_bytes,
        "sha256": note and note.digests.sha256,
        "received_at": note and rfc3339(note.received_at),
        "trashed_at": note and rfc3339(note.trashed_at),
        "keep_until": note and rfc3339(note.keep_until),
        "purged_at": note and note.purged_at and rfc3339(note.purged_at),
        "plan": note and note.plan,
        "reasons": list(note.reasons) if note is not None else [],
    }
