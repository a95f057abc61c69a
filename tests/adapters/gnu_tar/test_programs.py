"""How GNU tar is called, and what it makes of directories with odd names."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from tarkeep.adapters.gnu_tar.programs import GnuTar
from tarkeep.domain.client.ports.dumping import DumpSource
from tarkeep.domain.errors.client import DumpFailed
from tarkeep.domain.errors.settings import InvalidSetting


def names(source: DumpSource) -> list[str]:
    """What a full dump of *source* holds."""
    with GnuTar().start(source, None) as dump:
        content = b"".join(dump)
        dump.finish()
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return tar.getnames()


@pytest.mark.parametrize("name", ["document", "-rf", "--exclude=x", "a b", "*", "ü\n", "\udcff"])
def test_a_directory_may_have_any_name(tmp_path: Path, name: str) -> None:
    """None is an option, a pattern, or two."""
    folder = tmp_path / name
    folder.mkdir()
    (folder / "file").write_bytes(b"x")

    assert names(DumpSource(str(folder))) == [name, f"{name}/file"]


def test_what_is_excluded_is_not_there(tmp_path: Path) -> None:
    """By pattern, and by patterns from a file."""
    for name in ("keep", "a.tmp", ".cache", "secret"):
        (tmp_path / "document" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "document" / name).write_bytes(b"x")
    listed = tmp_path / "list"
    listed.write_text("secret\n")
    source = DumpSource(str(tmp_path / "document"), ("*.tmp", ".cache"), (str(listed),))

    assert names(source) == ["document", "document/keep"]


def test_the_root_of_the_machine_has_no_name() -> None:
    """Its members begin at a dot."""
    command = GnuTar().command(DumpSource("/", one_file_system=True))

    assert command[-2:] == ["--directory=/", "--add-file=."]
    assert "--one-file-system" in command


def test_the_environment_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options that somebody set for tar are not those of a backup."""
    (tmp_path / "document").mkdir()
    (tmp_path / "document" / "file").write_bytes(b"x")
    monkeypatch.setenv("TAR_OPTIONS", "--exclude=file")

    assert names(DumpSource(str(tmp_path / "document"))) == ["document", "document/file"]


def test_a_directory_that_is_gone_is_no_dump(tmp_path: Path) -> None:
    """Nor an estimate."""
    source = DumpSource(str(tmp_path / "gone"))

    with pytest.raises(DumpFailed, match="No such file"):
        names(source)
    with pytest.raises(DumpFailed, match="No such file"):
        GnuTar().estimate(source, None)
    with pytest.raises(InvalidSetting):
        DumpSource("relative")
