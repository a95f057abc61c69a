"""Which scopes each command needs: those in the table suffice, and all are necessary."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from tarkeep.domain.access.tokens import Scope
from tarkeep.entrypoints.cli.shared.needed_scopes import SCOPES
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.host import open_tokens
from tests.support.machine import Machine, keep_the_tree
from tests.support.server import LiveServer, live_server


@frozen
class Guarded:
    """A server that requires a token, with an archive of the profile laptop that holds the tree of *machine*."""

    server: LiveServer
    machine: Machine

    def run(self, command: str, scopes: tuple[str, ...]) -> tuple[int, str]:
        made = open_tokens(StorageSettings(data=self.server.data)).make(frozenset(map(Scope, scopes)), ("laptop",))
        environment = {"TARKEEP_TOKEN": made.text}
        ran = self.machine.run(*command.split(), *self.machine.about(command, "laptop"), environment=environment)
        return ran.returncode, ran.stderr


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("scopes")
    with live_server(folder / "data") as server:
        machine = Machine(folder / "home", server.url)
        machine.home.mkdir()
        keep_the_tree(machine)
        assert machine.run("push", "laptop").returncode == 0
        yield Guarded(server, machine)


@pytest.mark.parametrize("command", SCOPES)
def test_what_the_table_says_is_enough(guarded: Guarded, command: str) -> None:
    """With exactly these scopes, a command does its work."""
    assert guarded.run(command, SCOPES[command]) == (0, "")


@pytest.mark.parametrize(
    ("command", "missing"), [(command, scope) for command, scopes in SCOPES.items() for scope in scopes]
)
def test_nothing_of_it_may_be_missing(guarded: Guarded, command: str, missing: str, tmp_path: Path) -> None:
    """Without one of them it exits with 12, and says so, before any local file is written."""
    machine = Machine(tmp_path, guarded.server.url)
    kept = keep_the_tree(machine)
    kept.rename(kept.with_name("full_new.tar.gz"))  # a name that the server does not have
    others = tuple(scope for scope in (*SCOPES[command], "prune") if scope != missing)
    code, said = Guarded(guarded.server, machine).run(command, others)

    assert code == 12
    assert missing in said
    assert not (tmp_path / "restored").exists()
