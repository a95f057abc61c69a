"""GNU tar's listings of directories (dumpdirs), with the renames they contain; read and written."""

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
        """Whether the archive may say nothing about a directory of that name that lacks a listing: see `silence`."""
        return self is not Mark.HERE


@frozen
class Rename:
    """
    A directory was renamed since the parent was taken. Both are paths from the root of the tar, which is ``.`` itself.

    Where names change places, one of them goes through a temporary name, which is empty here: first as *new*, later as
    *old*.
    """

    old: bytes
    new: bytes


@frozen
class Dumpdir:
    """
    The dumpdir of one directory: every name in it, changed or not, and the renames written there.

    *renames* are in the order in which tar carries them out. GNU tar writes all renames of an archive into the listing
    of its first directory. *temporaries* are the directories in which tar makes its temporary names while it renames;
    they add nothing to what a listing means.
    """

    names: dict[bytes, Mark]
    renames: tuple[Rename, ...] = ()
    temporaries: tuple[bytes, ...] = field(default=(), eq=False)


_MARKS = {mark.value[0]: mark for mark in Mark}


def parse_dumpdir(dumpdir: bytes) -> Dumpdir:
    """
    The listing in the bytes of a dumpdir: records ``letter name NUL``, up to an empty one.

    If a name has several records, the last counts. Unknown letters are skipped, as GNU tar does, and so are names that
    cannot exist in a directory, such as ``..`` and ``a/b``. In a rename, the temporary name of the directory that ``X``
    announces is empty.

    Raises:
        ValueError: the renames are not in pairs, or use a temporary name without an announcement; GNU tar then carries
            out none of them and removes nothing.
    """
    end = dumpdir.find(b"\0\0")
    if dumpdir[:1] == b"\0":
        return Dumpdir({})
    records = (dumpdir[:end] if end >= 0 else dumpdir.rstrip(b"\0")).split(b"\0")
    try:
        names = {record[1:]: _MARKS[record[0]] for record in records}
    except (KeyError, IndexError):  # an unknown letter, or a rename; or an empty dumpdir
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
    """Those of *names*, all from *dumpdir*, that can exist in a directory."""
    if b"/" in dumpdir:
        names = {name: mark for name, mark in names.items() if b"/" not in name}
    for name in (b"", b".", b".."):
        names.pop(name, None)
    return names


def written_dumpdir(listing: Dumpdir) -> bytes:
    """A dumpdir that `parse_dumpdir` reads as *listing*."""
    records: list[bytes] = []
    for rename in listing.renames:
        # A spelling of the empty name that needs no announced directory: an empty one means the temporary name.
        records += (b"R" + (rename.old or b"./"), b"T" + (rename.new or b"./"))
    records += (mark.value + name for name, mark in listing.names.items())
    return b"".join(record + b"\0" for record in records) + b"\0"


def _renamed(name: bytes) -> bytes:
    """A name in a rename: the root is ``.``, since an empty name means the temporary one."""
    return name if name == b"." else relative(name)
