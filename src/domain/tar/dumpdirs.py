"""GNU tar's listings of directories: what each says of a name, and the renames it tells of; read and written."""

from __future__ import annotations

from enum import Enum

from attrs import field, frozen

from .paths import relative
from .rename_records import RenameRecords


class Mark(Enum):
    """What a listing says of one name; the letters are GNU tar's."""

    HERE = b"Y"  # in this archive
    UNCHANGED = b"N"  # in the directory, as it was before; not in this archive
    DIRECTORY = b"D"  # a directory, which has a listing of its own

    @property
    def may_stay(self) -> bool:
        """A directory of that name, if it has no listing of its own, is said nothing of: see `silence`."""
        return self is not Mark.HERE


@frozen
class Rename:
    """
    A directory was renamed since the parent was taken. Both are paths from the root of the tar, which is ``.`` itself.

    Where names change places, one of them goes through a temporary name, which is then empty here: first as *new*,
    later as *old*.
    """

    old: bytes
    new: bytes


@frozen
class Dumpdir:
    """
    The dumpdir of one directory: every name in it, changed or not, and the renames told at this place.

    *renames* are in the order in which they are to be carried out. GNU tar tells all of an archive in the listing of
    its first directory. *temporaries* are the directories in which tar makes its temporary names, for the time that
    renaming takes; they are no part of what a listing means.
    """

    names: dict[bytes, Mark]
    renames: tuple[Rename, ...] = ()
    temporaries: tuple[bytes, ...] = field(default=(), eq=False)


_MARKS = {mark.value[0]: mark for mark in Mark}


def parse_dumpdir(dumpdir: bytes) -> Dumpdir:
    """
    The listing in the bytes of a dumpdir: records ``letter name NUL``, up to an empty one.

    Of one name the last record counts. Letters that are not known are passed over, as GNU tar does, and so are names
    that nothing in a directory can have, such as ``..`` and ``a/b``. In a rename, the temporary name of the directory
    that ``X`` announces is empty.

    Raises:
        ValueError: the renames are not in pairs, or use a temporary name that nothing announced; GNU tar then carries
            out none of them and removes nothing.
    """
    end = dumpdir.find(b"\0\0")
    if dumpdir[:1] == b"\0":
        return Dumpdir({})
    records = (dumpdir[:end] if end >= 0 else dumpdir.rstrip(b"\0")).split(b"\0")
    try:
        names = {record[1:]: _MARKS[record[0]] for record in records}
    except (KeyError, IndexError):  # an unknown letter, or a rename; nothing at all
        return _with_renames(records)
    return Dumpdir(_possible(names, dumpdir))


def _with_renames(records: list[bytes]) -> Dumpdir:
    names: dict[bytes, Mark] = {}
    renames: list[Rename] = []
    temporaries: list[bytes] = []
    source = b""
    order = RenameRecords()
    for record in records:
        letter, name = record[:1], record[1:]
        order.take(letter, bool(name))
        if letter == b"R":
            source = _renamed(name)
        elif letter == b"T":
            renames.append(Rename(source, _renamed(name)))
        elif letter == b"X":
            temporaries.append(relative(name))
        elif letter and letter[0] in _MARKS:
            names[name] = _MARKS[letter[0]]
    order.end()
    return Dumpdir(_possible(names, b"/"), tuple(renames), tuple(temporaries))


def _possible(names: dict[bytes, Mark], dumpdir: bytes) -> dict[bytes, Mark]:
    """Those of *names*, all in *dumpdir*, that something in a directory can have."""
    if b"/" in dumpdir:
        names = {name: mark for name, mark in names.items() if b"/" not in name}
    for name in (b"", b".", b".."):
        names.pop(name, None)
    return names


def written_dumpdir(listing: Dumpdir) -> bytes:
    """A dumpdir that `parse_dumpdir` reads as *listing*."""
    records: list[bytes] = []
    for rename in listing.renames:
        # A spelling of the empty name that needs no directory announced: it is the temporary name's.
        records += (b"R" + (rename.old or b"./"), b"T" + (rename.new or b"./"))
    records += (mark.value + name for name, mark in listing.names.items())
    return b"".join(record + b"\0" for record in records) + b"\0"


def _renamed(name: bytes) -> bytes:
    """A name in a rename: that of the root is ``.``, since an empty one is the temporary one's."""
    return name if name == b"." else relative(name)
