"""The protocol of resumable uploads as a state machine: what may follow what, and what an offset promises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tarkeep.domain import uploads
from tarkeep.domain.archives.archive import Offer
from tarkeep.domain.errors.content import EmptyArchive, TooLarge
from tarkeep.domain.errors.uploads import (
    BeyondLength,
    LengthMismatch,
    NotAppendable,
    OffsetMismatch,
    PartsUnusable,
    TooManyUploads,
    UploadGone,
)
from tarkeep.domain.identity.archive_id import ArchiveId, BackupType
from tarkeep.domain.tarkeep_error import TarkeepError
from tarkeep.domain.uploads import Role, Upload

NOW = datetime(2026, 11, 24, tzinfo=UTC)
OFFER = Offer(ArchiveId("laptop", BackupType.FULL, "a.tar.gz"))
MAX = 100


def whole(length: int | None = 10) -> Upload:
    return uploads.begin("u", OFFER, length, NOW, max_bytes=MAX)


def piece(id: str, length: int = 10, *, complete: bool = True) -> Upload:
    upload = uploads.begin(id, None, length, NOW, max_bytes=MAX)
    return uploads.advanced(upload, length, NOW) if complete else upload


class OneUpload(RuleBasedStateMachine):
    """A client that sends any request, against a model of three facts: bytes sent, length, and whether it is over."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.upload = whole(None)
        self.sent = 0
        self.length: int | None = None
        self.over = False
        self.done = False

    @rule(
        offset=st.integers(0, 20),
        count=st.none() | st.integers(0, 20),
        length=st.none() | st.integers(0, 20),
        arrives=st.integers(0, 20),
    )
    def send(self, offset: int, count: int | None, length: int | None, arrives: int) -> None:
        self.now += timedelta(seconds=1)
        before = self.upload
        try:
            started = uploads.start_append(
                before, offset, self.now, max_bytes=MAX, length_bytes=length, announced_bytes=count
            )
        except TarkeepError:
            started = None
        assert (started is None) is self.must_refuse(offset, count, length)
        if started is None:
            return
        self.upload, self.length = started, self.length if length is None else length
        room = MAX if self.length is None else self.length
        self.advance(min(self.sent + (arrives if count is None else min(arrives, count)), room))

    def advance(self, offset: int) -> None:
        if self.done:
            return
        self.upload = uploads.advanced(self.upload, offset, self.now)
        if offset == self.length and offset > 0:
            self.upload = uploads.stored(self.upload, OFFER.id, self.now)
            self.done = True
        if self.upload.offset_bytes != offset:
            assert offset == self.length
        self.sent = self.upload.offset_bytes

    def must_refuse(self, offset: int, count: int | None, length: int | None) -> bool:
        if self.over or offset != self.sent:
            return True
        if length is not None and (length < self.sent or length == 0 or self.length not in (None, length)):
            return True
        room = length or self.length or MAX
        return count is not None and self.sent + count > room

    @rule()
    def end(self) -> None:
        self.upload = uploads.over(self.upload, "it was deleted", self.now)
        self.over = True

    @precondition(lambda self: not self.over)
    @rule()
    def is_never_told_complete_before_it_is_stored(self) -> None:
        assert self.upload.is_complete is self.done

    @invariant()
    def stands_where_the_model_stands(self) -> None:
        assert self.upload.offset_bytes == self.sent
        assert self.upload.length_bytes == self.length
        assert (self.upload.ended is not None) is self.over
        assert self.length is None or self.sent <= self.length


TestOneUpload = OneUpload.TestCase
TestOneUpload.settings = settings(max_examples=300, stateful_step_count=20, deadline=None)


def test_the_last_bytes_do_not_count_before_the_archive_is_stored() -> None:
    """A client that asks between the last byte and the end gets the offset before it, and sends the end again."""
    upload = uploads.advanced(whole(10), 6, NOW)

    assert uploads.advanced(upload, 10, NOW).offset_bytes == 6
    assert uploads.stored(upload, OFFER.id, NOW).is_complete


def test_a_piece_is_complete_with_its_last_byte() -> None:
    """It becomes no archive by itself, so it counts at once."""
    assert piece("p").is_complete


