"""
Links and standings as a catalog keeps them, and what it promises of them.

Whenever an archive comes, goes or changes, the catalog itself, in the same transaction, forgets the links that had
asked about it (see `neighbours.Asked`) and the standings that follow from those. What it forgot, it lists, until it is
kept again. So a link is never out of date, whoever changes what: it is right, or pending. The catalog knows nothing of
the rule that makes links.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from attrs import frozen

from ..archives.archive import BackupArchive
from ..identity.archive_id import ArchiveId, BackupType
from .link import Link
from .neighbours import Asked, Neighbours
from .standing import PlacedArchive, Standing


@frozen
class LinkState:
    """
    How things stand with the links of a profile.

    *version* is another one whenever an archive of it comes, goes or changes. *rules* is what was last said of the rule
    that links were made by, None where none ever was. Some links are to be worked out where *has_pending*, and some
    standings where *has_unsettled*.
    """

    version: int
    rules: str | None
    has_pending: bool
    has_unsettled: bool


@frozen
class NewLink:
    """
    A link that was worked out, None of an archive in the trash, and what was asked for it.

    *standing* is None where that of the parent is not known. *is_certain* is false where something could not be read:
    such a link is kept, and stays pending. *is_another* where one like that was kept before, and this one is not it.
    """

    archive: ArchiveId
    link: Link | None
    asked: Asked
    standing: Standing | None = None
    is_certain: bool = True
    is_another: bool = False


@frozen
class PlacedPage:
    """Some archives in the order in which they were taken, and where the next page begins: None at the end."""

    places: tuple[PlacedArchive, ...]
    next_cursor: str | None


class Places(Protocol):
    """The archives of profiles with their links and standings, but for those in the trash."""

    def places(self, profile: str, *, cursor: str | None = None, limit: int = 100) -> PlacedPage:
        """
        At most *limit* archives with what is kept of them, in the order in which they were taken.

        Raises:
            ValueError: *cursor* is not one of this catalog's, or *limit* is below 1.
        """

    def placed(self, ids: Iterable[ArchiveId]) -> dict[ArchiveId, PlacedArchive]:
        """Those of *ids*, all of one profile, that have an entry, with what is kept of them."""

    def path(self, id: ArchiveId) -> list[PlacedArchive]:
        """*id* and all that it builds on, the base first; of a circle each once. Empty where there is no such entry."""

    def newest_place(
        self,
        profile: str,
        *,
        types: Sequence[BackupType] = tuple(BackupType),
        until: datetime | None = None,
        before: datetime | None = None,
        is_restorable: bool = False,
        has_snapshot: bool = False,
        not_ahead: bool = False,
    ) -> PlacedArchive | None:
        """
        The last archive of *types* that was taken *until* then or *before* then, by the time that places it.

        *is_restorable* looks at those only whose standing says so, *has_snapshot* at those whose snapshot file is kept.
        *not_ahead* passes over those that are dated ahead of their receipt.
        """


class KeptLinks(Places, Protocol):
    """
    The links of every archive that a catalog has an entry of; each method one transaction. Part of `ports.Catalog`.

    Reading methods but `pending` and `entries` pass over what is in the trash.
    """

    def link_state(self, profile: str) -> LinkState:
        """How things stand; of a profile without archives nothing is pending."""

    def neighbours(self, profile: str) -> Neighbours:
        """The archives of a profile, linked or not; the cost of a question does not grow with their number."""

    def entries(self, profile: str) -> list[BackupArchive]:
        """Every archive of a profile, in the trash or not, in any order."""

    def pending(self, profile: str, limit: int) -> list[PlacedArchive]:
        """
        Up to *limit* archives whose links are to be worked out, those taken last first.

        What went into the trash is among them once. One with a link has one that is not certain.
        """

    def forget_links(self, profile: str, rules: str) -> None:
        """Forget all links and standings of a profile, because the rules are others now."""

    def keep_links(self, profile: str, version: int, rules: str, links: Sequence[NewLink]) -> None:
        """
        Keep *links*, which were worked out by *rules* from what was read since the catalog told *version*.

        What changed meanwhile counts: a link that had asked about it is not kept, but pending, and so for standings.
        """

    def unsettled(self, profile: str, limit: int) -> list[PlacedArchive]:
        """Up to *limit* archives with a link and without a standing."""

    def keep_standings(self, profile: str, version: int, standings: Mapping[ArchiveId, Standing]) -> None:
        """Keep *standings*, which follow from what was read since the catalog told *version*. As `keep_links`."""
