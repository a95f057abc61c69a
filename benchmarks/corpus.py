"""
The archives used for measuring, made on demand and kept in the work folder.

`real_archive` packs real files, since the speed of inflating and of the tar walk depends on the content;
`filler_archive` makes any size quickly, for memory, where only the length matters. The rule: the same machine gets the
same bytes again, and an archive is used only with the digests that were computed when it was made.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from attrs import asdict, frozen
from isal import igzip

MB = 1_000_000
REAL_FILES_ROOT = Path("/usr")
REAL_UNPACKED_BYTES = 1_330 * MB
REAL_UNPACKED_BYTES_QUICK = 150 * MB
SMALL_BYTES = 100_000
_LARGEST_FILE_BYTES = 32 * MB
_EPOCH = 1_700_000_000


@frozen
class Archive:
    """One ``.tar.gz`` on disk; digests in lower-case hex, sizes in bytes, *unpacked_bytes* the tar inside."""

    path: Path
    size_bytes: int
    unpacked_bytes: int
    md5: str
    sha256: str

    @property
    def label(self) -> str:
        return f"{self.size_bytes / MB:.0f} MB, {self.unpacked_bytes / self.size_bytes:.2f}:1"

    def warm(self) -> None:
        """Bring the file into the page cache, so that no timing includes reading the disk."""
        read_through(self.path)


def read_through(path: Path) -> None:
    """Read *path* once, which leaves it in the page cache if there is room."""
    block = bytearray(1 << 20)
    with path.open("rb", buffering=0) as file:
        while file.readinto(block):
            pass


def real_archive(folder: Path, *, quick: bool) -> Archive:
    """
    A tar.gz of real files of this machine: about 500 MB, or about 55 MB when *quick*.

    The files are taken from all over ``/usr`` in the order of a digest of their names, so that neither one package nor
    one kind of file dominates. Takes a minute the first time.
    """
    unpacked = REAL_UNPACKED_BYTES_QUICK if quick else REAL_UNPACKED_BYTES
    path = folder / f"real-{unpacked // MB}.tar.gz"
    return _cached(path) or _describe(path, _pack_real_files(path, unpacked))


def filler_archive(folder: Path, size_bytes: int) -> Archive:
    """
    A valid tar.gz within a few percent of *size_bytes*.

    Members of 1 MiB that do not compress, and between them text that does.
    """
    path = folder / f"filler-{size_bytes // MB}.tar.gz"
    return _cached(path) or _describe(path, _write_filler(path, size_bytes))


def small_archives(folder: Path, count: int) -> list[Archive]:
    """
    *count* valid archives of about 100 KB, each with different bytes, in the folder ``FULL`` of a backup folder.

    Each holds one member that does not compress.
    """
    backups = folder / f"small-{count}"
    known = backups / "archives.json"
    if not known.exists():
        shutil.rmtree(backups, ignore_errors=True)
        facts = [_small_archive(backups / "FULL", number) for number in range(count)]
        known.write_text(json.dumps([asdict(archive) | {"path": archive.path.name} for archive in facts]))
    return [Archive(**{**fact, "path": backups / "FULL" / fact["path"]}) for fact in json.loads(known.read_text())]


def tiny_archive(folder: Path) -> Archive:
    """A valid tar.gz of a few hundred bytes, for warming servers up."""
    path = folder / "tiny.tar.gz"
    return _cached(path) or _describe(path, _write_filler(path, 0))


def names_archive(folder: Path, count: int) -> Archive:
    """A valid tar.gz of *count* empty files, a thousand to a folder."""
    path = folder / f"names-{count}.tar.gz"
    return _cached(path) or _describe(path, _write_names(path, count))


def _write_names(path: Path, count: int) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz", compresslevel=1, format=tarfile.GNU_FORMAT) as tar:
        for number in range(count):
            file = tarfile.TarInfo(f"folder-{number // 1000:04}/file-{number:07}.txt")
            file.mtime = _EPOCH
            tar.addfile(file)
        return tar.offset


def _cached(path: Path) -> Archive | None:
    facts = path.with_suffix(".json")
    if not (path.exists() and facts.exists()):
        return None
    known = json.loads(facts.read_text())
    return Archive(path=path, **known) if path.stat().st_size == known["size_bytes"] else None


def _describe(path: Path, unpacked_bytes: int) -> Archive:
    with path.open("rb") as file:
        md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        while block := file.read(1 << 20):
            md5.update(block)
            sha256.update(block)
    archive = Archive(path, path.stat().st_size, unpacked_bytes, md5.hexdigest(), sha256.hexdigest())
    facts = asdict(archive)
    del facts["path"]
    path.with_suffix(".json").write_text(json.dumps(facts))
    return archive


def _pack_real_files(path: Path, unpacked_bytes: int) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    names = list(_real_files(unpacked_bytes))
    compressor = shutil.which("pigz") or shutil.which("gzip")
    if compressor is None:
        raise FileNotFoundError("gzip or pigz is needed to make the archive of real files")
    command = ["tar", "--create", "--file=-", f"--directory={REAL_FILES_ROOT}", "--no-recursion", "--format=gnu"]
    command += ["--owner=0", "--group=0", "--numeric-owner", f"--mtime=@{_EPOCH}", "--null", "--files-from=-"]
    draft = path.with_suffix(".draft")
    listing = path.with_suffix(".names")
    listing.write_bytes(b"\0".join(os.fsencode(name) for name in names))
    complaints = path.with_suffix(".log")
    counted = 0
    with listing.open("rb") as wanted, draft.open("wb") as out, complaints.open("wb") as log:
        tar = subprocess.Popen(command, stdin=wanted, stdout=subprocess.PIPE, stderr=log)
        packer = subprocess.Popen([compressor, "-6", "-n"], stdin=subprocess.PIPE, stdout=out)
        assert tar.stdout is not None
        assert packer.stdin is not None
        with tar.stdout, packer.stdin:
            while block := tar.stdout.read(1 << 20):
                packer.stdin.write(block)
                counted += len(block)
        if packer.wait() or tar.wait() not in (0, 1):  # 1: a file changed while it was read, the archive is whole
            raise RuntimeError(f"packing the real files failed: {complaints.read_text()[-500:]}")
    listing.unlink()
    draft.replace(path)
    return counted


def _real_files(unpacked_bytes: int) -> Iterator[Path]:
    """Names relative to `REAL_FILES_ROOT` of files that together make a tar of about *unpacked_bytes*."""
    candidates: list[tuple[bytes, Path, int]] = []
    for folder, _, files in os.walk(REAL_FILES_ROOT):
        if folder.endswith("__pycache__"):
            continue
        for name in files:
            path = Path(folder, name)
            try:
                facts = path.lstat()
            except OSError:
                continue
            if not stat.S_ISREG(facts.st_mode) or facts.st_nlink > 1 or facts.st_size > _LARGEST_FILE_BYTES:
                continue
            if os.access(path, os.R_OK):
                relative = path.relative_to(REAL_FILES_ROOT)
                candidates.append((hashlib.sha256(os.fsencode(relative)).digest(), relative, facts.st_size))
    total = 0
    for _, relative, size in sorted(candidates):
        size_in_tar = 512 + -(-size // 512) * 512
        if total + size_in_tar <= unpacked_bytes:
            total += size_in_tar
            yield relative


def _small_archive(folder: Path, number: int) -> Archive:
    folder.mkdir(parents=True, exist_ok=True)
    content = random.Random(number).randbytes(SMALL_BYTES - 300)
    tar_bytes = io.BytesIO()
    with tarfile.open(fileobj=tar_bytes, mode="w", format=tarfile.GNU_FORMAT) as tar:
        _add(tar, f"small/{number:05}.bin", content)
    packed = gzip.compress(tar_bytes.getvalue(), 1, mtime=_EPOCH)
    path = folder / f"full_{number:05}.tar.gz"
    path.write_bytes(packed)
    md5, sha256 = hashlib.md5(packed, usedforsecurity=False), hashlib.sha256(packed)
    return Archive(path, len(packed), tar_bytes.tell(), md5.hexdigest(), sha256.hexdigest())


class SupportsWrite(Protocol):
    """An object that bytes can be written to."""

    def write(self, block: bytes, /) -> int: ...


class _Counting(io.RawIOBase):
    """Passes writes on and counts them."""

    def __init__(self, target: SupportsWrite) -> None:
        self.target = target
        self.count = 0

    def writable(self) -> bool:
        return True

    def write(self, block: bytes) -> int:  # type: ignore[override]  # any buffer is accepted, bytes is what comes
        self.count += len(block)
        return self.target.write(block)


def _write_filler(path: Path, size_bytes: int) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    source = random.Random(size_bytes)
    words = [source.randbytes(5).hex() for _ in range(2_000)]
    with ExitStack() as opened:
        out = opened.enter_context(draft.open("wb"))
        packed = igzip.IGzipFile("", "wb", 1, out, _EPOCH)  # type: ignore[no-untyped-call]  # isal has no types here
        opened.enter_context(packed)
        counting = _Counting(packed)
        tar = opened.enter_context(
            tarfile.open(fileobj=counting, mode="w|", bufsize=1 << 20, format=tarfile.GNU_FORMAT)
        )
        number = 0
        _add(tar, "begin.txt", b"filler\n")
        while out.tell() < size_bytes:
            number += 1
            _add(tar, f"filler/{number:05}.bin", source.randbytes(1 << 20))
            _add(tar, f"filler/{number:05}.txt", " ".join(source.choices(words, k=20_000)).encode())
    draft.replace(path)
    return counting.count


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mtime = _EPOCH
    tar.addfile(member, io.BytesIO(content))