def test_an_offset_never_decreases() -> None:
    """A lower offset would be an error in the server."""
    with pytest.raises(ValueError, match="never decreases"):
        uploads.advanced(uploads.advanced(whole(10), 6, NOW), 5, NOW)


@pytest.mark.parametrize(("length", "error"), [(0, EmptyArchive), (MAX + 1, TooLarge)])
def test_a_length_that_no_archive_has_is_refused_when_it_is_declared(length: int, error: type[TarkeepError]) -> None:
    """At the beginning, or with the first bytes if it was left open."""
    with pytest.raises(error):
        whole(length)
    with pytest.raises(error):
        uploads.start_append(whole(None), 0, NOW, max_bytes=MAX, length_bytes=length)


@pytest.mark.parametrize(
    ("offset", "length", "announced", "error"),
    [
        (5, None, None, OffsetMismatch),
        (0, 11, None, LengthMismatch),
        (0, None, 11, BeyondLength),
        (0, 10, 11, BeyondLength),
    ],
)
def test_what_does_not_fit_is_refused(
    offset: int, length: int | None, announced: int | None, error: type[TarkeepError]
) -> None:
    """By offset, by length, by more bytes than declared."""
    with pytest.raises(error):
        uploads.start_append(whole(10), offset, NOW, max_bytes=MAX, length_bytes=length, announced_bytes=announced)


def test_a_concatenation_takes_the_length_of_its_parts_and_no_bytes() -> None:
    """It is complete when it is stored, like any other upload."""
    final = uploads.concatenation(
        "f", OFFER, [piece("a", 4), piece("b", 6)], NOW, max_bytes=MAX, client="", metadata=""
    )

    assert (final.role, final.length_bytes, final.parts) == (Role.FINAL, 10, ("a", "b"))
    with pytest.raises(NotAppendable):
        uploads.start_append(final, 0, NOW, max_bytes=MAX)


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [piece("a"), piece("a")],
        [piece("a", complete=False)],
        [whole()],
    ],
    ids=["none", "twice", "incomplete", "whole"],
)
def test_parts_that_cannot_be_concatenated(parts: list[Upload]) -> None:
    """No part, one twice, one that is not complete, one that is not a partial upload."""
    with pytest.raises(PartsUnusable):
        uploads.concatenation("f", OFFER, parts, NOW, max_bytes=MAX, client="", metadata="")


def test_parts_that_are_over_are_gone() -> None:
    """And together parts must not be larger than an archive may be."""
    over = uploads.over(piece("a"), "it expired", NOW)
    with pytest.raises(UploadGone):
        uploads.concatenation("f", OFFER, [over], NOW, max_bytes=MAX, client="", metadata="")
    with pytest.raises(TooLarge):
        uploads.concatenation("f", OFFER, [piece("a"), piece("b")], NOW, max_bytes=19, client="", metadata="")


def test_uploads_are_limited_by_client_and_in_total() -> None:
    """Each refusal names the setting of its limit."""
    mine = [uploads.begin(str(number), OFFER, 1, NOW, max_bytes=MAX, client="me") for number in range(3)]

    uploads.admit("me", mine, max_per_client=4, max_total=4)
    uploads.admit("you", mine, max_per_client=3, max_total=4)
    with pytest.raises(TooManyUploads, match="max_open_uploads_per_client"):
        uploads.admit("me", mine, max_per_client=3, max_total=4)
    with pytest.raises(TooManyUploads, match=r"max_open_uploads\)"):
        uploads.admit("you", mine, max_per_client=3, max_total=3)


def test_with_a_token_the_token_counts_and_not_the_address() -> None:
    """All clients may come through one proxy, and one token may be used from many machines."""
    mine = [uploads.begin(str(number), OFFER, 1, NOW, max_bytes=MAX, client="proxy", owner="a") for number in range(3)]

    uploads.admit("proxy", mine, owner="b", max_per_client=3, max_per_token=3, max_total=9)
    with pytest.raises(TooManyUploads, match="max_open_uploads_per_token"):
        uploads.admit("elsewhere", mine, owner="a", max_per_client=9, max_per_token=3, max_total=9)
