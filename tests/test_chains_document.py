"""docs/chains.md: the commands in it are run as they stand, against a real server."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

from tests.support.server import live_server

PAGE = Path(__file__).parent.parent / "docs" / "chains.md"
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)


def run(command: str, place: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-eu", "-c", command],
        cwd=place,
        env={**os.environ, "NO_PROXY": "127.0.0.1", "LC_ALL": "C", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_rehearsal_restores(tmp_path: Path) -> None:
    """The script, then the rehearsal, then the lines for looking and getting back all end well; the chain is proven."""
    script, keeping, looking, lacking, rehearsal = BLOCK.findall(PAGE.read_text())
    place = tmp_path / "place"
    place.mkdir()
    (place / "backup.sh").write_text(script)

    with live_server(tmp_path / "data") as server, server.client() as client:
        done = run(rehearsal, place, URL=server.url)
        assert done.returncode == 0, done.stderr
        points = client.get("/api/v1/profiles/rehearsal/points").json()["points"]
        history = client.get("/api/v1/profiles/rehearsal/history?path=document/report.odt").json()["versions"]

        home = {"URL": server.url, "HOME": str(place / "home")}
        (place / "home" / "document" / "letters").mkdir()
        assert run("sh backup.sh full", place, **home).returncode == 0
        inc = run("sh backup.sh inc", place, **home)
        assert inc.returncode == 0, inc.stderr
        last = points_of(client.get("/api/v1/profiles/laptop/points").text)[-1]
        kept = run(keeping.replace("inc_2026-11-24_02-00-00.tar.gz", last), place, **home)
        looked = run(looking.replace("2026-11-24", "latest").replace("sh there", "sh elsewhere"), place, **home)
        next((tmp_path / "data" / "archives" / "laptop" / "FULL").glob("*.tar.gz")).unlink()
        lacked = run(lacking.replace("sh there", "sh without"), place, **home)

    assert done.stdout.endswith("it restores\n")
    assert [(point["restorable"], point["evidence"]) for point in points] == [(True, "proven")] * 3
    assert [version["event"] for version in history] == ["appeared", "changed", "deleted"]
    assert kept.returncode == 0, kept.stderr
    assert f'/archives/INC/{last}/snapshot"' in kept.stdout
    assert looked.returncode == 0, looked.stderr
    assert (place / "letters" / "document" / "letters").is_dir()
    assert lacked.returncode == 3, lacked.stderr
    assert '"gaps":1,' in lacked.stdout
    assert "document/post/one cannot be restored: its content is in FULL/" in lacked.stderr
    assert (place / "without" / "document" / "letters").is_dir()


def points_of(answer: str) -> list[str]:
    return [point["name"] for point in json.loads(answer)["points"]]
