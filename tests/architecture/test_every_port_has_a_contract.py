"""Every port has a class of tests for its promises; those that have none yet are named here, and none may join them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PORTS = (ROOT / "src" / "domain" / "ports", ROOT / "src" / "domain" / "client" / "ports")

PARTS = {
    # what a port gives out, whose promises are part of the port's
    "ArchiveReader",
    "ArchiveWriter",
    "Download",
    "Held",
    "LocalFile",
    "LocalFiles",
    "Part",
    "RecordsWriter",
    "RunningChecksum",
    "RunningDigests",
    "RunningDump",
    "RunningInspection",
    "ScratchFile",
    "UnpackedArchive",
}
LACKING = {
    # tested by their one adapter, and by use cases over it
    "ArchiveSource",
    "RemoteChains",
    "RemoteStore",
}


def protocols() -> Iterator[str]:
    for folder in PORTS:
        for file in folder.glob("*.py"):
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in node.bases):
                    yield node.name


def test_every_port_has_a_contract() -> None:
    code = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests" / "contracts").rglob("*.py"))
    contracts = set(re.findall(r"^class (\w+)Contract\b", code, re.MULTILINE))
    ports = set(protocols()) - PARTS

    assert len(ports) > 20
    assert ports - contracts == LACKING


def test_every_contract_is_run() -> None:
    """By two adapters at least, where there are two: a class of tests that nobody inherits from tests nothing."""
    code = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("*.py"))
    contracts = set(re.findall(r"^class (\w+Contract)\b", code, re.MULTILINE))
    run = set(re.findall(r"^class Test\w+\((\w+Contract)", code, re.MULTILINE))

    assert contracts - run == set()
