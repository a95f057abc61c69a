"""Two servers with one catalog in PostgreSQL: what one of them knows of tokens and writes, the other knows, too."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

import tarkeep as tarkeep_package
from tarkeep.adapters.sql.schema import HEAD
from tests.support.archives import make_targz
from tests.support.postgres import Postgres
from tests.support.server import LiveServer, live_server

_PATIENCE_SECONDS = 60
PLACE = "/api/v1/archives"
NEXT = f"{int(HEAD) + 1:04d}"


@pytest.fixture
def catalog(postgres: Postgres) -> Iterator[str]:
    with postgres.database() as url:
        yield url


def tarkeep(
    data: Path, catalog: str | None, *words: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command on the host of the server over *data*."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TARKEEP_")}
    more = {} if catalog is None else {"TARKEEP_CATALOG": catalog}
    return subprocess.run(
        [sys.executable, "-m", "tarkeep", *words],
        env={**clean, **more, **(environment or {}), "TARKEEP_DATA": str(data)},
        cwd=data.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def answered(server: LiveServer, token: str | None) -> int:
    with server.client() as client:
        return client.get(PLACE, headers={} if token is None else {"Authorization": f"Bearer {token}"}).status_code


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def made(data: Path, catalog: str | None) -> str:
    """A new token that may list."""
    done = tarkeep(data, catalog, "token", "create", "--scope", "list", "--profile", "*")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_tokens_are_those_of_all_servers(tmp_path: Path, catalog: str) -> None:
    """A token that was made or revoked on one host counts on all; what a data directory had comes in at its start."""
    older = made(tmp_path / "one", None)
    early = tarkeep(tmp_path / "one", catalog, "token", "list")
    assert (early.returncode, early.stdout) == (2, "")
    assert "the next start of the server takes it over" in early.stderr
    with ExitStack() as opened:
        one = opened.enter_context(live_server(tmp_path / "one", environment={"TARKEEP_CATALOG": catalog}))
        key_for(tmp_path, "two")
        two = opened.enter_context(live_server(tmp_path / "two", environment={"TARKEEP_CATALOG": catalog}))
        assert [answered(server, older) for server in (one, two)] == [200, 200]
        assert [answered(server, None) for server in (one, two)] == [401, 401]
        newer = made(tmp_path / "two", catalog)
        until(lambda: [answered(server, newer) for server in (one, two)] == [200, 200])
        listed = tarkeep(tmp_path / "one", catalog, "token", "list", "--json").stdout.splitlines()
        assert [json.loads(line)["valid"] for line in listed] == [True, True]

        assert tarkeep(tmp_path / "one", catalog, "token", "revoke", older).returncode == 0
        until(lambda: [answered(server, older) for server in (one, two)] == [401, 401])
        assert [answered(server, newer) for server in (one, two)] == [200, 200]
    assert not (tmp_path / "one" / "tokens.json").exists()
    assert (tmp_path / "one" / "tokens.moved.json").exists()


def key_for(tmp_path: Path, *names: str) -> None:
    """Give the servers *names* the key of the first one's log."""
    for name in names:
        (tmp_path / name).mkdir(mode=0o700)
        (tmp_path / name / "audit.key").write_bytes((tmp_path / "one" / "audit.key").read_bytes())
        (tmp_path / name / "audit.key").chmod(0o600)


def put(server: LiveServer, name: str) -> int:
    with server.client() as client:
        return client.put(f"/api/v1/profiles/laptop/archives/FULL/{name}.tar.gz", content=make_targz()).status_code


def test_rules_are_set_for_all_servers(tmp_path: Path, catalog: str) -> None:
    """Each judges by them within some seconds; a server whose own file has others does not start."""
    environment, names = {"TARKEEP_CATALOG": catalog}, count()
    rules = tmp_path / "rules.toml"
    rules.write_text("[laptop]\nmax_archives = 0\n")
    with live_server(tmp_path / "one", environment=environment) as one:
        key_for(tmp_path, "two")
        with live_server(tmp_path / "two", environment=environment) as two:
            assert tarkeep(tmp_path / "one", catalog, "rules", "get").stdout == ""
            done = tarkeep(tmp_path / "one", catalog, "rules", "set", str(rules))
            assert (done.returncode, done.stderr) == (0, "")
            assert tarkeep(tmp_path / "two", catalog, "rules", "get").stdout == rules.read_text()
            shown = tarkeep(tmp_path / "two", catalog, "rules", "show", "laptop").stdout
            assert '["laptop"] in the rules in the catalog' in shown
            for server in (one, two):
                # a new name each time: what is stored already is a success
                until(lambda server=server: put(server, str(next(names))) == 507)  # type: ignore[misc]
                until(lambda server=server: "the rules were set anew" in server.log.read_text())  # type: ignore[misc]
    rules.write_text("[laptop]\nmax_archives = none\n")
    wrong = tarkeep(tmp_path / "one", catalog, "rules", "set", str(rules))
    assert (wrong.returncode, "cannot be read as TOML" in wrong.stderr) == (2, True)
    (tmp_path / "two" / "profiles.toml").write_text("[laptop]\nmax_archives = 1\n")
    with pytest.raises(AssertionError, match=r"profiles.toml is not what the catalog has"):
        live_server(tmp_path / "two", environment=environment).__enter__()
    (tmp_path / "two" / "profiles.toml").write_text(tarkeep(tmp_path / "one", catalog, "rules", "get").stdout)
    with live_server(tmp_path / "two", environment=environment) as two:
        assert put(two, "a") == 507


