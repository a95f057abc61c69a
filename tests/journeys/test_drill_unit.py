"""
examples/systemd/tarkeep-drill.service, run within its own confinement, against a real server.

No systemd is needed: the test plays it. Namespaces, mounts, user and capabilities are made as systemd.exec(5) describes
each directive; what systemd does by a filter of system calls is checked in a trace of the drill, which must need
nothing that the unit refuses. A directive that the test does not know makes it red.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from attrs import frozen

from tarkeep.domain.access.tokens import Scope
from tarkeep.entrypoints.settings.server import StorageSettings
from tarkeep.entrypoints.wiring.host import open_tokens
from tests.documents.test_examples import SYSTEMD, system_calls
from tests.support.archives import make_targz
from tests.support.require import require
from tests.support.server import live_server

USER = 61234  # of those that DynamicUser draws

AS_MOUNTS = {"ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices", "ProtectProc", "CacheDirectory"}
AS_CREDENTIALS = {"DynamicUser", "CacheDirectoryMode", "UMask", "NoNewPrivileges", "LoadCredential"}
AS_CAPABILITIES = {"CapabilityBoundingSet", "AmbientCapabilities"}
BY_CAPABILITIES = {  # whose work a process without capabilities cannot do in any case
    "ProtectClock",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectControlGroups",
    "RestrictRealtime",
}
IN_THE_TRACE = {"RestrictAddressFamilies", "RestrictNamespaces", "MemoryDenyWriteExecute", "SystemCallFilter"}
OF_NO_EFFECT = {  # on what a drill may do
    "Type",
    "ExecStart",
    "Environment",
    "TimeoutStartSec",
    "Nice",
    "IOSchedulingClass",
    "LockPersonality",
    "SystemCallArchitectures",
    "SystemCallErrorNumber",
}

CONFINED = """
set -e
python=$1 scratch=$2 credentials=$3
shift 3
mount -t tmpfs -o mode=0755 none /mnt
mkdir /mnt/python /mnt/scratch /mnt/credentials /mnt/dev
mount --bind "$python" /mnt/python
mount --bind "$scratch" /mnt/scratch
mount --bind "$credentials" /mnt/credentials
for each in /home /root; do [ ! -d "$each" ] || mount -t tmpfs -o mode=0755 none "$each"; done
[ -d "$python" ] || { mkdir -p "$python"; mount --bind /mnt/python "$python"; }
mount -t tmpfs -o mode=1777 none /tmp
mount -t tmpfs -o mode=1777 none /var/tmp
mount -t tmpfs -o mode=0755 none /var/cache
mkdir /var/cache/tarkeep-drill
mount --bind /mnt/scratch /var/cache/tarkeep-drill
mount -t tmpfs -o mode=0755 none /run
mkdir /run/credentials
mount --bind /mnt/credentials /run/credentials
for each in null zero full random urandom; do
  : > "/mnt/dev/$each"
  mount --bind "/dev/$each" "/mnt/dev/$each"
done
mount --rbind /mnt/dev /dev
umount -l /mnt
mount -t proc -o hidepid=2 proc /proc
while read -r _ _ _ _ place _; do
  case $place in
    /proc*|/dev*|/tmp|/var/tmp|/var/cache/tarkeep-drill) ;;
    *) mount -o remount,bind,ro "$place" 2> /dev/null || [ "$place" != / ] ;;
  esac
done < /proc/self/mountinfo
umask 0077
exec setpriv --reuid="$0" --regid="$0" --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all \\
  --ambient-caps=-all -- "$@"
