"""How GNU tar is called, and its archives of directories with odd names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tarkeep.adapters.gnu_tar.programs import GnuTar
from tarkeep.domain.client.ports.dumping import DumpSource
from tarkeep.domain.errors.client import TarUnusable
from tarkeep.domain.errors.settings import InvalidSetting
from tests.contracts.client.dumper import DumperContract, dumped
from tests.contracts.client.dumper import names as names_in
from tests.contracts.client.extractor import ExtractorContract
from tests.support.weak_tar import weak_tar


@pytest.fixture
def unusable(tmp_path: Path) -> GnuTar:
    """A program that is not GNU tar."""
    other = tmp_path / "bsdtar"
    other.write_text('#!/bin/sh\necho "bsdtar 3.6.2 - libarchive"\n')
    other.chmod(0o755)
    return GnuTar(str(other))


class TestGnuTarDumps(DumperContract):
    @pytest.fixture
    def dumper(self) -> GnuTar:
        return GnuTar()

    @pytest.fixture
    def weak(self, tmp_path: Path) -> GnuTar:
        return GnuTar(weak_tar(tmp_path))


class TestGnuTarExtracts(ExtractorContract):
    @pytest.fixture
    def extractor(self) -> GnuTar:
        return GnuTar()


def names(source: DumpSource) -> list[str]:
    """The names in a full dump of *source*."""
    return names_in(dumped(GnuTar(), source)[0])


def test_only_gnu_tar_will_do(unusable: GnuTar, tmp_path: Path) -> None:
    """The error names another program, and a missing one."""
    with pytest.raises(TarUnusable, match=r"bsdtar 3\.6\.2"):
        unusable.check()
    with pytest.raises(TarUnusable, match="not there"):
        GnuTar(str(tmp_path / "none")).check()


@pytest.mark.parametrize("name", ["document", "-rf", "--exclude=x", "a b", "*", "ü\n", "\udcff"])
def test_a_directory_may_have_any_name(tmp_path: Path, name: str) -> None:
    """No name is taken for an option, a pattern, or two names."""
    folder = tmp_path / name
    folder.mkdir()
    (folder / "file").write_bytes(b"x")

    assert names(DumpSource(str(folder))) == [name, f"{name}/file"]


def test_the_root_of_the_machine_has_no_name() -> None:
    """Its members begin at a dot."""
    command = GnuTar().command(DumpSource("/", one_file_system=True))

    assert command[-2:] == ["--directory=/", "--add-file=."]
    assert "--one-file-system" in command


def test_the_environment_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options that a user has set for tar do not apply to a backup."""
    (tmp_path / "document").mkdir()
    (tmp_path / "document" / "file").write_bytes(b"x")
    monkeypatch.setenv("TAR_OPTIONS", "--exclude=file")

    assert names(DumpSource(str(tmp_path / "document"))) == ["document", "document/file"]


def test_a_directory_is_named_from_the_root_on() -> None:
    """The program's working directory has no influence on what is dumped."""
    with pytest.raises(InvalidSetting):
        DumpSource("relative")
