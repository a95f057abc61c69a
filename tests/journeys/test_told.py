"""A byte of a stored archive changes: somebody is told, once; and is told when it was repaired."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.archives import make_targz
from tests.support.receivers import receiver
from tests.support.server import LiveServer, live_server

SECRET = "a secret of the operator"


def tarkeep(server: LiveServer, *words: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TARKEEP_")}
    command = [sys.executable, "-m", "tarkeep", *words, "--data", str(server.data)]
    return subprocess.run(command, env=clean, text=True, capture_output=True, timeout=120, check=False)


def run_jobs(server: LiveServer) -> None:
    """Have both jobs run at once, and not within half a minute."""
    for job in ("watch", "deliver"):
        tarkeep(server, "job", "run", job, "--wait")


def test_damage_is_told_once_and_its_repair_too(tmp_path: Path) -> None:
    archive = make_targz({"file": b"content"})
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    with receiver() as hook:
        data = tmp_path / "data"
        notify = tmp_path / "notify.toml"
        notify.write_text(
            f'[channels.ops]\nwebhook = "{hook.url}/tarkeep"\nsecret_file = "{secret}"\nallow_private = true\n'
        )
        with live_server(data, "--notify", str(notify)) as server, server.client() as client:
            place = "/api/v1/profiles/web/archives/FULL/a.tar.gz"
            assert client.put(place, content=archive).status_code == 201
            stored = next((data / "archives").rglob("a.tar.gz"))
            broken = bytearray(archive)
            broken[len(broken) // 2] ^= 1
            stored.chmod(0o600)
            stored.write_bytes(broken)

            assert tarkeep(server, "scrub").returncode == 13
            run_jobs(server)
            hook.wait_for(2)
            assert client.put(place, content=archive).status_code == 200
            run_jobs(server)
            came = hook.wait_for(4)
            assert tarkeep(server, "check").returncode == 0

    told = [(one.told["kind"], {alert["event"] for alert in one.told["alerts"]}) for one in came]
    assert told[:2] in (
        [("alert", {"damaged"}), ("alert", {"unrestorable"})],
        [("alert", {"unrestorable"}), ("alert", {"damaged"})],
    )
    assert sorted(kind for kind, _ in told[2:]) == ["recovery", "recovery"]
    assert len({one.told["id"] for one in came}) == 4
    for one in came:
        signed = hmac.new(SECRET.encode(), f"{one.headers['Tarkeep-Time']}.".encode() + one.body, hashlib.sha256)
        assert one.headers["Tarkeep-Signature"] == f"sha256={signed.hexdigest()}"
        assert one.path == "/tarkeep"
    assert SECRET not in json.dumps([one.told for one in came])
