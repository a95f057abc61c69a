"""Ranges and conditional requests (RFC 9110 sections 13 and 14) on both routes that serve bytes, on every server."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime

import httpx2
import pytest

from tests.support.archives import digests_of, make_targz

CONTENT = make_targz({f"file-{number}.txt": f"{number}\n".encode() * 50 for number in range(40)})
SIZE = len(CONTENT)
NAME = "full_2025-11-21_09-07-19.tar.gz"
TAG = f'"{digests_of(CONTENT).sha256}"'
OTHER_TAG = f'"{digests_of(b"other").sha256}"'
EPOCH = "Thu, 01 Jan 1970 00:00:00 GMT"
MUCH_LATER = "Fri, 31 Dec 2100 23:59:59 GMT"

Get = Callable[..., httpx2.Response]


@pytest.fixture(scope="session", params=["original", "v1"])
def get(request: pytest.FixtureRequest, client: httpx2.Client) -> Get:
    """Get the bytes of one and the same archive, with the given headers, by one of the two routes."""
    profile = "ranges"
    place = f"/api/v1/profiles/{profile}/archives/FULL/{NAME}"
    client.put(place, content=CONTENT)
    path = place if request.param == "v1" else f"/download/FULL/{NAME}?profile={profile}"

    def ask(method: str = "GET", **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-").encode(): value.encode("latin-1") for name, value in headers.items()}
        return client.request(method, path, headers={b"Accept-Encoding": b"identity", **named})

    return ask


def seconds_after(answer: httpx2.Response, seconds: int) -> str:
    """The Last-Modified of *answer*, moved by *seconds*."""
    return format_datetime(
        parsedate_to_datetime(answer.headers["last-modified"]) + timedelta(seconds=seconds), usegmt=True
    )


def test_a_whole_download_carries_its_digest(get: Get) -> None:
    """The entity tag and Repr-Digest are the SHA-256; ranges are offered; it is an attachment."""
    answer = get()

    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["etag"] == TAG
    digest = base64.b64encode(bytes.fromhex(digests_of(CONTENT).sha256)).decode()
    assert answer.headers["repr-digest"] == f"sha-256=:{digest}:"
    assert answer.headers["content-length"] == str(SIZE)
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-type"] == "application/gzip"
    assert "content-encoding" not in answer.headers
    assert answer.headers["content-disposition"] == f'attachment; filename="{NAME}"'
    assert answer.headers["last-modified"].endswith(" GMT")


def test_head_equals_get_without_the_body(get: Get) -> None:
    """HEAD has the status and headers of GET."""
    head, whole = get("HEAD"), get()

    own = {"date", "x-request-id"}
    assert (head.status_code, head.content) == (200, b"")
    assert {k: v for k, v in head.headers.items() if k not in own} == {
        k: v for k, v in whole.headers.items() if k not in own
    }


def test_head_knows_no_ranges(get: Get) -> None:
    """RFC 9110 14.2: Range is defined for GET only."""
    assert get("HEAD", Range="bytes=0-0").status_code == 200
    assert get("HEAD", Range=f"bytes={SIZE}-").status_code == 200


@pytest.mark.parametrize(
    ("range", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-9", 0, 10),
        ("bytes=100-199", 100, 200),
        (f"bytes={SIZE - 1}-{SIZE - 1}", SIZE - 1, SIZE),
        ("bytes=10-", 10, SIZE),
        ("bytes=0-", 0, SIZE),
        ("bytes=-1", SIZE - 1, SIZE),
        ("bytes=-20", SIZE - 20, SIZE),
        (f"bytes=-{SIZE + 5}", 0, SIZE),
        (f"bytes=5-{SIZE}", 5, SIZE),
        (f"bytes=5-{'9' * 40}", 5, SIZE),
        ("BYTES=1-2", 1, 3),
        (f"bytes={'0' * 30}7-8", 7, 9),
    ],
)
def test_one_range_is_answered_with_its_bytes(get: Get, range: str, start: int, stop: int) -> None:
    """First, middle, last, open, suffix and beyond the end, both ends inclusive."""
    answer = get(Range=range)

    assert (answer.status_code, answer.content) == (206, CONTENT[start:stop])
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{SIZE}"
    assert answer.headers["content-length"] == str(stop - start)
    assert answer.headers["etag"] == TAG


@pytest.mark.parametrize("range", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 1}", "bytes=-0", f"bytes={'9' * 40}-"])
def test_a_range_without_a_byte_is_refused(get: Get, range: str) -> None:
    """416 with the size in Content-Range."""
    answer = get(Range=range)

    assert (answer.status_code, answer.json()["code"]) == (416, "range-not-satisfiable")
    assert answer.headers["content-range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize(
    "range",
    ["bytes=0-1,4-5", "bytes=5-4", "bytes=", "bytes=-", "bytes=a-b", "bytes", "items=0-1", "bytes=1-2-3", "bytes=--1"],
)
def test_several_or_malformed_ranges_get_everything(get: Get, range: str) -> None:
    """Anything but one valid range of bytes is ignored."""
    answer = get(Range=range)

    assert (answer.status_code, answer.content) == (200, CONTENT)


@pytest.mark.parametrize("value", [TAG, f"W/{TAG}", "*", f"{OTHER_TAG}, {TAG}", f"{OTHER_TAG},W/{TAG}"])
def test_what_the_client_has_is_not_sent_again(get: Get, value: str) -> None:
    """If-None-Match compares weakly and takes lists and the star; 304 has no body."""
    answer = get(If_None_Match=value)

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == TAG
    assert get("HEAD", If_None_Match=value).status_code == 304


@pytest.mark.parametrize("value", [OTHER_TAG, f"W/{OTHER_TAG}", "", "nonsense", TAG.strip('"')])
def test_other_tags_get_the_bytes(get: Get, value: str) -> None:
    """A tag that does not match, or is malformed, hides nothing; it also overrides If-Modified-Since."""
    assert get(If_None_Match=value).content == CONTENT
    assert get(If_None_Match=value, If_Modified_Since=MUCH_LATER).status_code == 200


@pytest.mark.parametrize(("value", "status"), [(TAG, 200), ("*", 200), (f"{OTHER_TAG}, {TAG}", 200)])
def test_if_match_lets_the_right_version_pass(get: Get, value: str, status: int) -> None:
    """If-Match with the tag, the star or a list that holds the tag."""
    assert get(If_Match=value).status_code == status


@pytest.mark.parametrize("value", [OTHER_TAG, f"W/{TAG}", ""])
def test_if_match_refuses_any_other(get: Get, value: str) -> None:
    """If-Match compares strongly; 412 if nothing matches, before any range."""
    answer = get(If_Match=value, Range="bytes=0-0")

    assert (answer.status_code, answer.json()["code"]) == (412, "precondition-failed")


def test_dates_decide_where_there_is_no_tag(get: Get) -> None:
    """If-Modified-Since and If-Unmodified-Since, a second before, at and after the receive time."""
    whole = get()
    before, at, after = (seconds_after(whole, seconds) for seconds in (-1, 0, 1))

    assert [get(If_Modified_Since=moment).status_code for moment in (before, at, after)] == [200, 304, 304]
    assert [get(If_Unmodified_Since=moment).status_code for moment in (before, at, after)] == [412, 200, 200]
    assert get(If_Match=TAG, If_Unmodified_Since=EPOCH).status_code == 200


@pytest.mark.parametrize(
    "date",
    [
        "",
        "yesterday",
        "2026-11-23",
        "Mon, 32 Jan 2024 00:00:00 GMT",
        "Mon, 01 Jan 99999 00:00:00 GMT",
        "Mon, 01 Jan 2024 99:00:00 GMT",
        "Mon, 01 Jan 2024 00:00:00 +9999",
        "Mon, 01 Jan 2024 00:00:00 +99999999999999999999",
        "Mon, 01 Jan -1 00:00:00 GMT",
        ", , , ,",
        "0 Jan 0 0:0:0 0",
        "caf\u00e9",
    ],
)
def test_unreadable_dates_are_passed_over(get: Get, date: str) -> None:
    """A condition with an unreadable date is ignored (RFC 9110 13.1.3); for If-Range it does not hold."""
    assert get(If_Modified_Since=date).status_code == 200
    assert get(If_Unmodified_Since=date).status_code == 200
    assert get(If_Range=date, Range="bytes=0-0").status_code == 200


def test_if_range_continues_only_the_same_version(get: Get) -> None:
    """The range if the tag or the date is exactly right, else everything."""
    whole = get()

    for right in (TAG, whole.headers["last-modified"]):
        assert get(Range="bytes=5-", If_Range=right).content == CONTENT[5:]
    for wrong in (OTHER_TAG, f"W/{TAG}", seconds_after(whole, 1), seconds_after(whole, -1), "nonsense"):
        answer = get(Range="bytes=5-", If_Range=wrong)
        assert (answer.status_code, answer.content) == (200, CONTENT)
