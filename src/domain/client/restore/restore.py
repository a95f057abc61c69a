"""
Restoring a tree into a directory: the server's plan, downloads, a look at every member, then tar.

Never another point than the one that was asked for, and nothing is extracted before all of it is here, whole and safe;
what was looked at is what is extracted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from attrs import define, evolve, field, frozen

from ...archives.archive import BackupArchive
from ...errors.archives import ArchiveNotFound
from ...errors.client import ExtractFailed, PulledBytesDiffer, UnsafeMembers
from ...ports.inspection import Hasher
from ...tar.members import Member
from ...uploads import ChecksumAlgorithm
from ..ports.chains import RemoteChains, RestorePlan
from ..ports.extracting import Extractor, Held, Members
from ..ports.remote import RemoteStore
from ..retrying import Notice, Retrying
from .member_guard import MemberGuard

_NAMED_MEMBERS = 5
_MERGED = "what the server sends"

# A trail tells what extracting leaves in a directory: records of a letter, a path, and the end.
TRAIL_END = b"\0"
TRAIL_STEP, TRAIL_PATH, TRAIL_ASIDE, TRAIL_OLD, TRAIL_NEW = b"S", b"P", b"A", b"O", b"N"


def trail_of(member: Member) -> bytes:
    """What extracting *member* leaves: its path, and what becomes of directories that are renamed before it."""
    told = [TRAIL_PATH + member.path]
    if member.listing is not None:
        told += (TRAIL_ASIDE + path for path in member.listing.temporaries)
        for rename in member.listing.renames:
            told += (TRAIL_OLD + rename.old, TRAIL_NEW + rename.new)
    return b"".join(record + TRAIL_END for record in told)


def _no_trail(_records: bytes) -> None:
    """Nobody wants to know."""


@frozen
class PlannedRestore:
    """A plan with its archives, in order; without them where tar is not to extract these."""

    plan: RestorePlan
    archives: tuple[BackupArchive, ...]


@frozen
class PlanRestoring:
    """Ask what restores a profile at some time."""

    chains: RemoteChains
    remote: RemoteStore
    retrying: Retrying

    def point(
        self, profile: str, at: str, notice: Notice, *, path: bytes = b"", allow_gaps: bool = False
    ) -> RestorePlan:
        """The plan for *at*, of what lay at *path*, by itself. Raises like calling, but `ArchiveNotFound`."""
        return self.retrying(lambda: self.chains.plan(profile, at, path=path, allow_gaps=allow_gaps), on_retry=notice)

    def __call__(self, profile: str, at: str, notice: Notice, *, allow_gaps: bool = False) -> PlannedRestore:
        """
        The plan for *at*: a time, ``latest``, or an archive's name. With *allow_gaps* names may lack.

        Where tar is not to extract its archives, nobody looks for them: some may be those that are damaged.

        Raises:
            NotRestorable: that point cannot be restored.
            RemoteNotFound: the server knows no such point.
            ArchiveNotFound: an archive of the plan is gone since it was made.
            ServerUnreachable, Refused, Unauthorized: the server, after trying again where that may help.
        """
        plan = self.point(profile, at, notice, allow_gaps=allow_gaps)
        if not plan.is_sound:
            return PlannedRestore(plan, ())
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


Reached = Callable[[str, int, int, int], None]
"""Is told of an archive's label, how far it has come in bytes, how many of these are new, and how many there are."""


@frozen
class Looked:
    """
    What looking at all archives of a plan showed, besides that they are harmless.

    *renames* tells of each whether directories were renamed before it: then extracting it twice fails.
    """

    renames: tuple[bool, ...]