def test_rules_are_not_set_where_each_server_has_a_file(tmp_path: Path) -> None:
    """It says where they are then."""
    made(tmp_path / "one", None)
    (tmp_path / "rules.toml").write_text("")
    done = tarkeep(tmp_path / "one", None, "rules", "set", str(tmp_path / "rules.toml"))
    assert done.returncode == 2
    assert f"here they are in {tmp_path}/one/profiles.toml" in done.stderr


def test_a_lost_database_opens_no_server(tmp_path: Path, catalog: str, postgres: Postgres) -> None:
    """A new and empty one in its place admits nobody, since the data directory knows that there were tokens."""
    with live_server(tmp_path / "one", environment={"TARKEEP_CATALOG": catalog}) as server:
        token = made(tmp_path / "one", catalog)
        until(lambda: answered(server, token) == 200)
    with postgres.database() as empty:
        done = tarkeep(tmp_path / "one", empty, "token", "list")
    assert done.returncode != 0
    assert "there were some" in done.stderr


def test_what_both_did_is_in_one_log(tmp_path: Path, catalog: str) -> None:
    """It begins with what the first one's data directory had; a server without its key does not start."""
    older = made(tmp_path / "one", None)
    head = tarkeep(tmp_path / "one", None, "audit", "head").stdout.strip()
    environment = {"TARKEEP_CATALOG": catalog}
    with live_server(tmp_path / "one", environment=environment) as one:
        assert tarkeep(tmp_path / "one", catalog, "token", "revoke", older).returncode == 0
        with pytest.raises(AssertionError, match="does not have its key; copy it from a server that has it"):
            live_server(tmp_path / "two", environment=environment).__enter__()
        (tmp_path / "two" / "audit.key").write_bytes((tmp_path / "one" / "audit.key").read_bytes())
        (tmp_path / "two" / "audit.key").chmod(0o600)
        with live_server(tmp_path / "two", environment=environment) as two:
            token = made(tmp_path / "two", catalog)
            until(lambda: [answered(server, token) for server in (one, two)] == [200, 200])
            told = json.loads(tarkeep(tmp_path / "two", catalog, "audit", "verify", "--head", head, "--json").stdout)
    assert (told["whole"], told["lines"], told["kept_head_line"]) == (True, 3, 1)
    assert told["head"] == tarkeep(tmp_path / "one", catalog, "audit", "head").stdout.strip()
    assert (tmp_path / "one" / "audit.moved.log").exists()
    assert tarkeep(tmp_path / "one", catalog, "evidence", "verify").returncode == 0


def newer_version(folder: Path) -> dict[str, str]:
    """
    The environment in which ``python -m tarkeep`` is the next version of this one, with a migration that adds a column.
    """
    package = folder / "tarkeep"
    shutil.copytree(Path(tarkeep_package.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    schema = package / "adapters" / "sql" / "schema.py"
    text = schema.read_text()
    assert f'HEAD = "{HEAD}"' in text
    text = text.replace(f'HEAD = "{HEAD}"', f'HEAD = "{NEXT}"')
    schema.write_text(
        text.replace(
            '    Column("unchanged", BigInteger),\n',
            '    Column("unchanged", BigInteger),\n    Column("later", Text),\n',
        )
    )
    (package / "adapters" / "sql" / "migrations" / "versions" / f"{NEXT}_later.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f'revision = "{NEXT}"\ndown_revision = "{HEAD}"\n'
        'def upgrade() -> None:\n    op.add_column("archives", sa.Column("later", sa.Text))\n'
    )
    return {"PYTHONPATH": str(folder)}


def test_servers_are_upgraded_one_after_the_other(tmp_path: Path, catalog: str, postgres: Postgres) -> None:
    """
    Two versions side by side, over the upgrade of the catalog: both take archives in and list those of the other. Once
    the tables are for the newer one only, the older is not ready any more, and does not start again.
    """
    environment = {"TARKEEP_CATALOG": catalog}
    newer = environment | newer_version(tmp_path / "newer")
    with live_server(tmp_path / "one", environment=environment) as one:
        assert put(one, "a") == 201
        key_for(tmp_path, "two")
        with pytest.raises(
            AssertionError, match=rf"has the schema {HEAD}, and this version needs {NEXT}; .*tarkeep catalog upgrade"
        ):
            live_server(tmp_path / "two", environment=newer).__enter__()
        done = tarkeep(tmp_path / "one", catalog, "catalog", "upgrade", environment=newer)
        assert (done.returncode, done.stdout.strip()) == (0, f"the catalog has the schema {NEXT} now, and had {HEAD}")
        assert (ready(one), put(one, "b")) == (200, 201)
        with live_server(tmp_path / "two", environment=newer) as two:
            assert (put(two, "c"), put(one, "d")) == (201, 201)
            assert names(one) == names(two) == ["a", "b", "c", "d"]
            database = catalog.rpartition("/")[2]
            postgres.execute(f"UPDATE compat SET oldest_reader = '{NEXT}'", database)
            assert (ready(one), ready(two), put(two, "e")) == (503, 200, 201)
    with pytest.raises(AssertionError, match=f"unknown schema revision '{NEXT}'"):
        live_server(tmp_path / "one", environment=environment).__enter__()


def ready(server: LiveServer) -> int:
    with server.client() as client:
        return client.get("/readyz").status_code


def names(server: LiveServer) -> list[str]:
    with server.client() as client:
        return sorted(one["name"].partition(".")[0] for one in client.get(PLACE).json()["archives"])
