"""Small bodies of JSON, each with the members that its route states."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from ..answers.problems import Problem

_Shape = TypeVar("_Shape", bound=msgspec.Struct)


def json_body(blocks: Iterable[bytes], shape: type[_Shape]) -> _Shape:
    """
    The body of *blocks*, all of which are held, as a *shape*.

    Raises:
        Problem: it is no JSON object with these members.
    """
    try:
        return msgspec.json.decode(b"".join(blocks), type=shape)
    except (msgspec.DecodeError, RecursionError) as error:
        members = ", ".join(field.encode_name for field in msgspec.structs.fields(shape))
        raise Problem(400, "invalid-json", f"the body must be a JSON object with {members}: {error}") from None
