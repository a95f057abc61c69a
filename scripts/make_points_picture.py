"""
Make docs/points.svg, the picture of `tarkeep points` on a chain that lost an archive.

    python scripts/make_points_picture.py

Five nights of one directory are dumped by GNU tar and sent to a server of this machine's, but for the third, as if its
upload had failed. What the command then prints is drawn as it was printed; a test fails while the picture says anything
else.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from html import escape, unescape
from pathlib import Path

PICTURE = Path(__file__).parent.parent / "docs" / "points.svg"
COMMAND = "tarkeep points laptop"
_NIGHTS = (  # type, what the archive is called, KiB of new files
    ("FULL", "full_2026-11-22_02-00-00.tar.gz", 290),
    ("INC", "inc_2026-11-23_02-00-00.tar.gz", 20),
    ("INC", "inc_2026-11-24_02-00-00.tar.gz", 30),
    ("INC", "inc_2026-11-25_02-00-00.tar.gz", 40),
    ("INC", "inc_2026-11-26_02-00-00.tar.gz", 50),
)
_LOST = "inc_2026-11-24_02-00-00.tar.gz"
_TARKEEP = (sys.executable, "-m", "tarkeep")

_CHARACTER, _LINE, _MARGIN, _BAR = 8.4, 20, 18, 34
_COLOURS = {"says": "#c9d1d9", "asks": "#79c0ff", "good": "#7ee787", "bad": "#ff7b72"}


def printed(place: Path) -> str:
    """What the command prints, run on a chain that is made below *place*."""
    home = {name: value for name, value in os.environ.items() if not name.startswith(("TARKEEP_", "XDG_"))}
    home |= {
        "HOME": str(place),
        "LC_ALL": "C.UTF-8",
        "NO_PROXY": "*",
        "TARKEEP_RESERVE_BYTES": "0",
        "COLUMNS": "200",
        "PYTHONUNBUFFERED": "1",
    }
    with _serving(place, home) as url:
        for type, name, lineage in _dumped(place):
            if name != _LOST:
                target = f"{url}/api/v1/profiles/laptop/archives/{type}/{name}"
                headers = [word for header in lineage for word in ("-H", header)]
                _run(["curl", "-sS", "--fail-with-body", "-o", "answer", "-T", name, *headers, target], place, home)
        return _shown([*_TARKEEP, *COMMAND.split()[1:]], place, home | {"TARKEEP_SERVER": url, "NO_COLOR": "1"})


def picture(text: str) -> str:
    """*text* as a terminal shows it below its command, in SVG."""
    lines = [f"$ {COMMAND}", *text.rstrip("\n").split("\n")]
    width = round(max(map(len, lines)) * _CHARACTER + 2 * _MARGIN)
    height = _BAR + len(lines) * _LINE + _MARGIN
    drawn = "\n".join(
        f'<text x="{_MARGIN}" y="{_BAR + (number + 1) * _LINE - 4}" fill="{_colour(line)}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' xml:space="preserve" role="img" aria-label="tarkeep points shows which archives of a broken chain restore">\n'
        "<style>text { font: 14px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; white-space: pre }"
        "</style>\n"
        f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>\n'
        + "".join(f'<circle cx="{_MARGIN + 5 + 18 * n}" cy="18" r="5" fill="#30363d"/>\n' for n in range(3))
        + f"{drawn}\n</svg>\n"
    )


def text_of(svg: str) -> str:
    """The lines that *svg* shows below the command."""
    shown = [unescape(line) for line in re.findall(r"<text [^>]*>(.*?)</text>", svg)]
    return "\n".join(shown[1:]) + "\n"


def _colour(line: str) -> str:
    if line.startswith("$ "):
        return _COLOURS["asks"]
    if "does not restore" in line or ": no stored archive" in line:
        return _COLOURS["bad"]
    return _COLOURS["good" if " exact " in line else "says"]


def _dumped(place: Path) -> Iterator[tuple[str, str, list[str]]]:
    """The archives, made one after the other in *place*, each with what to tell of tar's snapshot file."""
    rng = random.Random(1)
    directory, snapshot = place / "document", place / "state.snar"
    directory.mkdir()
    before = ""
    for number, (type, name, kibibytes) in enumerate(_NIGHTS):
        (directory / f"scan-{number}.pdf").write_bytes(rng.randbytes(kibibytes << 10))
        _run(["tar", "-czf", name, f"--listed-incremental={snapshot}", "document"], place, dict(os.environ))
        after = hashlib.sha256(snapshot.read_bytes()).hexdigest()
        yield type, name, [f"Tarkeep-Snapshot-After: {after}", *[f"Tarkeep-Snapshot-Before: {before}"] * bool(before)]
        before = after


@contextmanager
def _serving(place: Path, environment: dict[str, str]) -> Iterator[str]:
    """The address of a server over an empty data directory."""
    log = place / "server.log"
    with log.open("w") as stream:
        command = [*_TARKEEP, "serve", "--port", "0", "--data", str(place / "data")]
        server = subprocess.Popen(command, stderr=stream, env=environment, cwd=place)
        try:
            while not (serving := re.search(r"serving\s+url=(http://\S+)\s", log.read_text())):
                if server.poll() is not None:
                    raise SystemExit(f"the server ended: {log.read_text()}")
                time.sleep(0.05)
            yield serving[1]
        finally:
            server.terminate()
            server.wait()


def _run(command: list[str], place: Path, environment: dict[str, str]) -> None:
    subprocess.run(command, cwd=place, env=environment, check=True)


def _shown(command: list[str], place: Path, environment: dict[str, str]) -> str:
    """What *command* shows on a terminal, both of its outputs as they come."""
    ours, its = os.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen:
        running = subprocess.Popen(command, cwd=place, env=environment, stdout=its, stderr=its)
        os.close(its)
        shown = b""
        with suppress(OSError):  # EIO is how a terminal ends that nobody writes to any more
            while block := screen.read(4096):
                shown += block
        if running.wait():
            raise SystemExit(f"{' '.join(command)} ended with {running.returncode}: {shown.decode()}")
    return shown.decode().replace("\r\n", "\n")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        PICTURE.write_text(picture(printed(Path(folder))), encoding="utf-8")
