"""A machine that makes backups, for tests of the client: its own home, a backup folder, and the command."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from attrs import define

from tests.support.archives import make_targz
from tests.support.server import LiveServer

MIB = 1 << 20
LARGE = make_targz({"noise": random.Random(1).randbytes(12 * MIB)})


@define
class Machine:
    """A machine with its own backup folder, for the server at *url*."""

    home: Path
    url: str

    @property
    def backups(self) -> Path:
        return self.home / "backups"

    def keep(self, type: str, name: str, content: bytes, *, age_seconds: int = 100) -> Path:
        file = self.backups / type / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        modified = file.stat().st_mtime - age_seconds
        os.utime(file, (modified, modified))
        return file

    @property
    def tree(self) -> Path:
        """A directory to back up, ``document``."""
        return self.home / "document"

    def about(self, command: str, profile: str) -> list[str]:
        """The arguments that a *command* of the client needs, for an archive of *profile* with the tree."""
        words = {
            "stats": [],
            "pull": [profile, "--into", "pulled"],
            "backup": [profile, str(self.tree)],
            "restore": [profile, "--into", "restored"],
            "find": [profile, "letter"],
            "history": [profile, "document/letter"],
            "cat": [profile, "document/letter"],
        }
        return words.get(command, [profile])

    @property
    def command(self) -> list[str]:
        """The command line that starts the client."""
        return [sys.executable, "-m", "tarkeep"]

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TARKEEP_", "XDG_"))}
        return {
            **kept,
            "HOME": str(self.home),
            "SERVER_URL": self.url,
            "BACKUP_DIR": str(self.backups),
            "NO_PROXY": "*",
            **(more or {}),
        }

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        prefix: tuple[str, ...] = (),
    ) -> subprocess.CompletedProcess[str]:
        """The output and exit status of the command; *prefix* is a command to run it under."""
        ran = subprocess.run(
            [*prefix, *self.command, *arguments],
            input=stdin,
            capture_output=True,
            env=self.environment(environment),
            cwd=self.home,
            timeout=120,
        )
        out, told = ran.stdout.decode(errors="surrogateescape"), ran.stderr.decode()
        return subprocess.CompletedProcess(ran.args, ran.returncode, out, told)

    def begin(self, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start the command; the caller must end it."""
        return subprocess.Popen(
            [*self.command, *arguments],
            env=self.environment(environment),
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def stored(server: LiveServer, profile: str, type: str, name: str) -> bytes | None:
    """The bytes that *server* stores, or None if it does not have the archive."""
    with server.client() as client:
        answer = client.get(f"/api/v1/profiles/{profile}/archives/{type}/{name}")
        return answer.content if answer.status_code == 200 else None


def store(server: LiveServer, profile: str, type: str, name: str, content: bytes) -> None:
    """Have *server* store *content*."""
    with server.client() as client:
        client.put(f"/api/v1/profiles/{profile}/archives/{type}/{name}", content=content).raise_for_status()


def shorten(server: LiveServer, profile: str, type: str, name: str) -> None:
    """Cut a stored archive, and have *server* notice."""
    file = server.data / "archives" / profile / type / name
    file.chmod(0o600)
    os.truncate(file, file.stat().st_size - 1)
    assert stored(server, profile, type, name) is None


def some(text: str) -> bytes:
    """A small archive, different for each *text*."""
    return make_targz({"file": text.encode()})


def keep_the_tree(machine: Machine, content: bytes = b"dear") -> Path:
    """Keep a FULL by GNU tar of the machine's tree, in which ``document/letter`` holds *content*."""
    machine.tree.mkdir(exist_ok=True)
    (machine.tree / "letter").write_bytes(content)
    file = machine.backups / "FULL" / "full_tree.tar.gz"
    file.parent.mkdir(parents=True)
    options = [f"--listed-incremental={machine.home / 'snapshot'}", f"--directory={machine.home}", machine.tree.name]
    subprocess.run(["tar", f"-czf{file}", *options], check=True)
    return file
