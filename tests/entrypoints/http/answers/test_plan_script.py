"""Plans as shell scripts: they restore the tree with dash, bash and busybox, and stop at any error."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.archives import make_targz
from tests.support.dumper import Dump, Dumper, change, digest
from tests.support.raw_http import RawConnection, request
from tests.support.require import require
from tests.support.server import LiveServer, live_server
from tests.support.tar_oracle import look_at

SHELLS = [["dash"], ["bash", "--posix"], ["busybox", "sh"]]
ODD_NAME = "a ._+@=,()-1.tar.gz"  # every punctuation mark that names may have


def script_of(machine: Dumper, place: Path, **query: str) -> Path:
    answer = machine.client.get(machine.url + "/plan", params=query, headers={"Accept": "text/x-shellscript"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/x-shellscript; charset=utf-8"
    assert answer.headers["vary"] == "Accept"
    script = place / "restore.sh"
    script.write_text(answer.text)
    return script


def run(
    shell: list[str], script: Path, *arguments: str, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    require(shell[0], shutil.which(shell[0]) is not None, f"apt install {shell[0]}")
    return subprocess.run(
        [*shell, str(script), *arguments],
        cwd=cwd or script.parent,
        env={**os.environ, "NO_PROXY": "127.0.0.1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def nothing_is_left(place: Path) -> bool:
    return not [path for path in place.glob("restore.*") if path.is_dir()]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_the_script_restores_what_was_there(live_laptop: Dumper, tmp_path: Path, shell: list[str]) -> None:
    """With names of every allowed punctuation, directories that changed places, and a target with spaces."""
    machine = live_laptop
    (machine.root / "post").mkdir()
    (machine.root / "post" / "in post").write_text("post\n")
    machine.back_up("FULL", ODD_NAME)
    (machine.root / "letters").rename(machine.root / "between")
    (machine.root / "post").rename(machine.root / "letters")
    (machine.root / "between").rename(machine.root / "post")
    (machine.root / "gone.txt").unlink()
    dump = machine.back_up("INC", "größe " + ODD_NAME)
    script = script_of(machine, tmp_path)

    done = run(shell, script, 'it\'s a "target"/-')

    assert done.returncode == 0, done.stderr
    assert look_at(tmp_path / 'it\'s a "target"' / "-") == dump.live
    assert nothing_is_left(tmp_path / 'it\'s a "target"')


def test_the_script_works_from_wherever_it_is_called(live_laptop: Dumper, tmp_path: Path) -> None:
    """
    Directories that changed places are restored though the working directory is not writable.

    GNU tar makes the temporary names of such circles in the directory that it was started in.
    """
    machine = live_laptop
    (machine.root / "post").mkdir()
    machine.back_up("FULL")
    (machine.root / "letters").rename(machine.root / "between")
    (machine.root / "post").rename(machine.root / "letters")
    (machine.root / "between").rename(machine.root / "post")
    dump = machine.back_up("INC")
    script = script_of(machine, tmp_path)

    done = run(["sh"], script, str(tmp_path / "there"), cwd=Path("/proc"))

    assert done.returncode == 0, done.stderr
    assert look_at(tmp_path / "there") == dump.live


@pytest.mark.parametrize("kind", ["directory", "link"])
@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_the_script_uses_nothing_that_others_have_put_there(
    live_laptop: Dumper, tmp_path: Path, shell: list[str], kind: str
) -> None:
    """In a directory like /tmp: the owner of the target could change it while root extracts."""
    require("root", os.geteuid() == 0, "run this as root, which can give files to other users")
    live_laptop.back_up("FULL")
    script = script_of(live_laptop, tmp_path)
    for_all = tmp_path / "for-all"
    for_all.mkdir()
    (tmp_path / "elsewhere").mkdir()
    for_all.chmod(0o1777)
    if kind == "link":
        (for_all / "there").symlink_to(tmp_path / "elsewhere")
    else:
        (for_all / "there").mkdir()
    os.chown(for_all / "there", 65534, 65534, follow_symlinks=False)

    for spelt in ("there", "there/", "there//"):
        done = run(shell, script, f"{for_all}/{spelt}")
        assert done.returncode == 1
        assert "is not yours alone" in done.stderr
    assert run(shell, script, str(for_all / "own")).returncode == 0
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_script_has_nothing_to_complain_about(live_laptop: Dumper, tmp_path: Path) -> None:
    """shellcheck reports nothing about the script of an exact plan and of an overlay."""
    require("shellcheck", shutil.which("shellcheck") is not None, "apt install shellcheck")
    machine = live_laptop
    machine.back_up("FULL", ODD_NAME)
    exact = script_of(machine, tmp_path).read_text()
    plain = Dump("FULL", "plain (2).tar.gz", make_targz(), None, "0" * 64, b"", {})
    machine.put(plain, proven=False).raise_for_status()
    overlay = script_of(machine, tmp_path, at=f"FULL/{plain.name}").read_text()

    assert "--listed-incremental=/dev/null" in exact
    assert "--listed-incremental" not in overlay
    for text in (exact, overlay):
        script = tmp_path / "checked.sh"
        script.write_text(text)
        done = subprocess.run(["shellcheck", str(script)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_a_host_of_the_askers_choice_stays_a_word(live: LiveServer, live_laptop: Dumper) -> None:
    """Any value of a client's Host header is quoted in the script, or refused."""
    live_laptop.back_up("FULL")
    host = "a';touch${IFS}pwned;'"
    with RawConnection(live.host_and_port) as connection:
        answer = connection.exchange(request("GET", live_laptop.url + "/plan?format=sh", {"Host": host}))

    if answer.status == 200:
        line = next(line for line in answer.body.decode().splitlines() if "TARKEEP_SERVER:-" in line)
        assert "touch" not in line or shlex.quote(f"http://{host}") in line


