"""Keys in a bucket: every name that an archive may have, and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tarkeep.adapters.s3.keys import (
    MARKS,
    NOTE,
    PLAIN,
    SIDECAR,
    SNAPSHOT,
    Place,
    folder_of,
    key_of,
    named_in,
    object_key,
    quarantine_key,
    receipt_of,
)
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType

_CHARACTERS = "aZ09 ._+@=,()-éก"
PROFILES = st.text("aB3._-", max_size=20).map("p".__add__)
NAMES = st.text(_CHARACTERS, max_size=20).map(lambda middle: f"n{middle}.tar.gz")
IDS = st.builds(ArchiveId, PROFILES, st.sampled_from(BackupType), NAMES)
RECEIPTS = st.text("0123456789abcdef-", min_size=1, max_size=36)
SUFFIXES = st.sampled_from([PLAIN, SIDECAR, SNAPSHOT, MARKS, NOTE])


@given(st.sampled_from(Place), IDS, SUFFIXES)
def test_the_key_of_a_name_leads_back_to_it(place: Place, id: ArchiveId, suffix: str) -> None:
    """Whatever the name, and whatever lies beside it."""
    key = key_of(place, id, suffix)

    assert key.startswith(folder_of(place, id.profile, id.type))
    assert named_in(key, id.profile, id.type, suffix) == id


@given(IDS, SUFFIXES, IDS, SUFFIXES)
def test_no_two_names_share_a_key(one: ArchiveId, suffix: str, other: ArchiveId, another: str) -> None:
    """Also where the name of one archive is that of another with a suffix."""
    is_same_key = key_of(Place.ARCHIVES, one, suffix) == key_of(Place.ARCHIVES, other, another)

    assert is_same_key == ((one, suffix) == (other, another))


@given(st.one_of(st.none(), IDS), RECEIPTS, SUFFIXES)
def test_bytes_are_never_taken_for_a_name(id: ArchiveId | None, receipt: str, suffix: str) -> None:
    """The key of an object with bytes tells its receipt, and names no archive."""
    key = object_key(receipt, id)

    assert receipt_of(key) == receipt
    if id is not None:
        assert named_in(key, id.profile, id.type, suffix) is None


@given(IDS, RECEIPTS, SUFFIXES)
def test_replaced_bytes_are_never_taken_for_a_name(id: ArchiveId, receipt: str, suffix: str) -> None:
    """A receipt ends what a suffix would have to end."""
    assert named_in(quarantine_key(id, receipt), id.profile, id.type, suffix) is None


def test_what_breaks_the_rules_for_names_names_nothing() -> None:
    """Foreign things in a bucket are passed over."""
    for name in ("README", "bad\nname.tar.gz", ".hidden.tar.gz", "e\u0301.tar.gz", "a.tar.gz.jsonx"):
        assert named_in(f"archives/p/FULL/{name}", "p", BackupType.FULL, PLAIN) is None
