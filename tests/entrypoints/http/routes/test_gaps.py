"""Names that cannot be extracted do not hold back the rest: a link to nothing, an odd path, a file over a folder."""

from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
from pathlib import Path

import httpx2
import pytest

from tests.support.machine import Machine
from tests.support.tar_oracle import look_at

REST = {b"s": ("directory", b""), b"s/ok": ("directory", b""), b"s/ok/f": ("file", b"f")}


def targz(*members: tuple[str, bytes, str, bytes]) -> bytes:
    """A plain archive of a folder with a file in it, followed by *members*: name, type, link, and content."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, type, link, content in (
            ("s", tarfile.DIRTYPE, "", b""),
            ("s/ok", tarfile.DIRTYPE, "", b""),
            ("s/ok/f", tarfile.REGTYPE, "", b"f"),
            *members,
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = type, link, len(content)
            info.mode = 0o755 if type == tarfile.DIRTYPE else 0o644
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(out.getvalue())


GAPS = [
    (("s/b", tarfile.LNKTYPE, "s/a", b""), "s/b", "hard link to something that does not exist"),
    (("s/ok", tarfile.REGTYPE, "", b"in the way"), "s/ok", "something else is in its place"),
    (("s/../../b", tarfile.REGTYPE, "", b"upwards"), "s/../../b", "has .. in it"),
    (("/".join(["s", *["n" * 200] * 25]), tarfile.REGTYPE, "", b"deep"), "s/" + "n" * 50, "too long to be extracted"),
    (("s/l", tarfile.SYMTYPE, "", b""), "s/l", "target"),
    (("", tarfile.REGTYPE, "", b"nameless"), "a member without a name", "has no name"),
]


@pytest.fixture(params=GAPS, ids=["link", "folder", "upwards", "path", "target", "name"])
def gap(request: pytest.FixtureRequest) -> tuple[tuple[str, bytes, str, bytes], str, str]:
    found: tuple[tuple[str, bytes, str, bytes], str, str] = request.param
    return found


def test_all_else_is_given_and_what_is_not_is_named(
    machine: Machine, profile: str, tmp_path: Path, gap: tuple[tuple[str, bytes, str, bytes], str, str]
) -> None:
    """By every route, by the script and by the client, which end with 3."""
    member, path, why = gap
    base = f"{machine.url}/api/v1/profiles/{profile}"
    with httpx2.Client(trust_env=False) as client:
        url = f"{base}/archives/FULL/full_2026-01-01_00-00-00.tar.gz"
        assert client.put(url, content=targz(member)).status_code == 201
        for route in ("tree", "tree?path=s/ok", "find?name=f", "restore.tar", "restore.tar?path=s/ok", "points"):
            assert client.get(f"{base}/{route}").status_code == 200
        plan = client.get(f"{base}/plan").json()
        assert client.get(f"{base}/restore.tar").headers["Tarkeep-Gaps"] == "1"
        script = client.get(f"{base}/plan?format=sh").text

    assert (plan["gaps"], plan["sound"]) == (1, False)
    assert "1 name cannot be restored" in machine.run("points", profile).stdout
    assert any(warning.startswith(path) and why in warning for warning in plan["warnings"])

    (tmp_path / "restore.sh").write_text(script)
    command = ["sh", str(tmp_path / "restore.sh"), str(tmp_path / "by script")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, look_at(tmp_path / "by script")) == (3, REST)
    assert why in done.stderr

    ran = machine.run("restore", profile, "--into", str(tmp_path / "by client"))
    assert (ran.returncode, look_at(tmp_path / "by client")) == (3, REST)
    assert why in ran.stderr
    assert "1 name could not be restored" in ran.stderr
