"""The examples that users copy are checked as users would run them."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import fields

from tarkeep.entrypoints.settings.server import ServerSettings, StorageSettings
from tests.support.require import require
from tests.support.server import live_server
from tests.support.tars import END, gz, member

ROOT = Path(__file__).parents[2]


SYSTEMD = ROOT / "examples" / "systemd"


UNITS = [
    "tarkeep.service",
    "tarkeep@.service",
    "tarkeep-backup.service",
    "tarkeep-backup.timer",
    "tarkeep-drill.service",
    "tarkeep-drill.timer",
]


@pytest.mark.parametrize("unit", UNITS)
def test_the_systemd_units_are_accepted(tmp_path: Path, unit: str) -> None:
    """``systemd-analyze verify`` reports nothing, once the commands are at their paths."""
    require("systemd-analyze", shutil.which("systemd-analyze") is not None, "apt install systemd")
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "tarkeep").symlink_to(Path(sys.executable).with_name("tarkeep"))
    for file in [*SYSTEMD.glob("*.service"), *SYSTEMD.glob("*.timer")]:
        (tmp_path / file.name).write_text(file.read_text().replace("/opt/tarkeep/bin", str(commands)))
    (tmp_path / "tarkeep.service.d").mkdir()
    shutil.copy(SYSTEMD / "tarkeep-tls.conf", tmp_path / "tarkeep.service.d" / "tls.conf")

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / unit],
        capture_output=True,
        text=True,
        check=False,
    )

    ours = [line for line in (done.stdout + done.stderr).splitlines() if "tarkeep" in line]
    assert (done.returncode, ours) == (0, [])
    assert "/opt/tarkeep/bin/" in (SYSTEMD / unit.replace(".timer", ".service")).read_text()


@pytest.mark.parametrize(
    ("unit", "threshold"), [("tarkeep.service", 15), ("tarkeep@.service", 15), ("tarkeep-drill.service", 30)]
)
def test_the_services_are_confined(unit: str, threshold: int) -> None:
    """
    The server's exposure is at most 1.5 of 10, as systemd counts it.

    That of drills is at most 3, since they make namespaces to confine tar, and set the modes that archives have.
    """
    require("systemd-analyze", shutil.which("systemd-analyze") is not None, "apt install systemd")

    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={threshold}", SYSTEMD / unit],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


def test_the_service_stays_confined_with_the_address_of_notices(tmp_path: Path) -> None:
    """With the line that watching.md has for it."""
    require("systemd-analyze", shutil.which("systemd-analyze") is not None, "apt install systemd")
    found = re.search(r"`(IPAddressAllow=[\d. ]+)`", (ROOT / "docs" / "watching.md").read_text())
    assert found is not None
    unit = tmp_path / "tarkeep.service"
    allowed = "IPAddressAllow=localhost\n"
    unit.write_text((SYSTEMD / "tarkeep.service").read_text().replace(allowed, f"{allowed}{found[1]}\n"))

    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=15", unit],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, "with non-localhost entries" in done.stdout) == (0, True), done.stdout


def system_calls(*groups: str) -> set[str]:
    """The system calls of systemd's *groups*, including those of nested groups."""
    done = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager", *groups], capture_output=True, text=True, check=True
    )
    names = {line.strip() for line in done.stdout.splitlines() if line.startswith("    ")} - {""}
    nested = {name for name in names if name.startswith("@")}
    calls = {name for name in names if name[0] not in "@#"}
    return calls | system_calls(*sorted(nested)) if nested else calls


def refused(unit: str, trace: str) -> list[str]:
    """What *unit* refuses of that which a *trace* of the server shows."""
    allowed: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", unit, re.MULTILINE):
        words = line.removeprefix("~").split()
        calls = {word for word in words if word[0] != "@"} | system_calls(*[word for word in words if word[0] == "@"])
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    made = set(re.findall(r"^\d+ +(\w+)\(", trace, re.MULTILINE))
    # work of systemd itself between the filter and the server: here strace starts it
    found = sorted(made - allowed - {"execve"})
    (families,) = re.findall(r"^RestrictAddressFamilies=(.*)$", unit, re.MULTILINE)
    found += sorted(set(re.findall(r"\bsocket\((AF_\w+)", trace)) - set(families.split()))
    return found + sorted(set(re.findall(r"PROT_WRITE\|PROT_EXEC", trace)))


