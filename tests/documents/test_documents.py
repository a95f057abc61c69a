"""Every command line of README, docs/ and scripts/README.md does what its page says, typed as written."""

from __future__ import annotations

import re
import shutil
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tarkeep import __version__
from tests.support.documents import ROOT, Command, Played, Sandbox, commands, unlike
from tests.support.require import require
from tests.support.server import live_server

PAGES = sorted([ROOT / "README.md", ROOT / "scripts" / "README.md", *(ROOT / "docs").glob("*.md")])

# lines that begin like this in a block that is not played would remain untested
_TRIED = re.compile(r"^(\$ |(sudo )?(tarkeep|curl|tar|rsync|rm|pip|uv|python3?|systemctl|install) )", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name if page.parent != ROOT / "scripts" else "scripts")
def test_no_command_stands_outside_a_block_that_is_played(page: Path) -> None:
    """Command lines are marked as such, so that the tests below find them."""
    blocks = re.findall(r"^ *```([\w-]*)\n(.*?)^ *```$", page.read_text(), re.MULTILINE | re.DOTALL)

    unmarked = [body for mark, body in blocks if mark == "" and not re.search(r"^\$ ", body, re.MULTILINE)]
    assert [found[0] for body in unmarked for found in _TRIED.finditer(body)] == []


def page_commands(name: str) -> list[Command]:
    return commands(ROOT / name)


def check(played: list[Played], sandbox: Sandbox) -> None:
    """Each command succeeded, and printed the output on the page."""
    wrong = []
    for each in played:
        if each.failed or (each.command.output is None and each.status):
            wrong.append(f"{each.command.text}\n  ended with {each.status}: {each.failed}\n{each.printed}")
        elif each.command.output is not None and (
            differences := unlike(sandbox.here(each.command.output), each.printed)
        ):
            wrong.append("\n  ".join([each.command.text, *differences]))
    assert not wrong, "\n\n".join(wrong)


def prepare(sandbox: Sandbox, script: str) -> None:
    """Run *script* in the sandbox before the commands of the page."""
    (played,) = sandbox.play([Command(script, None)])
    assert not played.failed, played.printed


INCREMENTAL_DOCUMENTS = """\
mkdir -p documents/letters
echo one >documents/a.txt
echo two >documents/letters/b.txt
head -c 9000000 /dev/urandom >documents/scan
tar -czf full_2025-11-21_09-07-19.tar.gz --listed-incremental=state.snar documents
cp state.snar next.snar
echo changed >documents/a.txt
tar -czf inc_2025-11-22_09-07-19.tar.gz --listed-incremental=next.snar documents
"""


def test_the_http_interface(tmp_path: Path) -> None:
    """docs/http-api.md: one machine's FULL and INC archive, in every way that curl can use them."""
    home = tmp_path / "home"
    home.mkdir()
    rules = tmp_path / "profiles.toml"
    rules.write_text('[laptop.retention]\nkeep_last = 1\nminimum_age = "0d"\nminimum_points = 0\nminimum_fulls = 0\n')
    with live_server(tmp_path / "data", "--profiles", str(rules)) as server:
        here = {"http://127.0.0.1:5000": server.url, "uploads/ID": "uploads/$ID", "tarkeep-data/": "../data/"}
        sandbox = Sandbox(home, here)
        prepare(
            sandbox,
            INCREMENTAL_DOCUMENTS
            + "token=$(tarkeep token create --data ../data --profile '*' --scope push --scope pull --scope list"
            + " --scope verify --scope prune --scope admin --scope drill --scope metrics)\n"
            + 'echo "user = \\":$token\\"" >.curlrc; echo $token >.token\n'
            + f"curl -F file=@full_2025-11-21_09-07-19.tar.gz -F profile=laptop {server.url}/upload"
            + " -F snapshot_after=$(sha256sum <state.snar | cut -c 1-64)",
        )
        begin = (
            "ID=$(basename $(curl -o /dev/null -w '%header{location}' -X POST -H 'Tus-Resumable: 1.0.0'"
            ' -H "Upload-Length: $(stat -c %s full_2025-11-21_09-07-19.tar.gz)"'
            ' -H "Upload-Metadata: filename $(b full.tar.gz),profile $(b laptop),type $(b FULL)" $URL/api/v1/uploads));'
            " head -c 8388608 full_2025-11-21_09-07-19.tar.gz | curl -X PATCH --data-binary @- -H 'Upload-Offset: 0'"
            " -H 'Tus-Resumable: 1.0.0' -H 'Content-Type: application/offset+octet-stream' $URL/api/v1/uploads/$ID"
        )

        plan = "PLAN=$(curl $URL/api/v1/profiles/laptop/prune | grep -o '\"plan\":\"[0-9a-f]*' | cut -d '\"' -f 4)"

        played = sandbox.play(
            page_commands("docs/http-api.md"),
            before={
                "URL=": "TOKEN=$(cat .token) BEFORE=$(sha256sum <state.snar) AFTER=$(sha256sum <next.snar);"
                " BEFORE=${BEFORE%% *} AFTER=${AFTER%% *}",
                "curl -OJ": "mkdir fetched; cd fetched",
                "curl -H 'Content-Type: application/json'": "cd ..",
                'curl -f "$URL/api/v1/profiles/laptop/restore.tar?at': "rm -rf there; mkdir there",
                "curl -I $URL/api/v1/uploads": begin,
                "curl -X DELETE -H": begin,
                'curl -H "Content-Type: application/json" -d': plan,
                "curl -X POST $URL/api/v1/profiles/laptop/archives/FULL/full_2025-11-21_09-07-19.tar.gz/undelete": (
                    "tar -czf new.tar.gz documents;"
                    " curl -T new.tar.gz $URL/api/v1/profiles/laptop/archives/FULL/new.tar.gz;"
                    f" {plan}; curl -d '{{\"plan\": \"'$PLAN'\"}}' $URL/api/v1/profiles/laptop/prune"
                ),
            },
        )

    check(played, sandbox)


