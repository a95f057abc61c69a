"""The original's routes, as its deployed scripts and curl lines use them, on every kind of server."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from tarkeep.domain.text.sizes import human_size
from tests.support.archives import digests_of, make_targz
from tests.support.forms import field_part, file_part, form, form_headers

FULL = "full_2025-11-21_09-07-19.tar.gz"
INC = "inc_2025-11-22_09-07-19.tar.gz"
ONE = make_targz({"hello.txt": b"one\n"})
TWO = make_targz({"hello.txt": b"two\n"})
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def upload(
    client: httpx2.Client, profile: str, *, type: str = "FULL", name: str = FULL, content: bytes = ONE
) -> httpx2.Response:
    """What ``curl -F file=@NAME -F type=TYPE -F profile=PROFILE URL/upload`` sends."""
    return client.post("/upload", data={"type": type, "profile": profile}, files={"file": (name, content)})


def listed(client: httpx2.Client, profile: str) -> dict[str, list[dict[str, Any]]]:
    backups: dict[str, list[dict[str, Any]]] = client.get("/list", params={"profile": profile}).json()["backups"]
    return backups


def human(size: int) -> str:
    return f"{size}.0 B" if size < 1024 else f"{size / 1024:.1f} KB"


def test_the_overview_names_the_program_and_its_routes(client: httpx2.Client) -> None:
    """GET / answers with name, version, description and one line for each route."""
    overview = client.get("/").json()

    assert overview["name"] == "Tarkeep"
    assert overview.keys() == {"name", "version", "description", "endpoints"}
    assert {"POST /upload", "GET /list", "POST /verify", "GET /stats"} <= overview["endpoints"].keys()
    assert all(isinstance(line, str) and line for line in overview["endpoints"].values())


def test_an_upload_is_answered_with_everything_known_of_it(client: httpx2.Client, profile: str) -> None:
    """The answer to an upload is 201 with exactly the promised members."""
    answer = upload(client, profile)

    assert answer.status_code == 201
    members = answer.json()
    assert members.pop("message")
    assert members == {
        "status": "success",
        "file": FULL,
        "type": "FULL",
        "profile": profile,
        "size": human(len(ONE)),
        "size_bytes": len(ONE),
        "md5": digests_of(ONE).md5,
        "sha256": digests_of(ONE).sha256,
    }


def test_what_was_uploaded_is_listed_and_downloaded(client: httpx2.Client, profile: str) -> None:
    """An uploaded archive is in both lists with all its members, and comes back byte by byte."""
    before = datetime.now(UTC)
    upload(client, profile, type="inc", name=INC)

    everything = client.get("/list", params={"profile": profile}).json()
    one_type = client.get("/list/INC", params={"profile": profile}).json()
    back = client.get(f"/download/INC/{INC}", params={"profile": profile})

    entry = everything["backups"]["INC"][0]
    received = entry["uploaded_at"]
    assert TIME.fullmatch(received)
    assert before <= datetime.fromisoformat(received) <= datetime.now(UTC)
    assert entry == {
        "name": INC,
        "filename": INC,
        "type": "INC",
        "profile": profile,
        "size": len(ONE),
        "size_human": human(len(ONE)),
        "modified": received,
        "uploaded_at": received,
        "md5": digests_of(ONE).md5,
        "sha256": digests_of(ONE).sha256,
        "state": "stored",
    }
    assert everything == {
        "status": "success",
        "backups": {"FULL": [], "INC": [entry], "DIFF": []},
        "total_count": 1,
    }
    assert one_type == {"status": "success", "type": "INC", "backups": [entry], "count": 1}
    assert (back.status_code, back.content) == (200, ONE)
    assert back.headers["content-disposition"] == f'attachment; filename="{INC}"'


def test_lists_are_narrowed_by_type_and_profile(client: httpx2.Client, profile: str) -> None:
    """?type= and ?profile= leave out everything else, in any case of the type."""
    for type, name in (("FULL", FULL), ("INC", INC), ("DIFF", "diff.tar.gz")):
        upload(client, profile, type=type, name=name)

    of_type = client.get("/list", params={"type": "diff", "profile": profile}).json()
    elsewhere = client.get("/list", params={"profile": f"{profile}-other"}).json()

    assert [len(found) for found in of_type["backups"].values()] == [0, 0, 1]
    assert of_type["total_count"] == 1
    assert elsewhere == {"status": "success", "backups": {"FULL": [], "INC": [], "DIFF": []}, "total_count": 0}
    assert client.get("/list/incremental").status_code == 400


@pytest.mark.parametrize("word", ["full", "Full", "FULL"])
def test_a_type_may_be_written_in_any_case(client: httpx2.Client, profile: str, word: str) -> None:
    """The type is taken in any case and answered in upper case, in the form and in paths."""
    answer = upload(client, profile, type=word)

    assert answer.json()["type"] == "FULL"
    assert client.get(f"/list/{word}", params={"profile": profile}).json()["count"] == 1
    assert client.get(f"/download/{word}/{FULL}", params={"profile": profile}).content == ONE


def test_type_and_profile_have_defaults(client: httpx2.Client) -> None:
    """A form with nothing but a file stores a FULL of the profile named default."""
    answer = client.post("/upload", files={"file": ("only-a-file.tar.gz", ONE)})

    assert answer.status_code == 201
    assert (answer.json()["type"], answer.json()["profile"]) == ("FULL", "default")


@pytest.mark.parametrize("order", ["before", "after", "around"])
def test_fields_count_wherever_they_stand(client: httpx2.Client, profile: str, order: str) -> None:
    """Fields before and after the file mean the same."""
    type, whose, file = field_part("type", "DIFF"), field_part("profile", profile), file_part(ONE)
    parts = {"before": (type, whose, file), "after": (file, type, whose), "around": (type, file, whose)}[order]

    answer = client.post("/upload", content=form(*parts), headers=form_headers())

    assert answer.status_code == 201
    assert (answer.json()["type"], answer.json()["profile"]) == ("DIFF", profile)


@pytest.mark.parametrize("size", [10, 9000])
def test_a_file_under_another_name_is_told_where_it_belongs(client: httpx2.Client, profile: str, size: int) -> None:
    """Large or small; the error does not say that some field was too large."""
    answer = client.post("/upload", files={"backup": ("a.tar.gz", bytes(size))}, data={"profile": profile})

    assert (answer.status_code, answer.json()["code"]) == (400, "multipart-parts")
    assert "named file" in answer.json()["detail"]
    assert "curl -F file=@archive.tar.gz" in answer.json()["detail"]


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
@pytest.mark.parametrize("first", [True, False])
def test_a_declared_digest_is_checked(client: httpx2.Client, profile: str, algorithm: str, first: bool) -> None:
    """A right digest is accepted in any case; a wrong one is refused and leaves nothing, wherever the field is."""

    def send(digest: str) -> httpx2.Response:
        declared, file = field_part(algorithm, digest), file_part(ONE)
        parts = (declared, file) if first else (file, declared)
        body = form(field_part("profile", profile), *parts)
        return client.post("/upload", content=body, headers=form_headers())

    wrong = send(getattr(digests_of(TWO), algorithm))
    nothing = listed(client, profile)
    right = send(getattr(digests_of(ONE), algorithm).upper())

    assert (wrong.status_code, wrong.json()["code"]) == (400, "digest-mismatch")
    assert wrong.json()["actual"] == getattr(digests_of(ONE), algorithm)
    assert nothing == {"FULL": [], "INC": [], "DIFF": []}
    assert right.status_code == 201


def test_the_same_bytes_again_are_a_success(client: httpx2.Client, profile: str) -> None:
    """A retry of the same bytes is 201 with duplicate, and nothing is stored twice."""
    first, second = upload(client, profile), upload(client, profile)

    assert (first.status_code, second.status_code) == (201, 201)
    assert "duplicate" not in first.json()
    assert second.json()["duplicate"] is True
    assert second.json().items() >= {k: v for k, v in first.json().items() if k != "message"}.items()
    assert len(listed(client, profile)["FULL"]) == 1


def test_other_bytes_under_a_taken_name_are_refused(client: httpx2.Client, profile: str) -> None:
    """The conflict says what is stored and what to do, and the stored bytes stay."""
    upload(client, profile)

    answer = upload(client, profile, content=TWO)

    assert (answer.status_code, answer.json()["code"]) == (409, "name-conflict")
    assert answer.json()["existing_sha256"] == digests_of(ONE).sha256
    assert "same_name" in answer.json()["error"]
    assert "keep-both" in answer.json()["error"]
    assert client.get(f"/download/FULL/{FULL}", params={"profile": profile}).content == ONE
    assert len(listed(client, profile)["FULL"]) == 1


def test_keep_both_puts_the_receive_time_into_the_name(keep_both_client: httpx2.Client, profile: str) -> None:
    """With keep-both, other bytes get a name of their own, shown in the answer, and a retry finds it again."""
    client = keep_both_client
    upload(client, profile)

    second, retry = upload(client, profile, content=TWO), upload(client, profile, content=TWO)

    name = second.json()["file"]
    assert (second.status_code, retry.status_code) == (201, 201)
    assert re.fullmatch(r"full_2025-11-21_09-07-19\.\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ\.tar\.gz", name)
    assert (retry.json()["file"], retry.json()["duplicate"]) == (name, True)
    assert sorted(entry["name"] for entry in listed(client, profile)["FULL"]) == sorted([FULL, name])
    assert client.get(f"/download/FULL/{FULL}", params={"profile": profile}).content == ONE
    assert client.get(f"/download/FULL/{name}", params={"profile": profile}).content == TWO


def test_one_name_in_two_profiles_is_two_archives(client: httpx2.Client, profile: str) -> None:
    """Profiles are separate; a download that does not choose is told the choices."""
    a, b = f"{profile}-a", f"{profile}-b"
    name = f"{profile}.tar.gz"
    upload(client, a, name=name, content=ONE)
    unambiguous = client.get(f"/download/FULL/{name}")
    upload(client, b, name=name, content=TWO)

    undecided = client.get(f"/download/FULL/{name}")

    assert unambiguous.content == ONE
    assert undecided.status_code == 409
    assert undecided.json()["profiles"] == [a, b]
    assert a in undecided.json()["error"]
    assert b in undecided.json()["error"]
    assert client.get(f"/download/FULL/{name}", params={"profile": a}).content == ONE
    assert client.get(f"/download/FULL/{name}", params={"profile": b}).content == TWO


def test_verify_sorts_every_name_into_one_bucket(client: httpx2.Client, profile: str) -> None:
    """The whole answer of /verify, with every bucket in use."""
    for name in ("synced-sha.tar.gz", "synced-md5.tar.gz", "differs.tar.gz", "resized.tar.gz", "silent.tar.gz"):
        upload(client, profile, name=name)
    upload(client, profile, name="extra.tar.gz")
    digests, other = digests_of(ONE), digests_of(TWO)
    size = len(ONE)
    local = [
        {"name": "synced-sha.tar.gz", "size": size, "sha256": digests.sha256},
        {"name": "synced-md5.tar.gz", "size": size, "md5": digests.md5},
        {"name": "differs.tar.gz", "size": size, "md5": other.md5},
        {"name": "resized.tar.gz", "size": size + 1},
        {"name": "silent.tar.gz", "size": size},
        {"name": "missing.tar.gz", "size": size, "md5": other.md5},
    ]

    answer = client.post("/verify", json={"profile": profile, "local_backups": {"FULL": local, "INC": []}})

    empty: dict[str, object] = {"local_count": 0, "remote_count": 0, "synced": [], "missing_remote": []}
    empty |= {"extra_remote": [], "differing": [], "unverified": [], "damaged": [], "pruned": []}
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "success",
        "sync_status": "OUT_OF_SYNC",
        "verification": {
            "FULL": {
                "type": "FULL",
                "local_count": 6,
                "remote_count": 6,
                "synced": ["synced-md5.tar.gz", "synced-sha.tar.gz"],
                "missing_remote": ["missing.tar.gz"],
                "extra_remote": ["extra.tar.gz"],
                "differing": ["differs.tar.gz", "resized.tar.gz"],
                "unverified": ["silent.tar.gz"],
                "damaged": [],
                "pruned": [],
            },
            "INC": {"type": "INC", **empty},
            "DIFF": {"type": "DIFF", **empty},
        },
        "issues": [
            "Missing on remote: FULL/missing.tar.gz",
            "Extra on remote: FULL/extra.tar.gz",
            "Differs from remote: FULL/differs.tar.gz",
            "Differs from remote: FULL/resized.tar.gz",
            "Not verified, no digest given: FULL/silent.tar.gz",
        ],
    }


def test_verify_says_synchronized_when_nothing_is_amiss(client: httpx2.Client, profile: str) -> None:
    """SYNCHRONIZED with no issues when every list but synced is empty; types may be left out."""
    upload(client, profile, type="DIFF")
    local = [{"name": FULL, "size": len(ONE), "md5": digests_of(ONE).md5.upper(), "sha256": ""}]

    report = client.post("/verify", json={"profile": profile, "local_backups": {"DIFF": local}}).json()

    assert (report["sync_status"], report["issues"]) == ("SYNCHRONIZED", [])
    assert report["verification"]["DIFF"]["synced"] == [FULL]


def test_statistics_count_and_sum_up(client: httpx2.Client, profile: str) -> None:
    """/stats grows by exactly what was uploaded; a duplicate adds nothing."""

    def numbers() -> dict[str, tuple[int, int]]:
        answer = client.get("/stats").json()
        assert answer.keys() == {"status", "timestamp", "storage", "total"}
        assert TIME.fullmatch(answer["timestamp"])
        rows = {**{type: (row["count"], row) for type, row in answer["storage"].items()}}
        rows["total"] = (answer["total"]["files"], answer["total"])
        assert all(row["size_human"] == human_size(row["size"]) for _, row in rows.values())
        return {word: (count, row["size"]) for word, (count, row) in rows.items()}

    before = numbers()
    upload(client, profile)
    upload(client, profile)
    upload(client, profile, type="INC", content=TWO)
    after = numbers()

    grown = {word: (after[word][0] - before[word][0], after[word][1] - before[word][1]) for word in before}
    assert grown == {
        "FULL": (1, len(ONE)),
        "INC": (1, len(TWO)),
        "DIFF": (0, 0),
        "total": (2, len(ONE) + len(TWO)),
    }


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0.0 B"),
        (1023, "1023.0 B"),
        (1024, "1.0 KB"),
        (12_288, "12.0 KB"),
        (1_048_576, "1.0 MB"),
        (524_288_000, "500.0 MB"),
        (5 << 30, "5.0 GB"),
        (3 << 40, "3.0 TB"),
        (1 << 50, "1.0 PB"),
    ],
)
def test_sizes_for_people(size: int, shown: str) -> None:
    """Sizes are shown 1024-based with one decimal."""
    assert human_size(size) == shown


@pytest.mark.parametrize("path", ["/", "/list", "/list/FULL", "/stats", "/healthz", "/readyz", "/api/v1/archives"])
def test_head_is_get_without_a_body(client: httpx2.Client, path: str) -> None:
    """HEAD answers with the status and type of GET and no body."""
    head, get = client.head(path), client.get(path)

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"] == "application/json"