@frozen
class ExtractPlan:
    """Make a directory what a plan says, from archives that have come."""

    members: Members
    extractor: Extractor
    hasher: Hasher

    def look(
        self,
        archives: Sequence[Held],
        reached: Reached,
        links: Iterable[bytes] = (),
        trail: Callable[[bytes], None] = _no_trail,
    ) -> Looked:
        """
        Look at every byte and every member of *archives*; *links* are in the directory already. *trail* is given the
        records of what extracting all of them leaves.

        Raises:
            UnsafeMembers: one would write elsewhere.
            PulledBytesDiffer: one is not what it should be.
            NotAGzip, GzipDamaged, NotATar, ExpandsTooFar, MemberUnreadable, FolderUnusable: one cannot be read.
        """
        guard = MemberGuard(links)
        renames: list[bool] = []
        for archive in archives:
            guard.begin()
            trail(TRAIL_STEP + TRAIL_END)
            looking = _Looking(guard, trail)
            checksum = self.hasher.checksum(ChecksumAlgorithm.SHA256)
            packed = _passing(archive, reached, checksum.update)
            for _ in self.members.watched(self.members.unpacked(packed), looking.at):
                pass
            found = checksum.digest().hex()
            if found != archive.sha256:
                raise PulledBytesDiffer(archive.label, archive.sha256, found)
            if looking.objections:
                raise UnsafeMembers(archive.label, looking.named_objections())
            renames.append(looking.tells_of_renames)
        return Looked(tuple(renames))

    def __call__(
        self,
        plan: RestorePlan,
        archives: Sequence[Held],
        into: str,
        reached: Reached,
        begin: Callable[[int], None],
        *,
        first: int = 0,
        numeric_owner: bool = False,
    ) -> tuple[str, ...]:
        """
        Extract *archives*, those of *plan* in order and looked at, from that on whose number is *first*. *begin* is
        told the number of each before anything of it is extracted. What tar said is returned.

        Raises:
            ExtractFailed: tar gave up; nothing that comes later was extracted.
        """
        said: list[str] = []
        for number, archive in enumerate(archives):
            if number < first:
                continue
            begin(number)
            said += self.extractor.extract(
                self.members.unpacked(_passing(archive, reached)),
                into,
                label=archive.label,
                incremental=plan.is_exact,
                numeric_owner=numeric_owner,
            )
        return tuple(said)


@define
class _Looking:
    """Looks at the members of one archive."""

    _guard: MemberGuard
    _trail: Callable[[bytes], None]
    objections: int = 0
    tells_of_renames: bool = False
    _named: list[str] = field(factory=list)

    def at(self, member: Member) -> None:
        objection = self._guard.objection(member)
        if objection:
            self.objections += 1
            if self.objections <= _NAMED_MEMBERS:
                self._named.append(objection)
        self._trail(trail_of(member))
        if member.listing is not None and (member.listing.renames or member.listing.temporaries):
            self.tells_of_renames = True

    def named_objections(self) -> tuple[str, ...]:
        """The first of them, and how many more there are."""
        more = self.objections - len(self._named)
        return (*self._named, *([f"and {more} more"] if more else []))


def _passing(archive: Held, reached: Reached, see: Callable[[bytes], None] | None = None) -> Iterator[bytes]:
    """The blocks of *archive*, of which *reached* is told and which *see* is shown."""
    position, size_bytes = 0, archive.size_bytes
    for block in archive.blocks():
        if see is not None:
            see(block)
        yield block
        position += len(block)
        reached(archive.label, position, len(block), size_bytes)


@frozen
class RestorePath:
    """Bring back one file or folder of a tree, as one tar that the server makes."""

    chains: RemoteChains
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
        links: Iterable[bytes] = (),
        trail: Callable[[bytes], None] = _no_trail,
        numeric_owner: bool = False,
        allow_gaps: bool = False,
    ) -> tuple[str, ...]:
        """
        Extract what lay at *path*, with *allow_gaps* without what lacks of it; *progress* is told of each count of
        bytes that came, *links* are there already. Before tar gets a block, *trail* is given the records of what that
        adds to the directory, which may be none. What tar said is returned.

        Raises:
            NotRestorable: that point cannot be restored.
            UnsafeMembers: a member would write elsewhere; those in blocks before were extracted.
            ServerUnreachable: the line broke; a part was extracted.
            ExtractFailed: tar gave up; a part was extracted.
        """
        guard = MemberGuard(links)
        left = [TRAIL_STEP + TRAIL_END]
        is_begun = False

        def check(member: Member) -> None:
            objection = guard.objection(member)
            if objection is not None:
                raise UnsafeMembers(_MERGED, (objection,), is_merged=True, is_begun=is_begun)
            left.append(trail_of(member))

        def counted(blocks: Iterable[bytes]) -> Iterator[bytes]:
            nonlocal is_begun
            for block in blocks:
                trail(b"".join(left))
                left.clear()
                is_begun = True
                yield block
                progress(len(block))

        with self.chains.restored(profile, at, path, allow_gaps=allow_gaps) as download:
            blocks = counted(self.members.watched(download, check))
            try:
                return self.extractor.extract(
                    blocks, into, label=_MERGED, incremental=False, numeric_owner=numeric_owner
                )
            except ExtractFailed as error:
                raise evolve(error, is_merged=True) from error