def test_what_lies_on_the_disk(tmp_path: Path) -> None:
    """docs/storage-format.md: the catalog can be lost, and tar alone gets an archive out."""
    home = tmp_path / "home"
    home.mkdir()
    place = "DATA/archives/document/FULL/full_2025-11-21_09-07-19.tar.gz"
    sandbox = Sandbox(home, {"/where/to": "there"})
    with live_server(home / "DATA") as server:
        prepare(sandbox, INCREMENTAL_DOCUMENTS + "mkdir there")
        prepare(sandbox, f"curl -F file=@full_2025-11-21_09-07-19.tar.gz -F profile=document {server.url}/upload")

    played = sandbox.play(page_commands("docs/storage-format.md"))

    check(played, sandbox)
    assert (home / place).exists()
    assert (home / "there" / "documents" / "letters" / "b.txt").read_text() == "two\n"


def test_upgrading(tmp_path: Path) -> None:
    """docs/upgrading.md: the new version is installed and checked; an older one gets a catalog that it can read."""
    home = tmp_path / "home"
    home.mkdir()
    with live_server(tmp_path / "data") as server:
        sandbox = Sandbox(
            home,
            {
                "/opt/tarkeep/bin/": "",
                "/usr/local/src/tarkeep": str(ROOT),
                "/var/lib/tarkeep": str(tmp_path / "data"),
                "http://127.0.0.1:5000": server.url,
            },
            programs=["systemctl", "git", "pip"],
        )
        prepare(sandbox, INCREMENTAL_DOCUMENTS)
        prepare(sandbox, f"curl -F file=@full_2025-11-21_09-07-19.tar.gz -F profile=laptop {server.url}/upload")
        # it stops answering before it has closed its catalog
        log = tmp_path / "data" / "catalog.sqlite-wal"
        stop = f"kill {server.process.pid}; while [ -e {log} ] || curl -f {server.url}/healthz; do sleep 0.1; done"
        again = f"export TARKEEP_SERVER={server.url}"

        played = sandbox.play(page_commands("docs/upgrading.md"), before={"curl -f": again, "systemctl stop": stop})

    check(played, sandbox)


def test_the_readme(tmp_path: Path) -> None:
    """README.md: the first minutes of a new user. make itself is asked whether `make serve` is a target."""
    home = tmp_path / "home"
    home.mkdir()
    with live_server(tmp_path / "data") as server:
        sandbox = Sandbox(
            home,
            {"http://127.0.0.1:5000": server.url, "/home/me": str(home)},
            scripts={"make": f'exec {shutil.which("make")} -C {ROOT} -n "$@"'},
        )
        prepare(
            sandbox,
            f"""\
            mkdir documents; echo dear >documents/letter.txt; head -c 40000 /dev/urandom >documents/scan.pdf
            echo 'export TARKEEP_SERVER={server.url}' >.server
            """,
        )

        played = sandbox.play(page_commands("README.md"), before={"tarkeep backup": ". ./.server"})

    check(played, sandbox)
    assert (home / "back" / "documents" / "letter.txt").read_text() == "dear\none more line\n"