def test_the_service_can_do_its_work_within_its_confinement(tmp_path: Path) -> None:
    """Receiving, looking inside, restoring and a restart need nothing that the unit refuses."""
    require("systemd-analyze", shutil.which("systemd-analyze") is not None, "apt install systemd")
    require("strace", shutil.which("strace") is not None, "apt install strace")
    traced = tmp_path / "calls"
    strace = ("strace", "-f", "-qq", "-A", "-s", "0", "-o", str(traced))
    content = gz(member(b"a", b"x" * 100) + END)

    for name in ("first", "second"):
        with live_server(tmp_path / "data", prefix=strace) as server, server.client() as client:
            place = f"/api/v1/profiles/host/archives/FULL/{name}.tar.gz"
            upload = client.post("/upload", data={"type": "INC"}, files={"file": (f"{name}.tar.gz", content)})
            assert [upload.status_code, client.put(place, content=content).status_code] == [201, 201]
            for path in ("/stats", "/readyz", f"{place}/members/a", "/api/v1/profiles/host/restore.tar.gz"):
                assert client.get(path).status_code == 200
            os.kill(next(iter(_children(server.process.pid))), signal.SIGTERM)
            server.process.wait(60)

    trace = traced.read_text()
    assert len(set(re.findall(r"^\d+ +(\w+)\(", trace, re.MULTILINE))) > 40
    assert refused((SYSTEMD / "tarkeep.service").read_text(), trace) == []


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_the_server_speaks_tls_by_what_its_drop_in_says(tmp_path: Path) -> None:
    """The variables that name systemd's copies of certificate and key are those that the server reads."""
    made = subprocess.run(
        [sys.executable, "-m", "tarkeep", "tls", "self-signed", "127.0.0.1", "--into", tmp_path / "etc"],
        capture_output=True,
        text=True,
        check=True,
    )
    text = (SYSTEMD / "tarkeep-tls.conf").read_text()
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    for name, source in re.findall(r"^LoadCredential=(.*?):(.*)$", text, re.MULTILINE):
        shutil.copy(tmp_path / "etc" / Path(source).name, credentials / name)
    (line,) = re.findall(r"^Environment=(.*)$", text, re.MULTILINE)
    variables = dict(word.split("=", 1) for word in line.replace("%d", str(credentials)).split())
    assert variables.pop("TARKEEP_HOST") == "0.0.0.0"

    with live_server(tmp_path / "data", environment=variables) as server:
        trusting = [
            "curl",
            "-fsS",
            "--cacert",
            str(tmp_path / "etc" / "tarkeep-certificate.pem"),
            f"{server.url}/healthz",
        ]
        asked = subprocess.run(trusting, capture_output=True, text=True, check=False)

    assert "tarkeep-certificate.pem" in made.stdout
    assert (asked.returncode, asked.stdout) == (0, '{"status":"alive"}\n'), asked.stderr


def test_the_settings_table_has_every_setting() -> None:
    """docs/operations.md names each setting once, and no unknown one."""
    text = (ROOT / "docs" / "operations.md").read_text()
    table = text.partition("| setting |")[2].partition("\n\n")[0]
    named = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)

    settings = [attribute.name for attribute in (*fields(StorageSettings), *fields(ServerSettings))]
    assert sorted(named) == sorted(settings)


def test_the_container_runs_as_nobody_and_looks_after_itself(tmp_path: Path) -> None:
    """Not as root, with a health check that distinguishes a server that can store from one that is unreachable."""
    text = (ROOT / "examples" / "container" / "Containerfile").read_text().replace("\\\n", "")
    last = text.rpartition("\nFROM ")[2]
    (user,) = re.findall(r"^USER (\d+):\d+$", last, re.MULTILINE)
    (check,) = re.findall(r"^HEALTHCHECK .*CMD (\[.*\])$", last, re.MULTILINE)
    (entry,) = re.findall(r"^ENTRYPOINT (\[.*\])$", last, re.MULTILINE)
    code = json.loads(check)[2]

    with live_server(tmp_path / "data") as server:
        healthy = subprocess.run([sys.executable, "-c", code.replace("http://127.0.0.1:5000", server.url)], check=False)
    sick = subprocess.run(
        [sys.executable, "-c", code.replace("http://127.0.0.1:5000", server.url)],
        check=False,
        stderr=subprocess.DEVNULL,
    )

    assert int(user) > 0
    assert (healthy.returncode, sick.returncode) == (0, 1)
    assert json.loads(entry)[1:4] == ["serve", "--data", "/var/lib/tarkeep"]
