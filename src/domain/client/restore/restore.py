"""
Restoring a tree into a directory: get the server's plan, pull its archives, check every member, then run tar.

It never restores another point than the requested one. It extracts nothing before every archive is here, whole and
safe, and extracts exactly the bytes that it checked.
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

# A trail records what extracting leaves in a directory: each record is a letter, a path, and the end mark.
TRAIL_END = b"\0"
TRAIL_STEP, TRAIL_PATH, TRAIL_ASIDE, TRAIL_OLD, TRAIL_NEW = b"S", b"P", b"A", b"O", b"N"


def trail_of(member: Member) -> bytes:
    """The records of what extracting *member* leaves: its path, and the renames of directories that precede it."""
    told = [TRAIL_PATH + member.path]
    if member.listing is not None:
        told += (TRAIL_ASIDE + path for path in member.listing.temporaries)
        for rename in member.listing.renames:
            told += (TRAIL_OLD + rename.old, TRAIL_NEW + rename.new)
    return b"".join(record + TRAIL_END for record in told)


def _no_trail(_records: bytes) -> None:
    """For restores without a trail."""


@frozen
class PlannedRestore:
    """A plan with its archives, in order; without archives if tar must not extract them."""

    plan: RestorePlan
    archives: tuple[BackupArchive, ...]


@frozen
class PlanRestoring:
    """Ask the server what restores a profile at some time."""

    chains: RemoteChains
    remote: RemoteStore
    retrying: Retrying

    def point(
        self, profile: str, at: str, notice: Notice, *, path: bytes = b"", allow_gaps: bool = False
    ) -> RestorePlan:
        """The plan alone for *at*, or for what lay at *path*. Raises like calling, but never `ArchiveNotFound`."""
        return self.retrying(lambda: self.chains.plan(profile, at, path=path, allow_gaps=allow_gaps), on_retry=notice)

    def __call__(self, profile: str, at: str, notice: Notice, *, allow_gaps: bool = False) -> PlannedRestore:
        """
        The plan for *at*: a time, ``latest``, or an archive's name. With *allow_gaps* names may lack.

        If tar must not extract the archives of the plan, they are not looked up: some may be damaged.

        Raises:
            NotRestorable: that point cannot be restored.
            RemoteNotFound: the server has no such point.
            ArchiveNotFound: an archive of the plan was removed since the plan was made.
            ServerUnreachable, Refused, Unauthorized: from the server, after useful retries.
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
"""Called with the label of an archive, the bytes reached in it, how many of these are new, and its size in bytes."""


@frozen
class Looked:
    """
    The result of checking all archives of a plan, which are safe.

    *renames* tells for each whether it renames directories: then extracting it twice fails.
    """

    renames: tuple[bool, ...]


@frozen
class ExtractPlan:
    """Extract the archives of a plan that were pulled to this machine."""

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
        Check every byte and every member of *archives*; *links* exist in the directory already. *trail* gets the
        records of everything that extracting them leaves.

        Raises:
            UnsafeMembers: a member would be written elsewhere.
            PulledBytesDiffer: an archive has the wrong digest.
            NotAGzip, GzipDamaged, NotATar, ExpandsTooFar, MemberUnreadable, FolderUnusable: an archive cannot be read.
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
        Extract *archives*, the checked ones of *plan* in order, beginning with the index *first*. *begin* is called
        with the index of each before any of it is extracted. Returns tar's warnings.

        Raises:
            ExtractFailed: tar failed; no later archive was extracted.
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
    """Checks the members of one archive."""

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
        """The first objections, and how many more there are."""
        more = self.objections - len(self._named)
        return (*self._named, *([f"and {more} more"] if more else []))


def _passing(archive: Held, reached: Reached, see: Callable[[bytes], None] | None = None) -> Iterator[bytes]:
    """The blocks of *archive*; *reached* gets the progress, and *see* each block."""
    position, size_bytes = 0, archive.size_bytes
    for block in archive.blocks():
        if see is not None:
            see(block)
        yield block
        position += len(block)
        reached(archive.label, position, len(block), size_bytes)


@frozen
class RestorePath:
    """Restore one file or folder of a tree, from one tar that the server makes."""

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
        Extract what lay at *path*, with *allow_gaps* without the names that lack. *progress* gets the size of each
        received block; *links* exist in the directory already. Before tar gets a block, *trail* gets the records of
        what that block adds to the directory, which may be empty. Returns tar's warnings.

        Raises:
            NotRestorable: that point cannot be restored.
            UnsafeMembers: a member would be written elsewhere; members in earlier blocks were extracted.
            ServerUnreachable: the line broke; a part was extracted.
            ExtractFailed: tar failed; a part was extracted.
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
