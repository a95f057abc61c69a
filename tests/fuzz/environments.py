"""
Odd environments for the command line, each made from a number: the command line, and the state of the machine.

In any environment a command ends by itself, with a documented exit code and without a traceback, and
reveals no secret, wherever on its line or in its environment that was put.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from attrs import frozen

SECONDS = 60.0
CODES = (0, 1, 2, 3, 10, 12, 13, 14, 130, 141)
_NOBODY = ("unshare", "--user", "--map-user=54321")  # a user id that is not in /etc/passwd
_TRACES = (b"Traceback", b"fault of tarkeep", b"Fatal Python error", b"Exception ignored")
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
# bytes that are not UTF-8 are written as Python passes them on
_ODD_NAMES = ("\udcff\udcfe", "日本語", "a\nb", "-", "--", "\x1b[31m", "..", "x" * 300, "", " ", "\udced\udcb2\udc80")
_LOCALES = ("C", "POSIX", "C.UTF-8", "en_US.ISO-8859-1", "de_DE@euro", "nonsense", "")


@frozen
class World:
    """The means to run commands: a *folder* to copy, a server, one that speaks TLS, and tokens of the server."""

    folder: Path
    url: str
    tls_url: str


@frozen
class Environment:
    """A command line and its environment. *secrets* must not be shown; *interrupt* is a number of seconds."""

    words: tuple[str, ...]
    variables: Mapping[str, str]
    streams: tuple[str, str, str]
    secrets: tuple[str, ...]
    locks_down_home: bool
    has_no_line: bool
    interrupt: float | None

    def __str__(self) -> str:
        odd = {name: value for name, value in self.variables.items() if os.environ.get(name) != value}
        return f"{self.words} {odd} {self.streams} interrupt={self.interrupt}"


def drawn(number: int, world: World, home: Path) -> Environment:
    """The environment of that *number*, for a user whose home is *home*."""
    draw = random.Random(number)
    secrets = _Secrets(draw)
    place = secrets.token, secrets.login
    words = _line(draw, world, home, secrets)
    variables = _variables(draw, world, home, secrets)
    # in most draws the command gets to its work
    if draw.random() < 0.15:  # a secret where none belongs
        words.insert(draw.randrange(len(words) + 1), draw.choice(place))
    if draw.random() < 0.15:
        words[draw.randrange(len(words))] = draw.choice((*place, *_ODD_NAMES))
    kinds = ("usual", "usual", "usual", "closed", "full")
    return Environment(
        tuple(word.replace("\x00", "") for word in words),
        variables,
        (draw.choice(("usual", "usual", "closed")), draw.choice((*kinds, "unread")), draw.choice(kinds)),
        (secrets.hidden, secrets.password),
        draw.random() < 0.1,
        draw.random() < 0.1,
        draw.uniform(0.3, 1.5) if draw.random() < 0.2 else None,
    )


class _Secrets:
    def __init__(self, draw: random.Random) -> None:
        self.hidden = "".join(draw.choices(_LETTERS, k=58))
        self.token = "tk_" + "".join(draw.choices(_LETTERS, k=8)) + "_" + self.hidden
        self.password = "hush-" + "".join(draw.choices(_LETTERS, k=20))
        host = draw.choice(("127.0.0.1:1", "backup.example", "h" * 90, "bad host", "", "[::1"))
        self.login = draw.choice(("https", "http", "ftp")) + "://me:" + self.password + "@" + host


def _line(draw: random.Random, world: World, home: Path, secrets: _Secrets) -> list[str]:
    """A command as a user may type it, right or nearly so."""
    profile = draw.choice(["laptop", "laptop", "laptop", "nobody", "pro\udcfffile", "-x", "a/b", "x" * 70])
    name = draw.choice(["full_1.tar.gz", "odd\udcff.tar.gz", "FULL/full_1.tar.gz", "no.tar.gz", "../up.tar.gz"])
    file = draw.choice([f"{home}/backups/FULL/full_1.tar.gz", f"{home}/pipe", "/dev/zero", "/dev/full", f"{home}/none"])
    data = draw.choice([f"{home}/data", f"{home}/new", "/dev/null", f"{home}/none/below", "/proc/data"])
    odd_file = draw.choice(
        [f"{home}/pipe", "/dev/zero", f"{home}/odd.toml", f"{home}/latin.toml", str(home), f"{home}/none"]
    )
    path = draw.choice(["document", "document", "document/\udcff", "\\x", "/", "document/letter"])
    commands: list[Callable[[], Sequence[str]]] = [
        lambda: ["push", profile, *draw.choice([[], ["--all"], [file, "--type", "FULL"]])],
        lambda: ["push", profile, "-", "--name", name, "--type", draw.choice(["FULL", "full", "WEEKLY"])],
        lambda: ["pull", profile, *draw.choice([[], [name]]), "--into", draw.choice([f"{home}/back", "/proc/x", file])],
        lambda: ["status", *draw.choice([[], [profile]])],
        lambda: ["verify", profile, *draw.choice([[], ["--full"], ["--safe-to-delete", "-0"], ["--report"]])],
        lambda: ["list", profile],
        lambda: ["stats"],
        lambda: ["points", profile],
        lambda: ["ls", profile, path, *draw.choice([[], ["-l"], ["-R", "-0"]])],
        lambda: ["find", profile, path],
        lambda: ["history", profile, path],
        lambda: ["cat", profile, path, "--at", draw.choice(["latest", "yesterday", "-3d", "never", name])],
        lambda: [
            "backup",
            profile,
            draw.choice([f"{home}/document", f"{home}/none", file]),
            *draw.choice([[], ["-n"]]),
        ],
        lambda: ["backup", "--all", "--config", odd_file],
        lambda: [
            "restore",
            profile,
            "--into",
            draw.choice([f"{home}/back", "/proc/x", "/"]),
            *draw.choice([[], ["-n"]]),
        ],
        lambda: [
            "serve",
            "--data",
            f"{home}/data",
            "--host",
            draw.choice(["999.1.1.1", "no.such.invalid", "é.b\xff", ""]),
        ],
        lambda: ["serve", "--data", data, "--port", draw.choice(["-1", "99999", "x", "1e3", ""])],
        lambda: ["serve", "--data", f"{home}/data", "--port", "0", "--profiles", f"{home}/odd.toml"],
        lambda: ["rebuild", "--data", data, "--profiles", odd_file],
        lambda: ["import", draw.choice([f"{home}/backups", file]), "--data", data, "--profile", profile],
        lambda: ["token", draw.choice(["list", "revoke x", "lost"]).split()[0], "--data", data],
        lambda: ["token", "create", "--data", data, "--scope", "list", "--profile", profile, "--expires", "2 days ago"],
        lambda: [
            "tls",
            "self-signed",
            "--into",
            f"{home}/{draw.random()}",
            "--days",
            draw.choice(["0", "9" * 12, "-5"]),
        ],
        lambda: ["audit", draw.choice(["verify", "head"]), "--data", data],
        lambda: ["completion", draw.choice(["bash", "zsh", "fish", "tcsh"])],
        lambda: ["help", draw.choice(["push", "token create", "no"])],
        lambda: draw.choice([["--help"], ["--version"], [], ["pusch"], ["push", "--help"]]),
    ]
    words = [*draw.choice(commands)()]
    options: list[Callable[[], Sequence[str]]] = [
        lambda: ["--json"],
        lambda: ["--quiet"],
        lambda: ["--server", _address(draw, world, secrets)],
        lambda: ["--token-file", draw.choice([odd_file, secrets.token, f"{home}/token"])],
        lambda: [
            "--token-command",
            draw.choice(["echo " + secrets.token, secrets.token, "exit 3", "yes", "echo \udcff"]),
        ],
        lambda: ["--config", odd_file],
        lambda: ["--cacert", odd_file],
        lambda: ["--fingerprint", draw.choice(["0" * 64, "xyz", secrets.token])],
        lambda: ["--backup-dir", draw.choice(["/b\udcff", f"{home}/pipe", "~nobody-here/x", "~/backups"])],
        lambda: ["--limit-rate", draw.choice(["1", "9" * 40, "-1K", "٣M"])],
        lambda: ["--jobs", draw.choice(["0", "1000", "x", "٣"])],
        lambda: ["--at", draw.choice(["", "14:30", "2026-02-30", secrets.token])],
        lambda: ["--" + draw.choice(_ODD_NAMES) + "=" + secrets.token],
        lambda: ["--token=" + secrets.token],
        lambda: ["--password", secrets.login],
    ]
    while draw.random() < 0.3:
        words += draw.choice(options)()
    return words


def _address(draw: random.Random, world: World, secrets: _Secrets) -> str:
    port = world.url.rpartition(":")[2]
    return draw.choice(
        [
            secrets.login,
            world.tls_url,
            world.tls_url.replace("https", "http"),
            world.url.replace("http", "https"),
            "http://me:" + secrets.password + "@127.0.0.1:" + port,
            "http://127.0.0.1:99999",
            "http://127.0.0.1:x",
            "http://:1",
            "http://[::1",
            "http://h\udcffst",
            "127.0.0.1",
            "",
            "http://" + "a" * 300,
            "http://127.0.0.1:1",
        ]
    )


def _variables(draw: random.Random, world: World, home: Path, secrets: _Secrets) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TARKEEP_", "XDG_", "LC_"))}
    variables = kept | {
        "HOME": str(home),
        "SERVER_URL": world.url,
        "BACKUP_DIR": str(home / "backups"),
        "NO_PROXY": "*",
        "TARKEEP_RESERVE_BYTES": "0",
        "LC_ALL": draw.choice(_LOCALES),
    }
    odd: list[dict[str, str]] = [
        {"HOME": draw.choice(("", "/nonexistent", "/proc", "/dev/full", "relative", "/h\udcff"))},
        {"TARKEEP_TOKEN": secrets.token},
        {"TARKEEP_TOKEN": draw.choice(("\udcff", "two ", "")) + secrets.hidden},
        {"TARKEEP_SERVER": _address(draw, world, secrets)},
        {"TARKEEP_CONFIG": draw.choice(("/dev/zero", "~", "\udcff", str(home / "pipe")))},
        {"TARKEEP_TOKN": secrets.token},
        {"TARKEEP_JOBS": draw.choice(("x", "\udcff", "-1"))},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"COLUMNS": draw.choice(("0", "1", "x", "-5", "9" * 9))},
        {"TZ": draw.choice(("Nowhere/Land", ":\udcff", "UTC"))},
        {"XDG_STATE_HOME": draw.choice(("/proc", "x", "/s\udcff")), "XDG_CONFIG_HOME": "/dev/null"},
        {"TMPDIR": "/nonexistent"},
    ]
    while draw.random() < 0.4:
        variables |= draw.choice(odd)
    return variables


def furnish(home: Path) -> None:
    """Make the home of a user who has a backup folder, and files that are odd."""
    for folder in ("backups/FULL", "backups/INC", "document"):
        (home / folder).mkdir(parents=True)
    (home / "document" / "letter").write_bytes(b"dear")
    (home / "odd.toml").write_bytes(b"x = [1,\n" + b"[" * 2000)
    (home / "latin.toml").write_bytes('server = "http://b\xfccher"\n'.encode("latin-1"))
    (home / "token").write_bytes(b"\xff two words\n")
    os.mkfifo(home / "pipe")
    archive = home / "backups" / "FULL" / "full_1.tar.gz"
    subprocess.run(["tar", "-czf", archive, "-C", home, "document"], check=True)
    shutil.copy(archive, archive.with_name("odd\udcff.tar.gz"))
    os.mkfifo(home / "backups" / "INC" / "inc_1.tar.gz")


def faults(environment: Environment, home: Path) -> list[str]:
    """The faults in the run of the command; empty if all is well."""
    command: list[str] = [sys.executable, "-m", "tarkeep", *environment.words]
    if environment.has_no_line and _can_be_nobody():
        command = [*_NOBODY, *command]
    redirected = "".join(
        {
            "closed": f" {number}{'<' if number == 0 else '>'}&-",
            "full": f" {number}>/dev/full",
            "unread": f" {number}> >(true)",
        }.get(kind, "")
        for number, kind in enumerate(environment.streams)
    )
    command = ["bash", "-c", f'exec "$@"{redirected}', "bash", *command]
    if environment.locks_down_home:
        home.chmod(0o500)
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment.variables,
        cwd=home,
        start_new_session=True,
    )
    try:
        if environment.interrupt is not None:
            time.sleep(environment.interrupt)
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        return [f"it hangs; so far it said {err[-500:]!r}"]
    finally:
        home.chmod(0o700)
    return _judged(environment, process.returncode, out, err)


@cache
def _can_be_nobody() -> bool:
    return subprocess.run([*_NOBODY, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0


def _judged(environment: Environment, code: int, out: bytes, err: bytes) -> list[str]:
    wrong = []
    told = out + err
    is_early = environment.interrupt is not None and code in (-signal.SIGINT, 1, 130) and b"tarkeep/" not in err
    if any(trace in told for trace in _TRACES) and not is_early:  # Python itself cannot report it otherwise yet
        wrong.append(f"a traceback: {told[-1500:]!r}")
    if code not in CODES and not is_early:
        wrong.append(f"the exit code {code}: {err[-500:]!r}")
    wrong += [f"a secret: {told[-1500:]!r}" for secret in environment.secrets if secret.encode() in told]
    if environment.interrupt is not None and err.count(b"interrupted") > 1:
        wrong.append(f"interrupted more than once: {err[-500:]!r}")
    return wrong