"""


@frozen
class Unit:
    """The text of a unit."""

    text: str

    @property
    def names(self) -> set[str]:
        service = self.text.partition("[Service]\n")[2]
        return set(re.findall(r"^(\w+)=", service, re.MULTILINE))

    def values(self, name: str) -> list[str]:
        return re.findall(rf"^{name}=(.*)$", self.text, re.MULTILINE)

    def words(self, name: str) -> set[str]:
        return {word for value in self.values(name) for word in value.split()}

    def refuses(self, trace: str) -> list[str]:
        """What the unit refuses of that which a *trace* shows."""
        filters = self.words("SystemCallFilter")
        allowed = {word for word in filters if word[0] != "@"}
        allowed |= system_calls(*[word for word in filters if word[0] == "@"])
        calls = set(re.findall(r"^\d+ +(\w+)\(", trace, re.MULTILINE))
        families = set(re.findall(r"\bsocket\((AF_\w+)", trace))
        makers = re.findall(r"^\d+ +(?:clone3?|unshare|setns)\(.*", trace, re.MULTILINE)
        made = set(re.findall(r"CLONE_NEW(\w+)", "\n".join(makers)))
        namespaces = {{"NS": "mnt"}.get(word, word.lower()) for word in made}
        found = [f"the call {call}" for call in sorted(calls - allowed)]
        found += [f"the family {family}" for family in sorted(families - self.words("RestrictAddressFamilies"))]
        found += [f"the namespace {one}" for one in sorted(namespaces - self.words("RestrictNamespaces"))]
        if "yes" in self.words("MemoryDenyWriteExecute") and re.search(r"PROT_WRITE\|PROT_EXEC", trace):
            found.append("memory that is written and executed")
        return found


UNIT = Unit((SYSTEMD / "tarkeep-drill.service").read_text())


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    require("root", os.geteuid() == 0, "run as root")
    for program in ("bwrap", "strace", "systemd-analyze"):
        require(program, shutil.which(program) is not None, "apt install bubblewrap strace systemd")
    with tempfile.TemporaryDirectory(prefix="tarkeep-tests-unit-") as made:
        Path(made).chmod(0o711)
        os.chown(made, USER, USER)
        yield Path(made)


def test_every_directive_is_known() -> None:
    known = AS_MOUNTS | AS_CREDENTIALS | AS_CAPABILITIES | BY_CAPABILITIES | IN_THE_TRACE | OF_NO_EFFECT
    assert UNIT.names - known == set()
    for name, value in {
        "ProtectSystem": "strict",
        "ProtectProc": "invisible",
        "CacheDirectory": "tarkeep-drill",
        "CacheDirectoryMode": "0711",
        "UMask": "0077",
        "CapabilityBoundingSet": "",
        "AmbientCapabilities": "",
        "LoadCredential": "-token:/etc/tarkeep/drill-token",
    }.items():
        assert UNIT.values(name) == [value]  # as CONFINED has it
    assert all(UNIT.values(name) == ["yes"] for name in ("ProtectHome", "PrivateTmp", "PrivateDevices", "DynamicUser"))


PROBE = """
id -u
grep -E "^(CapBnd|CapEff|NoNewPrivs)" /proc/self/status | tr -d "[:space:]"; echo
touch /etc/probe /usr/probe 2>&1 | grep -c "Read-only"
[ -e /proc/1 ] || echo hidden
[ -e /dev/vda ] || [ -e /dev/kmsg ] || echo no devices
touch /var/cache/tarkeep-drill/probe && rm /var/cache/tarkeep-drill/probe && echo written
"""


def test_the_confinement_confines(tmp_path: Path, scratch: Path) -> None:
    done = _confined(["sh", "-c", PROBE], scratch, tmp_path, {})

    capabilities = "CapEff:" + "0" * 16 + "CapBnd:" + "0" * 16 + "NoNewPrivs:1"
    assert done.stdout.splitlines() == [str(USER), capabilities, "2", "hidden", "no devices", "written"], done.stderr


def test_a_drill_works_within_the_confinement_of_its_unit(tmp_path: Path, scratch: Path) -> None:
    """It restores a point in its own sandbox, and the server finds everything equal."""
    credentials = tmp_path / "credentials"
    credentials.mkdir(mode=0o755)
    with live_server(tmp_path / "data") as server:
        with server.client() as client:
            content = make_targz({"file": b"content", "other": os.urandom(100_000)})
            client.put("/api/v1/profiles/web/archives/FULL/a.tar.gz", content=content).raise_for_status()
        tokens = open_tokens(StorageSettings(data=server.data))
        token = credentials / "token"
        token.write_text(tokens.make(frozenset({Scope.DRILL, Scope.PULL}), ("*",)).text)
        token.chmod(0o400)
        os.chown(token, USER, USER)

        done = _as_the_unit_says(server.url, scratch, credentials)

    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["outcome"], told["names"] > 0) == ("equal", True)
    trace = (scratch / "calls").read_text()
    (scratch / "calls").unlink()
    assert list(scratch.iterdir()) == []
    assert len(trace.splitlines()) > 1000
    assert UNIT.refuses(trace) == []
    for part, complaint in {
        "user mnt net": "the namespace user",
        " @mount": "the call mount",
        "AF_INET ": "the family AF_INET",
    }.items():
        assert part in UNIT.text
        assert complaint in Unit(UNIT.text.replace(part, "")).refuses(trace)


def _as_the_unit_says(url: str, scratch: Path, credentials: Path) -> subprocess.CompletedProcess[str]:
    (start,) = UNIT.values("ExecStart")
    command = start.replace("/opt/tarkeep/bin/tarkeep", f"{sys.executable} -m tarkeep").replace("%C", "/var/cache")
    environment = dict(word.split("=", 1) for line in UNIT.values("Environment") for word in shlex.split(line))
    environment = {name: value.replace("%d", "/run/credentials") for name, value in environment.items()}
    strace = ("strace", "-f", "-qq", "-s", "0", "-o", "/var/cache/tarkeep-drill/calls")
    environment |= {"SERVER_URL": url, "NO_PROXY": "*"}
    return _confined([*strace, *shlex.split(command), "--json"], scratch, credentials, environment)


def _confined(
    program: Sequence[str], scratch: Path, credentials: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    confined = ("unshare", "--mount", "--propagation", "private", "sh", "-c", CONFINED, str(USER))
    return subprocess.run(
        [*confined, sys.base_prefix, str(scratch), str(credentials), *program],
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/", **environment},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
