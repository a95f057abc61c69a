"""A tree while it is merged: folders and their names are added in order, the content of names later."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import compress

from ..errors.restoring import TreeTooLarge
from ..names.packed_texts import PackedTexts, Texts
from ..tar.paths import DIRECTORY_BYTES, NAME_BYTES, is_placeable, join
from .tree import IMPLIED, Gap, GapKind, Tree

WANTED = -2
"""The value of a name whose content is in an earlier archive."""

_GONE = -4  # removed from the tree again
_OWN = -5  # the content is that of the name's own member


class TreeDraft:
    """
    A `Tree` of that many *archives* in the making.

    A slot is the number of a name. *wanted* counts for each folder its names with the value `WANTED`.
    """

    def __init__(self, archives: int, limit_bytes: int) -> None:
        self.archives = max(1, archives)
        self.root = IMPLIED
        self.folders = PackedTexts()
        self.firsts = array("Q", (0,))
        self.names = PackedTexts()
        self._texts = self.names.texts()
        self.values = array("q")
        self.kinds = bytearray()
        self.wanted = array("Q")
        self._contents: array[int] | None = None
        self._gaps: list[Gap] = []
        self._losses = 0
        self._has_gone = False
        self._limit_bytes = limit_bytes
        self._held_bytes = 0

    def value(self, archive: int, position: int) -> int:
        """The value of a name whose member is at *position* of *archive*, in blocks of 512 bytes."""
        return position * self.archives + archive

    def archive_of(self, value: int) -> int:
        return value % self.archives

    def hold(self, count_bytes: int) -> None:
        """
        Count memory in use.

        Raises:
            TreeTooLarge: it exceeds the limit.
        """
        self._held_bytes += count_bytes
        if self._held_bytes > self._limit_bytes:
            raise TreeTooLarge(self._limit_bytes)

    def let_go(self) -> None:
        """Reset the count; what was held is counted anew."""
        self._held_bytes = 0

    def add(
        self, path: bytes, names: Sequence[bytes], packed: bytes, values: array[int], kinds: bytes | bytearray
    ) -> int:
        """
        Append the folder *path*, with its *names*, ascending, which *packed* holds as well.

        Returns its number.
        """
        self.hold(len(path) + DIRECTORY_BYTES + len(packed) + (NAME_BYTES - 1) * len(names))
        self.folders.append(path)
        self.names.extend_packed(packed, names)
        self.values.extend(values)
        self.kinds += kinds
        self.firsts.append(len(self.values))
        self.wanted.append(values.count(WANTED))
        return len(self.wanted) - 1

    def path_of(self, folder: int) -> bytes:
        return self.folders.texts()[folder]

    def within(self, folder: int) -> range:
        """The slots of a folder."""
        return range(self.firsts[folder], self.firsts[folder + 1])

    def texts(self) -> Texts:
        """The names by their slots."""
        return self._texts

    def still_wanted(self, folder: int) -> Iterator[tuple[int, bytes]]:
        """The slots of a folder with the value `WANTED`, with their names."""
        within = self.within(folder)
        for slot, name in zip(within, self.texts().some(within.start, within.stop), strict=True):
            if self.values[slot] == WANTED:
                yield slot, name

    def find(self, folder: int, name: bytes) -> int | None:
        """The slot of a name."""
        return self._texts.find(name, self.firsts[folder], self.firsts[folder + 1])

    def lose(self, folder: int, slot: int, name: bytes, kind: GapKind) -> None:
        """Remove a name that is still wanted, since it has no content."""
        self.values[slot] = _GONE
        self.wanted[folder] -= 1
        self._has_gone = True
        self.gap(join(self.path_of(folder), name), kind)

    def drop(self, slot: int, kind: GapKind) -> None:
        """Remove a name whose member cannot be extracted."""
        if self.values[slot] != _GONE:
            self.values[slot] = _GONE
            self._has_gone = True
            folder = bisect_right(self.firsts, slot) - 1
            self.gap(join(self.path_of(folder), self.texts()[slot]), kind)

    def gap(self, path: bytes, kind: GapKind) -> None:
        """Note that *path* should be in the tree."""
        self._losses += kind.is_loss
        self.hold(NAME_BYTES + len(path))
        self._gaps.append(Gap(path, kind))

    def gap_at_odd(self, path: bytes) -> None:
        """Note that *path*, which tar would not extract (see `name_table.is_odd`), should be in the tree."""
        self.gap(path, GapKind.UPWARDS if is_placeable(path) else GapKind.TOO_DEEP)

    def gap_unmade(self, path: bytes) -> None:
        """Note that *path*, whose member cannot be made (see `columns.named`), should be in the tree."""
        self.gap(path, GapKind.BAD_TARGET if path else GapKind.NO_NAME)

    def link(self, slot: int, value: int) -> None:
        """Make the name a hard link whose content is in another member. All folders have been added."""
        if self._contents is None:
            self._contents = array("q", (_OWN,)) * len(self.values)
        self._contents[slot] = value

    def gather(self, owners: Sequence[int], archives: int) -> None:
        """Merge the archives, now parts, into *archives* as *owners* maps them. All contents have been set."""

        def owned(value: int) -> int:
            position, part = divmod(value, self.archives)
            return value if value < 0 else position * archives + owners[part]

        self.root = owned(self.root)
        self.values = array("q", map(owned, self.values))
        if self._contents is not None:
            self._contents = array("q", map(owned, self._contents))
        self.archives = archives

    def tree(self) -> Tree:
        """The tree, without the lost names. Must be the last call."""
        if self._contents is not None:
            pairs = zip(self._contents, self.values, strict=True)
            self._contents = array("q", (value if content == _OWN else content for content, value in pairs))
        if self._has_gone:
            self._drop_gone()
        return Tree(
            self.archives,
            self.folders.texts(),
            self.firsts,
            self._texts,
            self.values,
            self.kinds,
            self.root,
            self._contents,
            tuple(self._gaps),
            self._losses,
        )

    def _drop_gone(self) -> None:
        names, texts, firsts = PackedTexts(), self.texts(), array("Q", (0,))
        for folder in range(len(self.wanted)):
            within = self.within(folder)
            values = self.values[within.start : within.stop]
            if _GONE not in values:
                names.extend(texts.some(within.start, within.stop))
                firsts.append(len(names))
                continue
            kept = zip(texts.some(within.start, within.stop), values, strict=True)
            names.extend([name for name, value in kept if value != _GONE])
            firsts.append(len(names))
        is_kept = [value != _GONE for value in self.values]
        self.kinds = bytearray(compress(self.kinds, is_kept))
        if self._contents is not None:
            self._contents = array("q", compress(self._contents, is_kept))
        self.values = array("q", compress(self.values, is_kept))
        self.names, self._texts, self.firsts = names, names.texts(), firsts
