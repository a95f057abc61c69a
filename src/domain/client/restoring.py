"""
Restoring a tree into a directory: the server's plan, downloads, a look at every member, then tar.

Never another point than the one that was asked for, and nothing is extracted before all of it is here, whole and safe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from attrs import frozen

from ..archives import BackupArchive
from ..errors import ArchiveNotFound, UnsafeMembers
from ..members import Member
from .chain import Chains, RestorePlan
from .guarding import MemberGuard
from .ports import LocalArchive, Remote
from .retrying import Notice, Retrying

_NAMED_MEMBERS = 5


class Members(Protocol):
    """Reads what a tar holds, the way GNU tar does."""

    def of(self, archive: LocalArchive) -> Iterator[Member]:
        """
        The members of *archive*.

        Raises:
            NotAGzip, GzipDamaged, NotATar, ExpandsTooFar, MemberUnreadable: it cannot be read.
        """

    def watched(self, blocks: Iterable[bytes], check: Callable[[Member], None]) -> Iterator[bytes]:
        """
        *blocks* of a tar, each after *check* was given the members whose headers end in it.

        Raises:
            NotATar, ExpandsTooFar, MemberUnreadable: it cannot be read.
        """


class Extractor(Protocol):
    """A program that extracts archives into the directory *into*."""

    def check(self) -> None:
        """
        See that it is there.

        Raises:
            TarUnusable: it is not, or cannot do what is needed.
        """

    def extract(self, archive: LocalArchive, into: str, *, incremental: bool, numeric_owner: bool) -> None:
        """
        Extract *archive*, if *incremental* removing what it says was removed.

        Raises:
            ExtractFailed: not all of it could be.
        """

    def extract_stream(self, blocks: Iterable[bytes], into: str, *, numeric_owner: bool) -> None:
        """
        Extract the tar that *blocks* are. Where they raise, so does this.

        Raises:
            ExtractFailed: not all of it could be.
        """


@frozen
class PlannedRestore:
    """A plan with its archives, in order."""

    plan: RestorePlan
    archives: tuple[BackupArchive, ...]


@frozen
class PlanRestoring:
    """Ask what restores a profile at some time."""

    chains: Chains
    remote: Remote
    retrying: Retrying

    def __call__(self, profile: str, at: str, notice: Notice) -> PlannedRestore:
        """
        The plan for *at*: a time, ``latest``, or an archive's name.

        Raises:
            NotRestorable: that point cannot be restored.
            NotThere: there is none.
            ArchiveNotFound: an archive of the plan is gone since it was made.
            NoAnswer, Refused, Unauthorized: the server, after trying again where that may help.
        """
        plan = self.retrying(lambda: self.chains.plan(profile, at), on_retry=notice)
        wanted = {step.id: step for step in plan.steps}
        found = self.retrying(
            lambda: {
                archive.id: archive
                for archive in self.remote.archives(profile=profile)
                if archive.id in wanted and archive.digests.sha256 == wanted[archive.id].sha256
            },
            on_retry=notice,
        )
        for step in plan.steps:
            if step.id not in found:
                raise ArchiveNotFound(str(step.id))
        return PlannedRestore(plan, tuple(found[step.id] for step in plan.steps))


@frozen
class ExtractPlan:
    """Make a directory what a plan says, from archives that lie here."""

    members: Members
    extractor: Extractor

    def __call__(
        self,
        plan: RestorePlan,
        archives: Sequence[LocalArchive],
        into: str,
        tell: Callable[[str], None],
        *,
        numeric_owner: bool = False,
    ) -> None:
        """
        Extract *archives*, those of *plan* in order; *tell* is told what is being done.

        Raises:
            UnsafeMembers: one would write elsewhere; nothing was extracted.
            ExtractFailed: tar gave up; nothing that comes later was extracted.
            NotAGzip, GzipDamaged, NotATar, ExpandsTooFar, MemberUnreadable: one cannot be read; nothing was extracted.
        """
        guard = MemberGuard()
        for archive in archives:
            tell(f"{archive.label}: looking at its members")
            objections = [objection for member in self.members.of(archive) if (objection := guard.objection(member))]
            if objections:
                raise UnsafeMembers(archive.label, _shortened(objections))
        for archive in archives:
            tell(f"{archive.label}: extracting")
            self.extractor.extract(archive, into, incremental=plan.is_exact, numeric_owner=numeric_owner)


@frozen
class RestorePath:
    """Bring back one file or folder of a tree, as one tar that the server makes."""

    chains: Chains
    members: Members
    extractor: Extractor

    def __call__(
        self,
        profile: str,
        at: str,
        path: bytes,
        into: str,
        progress: Callable[[int], None],
        *,
        numeric_owner: bool = False,
    ) -> None:
        """
        Extract what lay at *path*; *progress* is told of each count of bytes that came.

        Raises:
            NotRestorable: that point cannot be restored.
            UnsafeMembers: a member would write elsewhere; those before it were extracted.
            NoAnswer: the line broke; a part was extracted.
            ExtractFailed: tar gave up; a part was extracted.
        """
        guard = MemberGuard()

        def check(member: Member) -> None:
            objection = guard.objection(member)
            if objection is not None:
                raise UnsafeMembers("what the server sends", (objection,))

        def counted(blocks: Iterable[bytes]) -> Iterator[bytes]:
            for block in blocks:
                yield block
                progress(len(block))

        with self.chains.restored(profile, at, path) as download:
            blocks = self.members.watched(download, check)
            self.extractor.extract_stream(counted(blocks), into, numeric_owner=numeric_owner)


def _shortened(objections: Sequence[str]) -> tuple[str, ...]:
    more = len(objections) - _NAMED_MEMBERS
    named = tuple(objections[:_NAMED_MEMBERS])
    return (*named, f"and {more} more") if more > 0 else named