def test_the_readme_can_be_read_to_its_end() -> None:
    """A new user has a minute. Longer texts have a page in docs/, and every page there is one click away."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert len(text.splitlines()) <= 120
    assert text.index("![") < text.index("## Start")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name if page.parent != ROOT / "scripts" else "scripts")
def test_links_lead_somewhere(page: Path) -> None:
    """Pages and pictures of this tree that a page links to are there."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_first_week(tmp_path: Path) -> None:
    """docs/first-week.md: the first days of a user who has backups made by tar."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "scripts").symlink_to(ROOT / "scripts")
    with live_server(tmp_path / "data") as server:
        sandbox = Sandbox(home, {"http://127.0.0.1:5000": server.url})
        prepare(
            sandbox,
            """\
            mkdir -p document there backups/FULL backups/INC backups/DIFF
            for n in $(seq 22); do head -c 3000 /dev/urandom >document/$n; done
            """,
        )
        night = (
            "echo $RANDOM >document/1; tar -czf backups/INC/inc_2026-11-{0}_02-00-00.tar.gz document/1;"
            " touch -d 2026-11-{0} backups/INC/inc_2026-11-{0}*"
        )

        played = sandbox.play(
            page_commands("docs/first-week.md"),
            before={
                "curl -F file=@full": f"export TARKEEP_SERVER={server.url} SERVER_URL={server.url}",
                "scripts/upload.sh": "cp full_2026-11-23_02-00-00.tar.gz backups/FULL;" + night.format(24),
                "scripts/verify_sync.sh": night.format(25),
            },
        )

    check(played, sandbox)
    assert (home / "there" / "document" / "2").exists()


def test_releasing(tmp_path: Path) -> None:
    """docs/releasing.md: the wheel is built from this tree, and what pip would install tries a store."""
    home = tmp_path / "home"
    home.mkdir()
    sandbox = Sandbox(home, {"/usr/local/src/tarkeep": str(ROOT), "fresh/bin/": ""}, programs=["git", "pip"])

    check(sandbox.play(page_commands("docs/releasing.md")), sandbox)
    assert {path.name for path in (home / "dist").iterdir()} == {
        f"tarkeep-{__version__}.tar.gz",
        f"tarkeep-{__version__}-py3-none-any.whl",
    }


def test_the_shell_clients(tmp_path: Path) -> None:
    """scripts/README.md: every way to call the two scripts."""
    home = tmp_path / "home"
    home.mkdir()
    with live_server(tmp_path / "data") as server:
        sandbox = Sandbox(
            home, {"http://backup.example:5000": server.url, "http://127.0.0.1:5000": "", "/var/backups": "backups"}
        )
        prepare(sandbox, INCREMENTAL_DOCUMENTS + "mkdir -p backups/tree/FULL; mv full_* backups/tree/FULL")

        played = sandbox.play(
            page_commands("scripts/README.md"), before={"export SERVER_URL": f"PATH={ROOT}/scripts:$PATH"}
        )

    check(played, sandbox)


def test_the_clients(tmp_path: Path) -> None:
    """docs/clients.md: what curl does for one machine, `tarkeep` for a desk, and a laptop's backups and restores."""
    home = tmp_path / "home"
    (home / "systemd").mkdir(parents=True)
    shutil.copytree(ROOT / "examples", home / "examples")
    with live_server(tmp_path / "data") as server:
        sandbox = Sandbox(
            home,
            {
                "http://127.0.0.1:5000": server.url,
                "-C /home ": "-C . ",
                "/home/me/document": "document",
                "/where/to": "there",
                "/var/backups/tree": str(home / "tree"),
                "/tmp/back": str(home / "back-again"),
                "/tmp/letter": str(home / "letter-again"),
                "2026-11-25": "2999-12-31",
                "inc_2026-11-25_02-00-00.tar.gz": "$MIDDLE",
                "/etc/systemd/system": str(home / "systemd"),
                "/etc/tarkeep": str(home / "etc"),
            },
            programs=["systemctl"],
        )
        prepare(
            sandbox,
            """\
            mkdir -p document/letters there tree/FULL tree/INC
            for n in $(seq 30); do head -c 100000 /dev/urandom >document/letters/$n; done
            echo dear >document/letter.odt
            tar -czf tree/FULL/full_2026-11-23_02-00-00.tar.gz document
            tar -czf tree/INC/inc_2026-11-24_02-00-00.tar.gz document/letter.odt
            touch -d '36 hours ago' tree/FULL/*; touch -d '12 hours ago' tree/INC/*
            """,
        )
        kept = f"http://127.0.0.1:{server.host_and_port[1]}/api/v1/profiles/nas/archives/FULL/full_2026-11-23.tar.gz"
        nights = (
            "for n in 1 2; do echo $n >>document/letter.odt; tarkeep backup laptop document; done;"
            " MIDDLE=$(tarkeep points laptop --json | grep -o 'inc_[-_0-9]*.tar.gz' | head -n 1)"
        )

        played = sandbox.play(
            page_commands("docs/clients.md"),
            before={
                "b()": f"URL={server.url} file=full_large.tar.gz; tar -czf $file document/letters",
                "url=": f"curl -T tree/FULL/full_2026-11-23_02-00-00.tar.gz {kept}",
                "tarkeep points laptop": nights,
            },
        )

    check(played, sandbox)
    assert (home / "there" / "document" / "letter.odt").exists()
    assert (home / "letter-again" / "document" / "letter.odt").exists()
    assert (home / "systemd" / "tarkeep-backup.timer").exists()


