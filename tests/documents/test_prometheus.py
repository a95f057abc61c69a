"""The examples for Prometheus, by its own programs, against a real server: everything they name is there."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from tarkeep.domain.access.tokens import Scope
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.watching.used import UsedOnDay
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.host import open_tokens
from tarkeep.entrypoints.wiring.server import open_tarkeep
from tests.support.archives import make_targz
from tests.support.require import require
from tests.support.server import LiveServer, live_server

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "prometheus"
PATIENCE_SECONDS = 120
_NAME = re.compile(r"\btarkeep_\w+")


def promtool(*arguments: str | Path, text: str | None = None) -> str:
    done = subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(autouse=True)
def programs() -> None:
    found = shutil.which("promtool") is not None and shutil.which("prometheus") is not None
    require("prometheus", found, "apt install prometheus")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with an archive that is damaged, which a scrub has found, and weeks of growth; it needs tokens."""
    data = tmp_path_factory.mktemp("prometheus") / "data"
    today = datetime.now(UTC).date()
    with open_tarkeep(StorageSettings(data=data)) as tarkeep:
        grown = [UsedOnDay(today - timedelta(days=ago), {BackupType.FULL: (30 - ago) << 40}) for ago in range(1, 30)]
        tarkeep.read_storage.growth.table.keep(grown)
    with live_server(data) as server:
        with server.client() as client:
            for name in ("whole", "rotten"):
                url = f"/api/v1/profiles/{name}/archives/FULL/a.tar.gz"
                client.put(url, content=make_targz({name: b"x"})).raise_for_status()
        (file,) = (data / "archives" / "rotten" / "FULL").glob("*.tar.gz")
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.chmod(0o600)
        file.write_bytes(content)
        command = [sys.executable, "-m", "tarkeep", "scrub", "--data", str(data)]
        scrubbed = subprocess.run(command, capture_output=True, text=True, check=False)
        assert scrubbed.returncode == 13, scrubbed.stdout + scrubbed.stderr
        yield server


@pytest.fixture(scope="module")
def token(server: LiveServer) -> str:
    return open_tokens(StorageSettings(data=server.data)).make(frozenset({Scope.METRICS}), ("*",)).text


@pytest.fixture(scope="module")
def told(server: LiveServer, token: str) -> str:
    with server.client() as client:
        return client.get("/metrics", headers={"Authorization": f"Bearer {token}"}).text


def test_what_the_server_tells_pleases_promtool(told: str) -> None:
    """It complains about names, units and texts that Prometheus advises against."""
    assert promtool("check", "metrics", text=told) == ""


def test_the_rules_are_rules_and_pass_their_tests() -> None:
    promtool("check", "rules", EXAMPLES / "rules.yml")
    promtool("test", "rules", EXAMPLES / "rules_test.yml")


def test_every_alert_has_a_test() -> None:
    alerts = {rule["alert"] for rule in _rules()}
    tested = {
        one["alertname"]
        for test in yaml.safe_load((EXAMPLES / "rules_test.yml").read_text())["tests"]
        for one in test["alert_rule_test"]
        if one.get("exp_alerts")
    }
    assert alerts == tested


def test_rules_and_dashboard_name_only_what_is_measured(told: str) -> None:
    measured = set(re.findall(r"^# TYPE (\S+)", told, re.MULTILINE))
    named = {name for text in (*(rule["expr"] for rule in _rules()), *_expressions()) for name in _NAME.findall(text)}
    assert named - measured == set()
    assert {"tarkeep_damaged_archives", "tarkeep_profile_restorable_timestamp_seconds"} < named


def test_the_dashboard_shows_everything_that_is_measured(told: str) -> None:
    measured = set(re.findall(r"^# TYPE (\S+)", told, re.MULTILINE))
    shown = {name for text in _expressions() for name in _NAME.findall(text)}
    # sums over profiles, which have panels of their own
    assert measured - shown - {"tarkeep_archives", "tarkeep_bytes"} == set()


def test_every_expression_of_the_dashboard_is_one(tmp_path: Path) -> None:
    """As a rule: promtool parses those."""
    expressions = _expressions()
    assert len(expressions) > 15
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions)]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", file)


def test_the_documents_name_what_is_measured(told: str) -> None:
    """The tables of operations.md, in both directions."""
    section = (ROOT / "docs" / "operations.md").read_text().partition("\n## Metrics\n")[2].partition("\n## ")[0]
    of_profile, _, of_all = section.partition("of all profiles together")
    documented = {f"tarkeep_profile_{name}" for name in _documented(of_profile)}
    documented |= {f"tarkeep_{name}" for name in _documented(of_all)}
    assert documented == set(re.findall(r"^# TYPE (\S+)", told, re.MULTILINE))


def _documented(table: str) -> Iterator[str]:
    for line in table.splitlines():
        first = re.match(r"\| (`[^|]*`) \|", line)
        if first is not None:
            yield from re.findall(r"`([a-z_]+)[^`]*`", first[1])


def test_a_real_prometheus_scrapes_a_real_server_and_an_alert_fires(
    server: LiveServer, token: str, tmp_path: Path
) -> None:
    """With the example's configuration and rules: only the address, the token file and the pace are other ones."""
    (tmp_path / "token").write_text(token)
    configuration = yaml.safe_load((EXAMPLES / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (scrape,) = configuration["scrape_configs"]
    scrape["scheme"] = "http"
    scrape["authorization"]["credentials_file"] = str(tmp_path / "token")
    scrape["static_configs"] = [{"targets": ["{}:{}".format(*server.host_and_port)]}]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    shutil.copy(EXAMPLES / "rules.yml", tmp_path)
    promtool("check", "config", tmp_path / "prometheus.yml")
    port = _free_port()
    command = [
        "prometheus",
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path)
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
                firing = _wait_for_alert(client, process, "TarkeepDamaged")
                found = client.get("/api/v1/query", params={"query": "tarkeep_profile_damaged_archives == 1"}).json()
        finally:
            process.terminate()
            process.wait(60)

    assert firing["labels"]["severity"] == "critical"
    assert firing["annotations"]["summary"].startswith("1 archives of 127.0.0.1:")
    assert [one["metric"]["profile"] for one in found["data"]["result"]] == ["rotten"]


def _wait_for_alert(client: httpx2.Client, process: subprocess.Popen[bytes], name: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    seen: object = None
    while time.monotonic() < deadline and process.poll() is None:
        try:
            seen = alerts = client.get("/api/v1/alerts").json()["data"]["alerts"]
        except (httpx2.HTTPError, ValueError, KeyError):  # it has not started yet
            alerts = []
        for alert in alerts:
            if alert["labels"]["alertname"] == name and alert["state"] == "firing":
                found: dict[str, Any] = alert
                return found
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError(f"the alert {name} did not fire; there are {seen}")


def _rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((EXAMPLES / "rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _expressions() -> list[str]:
    """Every expression of the dashboard, with its variables replaced as Grafana replaces them."""
    board = json.loads((EXAMPLES / "dashboard.json").read_text())
    return [target["expr"].replace("$instance", ".*") for panel in board["panels"] for target in panel["targets"]]


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
