"""Building the table of an archive's names: sorted while the members pass, and held in memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b

from attrs import define, field

from ..errors.content import MemberUnreadable
from ..errors.restoring import TreeTooLarge
from ..tar.dumpdirs import Rename
from ..tar.layout import BLOCK_BYTES
from ..tar.paths import DIRECTORY_BYTES, MAX_NAME_BYTES, NAME_BYTES
from .columns import DIRECTORY, HARD_LINK, UNMADE, MemberColumns, dumpdir_of
from .name_table import DIGEST_BYTES, Files, NameTable, Row, is_odd, names_alone, tells_of_renames
from .packed_texts import PackedTexts, Texts


def digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=DIGEST_BYTES).digest()


@define
class _Listed:
    """Notes on a directory while its members pass. *here* are count and sum of the names that it calls here."""

    position: int
    listings: int = 0
    listed: bytes = b""
    named: bytes = b""
    here: tuple[int, int] = (0, 0)


@define(eq=False)
class TableMaker:
    """
    Builds the table of an archive from its `MemberColumns`, which pass in the order of the tar.

    *keep* receives each listing: the directory's path, the number of the listing among those of the directory, counted
    from 0, the digest, and the listing.

    Raises, from `add`:
        TreeTooLarge: names and paths count for more than *limit_bytes*, by the same measure as in a tree.
    """

    keep: Callable[[bytes, int, bytes, bytes], None]
    limit_bytes: int
    has_odd_paths: bool = False
    is_joined: bool = False
    renames: Sequence[Rename] = ()
    malformed: MemberUnreadable | None = None
    _directories: dict[bytes, _Listed] = field(factory=dict)
    _has_listings: bool = False
    _folders: dict[bytes, array[int]] = field(factory=dict)  # the numbers of their files, in the order of the tar
    _names: PackedTexts = field(factory=PackedTexts)
    _positions: array[int] = field(factory=lambda: array("Q"))
    _spans: array[int] = field(factory=lambda: array("q"))
    _letters: bytearray = field(factory=bytearray)
    _links: dict[int, bytes] = field(factory=dict)
    _held_bytes: int = 0

    def add(self, names: MemberColumns) -> None:
        """Add the next members."""
        last, numbers = b"", None
        count = len(self._positions)
        for position, letter, path, extra, span in zip(
            names.positions, names.letters, names.paths, names.extras, names.spans, strict=True
        ):
            if (b".." in path or len(path) > MAX_NAME_BYTES or letter == UNMADE) and not self.has_odd_paths:
                self.has_odd_paths = letter == UNMADE or is_odd(path)
            if letter == DIRECTORY:
                self._add_directory(position, path, extra)
                continue
            folder, _, name = path.rpartition(b"/")
            if folder != last or numbers is None:
                last, numbers = folder, self._numbers(folder)
            numbers.append(count)
            if letter == HARD_LINK:
                self._links[count] = extra
                self._hold(len(extra) + NAME_BYTES)
            count += 1
            self._names.append(name)
            self._positions.append(position // BLOCK_BYTES)
            self._spans.append(span // BLOCK_BYTES)
            self._letters.append(letter)
            self._held_bytes += NAME_BYTES + len(name)
        self._hold(0)

    def _numbers(self, folder: bytes) -> array[int]:
        numbers = self._folders.get(folder)
        if numbers is None:
            numbers = self._folders[folder] = array("I")
            self._hold(len(folder) + DIRECTORY_BYTES)
        return numbers

    def _add_directory(self, position: int, path: bytes, listing: bytes) -> None:
        known = self._directories.get(path)
        if known is None:
            known = self._directories[path] = _Listed(0)
            self._hold(len(path) + DIRECTORY_BYTES)
        known.position = position // BLOCK_BYTES
        if not listing:
            return
        if not self._has_listings:
            self._has_listings = True
            self._read_renames(position, listing)
        elif known.listings or tells_of_renames(listing):
            self.is_joined = True
        its = digest(listing)
        if known.listings:
            known.listed, known.named = digest(known.listed + its), b""
        else:
            known.listed, known.named = its, digest(names_alone(listing))
            if listing[:1] == b"Y" or b"\0Y" in listing:
                here = [hash(record[1:]) for record in listing.split(b"\0") if record[:1] == b"Y"]
                known.here = (len(here), sum(here))
        known.listings += 1
        self.keep(path, known.listings - 1, its, listing)

    def _read_renames(self, position: int, listing: bytes) -> None:
        try:
            self.renames = dumpdir_of(position, listing).renames
        except MemberUnreadable as error:
            self.malformed = error
        self._hold(sum(len(rename.old) + len(rename.new) for rename in self.renames))

    def _hold(self, count_bytes: int) -> None:
        self._held_bytes += count_bytes
        if self._held_bytes > self.limit_bytes:
            raise TreeTooLarge(self.limit_bytes)

    @property
    def has_listings(self) -> bool:
        return self._has_listings

    def finish(self) -> tuple[Files, Iterator[tuple[bytes, Row, int]]]:
        """The files, and every directory with its row and the position of its last member, ascending. Call it once."""
        names = self._names.texts()
        self._names = PackedTexts()
        sorted_names, numbers, firsts = PackedTexts(), array("I"), array("Q", (0,))
        sums: dict[bytes, tuple[int, int]] = {}
        folders = sorted(self._folders)
        for folder in folders:
            own = self._folders.pop(folder)
            own_names = named_by(names, own)
            if not ascend(own_names):
                together = sorted(zip(own_names, own, strict=True))  # equal names stay in the order of the tar
                own_names, own = [name for name, _ in together], array("I", [number for _, number in together])
            sorted_names.extend(own_names)
            numbers.extend(own)
            firsts.append(len(numbers))
            if folder in self._directories:
                sums[folder] = (len(own_names), sum(map(hash, own_names)))
        del names
        order = array("I", bytes(4 * len(numbers)))
        for place, number in enumerate(numbers):
            order[number] = place
        linked = sorted((order[number], target) for number, target in self._links.items())
        files = Files(
            Texts.of(folders),
            firsts,
            sorted_names.texts(),
            array("Q", map(self._positions.__getitem__, numbers)),
            bytes(map(self._letters.__getitem__, numbers)),
            array("q", map(self._spans.__getitem__, numbers)),
            order,
            array("I", [place for place, _ in linked]),
            Texts.of(target for _, target in linked),
        )
        return files, self._rows(sums)

    def _rows(self, sums: dict[bytes, tuple[int, int]]) -> Iterator[tuple[bytes, Row, int]]:
        for path in sorted(self._directories):
            its = self._directories[path]
            # If both sums agree, every name called here has a member: a cheap test that suffices.
            is_complete = its.listings == 1 and its.here in ((0, 0), sums.get(path))
            yield path, Row(its.listed, its.named, is_complete), its.position


def named_by(names: Texts, numbers: array[int]) -> list[bytes]:
    """The names with these numbers, which mostly stand side by side."""
    if numbers[-1] - numbers[0] + 1 == len(numbers):
        return names.some(numbers[0], numbers[-1] + 1)
    return list(map(names.__getitem__, numbers))


def ascend(names: Sequence[bytes]) -> bool:
    return all(map(bytes.__lt__, names, names[1:]))


@define(eq=False)
class HeldTable:
    """A `NameTable` in memory."""

    files: Files
    has_odd_paths: bool
    has_listings: bool
    is_joined: bool
    _renames: Sequence[Rename]
    _malformed: MemberUnreadable | None
    _rows: dict[bytes, Row]
    _positions: Sequence[int]
    _listings: dict[bytes, list[bytes]]

    @property
    def renames(self) -> Sequence[Rename]:
        if self._malformed is not None:
            raise self._malformed
        return self._renames

    def directories(self) -> Sequence[bytes]:
        return list(self._rows)

    def row(self, path: bytes) -> Row | None:
        return self._rows.get(path)

    def position(self, path: bytes) -> int:
        return self._positions[bisect_left(self.directories(), path)]

    def positions(self) -> Sequence[int]:
        return self._positions

    def listings(self, path: bytes) -> Sequence[bytes]:
        return self._listings.get(path, ())

    def changed(self, other: NameTable) -> set[bytes]:
        return changed_rows(self, other)

    def incomplete(self) -> Iterable[bytes]:
        return [path for path, row in self._rows.items() if not row.is_complete]


def changed_rows(one: NameTable, other: NameTable) -> set[bytes]:
    """`NameTable.changed`, by comparing every row of both."""
    paths = {*one.directories(), *other.directories()}
    return {path for path in paths if _listed(one.row(path)) != _listed(other.row(path))}


def _listed(row: Row | None) -> bytes | None:
    return None if row is None else row.listed


def held_table(archive: Iterable[MemberColumns], limit_bytes: int) -> HeldTable:
    """
    Build the table of an archive whose names are at hand.

    Raises:
        TreeTooLarge: it has more names than *limit_bytes* allows for.
        MemberUnreadable: as raised by *archive*.
    """
    listings: dict[bytes, list[bytes]] = {}

    def keep(path: bytes, number: int, digest: bytes, listing: bytes) -> None:
        del number, digest
        listings.setdefault(path, []).append(listing)

    maker = TableMaker(keep, limit_bytes)
    for names in archive:
        maker.add(names)
    files, rows = maker.finish()
    found = list(rows)
    return HeldTable(
        files,
        maker.has_odd_paths,
        maker.has_listings,
        maker.is_joined,
        maker.renames,
        maker.malformed,
        {path: row for path, row, _ in found},
        array("Q", [position for _, _, position in found]),
        listings,
    )
