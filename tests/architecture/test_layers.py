"""The architecture, checked: which layer may import which, and how pure the domain is."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from grimp import build_graph

ROOT = Path(__file__).parents[2]
DATA_MODULES = {
    "__future__",
    "array",
    "attrs",
    "base64",
    "bisect",
    "calendar",
    "collections",
    "contextlib",
    "datetime",
    "enum",
    "fnmatch",
    "functools",
    "hashlib",
    "heapq",
    "hmac",
    "ipaddress",
    "itertools",
    "json",
    "math",
    "operator",
    "re",
    "statistics",
    "struct",
    "types",
    "typing",
    "unicodedata",
    "zlib",
}


def test_layers_hold() -> None:
    """entrypoints -> adapters -> domain, and only the wiring knows adapters (contracts in pyproject.toml)."""
    linter = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_domain_imports_data_modules_only() -> None:
    """No I/O, no clock, no framework, no thread: the standard library's data modules and attrs."""
    foreign = set()
    for file in (ROOT / "src" / "domain").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            else:
                continue
            foreign |= {f"{file.name}: {name}" for name in names if name.partition(".")[0] not in DATA_MODULES}

    assert foreign == set()


def test_the_domain_never_asks_for_the_time() -> None:
    """Time comes in through the port `Clock`."""
    asking = set()
    for file in (ROOT / "src" / "domain").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                asking.add(f"{node.value.id}.{node.attr}")

    assert not asking & {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}


EXTRACTING = {"tarfile", "zipfile", "subprocess", "pty", "multiprocessing", "ctypes", "pickle", "marshal", "shelve"}
CALLS = {"extract", "extractall", "unpack_archive", "system", "popen", "posix_spawn", "fork", "eval", "exec", "execv"}
EXCEPTIONS = {
    # `tarkeep tls self-signed` runs openssl to make a certificate, on the server's host; no route leads to it
    "adapters/process/openssl_certificate.py": {"subprocess"},
    # asks the C library to release memory; it calls that one function, with a constant
    "entrypoints/http/heap.py": {"ctypes"},
}


def test_nothing_in_the_server_extracts_or_starts_a_process() -> None:
    """
    Extraction is where security holes are, so archives are only read and streamed; each exception is named here.

    The server is everything that its commands import, directly or not; only the client runs tar.
    """
    commands = "tarkeep.entrypoints.cli.server.serve"
    server = build_graph("tarkeep", cache_dir=None).find_upstream_modules(commands) | {commands}
    assert {"tarkeep.entrypoints.http.app", "tarkeep.adapters.targz.unpacker"} <= server
    found: dict[str, set[str]] = {}
    for module in server:
        place = ROOT / "src" / Path(*module.split(".")[1:])
        file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        for node in ast.walk(ast.parse(file.read_text())):
            names: set[str] = set()
            if isinstance(node, ast.Import):
                names = {alias.name.partition(".")[0] for alias in node.names} & EXTRACTING
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = {(node.module or "").partition(".")[0]} & EXTRACTING
                names |= {alias.name for alias in node.names} & CALLS
            elif isinstance(node, ast.Call):
                called = node.func
                name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                names = {name} & CALLS
            if names:
                found.setdefault(str(file.relative_to(ROOT / "src")), set()).update(names)

    assert found == EXCEPTIONS


def test_no_two_classes_have_one_name() -> None:
    """A class is found by its name; names that are private to a module may be reused."""
    places: dict[str, list[str]] = {}
    for file in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(str(file.relative_to(ROOT / "src")))

    assert {name: files for name, files in places.items() if len(files) > 1} == {}


def test_folders_and_files_can_be_taken_in() -> None:
    """A folder has at most twelve modules, and a module 400 lines, unless its first paragraph says why it has more."""
    sources = [file for file in (ROOT / "src").rglob("*.py") if "versions" not in file.parts]
    folders = {file.parent for file in sources}
    crowded = {
        str(folder.relative_to(ROOT / "src"))
        for folder in folders
        if sum(file.parent == folder and file.name != "__init__.py" for file in sources) > 12
    }
    long = {
        str(file.relative_to(ROOT / "src"))
        for file in sources
        if len(file.read_text().splitlines()) > 400
        and "one file" not in (ast.get_docstring(ast.parse(file.read_text())) or "").split("\n\n")[0].replace("\n", " ")
    }

    assert crowded == set()
    assert long == set()
