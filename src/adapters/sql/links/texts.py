"""
Links and standings as the text that the catalog stores: JSON that only the same version of the rules must understand.

When this format changes, so does `domain.chains.RULE`, and everything stored before is dropped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec
from attrs import asdict

from ....domain.chains.link import Evidence, Link
from ....domain.chains.seen import CLEAR, Seen
from ....domain.chains.standing import Doubt, DoubtKind, Fidelity, Obstacle, ObstacleKind, PlacedArchive, Standing
from ....domain.comparing.fit import Completeness
from ....domain.errors.capacity import CatalogDamaged
from ....domain.identity.archive_id import ArchiveId
from ..rows import KEPT, NEVER_WRITTEN, id_of, kept_archive

_EVIDENCE = {evidence.value: evidence for evidence in Evidence}
_COMPLETENESS = {completeness.value: completeness for completeness in Completeness}
_FIDELITY = {fidelity.value: fidelity for fidelity in Fidelity}
_OBSTACLES = {kind.value: kind for kind in ObstacleKind}
_DOUBTS = {kind.value: kind for kind in DoubtKind}


@lru_cache(KEPT)
def place_of(row: tuple[Any, ...]) -> PlacedArchive:
    """
    The place of an archive, from its columns, the text of its link and that of its standing.

    Raises:
        CatalogDamaged: the row holds something that was never written.
    """
    *about_archive, link, standing = row
    archive = kept_archive(tuple(about_archive))
    try:
        return PlacedArchive(
            archive,
            None if link is None else read_link(archive.id, link),
            None if standing is None else read_standing(archive.id, standing),
        )
    except NEVER_WRITTEN as error:
        raise CatalogDamaged() from error


def link_text(link: Link) -> str:
    """The text of *link*, without its child."""
    told: dict[str, object] = {
        "parent": None if link.parent is None else _told(link.parent),
        "evidence": link.evidence.value,
        "reason": link.reason,
    }
    if link.tried:
        told["tried"] = [_told(id) for id in link.tried]
    if link.unsound:
        told["unsound"] = link.unsound
    if link.completeness is not Completeness.WHOLE:
        told["completeness"] = link.completeness.value
    if link.trouble:
        told["trouble"] = link.trouble
    if link.unchanged:
        told["unchanged"] = link.unchanged
    return _json(told)


def read_link(child: ArchiveId, text: str) -> Link:
    told = msgspec.json.decode(text)
    parent = told["parent"]
    return Link(
        child,
        None if parent is None else _id(child.profile, parent),
        _EVIDENCE[told["evidence"]],
        told["reason"],
        tuple(_id(child.profile, id) for id in told.get("tried", ())),
        told.get("unsound", ""),
        _COMPLETENESS[told.get("completeness", Completeness.WHOLE.value)],
        told.get("trouble", ""),
        told.get("unchanged", ""),
    )


def standing_text(standing: Standing) -> str:
    told: dict[str, object] = {
        "length": standing.length,
        "size": standing.size_bytes,
        "fidelity": standing.fidelity.value,
        "evidence": standing.evidence.value,
    }
    if standing.unsound:
        told["unsound"] = standing.unsound
    if standing.trouble:
        told["trouble"] = standing.trouble
    if standing.seen != CLEAR:
        told["seen"] = asdict(standing.seen)
    if standing.completeness is not Completeness.WHOLE:
        told["completeness"] = standing.completeness.value
    if standing.obstructions:
        told["obstructions"] = standing.obstructions
        told["obstacles"] = [[one.kind.value, _told(one.archive), one.reason] for one in standing.obstacles]
    if standing.doubts:
        told["doubts"] = [[one.kind.value, one.reason] for one in standing.doubts]
    return _json(told)


def read_standing(archive: ArchiveId, text: str) -> Standing:
    told = msgspec.json.decode(text)
    return Standing(
        told["length"],
        told["size"],
        _FIDELITY[told["fidelity"]],
        _EVIDENCE[told["evidence"]],
        told.get("unsound", ""),
        _COMPLETENESS[told.get("completeness", Completeness.WHOLE.value)],
        told.get("obstructions", 0),
        tuple(
            Obstacle(_OBSTACLES[kind], _id(archive.profile, at), reason)
            for kind, at, reason in told.get("obstacles", ())
        ),
        tuple(Doubt(_DOUBTS[kind], archive, reason) for kind, reason in told.get("doubts", ())),
        told.get("trouble", ""),
        Seen(**told["seen"]) if "seen" in told else CLEAR,
    )


def length_of(text: str) -> int:
    """The length in the text of a standing."""
    return int(msgspec.json.decode(text)["length"])


def _told(id: ArchiveId) -> list[str]:
    return [id.type.value, id.name]


def _id(profile: str, told: list[str]) -> ArchiveId:
    type, name = told
    return id_of(profile, type, name)


def _json(told: Mapping[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))
