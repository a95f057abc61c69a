"""
The fuzzed code: each target takes any bytes and may refuse them in the intended ways, and in no other.

A target that finds an error raises. Some check against a second method: pieces of any size give the
same result as the whole, escaped text is restored, written text is parsed back.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from starlette.datastructures import Headers, QueryParams

from tarkeep.adapters.targz.inspector import TargzInspector
from tarkeep.adapters.targz.limits import InspectionLimits
from tarkeep.adapters.targz.tar_walk import TarWalk
from tarkeep.domain.access.tokens import ANONYMOUS
from tarkeep.domain.errors.content import MemberUnreadable
from tarkeep.domain.identity.digests import parse_digest
from tarkeep.domain.identity.naming import check_archive_name, check_profile, time_in_name, with_time
from tarkeep.domain.tar.dumpdirs import Dumpdir, parse_dumpdir
from tarkeep.domain.tar.members import Member, MemberRecord, MemberType
from tarkeep.domain.tar.read_headers import read_member
from tarkeep.domain.tar.write_headers import as_directory, as_hard_link, with_path
from tarkeep.domain.tarkeep_error import TarkeepError
from tarkeep.domain.text.paths import path_bytes, path_text
from tarkeep.domain.text.sizes import human_size
from tarkeep.entrypoints.http.answers.conditional import Representation, is_not_modified, requested_range
from tarkeep.entrypoints.http.answers.problems import Problem
from tarkeep.entrypoints.http.requests import tus_headers
from tarkeep.entrypoints.http.requests.multipart_form import MultipartUpload, boundary_of
from tarkeep.entrypoints.http.requests.parameters import (
    check_target,
    declared_digests,
    lineage,
    stated_time,
    whole_number,
)
from tests.support.archives import NOON
from tests.support.fit_rule import fit_by_the_rule
from tests.support.members import fit, merge

LIMITS = InspectionLimits(max_unpacked_bytes=1 << 20, max_members=1000, max_records=1000, max_header_bytes=64 << 10)


def walked(*pieces: bytes) -> tuple[int, bool, int, int, list[bytes], list[MemberRecord]] | str:
    """The result of a walk over a tar in these pieces, or its refusal."""
    records: list[MemberRecord] = []
    walk = TarWalk(LIMITS, records.extend)
    try:
        for piece in pieces:
            walk.feed(piece)
        walk.finish()
    except TarkeepError:  # of several faults in one place another may be found first
        return "refused"
    # without the newest time: if times are garbage it depends on the pieces, and only informs
    return walk.members, walk.incremental, walk.listed, walk.unchanged, walk.roots, records


def tar(data: bytes) -> None:
    """Headers of a tar: walked in pieces, read, written under other names, merged."""
    step = data[0] + 1 if data else 1
    # checksums are corrected, or only their check would ever be reached
    whole = b"".join(_mended(data[at : at + 512]) for at in range(0, len(data), 512))
    found = walked(whole)
    assert walked(*(whole[at : at + step] for at in range(0, len(whole), step))) == found
    records = found[-1] if isinstance(found, tuple) else []
    members: list[Member] = []
    for record in records:
        with suppress(MemberUnreadable):
            member = read_member(record)
            members.append(member)
            _rewritten(record, member)
    if len({member.at for member in members}) == len(members):
        _merged(members)


def _mended(block: bytes) -> bytes:
    if len(block) < 512 or not any(block):
        return block
    total = sum(block[:148]) + 8 * 32 + sum(block[156:])
    return block[:148] + b"%06o\0 " % total + block[156:]


def _rewritten(record: MemberRecord, member: Member) -> None:
    for headers in (with_path(record, b"some/name"), as_directory(record, b"d"), as_hard_link(record, b"h", b"target")):
        assert len(headers) % 512 == 0
        again = read_member(MemberRecord(0, headers, False))
        assert again.path in (b"some/name", b"d", b"h")
        assert again.listing is None
        if again.type is MemberType.FILE:
            assert again.stored_bytes == member.stored_bytes


def _merged(members: list[Member]) -> None:
    for is_exact in (True, False):
        tree = merge([lambda: members, lambda: members], is_exact)
        for entry in tree.search(b""):
            assert b".." not in entry.path.split(b"/")
            assert entry.path[:1] != b"/"
        tree.taken()
        list(tree.directories())
        list(tree.search(b"*a*"))


def listings(data: bytes) -> None:
    """Dumpdirs: parsed, compared with each other, and merged."""
    parts = data.split(b"\xff")[:8]
    parsed: list[tuple[bytes, Dumpdir]] = []
    for part in parts:
        path, _, dumpdir = part.partition(b"\xfe")
        with suppress(ValueError):
            parsed.append((path[:100].partition(b"\0")[0], parse_dumpdir(dumpdir)))  # as headers are read
    half = len(parsed) // 2
    members = [
        Member(path, MemberType.DIRECTORY, 0o755, 0, 0, b"", b"", 0, 0, b"", None, at * 512, 0, 0, False, listing)
        for at, (path, listing) in enumerate(parsed)
    ]
    found = fit(lambda: members[half:], lambda: members[:half])
    assert found.verdict is fit_by_the_rule(parsed[half:], parsed[:half])[0]
    merge([lambda: members[:half], lambda: members[half:]], is_exact=True)


def gzip(data: bytes) -> None:
    """The inspector over anything: a verdict, in pieces as in one."""
    verdicts = []
    for step in (len(data) or 1, 7):
        with TargzInspector(limits=LIMITS).start() as inspection:
            try:
                for at in range(0, len(data), step):
                    inspection.feed(data[at : at + step])
                verdicts.append(repr(inspection.finish()))
            except TarkeepError as error:
                verdicts.append(repr(error))
    assert verdicts[0] == verdicts[1]


def multipart(data: bytes) -> None:
    """A form, its boundary in the first line, in two sizes of pieces."""
    first, _, body = data.partition(b"\n")
    outcomes: list[object] = []
    for step in (len(body) or 1, 3):
        try:
            upload = MultipartUpload(
                boundary_of(first.decode("latin-1")),
                [body[at : at + step] for at in range(0, len(body), step)],
                ANONYMOUS,
            )
            outcomes.append((b"".join(upload.file_blocks()), upload.offer()))
        except (Problem, TarkeepError) as error:
            outcomes.append(type(error))
    assert outcomes[0] == outcomes[1]


def tus(data: bytes) -> None:
    """The headers of resumable uploads: lines of a name and a value."""
    headers = _headers(data)
    for read in (
        lambda: tus_headers.check_version(headers, must_be_there=True),
        lambda: tus_headers.declared_length(headers),
        lambda: tus_headers.announced_length(headers),
        lambda: tus_headers.concatenation(headers),
        lambda: tus_headers.checksum(headers),
        lambda: tus_headers.content_range(headers),
        lambda: tus_headers.offer(tus_headers.metadata(headers)),
        lambda: tus_headers.needed_header(headers, "Upload-Offset"),
    ):
        _refusing(read)


def ranges(data: bytes) -> None:
    """Ranges, conditions, digests and other values in headers and queries."""
    headers = _headers(data)
    what = Representation('"tag"', NOON, 1000)
    with suppress(Problem):
        found = requested_range(headers, what)
        assert found is None or 0 <= found[0] < found[1] <= 1000
    text = data.decode("latin-1")
    for read in (
        lambda: is_not_modified(headers, what),
        lambda: declared_digests(headers),
        lambda: check_target(data, data),
        lambda: whole_number(QueryParams(text), "limit", 1, 1, 1000),
        lambda: stated_time(text),
        lambda: lineage({name.lower(): value for name, value in headers.items()}),
        lambda: parse_digest("sha256", text),
        lambda: parse_digest("md5", text),
    ):
        _refusing(read)


def names(data: bytes) -> None:
    """Names of archives and profiles: an accepted name stays within its rules in every use."""
    text = data.decode(errors="replace")
    with suppress(TarkeepError):
        name = check_archive_name(text)
        assert name.isprintable()
        assert "/" not in name
        assert name[0] not in ".-"
        assert 8 <= len(name.encode()) <= 200
        time_in_name(name)
        with_time(name, NOON)
    with suppress(TarkeepError):
        profile = check_profile(text)
        assert profile.isascii()
        assert profile[0].isalnum()
        assert "/" not in profile
    human_size(len(data))


def paths(data: bytes) -> None:
    """Paths as text are restored unchanged, and no accepted text has two meanings."""
    text = path_text(data)
    assert text.isprintable()
    assert path_bytes(text) == data
    with suppress(ValueError):
        assert path_bytes(path_text(path_bytes(data.decode()))) == path_bytes(data.decode())


def _headers(data: bytes) -> Headers:
    pairs = (line.partition(b":") for line in data.split(b"\n"))
    return Headers(raw=[(name.strip().lower(), value.strip()) for name, _, value in pairs])


def _refusing(read: Callable[[], object]) -> None:
    with suppress(Problem, TarkeepError):
        read()


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (tar, listings, gzip, multipart, tus, ranges, names, paths)
}
