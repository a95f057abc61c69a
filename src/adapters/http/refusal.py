"""A server's refusal with what HTTP says of it, which nothing above this folder asks for."""

from __future__ import annotations

from attrs import define, field

from ...domain.errors.client import Refused


@define
class HttpRefusal(Refused):
    """With the *status* of the answer."""

    status: int = field(kw_only=True)


PASSING = frozenset({408, 502, 503, 504})
"""Refusals that may not recur a little later, even without ``Retry-After``: a proxy never sends that."""
