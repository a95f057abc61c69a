"""What every `RemoteDrills` promises."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable

import pytest
from attrs import evolve

from tarkeep.domain.client.ports.drilling import RemoteDrills, RestoredAs
from tarkeep.domain.drills.manifest import ManifestLine
from tarkeep.domain.errors.client import Refused, RemoteNotFound
from tarkeep.domain.tar.members import MemberType
from tests.support.archives import make_tar

FILES = {"a.txt": b"first\n", "folder/b.txt": b"second\n"}
CONTENT = gzip.compress(make_tar(FILES), mtime=0)
NAMES = [
    *(
        ManifestLine(
            b"a.txt", MemberType.FILE, 0o644, 10**9 * 1_700_000_000, 6, hashlib.sha256(b"first\n").hexdigest().encode()
        ),
    ),
    ManifestLine(b"folder", MemberType.DIRECTORY, 0o755, 1),
    ManifestLine(
        b"folder/b.txt",
        MemberType.FILE,
        0o644,
        10**9 * 1_700_000_000,
        7,
        hashlib.sha256(b"second\n").hexdigest().encode(),
    ),
]
AS = RestoredAs(0.5, "tar (GNU tar) 1.34", "bwrap", ("it went well",))


class RemoteDrillsContract:
    """A subclass gives *drills* of a server without archives, and *lay*, which stores a FULL of a profile there."""

    def test_nothing_is_due_where_nothing_is(self, drills: RemoteDrills) -> None:
        assert drills.due() is None
        assert drills.recent() == []
        with pytest.raises(RemoteNotFound):
            drills.due("laptop")

    def test_what_is_due_arrives(self, drills: RemoteDrills, lay: Callable[[str, bytes], None]) -> None:
        lay("laptop", CONTENT)

        due = drills.due()

        assert due is not None
        assert (due.point.profile, due.share, due.folders) == ("laptop", 1.0, ())
        (archive,) = due.archives
        with drills.archive(archive) as download:
            assert b"".join(download) == CONTENT
        with drills.merged(due) as download:
            assert b"second\n" in b"".join(download)
        with drills.merged(due, b"a.txt") as download:
            assert b"second\n" not in b"".join(download)

    def test_a_report_is_judged(self, drills: RemoteDrills, lay: Callable[[str, bytes], None]) -> None:
        lay("laptop", CONTENT)
        due = drills.due("laptop")
        assert due is not None

        verdict = drills.report(due, AS, NAMES)

        assert verdict.is_equal
        assert (verdict.names, verdict.expected, verdict.restored_bytes, verdict.seconds) == (3, 3, 13, 0.5)
        assert drills.recent("laptop") == [verdict]
        with pytest.raises(RemoteNotFound):
            drills.report(due, AS, NAMES)
        assert drills.due() is None

    def test_a_difference_is_told(self, drills: RemoteDrills, lay: Callable[[str, bytes], None]) -> None:
        lay("laptop", CONTENT)
        due = drills.due()
        assert due is not None

        verdict = drills.report(due, AS, [evolve(NAMES[0], content=b"ab" * 32), *NAMES[1:]])

        assert (verdict.outcome, verdict.different) == ("different", 1)
        assert verdict.differences == ((b"a.txt", "has other contents"),)

    def test_a_failure_is_told_and_the_profile_is_due_again(
        self, drills: RemoteDrills, lay: Callable[[str, bytes], None]
    ) -> None:
        lay("laptop", CONTENT)
        due = drills.due()
        assert due is not None

        verdict = drills.report(due, evolve(AS, error="tar was killed"), [])

        assert (verdict.outcome, verdict.error) == ("failed", "tar was killed")
        assert drills.due() is not None

    def test_a_report_out_of_order_is_refused(self, drills: RemoteDrills, lay: Callable[[str, bytes], None]) -> None:
        lay("laptop", CONTENT)
        due = drills.due()
        assert due is not None

        with pytest.raises(Refused, match="line 3 of the report is out of order"):
            drills.report(due, AS, reversed(NAMES))
        assert drills.report(due, AS, NAMES).is_equal
