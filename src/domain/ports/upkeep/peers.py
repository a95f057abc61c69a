"""
Another Tarkeep server, to copy archives from.

The rule: whatever it says is a claim. It may be wrong, lie, or have been taken over; so nothing it says makes an
adapter use more memory or time than is stated here, and what it gives out is checked by whoever asked for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias

from attrs import field, frozen

from ...archives.archive import BackupArchive


@frozen
class PeerAddress:
    """
    Where a server is, and what opens it: a *token* with the scopes list and pull, if it needs one.

    *profiles* are patterns of the profiles to copy. Its certificate is trusted by *cacert*, authorities in PEM, or by
    *fingerprint*, or as the system does.
    """

    url: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    profiles: tuple[str, ...] = ("*",)
    cacert: str | None = field(default=None, repr=False)
    fingerprint: str | None = None


@frozen
class PeerPage:
    """
    Some archives of a profile as the other server describes them, oldest receipt first; None after the last page.

    *problems* are sentences about entries that describe no archive of that profile; the others are told all the same.
    """

    archives: tuple[BackupArchive, ...]
    next_cursor: str | None
    problems: tuple[str, ...] = ()


class PeerBytes(AbstractContextManager["PeerBytes", None], Protocol):
    """
    Bytes while they arrive, in blocks of at most 1 MiB; leaving the context ends that.

    They begin at *start_bytes*: where it was asked for, or at 0. There may be more of them than there should be.
    """

    @property
    def start_bytes(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


class Peer(Protocol):
    """
    Another server, for one thread. No method retries, and none keeps more than one page in memory.

    Every method may raise `ServerUnreachable`, which is worth another try; `Unauthorized`; and `Refused`, also for an
    answer that is no answer of a Tarkeep server, or longer than one.
    """

    @property
    def shown_url(self) -> str:
        """The address for people, without a password."""

    def profiles(self) -> list[str]:
        """The profiles that the token may list, those with names that are none left out."""

    def page(self, profile: str, cursor: str | None = None) -> PeerPage:
        """A page of the stored archives of *profile*, the first one without *cursor*."""

    def read(self, archive: BackupArchive, start: int = 0) -> PeerBytes:
        """
        The bytes of *archive* from *start* on, which is less than its size.

        Raises:
            ArchiveNotFound: it is not there any more, or not with these bytes.
        """

    def snapshot(self, archive: BackupArchive) -> PeerBytes:
        """
        The snapshot file that is kept with *archive*.

        Raises:
            Refused: there is none.
        """


OpenPeer: TypeAlias = Callable[[PeerAddress], AbstractContextManager[Peer]]
"""
Gives the server at an address; leaving the context closes the connections to it. Raises InvalidSetting if it cannot be
an address.
"""
