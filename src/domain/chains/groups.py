"""Links grouped: chains, and what depends on an archive."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from ..identity.archive_id import ArchiveId
from .link import Link


@frozen
class Chain:
    """
    An archive without a known parent, and all that build on it, in the order in which they were taken.

    *is_whole* unless the first archive should build on another whose identity is unknown.
    """

    base: ArchiveId
    archives: tuple[ArchiveId, ...]
    is_whole: bool


def chains(links: Mapping[ArchiveId, Link]) -> tuple[Chain, ...]:
    """
    The chains of a profile, in the order of their first archives; each archive is in exactly one.

    *links* are in the order in which the archives were taken, as `link_archives` gives them. Archives that build on
    each other in a circle are a chain without a base: the earliest of them stands for it.
    """
    base_of: dict[ArchiveId, ArchiveId] = {}
    for id in links:
        climbed: list[ArchiveId] = []
        at: ArchiveId = id
        seen: set[ArchiveId] = set()
        while at not in base_of and at not in seen:
            seen.add(at)
            climbed.append(at)
            parent = links[at].parent
            if parent is None or parent not in links:
                break
            at = parent
        base = base_of.get(at, at)
        for passed in climbed:
            base_of[passed] = base
    grouped: dict[ArchiveId, list[ArchiveId]] = {}
    for id in links:
        grouped.setdefault(base_of[id], []).append(id)
    return tuple(Chain(base, tuple(ids), links[base].is_base) for base, ids in grouped.items())
