"""Directories that tar does not update properly from a later archive, recognized by their headers in every format."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from tarkeep.adapters.records.footprint_bytes import footprint_bytes, read_footprint
from tarkeep.domain.names.footprints import footprint_of
from tarkeep.domain.names.peculiar import Peculiar
from tests.support.members import records


@pytest.mark.parametrize("form", ["gnu", "posix", "ustar", "v7"])
@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("name", ["closed", "n" * 90 + "/" + "ä" * 40])
def test_closed_directories(tmp_path: Path, form: str, listed: bool, name: str) -> None:
    """They and no others, whatever headers surround them; a footprint keeps them."""
    if form == "v7" and len(name) > 10:
        pytest.skip("this format has no names of that length")
    closed = tmp_path / "top" / name
    closed.mkdir(parents=True)
    (closed / "x").touch()
    closed.chmod(0o555)
    options = ["--listed-incremental=/dev/null"] if listed and form in ("gnu", "posix") else []
    made = subprocess.run(["tar", "-c", f"--format={form}", *options, "top"], cwd=tmp_path, capture_output=True)

    footprint = footprint_of(records(made.stdout))
    assert footprint.peculiar == {f"top/{name}".encode(): Peculiar(0o500)}
    assert read_footprint(footprint_bytes(footprint)) == footprint


@pytest.mark.parametrize("mode", [0o755, 0o700, 0o1777, 0o2711])
def test_attributes(mode: int) -> None:
    """By name; ACLs do not count, since tar removes them."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, keywords in (("a", ("user.b", "user.a", "system.posix_acl_default")), ("b", ()), ("c", ("user.c",))):
            member = tarfile.TarInfo(name)
            member.type, member.mode = tarfile.DIRTYPE, mode
            member.pax_headers = {f"SCHILY.xattr.{keyword}": "v" for keyword in keywords}
            tar.addfile(member)
        tar.addfile(member.replace(mode=0o311))

    footprint = footprint_of(records(file.getvalue()))
    expected = {
        b"a": Peculiar(0o700, frozenset((b"user.a", b"user.b"))),
        b"c": Peculiar(0o300, frozenset((b"user.c",))),
    }
    assert footprint.peculiar == expected
    assert read_footprint(footprint_bytes(footprint)) == footprint


def test_the_last_member_of_a_directory_counts() -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for mode in (0o555, 0o755):
            member = tarfile.TarInfo("a")
            member.type, member.mode = tarfile.DIRTYPE, mode
            tar.addfile(member)

    assert not footprint_of(records(file.getvalue())).peculiar
