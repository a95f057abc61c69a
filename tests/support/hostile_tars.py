"""
Malicious archives: small to send, and costly, misleading or dangerous to a trusting reader.

A table of makers, so that large archives exist only while they are used. ``OUTSIDE`` is a name that some of them try to
write to: a test that extracts one checks afterwards that it does not exist. Nothing here uses the code under test.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from tests.support.tars import (
    BLOCK,
    END,
    GNU_MAGIC,
    base256,
    gz,
    gzip_member,
    header,
    long_name,
    member,
    octal,
    padded,
    pax,
    pax_record,
    sparse_gnu,
)

OUTSIDE = b"tarkeep-hostile-outside"

_ESCAPES = b"\x1b]0;owned\x07\x1b[2J\x1b[1;31m"
_BIDI = "gnp.\u202eexe\u2066\u2069\u200b".encode()


def _link(name: bytes, target: bytes, type: bytes = b"2") -> bytes:
    return header(name, 0, type, patch=(157, target))


def _listing(name: bytes, dumpdir: bytes) -> bytes:
    """A directory with its listing, in gnu format."""
    return header(name, len(dumpdir), b"D", magic=GNU_MAGIC) + padded(dumpdir)


def _numbered(count: int, letter: bytes = b"Y") -> bytes:
    return b"".join(b"%b%d\0" % (letter, number) for number in range(count)) + b"\0"


def _renames(pairs: Iterator[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"R%b\0T%b\0" % pair for pair in pairs) + b"\0"


def _deep(levels: int, first: bytes = b"d") -> bytes:
    return first + b"/d" * (levels - 1)


def _pax_member(records: bytes | dict[bytes, bytes], own: bytes = b"") -> bytes:
    return pax(records) + (own or member(content=b"x")) + END


def _noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def _size(size: bytes) -> bytes:
    return header(b"file", size) + bytes(2 * BLOCK) + END


_SIZES: dict[str, Callable[[], bytes]] = {
    "size negative in base 256": lambda: _size(base256(-1)),
    "size negative and far": lambda: _size(base256(-(1 << 62))),
    "size negative in octal": lambda: _size(b"-0000000512\0"),
    "size huge in base 256": lambda: _size(b"\x80" + b"\xff" * 11),
    "size of 2**63 - 1": lambda: _size(base256((1 << 63) - 1)),
    "size of all sevens": lambda: _size(b"777777777777"),
    "size of a directory": lambda: header(b"d/", base256(1 << 40), b"5") + member() + END,
    "size of a fifo": lambda: header(b"fifo", 600, b"6") + bytes(2 * BLOCK) + member() + END,
    "size in a pax header huge": lambda: _pax_member({b"size": b"9223372036854775807"}),
    "size in a pax header of 5,000 digits": lambda: _pax_member({b"size": b"9" * 5000}),
    "size of a listing huge": lambda: header(b"d/", base256(1 << 60), b"D") + END,
    "size of a long name huge": lambda: header(b"././@LongLink", base256(1 << 60), b"L") + END,
}

_NUMBERS: dict[str, Callable[[], bytes]] = {
    "time of the far past": lambda: header(mtime=base256(-(1 << 62))) + END,
    "time of the far future": lambda: header(mtime=b"\x80" + b"\xff" * 11) + END,
    "time in a pax header of 18 digits": lambda: _pax_member({b"mtime": b"-" + b"9" * 18 + b"." + b"9" * 500}),
    "owner beyond 64 bits": lambda: _pax_member({b"uid": b"99999999999999999999", b"gid": b"-9999999999999999999"}),
    "mode and owner in base 256": lambda: header(patch=(100, b"\xff" * 24)) + END,
}

_FLOODS: dict[str, Callable[[], bytes]] = {
    "50,000 members of six bytes each": lambda: member() * 50_000 + END,
    "20,000 members under one name": lambda: member(b"same", b"x") * 20_000 + END,
    "global headers of 8 KB before 20,000 members": lambda: (
        pax({b"comment.x": b"c" * 6_000}, b"g") + member() * 20_000 + END
    ),
    "20,000 global headers": lambda: pax({b"uname": b"root"}, b"g") * 20_000 + member() + END,
    "20,000 global headers that say nothing": lambda: pax({b"comment": b"c"}, b"g") * 20_000 + member() + END,
}

_PAX: dict[str, Callable[[], bytes]] = {
    "pax header of 3 million records": lambda: _pax_member(b"6 a=b\n" * 3_000_000),
    "pax header of a million keywords": lambda: _pax_member(
        b"".join(pax_record(b"k%d" % number, b"") for number in range(1_000_000))
    ),
    "pax header of nothing but times": lambda: _pax_member(pax_record(b"atime", b"1") * 1_000_000),
    "pax record of 20 MB": lambda: _pax_member({b"comment": b"c" * (20 << 20)}),
    "pax record of 100 MB": lambda: _pax_member({b"comment": b"c" * (100 << 20)}),
    "pax keyword repeated": lambda: _pax_member(b"".join(pax_record(b"path", b"p%d" % n) for n in range(1_000))),
    "pax owner of 20 MB, 20 times": lambda: (pax({b"uname": b"\x1b" * (20 << 20)}) + member()) * 20 + END,
    "pax path of 10 MB": lambda: _pax_member({b"path": b"p" * (10 << 20)}),
    "pax path empty": lambda: _pax_member({b"path": b""}),
    "pax path with NUL": lambda: _pax_member({b"path": b"a\0b"}),
    "pax length that lies": lambda: _pax_member(b"99999999 path=p\n"),
    "pax keywords of sparse files on an ordinary one": lambda: _pax_member(
        {b"GNU.sparse.realsize": b"9223372036854775807", b"GNU.sparse.name": b"../" + OUTSIDE}
    ),
    "global path": lambda: pax({b"path": b"../" + OUTSIDE}, b"g") + member(content=b"x") + member(b"other") + END,
    "global link target": lambda: pax({b"linkpath": b"/" + OUTSIDE}, b"g") + _link(b"a", b"b") + END,
    "global listing": lambda: pax({b"GNU.dumpdir": b"Ya\0\0"}, b"g") + header(b"d/", 0, b"5") + END,
    "global header between a long name and its member": lambda: (
        long_name(b"n" * 300) + pax({b"uname": b"u"}, b"g") + member() + END
    ),
    "two pax headers in a row": lambda: pax({b"path": b"p"}) + pax({b"path": b"q"}) + member() + END,
}

_NAMES: dict[str, Callable[[], bytes]] = {
    "name of 64 KiB": lambda: long_name(b"n" * 65_536) + member() + END,
    "name beyond 64 KiB": lambda: long_name(b"n" * 65_537) + member() + END,
    "name without end": lambda: (
        header(b"././@LongLink", 600, b"L", magic=GNU_MAGIC) + b"n" * 2 * BLOCK + member() + END
    ),
    "name of 10,000 levels": lambda: long_name(_deep(10_000)) + member(content=b"x") + END,
    "directory of 30,000 levels": lambda: long_name(_deep(30_000)) + header(b"d/", 0, b"5") + END,
    "2,000 names of 10,000 levels": lambda: (
        b"".join(long_name(_deep(10_000, b"%d" % number)) + member() for number in range(2_000)) + END
    ),
    "4,000 names of 500 levels": lambda: (
        b"".join(long_name(b"n" * 1_000 + _deep(500, b"%d" % number)) + member() for number in range(4_000)) + END
    ),
    "link target of 64 KiB": lambda: long_name(b"../" * 20_000, b"K") + _link(b"a", b"b") + END,
    "name absolute": lambda: member(b"/" + OUTSIDE, b"x") + member(b"//" + OUTSIDE + b"/x", b"x") + END,
    "name upwards": lambda: member(b"../" + OUTSIDE, b"x") + member(b"a/../../" + OUTSIDE, b"x") + END,
    "name is upwards": lambda: header(b"..", 0, b"5") + header(b"../", 0, b"5") + member(b"a/..", b"x") + END,
    "name of nothing": lambda: member(b"", b"x") + member(b"/", b"x") + member(b".", b"x") + member(b"./", b"x") + END,
    "name of slashes and dots": lambda: member(b"./././/" * 10 + b"./a", b"x") + member(b"a//./b", b"x") + END,
    "name with terminal escapes": lambda: member(_ESCAPES, b"x") + member(b"a\r\nb\tc\x7f\x9b", b"x") + END,
    "name that reads backwards": lambda: _pax_member({b"path": _BIDI, b"uname": _BIDI}),
    "name that is no text": lambda: member(b"\xff\xfe\xed\xa0\x80", b"x") + member(b"\\x41\\", b"x") + END,
    "name that looks like an option": lambda: (
        member(b"--checkpoint-action=exec=touch " + OUTSIDE, b"x") + member(b"-P", b"x") + END
    ),
}

_TYPES: dict[str, Callable[[], bytes]] = {
    "file through a symlink": lambda: _link(b"a", b"../outside") + member(b"a/" + OUTSIDE, b"x") + END,
    "file through an absolute symlink": lambda: _link(b"a", b"/") + member(b"a/" + OUTSIDE, b"x") + END,
    "directory over a symlink": lambda: (
        _link(b"a", b"../outside") + header(b"a/", 0, b"5") + member(b"a/" + OUTSIDE, b"x") + END
    ),
    "symlink over a directory": lambda: (
        header(b"a/", 0, b"5") + member(b"a/b", b"x") + _link(b"a", b"../outside") + member(b"a/c", b"x") + END
    ),
    "symlink chain outwards": lambda: _link(b"a", b"..") + _link(b"a2", b"a/..") + member(b"a2/" + OUTSIDE, b"x") + END,
    "symlink to itself": lambda: _link(b"a", b"a") + member(b"a/b", b"x") + END,
    "file through a symlink, with listings": lambda: (
        _listing(b"./", b"Ya\0\0") + _link(b"a", b"../outside") + member(b"a/" + OUTSIDE, b"x") + END
    ),
    "hard link outwards": lambda: (
        _link(b"a", b"../outside/kept", b"1") + _link(b"b", b"/etc/hostname", b"1") + member(b"a", b"x") + END
    ),
    "hard link to itself": lambda: _link(b"a", b"a", b"1") + END,
    "hard link in a circle": lambda: _link(b"a", b"b", b"1") + _link(b"b", b"a", b"1") + END,
    "hard links in a row of 3,000": lambda: (
        b"".join(_link(b"l%d" % number, b"l%d" % (number + 1), b"1") for number in range(3_000)) + END
    ),
    "hard links in a row, with listings": lambda: (
        _listing(b"./", _numbered(3_000))
        + b"".join(_link(b"%d" % number, b"%d" % (number + 1), b"1") for number in range(3_000))
        + END
    ),
    "hard link to a directory": lambda: header(b"d/", 0, b"5") + _link(b"a", b"d", b"1") + END,
    "hard link to a symlink": lambda: (
        _link(b"s", b"../outside") + _link(b"a", b"s", b"1") + member(b"a/" + OUTSIDE, b"x") + END
    ),
    "devices": lambda: header(b"null", 0, b"3", patch=(329, b"0000001\x000000003\0")) + header(b"sd", 0, b"4") + END,
    "fifo": lambda: header(b"fifo", 0, b"6") + END,
    "file, then a directory of its name": lambda: member(b"a", b"x") + header(b"a/", 0, b"5") + member(b"a/b") + END,
    "directory, then a file of its name": lambda: (
        header(b"a/", 0, b"5") + member(b"a/b", b"x") + member(b"a", b"x") + END
    ),
    "file below a file": lambda: member(b"a", b"x") + member(b"a/b/c", b"x") + END,
    "types M, N, V and unknown ones": lambda: (
        member(b"m", b"x", b"M") + member(b"n", b"x", b"N") + header(b"v", type=b"V") + member(b"z", b"x", b"Z") + END
    ),
    "nothing but a label": lambda: header(b"v" * 100, type=b"V", magic=GNU_MAGIC) + END,
    "type NUL with a slash": lambda: member(b"a/", b"x", b"\0") + member(b"b/", b"x", b"7") + END,
}

_LISTINGS: dict[str, Callable[[], bytes]] = {
    "listing of a million names": lambda: _listing(b"./", _numbered(1_000_000)) + END,
    "listing of 300,000 unchanged names": lambda: _listing(b"./", _numbered(300_000, b"N")) + END,
    "listing of 300,000 directories": lambda: _listing(b"./", _numbered(300_000, b"D")) + END,
    "listings of 12 million names": lambda: _listing(b"./", _numbered(1_000_000, b"N")) * 12 + END,
    "listing with a name of 10 MB": lambda: _listing(b"./", b"Y" + b"n" * (10 << 20) + b"\0\0") + END,
    "listing with a directory of 5 million levels": lambda: _listing(b"./", b"D" + b"d/" * 5_000_000 + b"\0\0") + END,
    "listing with slashes": lambda: _listing(b"./", b"Ya/b\0N/etc/passwd\0Dc//d\0D/\0Y/\0\0") + END,
    "listing with dots": lambda: _listing(b"./", b"Y.\0N..\0D.\0D..\0D../" + OUTSIDE + b"\0\0") + END,
    "listing with empty names": lambda: _listing(b"./", b"Y\0N\0D\0\0") + END,
    "listing without end": lambda: _listing(b"./", b"Ya\0Nb") + END,
    "listing with unknown letters": lambda: _listing(b"./", b"Qa\0\xffb\0Yc\0\0") + member(b"c") + END,
    "listing with escapes": lambda: _listing(b"./", b"N" + _ESCAPES + b"\0N" + _BIDI + b"\0\0") + END,
    "listing of a parent": lambda: _listing(b"../", b"N" + OUTSIDE + b"\0\0") + END,
    "listing at 10,000 levels": lambda: long_name(_deep(10_000)) + _listing(b"d/", b"Na\0\0") + END,
    "1,000 listings at 10,000 levels, and renames": lambda: (
        _listing(b"./", b"Rx\0Ty\0\0")
        + b"".join(long_name(_deep(10_000, b"%d" % number)) + _listing(b"d/", b"Na\0\0") for number in range(1_000))
        + END
    ),
    "rename without its new name": lambda: _listing(b"./", b"Ra\0Yb\0\0") + END,
    "rename without its old name": lambda: _listing(b"./", b"Tb\0\0") + END,
    "rename through no temporary name": lambda: _listing(b"./", b"R\0T\0\0") + END,
    "renames with two temporary names": lambda: _listing(b"./", b"Xa\0Xb\0\0") + END,
    "renames outwards": lambda: (
        _listing(b"./", b"R../outside\0Ta\0R/etc\0Tb\0Ra\0T../" + OUTSIDE + b"\0Na\0Da\0\0")
        + _listing(b"a/", b"\0")
        + END
    ),
    "renames in a circle": lambda: (
        _listing(b"./", b"Ra\0Tb\0Rb\0Tc\0Rc\0Ta\0Da\0Db\0Dc\0\0")
        + b"".join(_listing(name, b"Nx\0\0") for name in (b"a/", b"b/", b"c/"))
        + END
    ),
    "renames into themselves": lambda: (
        _listing(b"./", b"Ra\0Ta/a\0Ra/a\0Ta/a/a\0Da\0\0") + _listing(b"a/", b"Da\0\0") + END
    ),
    "100,000 renames": lambda: (
        _listing(b"./", _renames((b"o%d" % n, b"%d" % n) for n in range(100_000))[:-1] + _numbered(100_000, b"D"))
        + b"".join(_listing(b"%d/" % number, b"Nx\0\0") for number in range(2_000))
        + END
    ),
    "rename of 5 million levels": lambda: _listing(b"./", b"R" + b"d/" * 5_000_000 + b"\0Tx\0\0") + END,
    "listing of 300,000 names in a pax header": lambda: (
        pax({b"GNU.dumpdir": _numbered(300_000)}) + header(b"d/", 0, b"5") + END
    ),
}

_SPARSE: dict[str, Callable[[], bytes]] = {
    "sparse map that overlaps": lambda: _sparse(b"".join(octal(0) + octal(512) for _ in range(4)), 512, octal(1024)),
    "sparse map of impossible places": lambda: _sparse(base256(1 << 62) + base256(1 << 62), 512, base256(1 << 62)),
    "sparse map of negative places": lambda: _sparse(base256(-512) + base256(-512), 512, octal(512)),
    "sparse file that claims 8 EiB": lambda: _sparse(octal(0) + octal(512), 512, base256((1 << 63) - 1)),
    "sparse file of 100,000 extensions": lambda: sparse_gnu(b"x", 100_000) + END,
    "sparse file whose extensions never end": lambda: sparse_gnu(b"x", 2)[: 2 * BLOCK] + END,
    "sparse pax 1.0 with a map of noise": lambda: _sparse_pax(b"7\n" + _noise(7, 505)),
    "sparse pax 1.0 with a map of huge numbers": lambda: _sparse_pax(b"1\n" + b"9" * 18 + b"\n" + b"9" * 18 + b"\n"),
    "sparse pax 1.0 with a map without end": lambda: _sparse_pax(b"99999999\n" + b"0\n" * 250),
    "sparse pax 0.0 of 200,000 extents": lambda: _pax_member(
        pax_record(b"GNU.sparse.size", b"1") + (b"23 GNU.sparse.offset=0\n" + b"25 GNU.sparse.numbytes=0\n") * 200_000
    ),
    "sparse pax 0.1 of a map of 10 MB": lambda: _pax_member(
        {b"GNU.sparse.size": b"1", b"GNU.sparse.map": b"0,0," * 2_500_000 + b"0,0"}
    ),
}


def _sparse(map: bytes, size: int, real_size: bytes) -> bytes:
    patch = (386, map.ljust(97, b"\0") + real_size)
    return header(b"sparse", size, b"S", magic=GNU_MAGIC, patch=patch) + bytes(-(-size // BLOCK) * BLOCK) + END


def _sparse_pax(map: bytes) -> bytes:
    records = {
        b"GNU.sparse.major": b"1",
        b"GNU.sparse.minor": b"0",
        b"GNU.sparse.name": b"sparse",
        b"GNU.sparse.realsize": b"9223372036854775807",
    }
    return pax(records) + member(b"GNUSparseFile.0/sparse", padded(map) + b"x" * BLOCK) + END


def _cut(tar: bytes, seed: int) -> Callable[[], bytes]:
    return lambda: tar[: random.Random(seed).randrange(1, len(tar))]


_CUT: dict[str, Callable[[], bytes]] = {
    f"cut, {number}": _cut(
        long_name(b"n" * 700) + pax({b"path": b"p" * 600}) + member(content=b"x" * 600) + sparse_gnu(b"x" * 600, 3)
        + _listing(b"d/", _numbered(300)) + END[:BLOCK],
        number,
    )
    for number in range(12)
}  # fmt: skip

TARS: dict[str, Callable[[], bytes]] = _SIZES | _NUMBERS | _FLOODS | _PAX | _NAMES | _TYPES | _LISTINGS | _SPARSE | _CUT
"""Tars: name -> maker."""

GIB = 1 << 30


def _zeros(unpacked_bytes: int) -> bytes:
    """Gzip members of zeros that inflate to *unpacked_bytes*, a multiple of 256 MiB, at a thousandth of the size."""
    quarter = GIB // 4
    return gzip_member(bytes(quarter)) * (unpacked_bytes // quarter)


GZIPS: dict[str, Callable[[], bytes]] = {
    "10 GiB of zeros": lambda: _zeros(10 * GIB),
    "file of 10 GiB of zeros": lambda: gzip_member(header(b"zeros", base256(10 * GIB - 2 * BLOCK))) + _zeros(10 * GIB),
    "gzip in gzip in gzip": lambda: gz(gz(gz(gz(member() + END)))),
    "a million empty gzip members": lambda: gzip_member(member() + END) + gzip_member(b"") * 1_000_000,
    "gzip member with a name of 10 MB": lambda: gzip_member(member() + END, name=b"n" * (10 << 20)),
    "gzip members of one byte": lambda: b"".join(
        gzip_member(bytes((byte,))) for byte in member(content=b"x" * 2_000) + END
    ),
    "gzip without end": lambda: gz(member() + END)[:-9],
    "zeros behind the last gzip member": lambda: gz(member() + END) + bytes(20 << 20),
    "dirt behind the last gzip member": lambda: gz(member() + END) + b"\x1f\x8b\x08" + _noise(9, 1_000),
}
"""Whole uploads with the attack in the gzip: name -> maker."""

ALL: dict[str, Callable[[], bytes]] = {
    **{name: (lambda make=make: gz_fast(make())) for name, make in TARS.items()},  # type: ignore[misc]
    **GZIPS,
}
"""Every upload: name -> maker."""


def gz_fast(tar: bytes) -> bytes:
    return gzip_member(tar, level=1)
