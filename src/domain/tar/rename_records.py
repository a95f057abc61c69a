"""
The order of rename records in a dumpdir: ``R`` with the old name, then ``T`` with the new one.

``X`` announces a temporary name; after it, one ``T`` and one ``R`` use that name by being empty. GNU tar carries out
nothing from a dumpdir whose records are in another order, and removes nothing.
"""

from __future__ import annotations

from attrs import define


@define
class RenameRecords:
    """Checks the records of one dumpdir against their order as they pass; of a name, only its presence matters."""

    is_open: bool = False  # the new name is still to come
    has_temporary: bool = False

    def take(self, letter: bytes, has_name: bool) -> None:
        """
        Check the next record, whatever its letter.

        Raises:
            ValueError: it is in the wrong place.
        """
        if self.is_open:
            if letter != b"T":
                raise ValueError("a rename without its new name")
            if not has_name and not self.has_temporary:
                raise ValueError("a rename to no name")
            self.is_open = False
        elif letter == b"R":
            if not has_name:
                if not self.has_temporary:
                    raise ValueError("a rename of no name")
                self.has_temporary = False
            self.is_open = True
        elif letter == b"X":
            if self.has_temporary:
                raise ValueError("two temporary names at once")
            self.has_temporary = True
        elif letter == b"T":
            raise ValueError("a rename without its old name")

    def end(self) -> None:
        """
        Note that all records have passed.

        Raises:
            ValueError: a rename lacks its new name.
        """
        if self.is_open:
            raise ValueError("a rename without its new name")
