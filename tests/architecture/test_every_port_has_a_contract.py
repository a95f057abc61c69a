"""Every port has a contract test class, and every adapter of a port is tested by it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pytest
from attrs import frozen

ROOT = Path(__file__).parents[2]
PORTS = (ROOT / "src" / "domain" / "ports", ROOT / "src" / "domain" / "client" / "ports")
ADAPTERS = (ROOT / "src" / "adapters", ROOT / "src" / "entrypoints", ROOT / "tests" / "support")
CONTRACTS = ROOT / "tests" / "contracts"

PARTS = {
    # protocols that a port gives out; their promises are part of the port's
    "ArchiveReader",
    "Rereading",
    "ArchiveWriter",
    "Download",
    "Held",
    "HeldLease",
    "LocalFile",
    "LocalFiles",
    "Part",
    "PeerBytes",
    "RecordsWriter",
    "RunningChecksum",
    "RunningDigests",
    "RunningDump",
    "RunningInspection",
    "ScratchFile",
    "UnpackedArchive",
}
BREAKING = {
    # test classes that break a promise on purpose
    "FaultyCatalog",
    "FaultyStore",
    "NamesAlwaysHeld",
    "RecordsThatCannotBeKept",
}

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@frozen
class Class:
    """A class, and the members of it and of its bases, each with the source text of its use."""

    file: Path
    node: ast.ClassDef

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def bases(self) -> list[str]:
        return [ast.unparse(base).partition("[")[0] for base in self.node.bases]


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@frozen
class Classes:
    """The classes of some folders; several may have the same name."""

    by_name: Mapping[str, tuple[Class, ...]]

    @classmethod
    def in_folders(cls, *folders: Path) -> Classes:
        found: dict[str, tuple[Class, ...]] = {}
        for folder in folders:
            for file in sorted(folder.rglob("*.py")):
                for node in ast.walk(tree_of(file)):
                    if isinstance(node, ast.ClassDef):
                        found[node.name] = (*found.get(node.name, ()), Class(file, node))
        return cls(found)

    def of(self, name: str, user: Class | None = None) -> Class | None:
        """The class of that name as *user* sees it: in the same file, or the only one."""
        those = self.by_name.get(name, ())
        near = [one for one in those if user is not None and one.file == user.file and one.node is not user.node]
        return near[0] if near else those[0] if len(those) == 1 else None

    def __iter__(self) -> Iterator[Class]:
        return (one for those in self.by_name.values() for one in those)

    def members(self, one: Class) -> dict[str, ast.stmt]:
        """The members of a class and of its bases, as far as these are in the folders."""
        found: dict[str, ast.stmt] = {}
        for name in reversed(one.bases):
            base = self.of(name, one)
            if base is not None and base != one:
                found |= self.members(base)
        for its in one.node.body:
            if isinstance(its, Function):
                found[its.name] = its
            elif isinstance(its, ast.AnnAssign) and isinstance(its.target, ast.Name):
                found[its.target.id] = its
        return found


# -- which classes implement a port ----------------------------------------------------------------------------------


def implements(one: Class, port: Class, classes: Classes, ports: Classes) -> bool:
    """By inheritance, or by having each method of *port* with its parameters and result."""
    if port.name in one.bases:
        return True
    its = classes.members(one)
    return all(
        promised in its and _fits(one, its[promised], wanted, classes, ports)
        for promised, wanted in ports.members(port).items()
    )


def _fits(one: Class, own: ast.stmt, wanted: ast.stmt, classes: Classes, ports: Classes) -> bool:
    if not isinstance(wanted, Function) or not isinstance(own, Function):
        return not isinstance(wanted, Function) or "property" in _decorators(wanted)
    taken, given = _parameters(own), _parameters(wanted)
    return all(taken.get(each) == how for each, how in given.items()) and _gives(one, own, wanted, classes, ports)


def _parameters(function: Function) -> dict[str, str]:
    arguments = function.args
    all_of_them = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return {one.arg: ast.unparse(one.annotation) for one in all_of_them if one.annotation is not None}


def _decorators(function: Function) -> set[str]:
    return {ast.unparse(one) for one in function.decorator_list}


def _gives(one: Class, own: Function, wanted: Function, classes: Classes, ports: Classes) -> bool:
    gives, promised = (ast.unparse(each.returns) if each.returns is not None else "" for each in (own, wanted))
    if "contextmanager" in _decorators(own):
        gives = gives.replace("Iterator", "AbstractContextManager", 1)
    if promised in (gives, gives.replace("list[", "Sequence[", 1)):
        return True
    part, given = ports.of(promised), classes.of(gives, one)
    return part is not None and given is not None and implements(given, part, classes, ports)


# -- what is tested --------------------------------------------------------------------------------------------------


@cache
def runs_of_contracts() -> Mapping[str, set[str]]:
    """For each port with a contract test, the names used to make the tested object."""
    contracts = Classes.in_folders(CONTRACTS)
    runs: dict[str, set[str]] = {}
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in tree_of(file).body:
            if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
                for contract in _contracts_of(Class(file, node), contracts):
                    made_with = runs.setdefault(contract.name.removesuffix("Contract"), set())
                    made_with |= set(_made_with(file, node, contracts))
    return runs


def _contracts_of(one: Class, contracts: Classes) -> Iterator[Class]:
    for base in one.bases:
        contract = contracts.of(base)
        if contract is not None and base.endswith("Contract"):
            yield contract
            yield from _contracts_of(contract, contracts)


def _made_with(file: Path, node: ast.ClassDef, contracts: Classes) -> Iterator[str]:
    """
    Every name used to make the tested object: in the class, in the fixtures that its contract requests, and in what
    these use, in the same file and in the test support.
    """
    wanted = {(file, name) for name in _names_in(node)}
    for contract in _contracts_of(Class(file, node), contracts):
        for test in contract.node.body:
            if isinstance(test, Function):
                wanted |= {(file, fixture) for fixture in _parameters(test)}
    seen: set[tuple[Path, str]] = set()
    while wanted:
        place = wanted.pop()
        if place in seen:
            continue
        seen.add(place)
        yield place[1]
        wanted |= set(_used_by(*place))


def _used_by(file: Path, name: str) -> Iterator[tuple[Path, str]]:
    for node in tree_of(file).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("tests.support.", "tests.contracts.")):
            for one in node.names:
                if name == (one.asname or one.name):
                    yield ROOT.joinpath(*(node.module or "").split(".")).with_suffix(".py"), one.name
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            yield from ((file, used) for used in _names_in(node))
    conftest = file.with_name("conftest.py")
    if conftest.exists() and conftest != file:
        yield conftest, name


def _names_in(node: ast.AST) -> set[str]:
    names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    return names | {one.arg for one in ast.walk(node) if isinstance(one, ast.arg)}


# -- the checks ------------------------------------------------------------------------------------------------------

CLASSES_OF_PORTS = Classes.in_folders(*PORTS)
PROTOCOLS = {one.name: one for one in CLASSES_OF_PORTS if any("Protocol" in base for base in one.bases)}
MADE = Classes.in_folders(*ADAPTERS)


def contracts() -> set[str]:
    found = Classes.in_folders(CONTRACTS)
    return {one.name.removesuffix("Contract") for one in found if one.name.endswith("Contract")}


def test_every_port_has_a_contract() -> None:
    assert len(PROTOCOLS) > 40
    assert PROTOCOLS.keys() - PARTS - contracts() == set()


@pytest.mark.parametrize("port", sorted(PROTOCOLS.keys() - PARTS))
def test_every_adapter_runs_the_contract_of_its_port(port: str) -> None:
    """A class with the methods of a port is an adapter of it, in any folder."""
    made = [one for one in MADE if implements(one, PROTOCOLS[port], MADE, CLASSES_OF_PORTS)]
    run = runs_of_contracts().get(port, set())

    assert made, "no adapter has the methods of the port as it has them"
    assert {one.name for one in made if not _makers(one) & run} - BREAKING == set()


def _makers(one: Class) -> set[str]:
    """The names through which tests get such a class: its own, or public ones of its file that use it."""
    if not one.name.startswith("_"):
        return {one.name}
    beside = (node for node in tree_of(one.file).body if isinstance(node, ast.ClassDef))
    return {node.name for node in beside if one.name in _names_in(node)}


def test_every_contract_is_run() -> None:
    """A contract class that no test class inherits tests nothing."""
    assert contracts() - runs_of_contracts().keys() == set()
