"""
Links and standings as a catalog keeps them, and the guarantees it gives.

Whenever an archive is added, removed or changed, the catalog itself, in the same transaction, drops the links that
asked about it (see `neighbours.Asked`) and the standings that follow from those. Until they are kept again, it lists
them as pending. So a link is never out of date, whichever process writes: it is right, or pending. The catalog does not
know the rule that makes links.
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
    The state of the links of a profile.

    *version* changes whenever an archive of the profile is added, removed or changed. *rules* describes the rules that
    the links were made by, None before the first time. *has_pending* says that some links have to be worked out,
    *has_unsettled* that some standings have.
    """

    version: int
    rules: str | None
    has_pending: bool
    has_unsettled: bool


@frozen
class NewLink:
    """
    A link that was worked out, None for an archive in the trash, and what the rule asked about to find it.

    *standing* is None if that of the parent is not known. *is_certain* is false if something could not be read: such a
    link is kept, and stays pending. *is_another* if it differs from the link that was kept before.
    """

    archive: ArchiveId
    link: Link | None
    asked: Asked
    standing: Standing | None = None
    is_certain: bool = True
    is_another: bool = False


@frozen
class PlacedPage:
    """Some archives in the order in which they were taken, and the cursor of the next page: None at the end."""

    places: tuple[PlacedArchive, ...]
    next_cursor: str | None


class Places(Protocol):
    """The archives of profiles with their links and standings, except those in the trash."""

    def places(self, profile: str, *, cursor: str | None = None, limit: int = 100) -> PlacedPage:
        """
        At most *limit* archives with their kept links and standings, in the order in which they were taken.

        Raises:
            ValueError: this catalog did not issue *cursor*, or *limit* is below 1.
        """

    def placed(self, ids: Iterable[ArchiveId]) -> dict[ArchiveId, PlacedArchive]:
        """Those of *ids*, all of one profile, that have an entry, with their kept links and standings."""

    def path(self, id: ArchiveId) -> list[PlacedArchive]:
        """*id* and all that it builds on, the base first; each once in a circle. Empty if *id* has no entry."""

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
        The last archive of *types* that was taken *until* then or *before* then, in the order of the profile.

        *is_restorable* considers only archives whose standing says so, *has_snapshot* only those whose snapshot file is
        kept. *not_ahead* skips those that are dated ahead of their receipt.
        """


class KeptLinks(Places, Protocol):
    """
    The links of every archive with an entry in the catalog; each method is one transaction. Part of `ports.Catalog`.

    Reading methods other than `pending` and `entries` skip archives in the trash.
    """

    def link_state(self, profile: str) -> LinkState:
        """The state of the links; a profile without archives has nothing pending."""

    def neighbours(self, profile: str) -> Neighbours:
        """The archives of a profile, linked or not; the cost of a query does not grow with their number."""

    def entries(self, profile: str) -> list[BackupArchive]:
        """Every archive of a profile, in the trash or not, in any order."""

    def pending(self, profile: str, limit: int) -> list[PlacedArchive]:
        """
        Up to *limit* archives whose links are to be worked out, the last taken first.

        An archive that went into the trash appears once. One that has a link has an uncertain one.
        """

    def forget_links(self, profile: str, rules: str) -> None:
        """Drop all links and standings of a profile, because its rules have changed."""

    def keep_links(self, profile: str, version: int, rules: str, links: Sequence[NewLink]) -> None:
        """
        Keep *links*, worked out by *rules* from what was read since the catalog returned *version*.

        A later change wins: a link that asked about the changed archive is not kept but pending, and so are standings.
        """

    def unsettled(self, profile: str, limit: int) -> list[PlacedArchive]:
        """Up to *limit* archives with a link and without a standing."""

    def keep_standings(self, profile: str, version: int, standings: Mapping[ArchiveId, Standing]) -> None:
        """Keep *standings*, which follow from what was read since the catalog returned *version*. As `keep_links`."""
