"""A use case is a verb: a frozen class with one `__call__`, and no other public method."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from attrs import fields, has, resolve_types

from tarkeep.entrypoints.wiring.tarkeep import Tarkeep
from tarkeep.entrypoints.wiring.uploads import Uploads

SRC = Path(__file__).parents[2] / "src"
USE_CASES = "tarkeep.domain.usecases."

SHARED = {
    # what several use cases stand on; their fields in `Tarkeep` are for routes and commands that need a part of them
    "AdmissionChecks": "receives and uploads ask about size, room, quota and parent at different times",
    "ArchiveMembers": "reads records, names and footprints of archives, each for other callers",
    "Examiner": "every reader reports the damage that it meets, and may have no bytes to read again",
    "ProfileLinks": "a receive places one archive in bounded time, a client wants all links of a profile",
    "UploadsUnderWay": "keeps the state of uploads, which each use case of an upload changes in another way",
}


def exported() -> dict[str, type]:
    """The classes of `domain/usecases` that a field of `Tarkeep` or of its `Uploads` has, by name."""
    types = [one.type for wired in (Tarkeep, Uploads) for one in fields(resolve_types(wired))]
    return {one.__name__: one for one in types if isinstance(one, type) and one.__module__.startswith(USE_CASES)}


def public_methods(one: type) -> set[str]:
    """The methods and properties of *one* that others may use; fields are none."""
    place = SRC.joinpath(*one.__module__.split(".")[1:]).with_suffix(".py")
    body = next(
        node.body
        for node in ast.parse(place.read_text()).body
        if isinstance(node, ast.ClassDef) and node.name == one.__name__
    )
    names = {node.name for node in body if isinstance(node, ast.FunctionDef)}
    return {name for name in names if not name.startswith("_") or name == "__call__"}


def test_the_wiring_exports_use_cases() -> None:
    assert len(exported()) > 30
    assert {"ReceiveArchive", "RestoreTar", "BeginUpload"} < exported().keys()


@pytest.mark.parametrize("name", sorted(exported().keys() - SHARED))
def test_a_use_case_is_called_and_has_no_other_public_method(name: str) -> None:
    """Whatever several of them need is an object of its own, in `SHARED` with a reason."""
    one = exported()[name]

    assert has(one)
    assert public_methods(one) == {"__call__"}


@pytest.mark.parametrize("name", sorted(SHARED))
def test_a_shared_object_is_no_verb(name: str) -> None:
    """It has several methods with names, and is not called; otherwise it belongs to the use cases."""
    methods = public_methods(exported()[name])

    assert "__call__" not in methods
    assert len(methods) > 1