def test_the_script_refuses_a_target_with_something_in_it(live_laptop: Dumper, tmp_path: Path) -> None:
    """A directory that is not empty stays as it is; without a target, it says how it is called."""
    live_laptop.back_up("FULL")
    script = script_of(live_laptop, tmp_path)
    target = tmp_path / "full"
    target.mkdir()
    (target / ".hidden").touch()

    done, unnamed = run(["sh"], script, "full"), run(["sh"], script)

    assert done.returncode == 1
    assert "not empty" in done.stderr
    assert [path.name for path in target.iterdir()] == [".hidden"]
    assert unnamed.returncode == 1
    assert "usage" in unnamed.stderr
    assert nothing_is_left(tmp_path)


def test_the_script_stops_at_a_wrong_digest(live_laptop: Dumper, tmp_path: Path) -> None:
    """Bytes that differ from the stored ones are not extracted, and nothing after them."""
    live_laptop.back_up("FULL")
    change(live_laptop)
    second = live_laptop.back_up("INC")
    script = script_of(live_laptop, tmp_path)
    script.write_text(script.read_text().replace(digest(second.content), "0" * 64))

    done = run(["sh"], script, "there")

    assert done.returncode == 1
    assert f"INC/{second.name} did not arrive as it is stored" in done.stderr
    assert (tmp_path / "there" / "root" / "gone.txt").exists()  # the FULL was carried out, the INC was not
    assert nothing_is_left(tmp_path)


def test_the_script_stops_when_the_server_is_gone(live_laptop: Dumper, tmp_path: Path) -> None:
    """Without a server at the address it fails, names the archive, and leaves only the empty directory."""
    full = live_laptop.back_up("FULL")
    script = script_of(live_laptop, tmp_path)
    with live_server(tmp_path / "other") as server:
        url = server.url  # its port is free again afterwards

    done = run(["sh"], script, "there", TARKEEP_SERVER=url)

    assert done.returncode == 1
    assert f"FULL/{full.name} could not be downloaded" in done.stderr
    assert list((tmp_path / "there").iterdir()) == []
    assert nothing_is_left(tmp_path)
