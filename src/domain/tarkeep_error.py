"""
Everything that can go wrong, as one tree.

Fields are data, the sentence is derived from them, and no error holds a path of the server's disk, an SQL text or a
secret: any of them may be shown to a client as it is. Adapters translate their libraries' errors into these with
``raise ... from error``; entrypoints hold one table each from class to status or exit code, and one with what to do
about it: which request to send, or what to type, the domain does not know.
"""

from __future__ import annotations


class TarkeepError(Exception):
    """
    Base of all errors of the domain; ``str(error)`` is the sentence for people: what happened, with which thing, why.

    *is_transient* where the same call, unchanged, may succeed a little later.
    """

    is_transient: bool = False
