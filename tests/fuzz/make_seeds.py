"""
Writes the seeds, a small input or two for every feature of each target: ``python -m tests.fuzz.make_seeds``.

Findings of a run are not kept here, but an input that broke a target is, by hand, under a name of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.support import tars
from tests.support.hostile_tars import TARS

SEEDS = Path(__file__).parent / "seeds"
_MAX_BYTES = 8 << 10

_FORM = (
    b"b\n--b\r\nContent-Disposition: form-data; name=type\r\n\r\nFULL\r\n"
    b'--b\r\nContent-Disposition: form-data; name=file; filename="full_a.tar.gz"\r\n\r\ncontent\r\n--b--\r\n'
)
_LISTINGS = [
    b"r\xfeYa\0Nb\0Dc\0\0\xffr/c\xfeNx\0\0\xffr\xfeYa\0Yb\0Dc\0\0\xffr/c\xfeYx\0\0",
    b"r\xfeRr/a\0Tr/b\0Db\0\0\xffr/b\xfeNf\0\0\xffr\xfeDa\0\0\xffr/a\xfeYf\0\0",
    b"r\xfeXr/t\0Rr/a\0T\0Rr/b\0Tr/a\0R\0Tr/b\0Da\0Db\0\0\xffr\xfeDa\0Db\0\0",
]
_TUS = [
    b"Tus-Resumable: 1.0.0\nUpload-Length: 100\nUpload-Metadata: name YS50YXIuZ3o=,type RlVMTA==,profile aG9zdA==",
    b"Upload-Offset: 10\nUpload-Checksum: sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=\nContent-Range: bytes 10-19/100",
    b"Upload-Concat: final;/api/v1/uploads/a /api/v1/uploads/b\nUpload-Defer-Length: 1",
]
_RANGES = [
    b'Range: bytes=0-99\nIf-Range: "tag"\nIf-None-Match: W/"a", "tag"',
    b"Range: bytes=-5\nIf-Modified-Since: Fri, 21 Nov 2025 09:07:19 GMT",
    b"Repr-Digest: sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:, md5=:1B2M2Y8AsgTpgAmY7PhCfg==:",
    b"limit=10&cursor=%00%ff",
    b"2026-11-24T02:00:00+01:00",
]
_NAMES = ["full_2025-11-21_09-07-19.tar.gz", "é+@=,().tar.gz", "web-1", "..tar.gz", "CON", "\u202ex.tar.gz"]
_PATHS = ["a/b c", "back\\\\slash", "\\x1b[2J", "\ud800"]


def seeds() -> Iterator[tuple[str, bytes]]:
    """The folder of each seed and its bytes."""
    for make in TARS.values():
        tar = make()
        if len(tar) <= _MAX_BYTES:
            yield "tar", tar
    for _, tar in tars.WHOLE.values():
        if len(tar) <= _MAX_BYTES:
            yield "tar", tar
            yield "gzip", tars.gz(tar)
    yield "gzip", tars.gzip_member(b"x", extra=b"e", name=b"n", comment=b"c", header_crc=True) + bytes(9)
    for folder, inputs in {"listings": _LISTINGS, "tus": _TUS, "ranges": _RANGES, "multipart": [_FORM]}.items():
        for one in inputs:
            yield folder, one
    for folder, texts in {"names": _NAMES, "paths": _PATHS}.items():
        for text in texts:
            yield folder, text.encode(errors="surrogatepass")


def main() -> None:
    numbers: dict[str, int] = {}
    for folder, content in seeds():
        numbers[folder] = numbers.get(folder, 0) + 1
        (SEEDS / folder).mkdir(parents=True, exist_ok=True)
        (SEEDS / folder / f"{numbers[folder]:03d}").write_bytes(content)


if __name__ == "__main__":
    main()
