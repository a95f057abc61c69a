"""
The answers to an inventory, in the format of both families of routes, written while names are compared.

The beginning of the answer, whether all is in sync and how many names are in each list, is known last. So the lists are
written to scratch files, as the JSON they will be, and joined at the end; memory holds only their beginnings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import chain

import msgspec
from attrs import define, field

from ....domain.archives.inventory import NOT_THERE, Bucket, Judged
from ....domain.identity.archive_id import BackupType
from ....domain.ports.scratch import Scratch, ScratchFile

BLOCK_BYTES = 256 << 10

_json = msgspec.json.encode


@define
class _List:
    """The elements of a JSON list of texts, or the members of an object of texts."""

    file: ScratchFile
    count: int = 0

    def add(self, texts: list[str] | Mapping[str, str]) -> None:
        """Append *texts*; always a list, or always members."""
        if texts:
            encoded = memoryview(_json(texts))[1:-1]
            self.file.append(b"," + encoded if self.count else encoded)
            self.count += len(texts)


@define
class JudgedNames:
    """
    All compared names, by type and bucket, how the damage of some shows, and on request a sentence for each that is not
    in sync.
    """

    lists: dict[tuple[BackupType, Bucket], _List]
    damage: dict[BackupType, _List]
    issues: dict[tuple[BackupType, Bucket], _List] = field(factory=dict)

    def take(self, judged: Iterable[Judged]) -> None:
        for type, bucket, names, damage in judged:
            self.lists[type, bucket].add(names)
            self.damage[type].add(damage)
            if self.issues and bucket.issue:
                begin = f"{bucket.issue}: {type.value}/"
                self.issues[type, bucket].add([begin + name for name in names])

    def count(self, *buckets: Bucket, type: BackupType | None = None) -> int:
        """How many names of *type*, or of all types, are in *buckets*."""
        return sum(
            found.count for (of, bucket), found in self.lists.items() if bucket in buckets and type in (None, of)
        )

    @property
    def word(self) -> str:
        """The word for the result: whether both sides hold the same."""
        wrong = self.count(*(bucket for bucket in Bucket if bucket.issue))
        return "OUT_OF_SYNC" if wrong else "SYNCHRONIZED"


def written(
    scratch: Scratch,
    judged: Iterable[Judged],
    answer: Callable[[JudgedNames], Iterator[bytes]],
    *,
    with_issues: bool,
) -> ScratchFile:
    """*answer*, one of those below, for *judged*. The caller leaves its context."""
    places = [(type, bucket) for type in BackupType for bucket in Bucket]
    with ExitStack() as held:
        names = JudgedNames(
            {place: _List(held.enter_context(scratch.file())) for place in places},
            {type: _List(held.enter_context(scratch.file())) for type in BackupType},
        )
        if with_issues:
            names.issues = {place: _List(held.enter_context(scratch.file())) for place in places}
        names.take(judged)
        with ExitStack() as undo:
            whole = undo.enter_context(scratch.file())
            for piece in answer(names):
                whole.append(piece)
            undo.pop_all()
    return whole


def content_of(file: ScratchFile) -> Iterator[bytes]:
    """The content of *file*, in blocks."""
    position = 0
    while block := file.read(position, BLOCK_BYTES):
        position += len(block)
        yield block


def original_report(names: JudgedNames) -> Iterator[bytes]:
    """The answer of the original's ``/verify``."""
    yield from (b'{"status":"success","sync_status":', _json(names.word), b',"verification":{')
    for number, type in enumerate(BackupType):
        yield b'%s%s:{"type":%s,' % (b"," if number else b"", _json(type.value), _json(type.value))
        yield from _buckets(names, type)
    yield b'},"issues":['
    yield from _joined(list(names.issues.values()))
    yield b"]}\n"


def v1_report(names: JudgedNames, profile: str | None) -> Iterator[bytes]:
    """The answer of version 1: the same buckets, with their sizes."""
    counts = {bucket.value: names.count(bucket) for bucket in Bucket}
    yield _json({"sync_status": names.word, "profile": profile, "counts": counts})[:-1] + b',"types":{'
    for number, type in enumerate(BackupType):
        yield b"%s%s:{" % (b"," if number else b"", _json(type.value))
        yield from _buckets(names, type)
    yield b"}}\n"


def _buckets(names: JudgedNames, type: BackupType) -> Iterator[bytes]:
    """The members of one type, and the closing brace."""
    local = names.count(*(bucket for bucket in Bucket if bucket is not Bucket.EXTRA_REMOTE), type=type)
    remote = names.count(*(bucket for bucket in Bucket if bucket not in NOT_THERE), type=type)
    yield b'"local_count":%d,"remote_count":%d' % (local, remote)
    for bucket in Bucket:
        yield b',"%s":[' % bucket.value.encode()
        yield from _joined([names.lists[type, bucket]])
        yield b"]"
    if names.damage[type].count:
        yield b',"damage":{'
        yield from _joined([names.damage[type]])
        yield b"}"
    yield b"}"


def _joined(lists: list[_List]) -> Iterator[bytes]:
    """The elements of *lists*, one after the other."""
    for number, some in enumerate(each for each in lists if each.count):
        yield from chain((b",",) if number else (), content_of(some.file))