# runs a server: until it serves, and then during WHILE, which knows its URL
_SERVING = """\
: >$HOME/serving
tarkeep serve --port 0 "$@" 2>$HOME/serving &
until grep -q serving $HOME/serving; do kill -0 $! || { cat $HOME/serving; exit 1; }; sleep 0.1; done
URL=$(grep -o 'https\\?://[0-9.:]*' $HOME/serving | head -n 1) bash -c "$WHILE"
kill $! && wait $!
"""


# copies a folder of this machine as rsync does
_COPYING = """\
without=()
while [ $# -gt 2 ]; do
    if [ "$1" = --exclude ]; then without+=("--exclude=.$2"); shift; fi
    shift
done
mkdir "$2" && tar -C "$1" --anchored "${without[@]}" -cf - . | tar -C "$2" -xf -
"""


FILES_VANISH = (
    "mkdir new new/FULL new/INC new/DIFF b && (cd b && seq 1893 | xargs touch) && "
    "tar -czf new/FULL/full_2026-11-29.tar.gz b && (cd b && seq 1204 | xargs rm) && "
    "tar -czf new/FULL/full_2026-11-30.tar.gz b && touch -d '1 hour ago' new/FULL/full_2026-11-29.tar.gz && "
    "tarkeep import new --data tarkeep-data --profile desktop"
)


def test_retention(tmp_path: Path) -> None:
    """docs/retention.md: nine full archives of three months, of which two go, with a server on the same host."""
    home = tmp_path / "home"
    home.mkdir()
    sandbox = Sandbox(home, {})
    days = ["2025-10-01", "2025-10-02", "2025-10-03", *(f"2025-11-{day:02}" for day in range(20, 26))]
    prepare(
        sandbox,
        "mkdir old old/FULL old/INC old/DIFF; echo a >a; "
        + "".join(
            f"tar -czf old/FULL/full_{day}.tar.gz a; touch -d '{day} 02:00Z' old/FULL/full_{day}.tar.gz; "
            for day in days
        )
        + "printf '[laptop.retention]\nkeep_daily = 6\nkeep_monthly = 12\n' >profiles.toml; "
        + "tarkeep import old --data tarkeep-data --profile laptop",
    )

    check(
        sandbox.play(
            page_commands("docs/retention.md"),
            before={
                "tarkeep trash list": "tarkeep prune apply laptop --data tarkeep-data --profiles profiles.toml",
                "tarkeep brake show": FILES_VANISH,
            },
        ),
        sandbox,
    )


def test_drills(tmp_path: Path) -> None:
    """docs/drills.md: a point is drilled on the machine of the reader."""
    require("bwrap", shutil.which("bwrap") is not None, "install bubblewrap")
    home = tmp_path / "home"
    home.mkdir()
    with live_server(tmp_path / "data") as server:
        told = {"http://backup.example:5000": server.url, "/var/lib/tarkeep": str(server.data)}
        sandbox = Sandbox(home, {**told, "2026-11": f"{datetime.now(UTC):%Y-%m}"})
        prepare(
            sandbox, f"echo a >a; tar -cz a | curl -fsS -T - {server.url}/api/v1/profiles/laptop/archives/FULL/a.tar.gz"
        )

        check(sandbox.play(page_commands("docs/drills.md")), sandbox)

        with server.client() as client:
            (drill,) = client.get("/api/v1/drills").json()["drills"]
            assert drill["outcome"] == "equal"


def test_the_dashboard(tmp_path: Path) -> None:
    """docs/dashboard.md: the token that is made there opens the pages."""
    home = tmp_path / "home"
    home.mkdir()
    sandbox = Sandbox(home, {})

    (made,) = played = sandbox.play(page_commands("docs/dashboard.md"))

    check(played, sandbox)
    token = re.search(r"tk_\w+", made.printed)
    assert token is not None
    with live_server(home / "tarkeep-data") as server, server.client() as browser:
        came = browser.post("/ui/login", data={"token": token[0]}, headers={"Sec-Fetch-Site": "same-origin"})
        assert came.status_code == 303
        assert browser.get("/ui/").status_code == 200


def test_operations(tmp_path: Path) -> None:
    """docs/operations.md: installed, with tokens, TLS, a log of writes that is checked, and a copy of the store."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copytree(ROOT / "examples", home / "examples")
    data = home / "DATA"
    sandbox = Sandbox(
        home,
        {
            "/opt/tarkeep/bin/": "",
            "/opt/tarkeep": str(home / "opt"),
            "/var/lib/tarkeep": str(data),
            "/etc/tarkeep": str(home / "etc"),
            "/etc/systemd/system": str(home / "systemd"),
            "tarkeep serve": "serving",
            "0.0.0.0": "127.0.0.2",  # not reachable from other machines
            "token 63c5ujmz;": "token $ID;",
            "63c5ujmz  valid": "$ID  valid",
            "revoke 63c5ujmz": "revoke $ID",
            "revoked: 63c5ujmz": "revoked: $ID",
            "5B0C...": "$FINGERPRINT",
            "0f3c...": "$HEAD",
            "9b1e...": "$LATER",
            "other:/copy/": "copy/",
        },
        programs=["systemctl", "pip", "uv"],
        scripts={"serving": _SERVING, "ssh": 'bash -c "$2"', "rsync": _COPYING},
    )
    prepare(sandbox, INCREMENTAL_DOCUMENTS + "mkdir systemd")
    upload = (
        f"token=$(tarkeep token create --data {data} --scope push --profile laptop 2>/dev/null);"
        " WHILE='curl -f -u :'$token' -F file=@full_2025-11-21_09-07-19.tar.gz -F profile=laptop $URL/upload -o answer'"
        f" serving --data {data}"
    )

    played = sandbox.play(
        page_commands("docs/operations.md"),
        before={
            "tarkeep token list": f"ID=$(tarkeep token list --data {data} | cut -c 1-8)",
            "tarkeep audit verify --data /var/lib/tarkeep": upload,
            "tarkeep audit verify --data /var/lib/tarkeep --head": f"HEAD=$(cat heads); {upload}",
            "tarkeep check --data": f"echo 'channels = \"none\"' > {data}/notify.toml",  # else the server is yellow
            "rsync": "cd ~",
        },
    )

    check(played, sandbox)
    assert (home / "systemd" / "tarkeep.service").exists()
    (copied,) = sandbox.play([Command("tarkeep rebuild --check --data copy", None)])
    assert copied.status == 0
    assert copied.printed.strip().splitlines() == [
        "1 archive entered into the catalog",
        "taken from the evidence: the last good reading of 1 archive",
    ]


def test_the_second_copy(tmp_path: Path) -> None:
    """docs/second-copy.md: a copy, a changed byte that is healed, and a restore when the first server is gone."""
    home = tmp_path / "home"
    home.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        ports = {"5001": str(first.getsockname()[1]), "5002": str(second.getsockname()[1])}
    lines = page_commands("docs/second-copy.md")
    start = next(at for at, line in enumerate(lines) if line.text.startswith("mkdir second-copy"))

    check(Sandbox(home, ports).play(lines[start:]), Sandbox(home, {}))


def test_watching(tmp_path: Path) -> None:
    """docs/watching.md: a rehearsal of an alert, from a changed byte to the notice that it is over."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copytree(ROOT / "examples", home / "examples")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])

    check(Sandbox(home, {"8025": port}).play(page_commands("docs/watching.md")), Sandbox(home, {}))
