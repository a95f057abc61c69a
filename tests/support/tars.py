"""
Tars and gzips of every kind for tests: by GNU tar, by `tarfile`, and by hand if no tool would write them.

Nothing here uses the code under test, so its view of an archive is an independent one.
"""

from __future__ import annotations

import gzip
import io
import os
import random
import struct
import subprocess
import tarfile
import zlib
from pathlib import Path

BLOCK = 512
END = bytes(2 * BLOCK)
GNU_MAGIC = b"ustar  \0"
POSIX_MAGIC = b"ustar\x0000"
NO_MAGIC = bytes(8)


def gz(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % BLOCK)


def octal(number: int, width: int = 12) -> bytes:
    return b"%0*o\0" % (width - 1, number)


def base256(number: int) -> bytes:
    return struct.pack(">i", -1 if number < 0 else 0x8000_0000 - (1 << 32)) + struct.pack(">q", number)


def header(
    name: bytes = b"file",
    size: int | bytes = 0,
    type: bytes = b"0",
    *,
    mtime: int | bytes = 1_700_000_000,
    magic: bytes = POSIX_MAGIC,
    signed: bool = False,
    sum_error: int = 0,
    sum_format: bytes = b"%06o\0 ",
    patch: tuple[int, bytes] = (0, b""),
) -> bytes:
    """
    One header block. *size* and *mtime* may be given as their raw 12 bytes; *patch* is written over the block at an
    offset before the checksum is computed.
    """
    block = bytearray(BLOCK)
    block[: len(name)] = name
    block[100:124] = b"0000644\0" + b"0001750\0" * 2
    block[124:136] = size if isinstance(size, bytes) else octal(size)
    block[136:148] = mtime if isinstance(mtime, bytes) else octal(mtime)
    block[148:156] = b" " * 8
    block[156:157] = type
    block[257:265] = magic
    block[patch[0] : patch[0] + len(patch[1])] = patch[1]
    total = sum(byte - 256 if signed and byte > 127 else byte for byte in block)
    block[148:156] = sum_format % (total + sum_error)
    return bytes(block)


def member(name: bytes = b"file", content: bytes = b"", type: bytes = b"0", *, mtime: int = 1_700_000_000) -> bytes:
    return header(name, len(content), type, mtime=mtime) + padded(content)


def pax_record(keyword: bytes, value: bytes) -> bytes:
    length = len(keyword) + len(value) + 3
    while len(str(length)) + len(keyword) + len(value) + 3 != length:
        length = len(str(length)) + len(keyword) + len(value) + 3
    return b"%d %s=%s\n" % (length, keyword, value)


def pax(records: bytes | dict[bytes, bytes], type: bytes = b"x") -> bytes:
    """A pax header of *records*, given raw or as keywords and values."""
    if isinstance(records, dict):
        records = b"".join(pax_record(keyword, value) for keyword, value in records.items())
    return header(b"PaxHeaders/file", len(records), type) + padded(records)


def long_name(name: bytes, type: bytes = b"L") -> bytes:
    return header(b"././@LongLink", len(name) + 1, type, magic=GNU_MAGIC) + padded(name + b"\0")


def sparse_gnu(content: bytes, extensions: int) -> bytes:
    """A sparse member in old GNU format with that many extension headers after its header."""
    first = header(b"sparse", len(content), b"S", magic=GNU_MAGIC, patch=(482, b"\1" if extensions else b"\0"))
    more = b"".join(
        octal(0) * 42 + (b"\1" if number + 1 < extensions else b"\0") + bytes(7) for number in range(extensions)
    )
    return first + more + padded(content)


def gzip_member(
    content: bytes,
    *,
    extra: bytes | None = None,
    name: bytes | None = None,
    comment: bytes | None = None,
    header_crc: bool = False,
    header_crc_error: int = 0,
    crc_error: int = 0,
    length_error: int = 0,
    flags: int = 0,
    method: int = 8,
    level: int = 6,
) -> bytes:
    """One gzip member with any fields and faults; *flags* are set in addition to those of the fields."""
    flags |= (extra is not None) * 4 | (name is not None) * 8 | (comment is not None) * 16 | header_crc * 2
    head = bytes((0x1F, 0x8B, method, flags)) + bytes(6)
    if extra is not None:
        head += struct.pack("<H", len(extra)) + extra
    head += b"".join(text + b"\0" for text in (name, comment) if text is not None)
    if header_crc:
        head += struct.pack("<H", zlib.crc32(head) & 0xFFFF ^ header_crc_error)
    deflate = zlib.compressobj(level, wbits=-15)
    body = deflate.compress(content) + deflate.flush()
    return head + body + struct.pack("<II", zlib.crc32(content) ^ crc_error, len(content) + length_error & 0xFFFF_FFFF)


def zeros_targz(unpacked_bytes: int, tar: bytes = b"") -> bytes:
    """*tar* followed by *unpacked_bytes* zero bytes, compressed a thousandfold, made without holding them."""
    deflate = zlib.compressobj(9, wbits=31)
    mebibyte = bytes(1 << 20)
    parts = [deflate.compress(tar)]
    parts += [
        deflate.compress(mebibyte[: min(1 << 20, unpacked_bytes - at)]) for at in range(0, unpacked_bytes, 1 << 20)
    ]
    return b"".join(parts) + deflate.flush()


# -- by real tools ---------------------------------------------------------------------------------------------------


def gnu_tar(*arguments: str | Path, stdin: bytes | None = None) -> bytes:
    """The output of the system's tar. Fails if tar fails."""
    environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
    done = subprocess.run(["tar", *arguments], input=stdin, capture_output=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def count_listed(targz: bytes) -> int:
    """The number of members that GNU tar lists."""
    return len(gnu_tar("--list", "--gzip", "--file=-", stdin=targz).splitlines())


def write_tree(root: Path, seed: int, *, sparse: bool = True) -> None:
    """A small random tree: nested directories, long names, hard and symbolic links, a fifo, files with holes."""
    rng = random.Random(seed)
    root.mkdir(parents=True)
    directories, files = [root], [root / "first"]
    files[0].write_bytes(b"first")
    for number in range(rng.randrange(10, 40)):
        parent = rng.choice(directories)
        name = rng.choice(("short", "with space", "ä-ö-ü", "l" * rng.randrange(90, 250))) + str(number)
        path = parent / name
        what = rng.randrange(9)
        if what <= 1:
            path.mkdir()
            directories.append(path)
        elif what == 2:
            path.symlink_to(rng.choice(("x", "y" * rng.randrange(90, 300))))
        elif what == 3:
            path.hardlink_to(rng.choice(files))
        elif what == 4:
            os.mkfifo(path)
        else:
            with path.open("wb") as file:
                if what == 5 and sparse:
                    file.seek(rng.randrange(1, 40) * 4096)
                file.write(rng.randbytes(rng.choice((0, 1, 511, 512, 513, rng.randrange(20_000)))))
            os.utime(path, (0, rng.randrange(1_000_000_000, 1_700_000_000)))
            files.append(path)


def with_tarfile(format: int) -> bytes:
    """A tar by Python: 6 members, among them long and non-ASCII names and a time with a fraction."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format, encoding="utf-8") as tar:
        for name, type, content in (
            ("directory", tarfile.DIRTYPE, b""),
            ("directory/" + "n" * 60 + "/" + "ö" * 30, tarfile.REGTYPE, b"x" * 700),
            ("link", tarfile.SYMTYPE, b""),
            ("hard", tarfile.LNKTYPE, b""),
            ("fifo", tarfile.FIFOTYPE, b""),
            ("last", tarfile.REGTYPE, b""),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = type, len(content), "first"
            info.mtime = 1_600_000_000.25 if format == tarfile.PAX_FORMAT else 1_600_000_000
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


# -- by hand ---------------------------------------------------------------------------------------------------------

HUGE_RECORD = pax_record(b"GNU.dumpdir", b"Nname\0" * 200_000 + b"\0")

WHOLE: dict[str, tuple[int, bytes]] = {
    "no member": (0, END),
    "one zero block": (1, member() + bytes(BLOCK)),
    "v7": (1, header(magic=NO_MAGIC, type=b"\0") + END),
    "signed checksum": (1, header(b"\xc3\xa4" * 10, signed=True) + END),
    "checksum with leading spaces": (1, header(sum_format=b"%6o\0 ") + END),
    "checksum of seven digits": (1, header(sum_format=b"%07o\0") + END),
    "checksum over many high bytes": (1, header(b"\xff" * 100, patch=(157, b"\xff" * 355)) + END),
    "size with spaces": (1, header(size=b"         12 \0") + padded(b"x" * 10) + END),
    "size of twelve digits": (1, header(size=b"000000000012") + padded(b"x" * 10) + END),
    "size in base 256": (1, header(size=base256(10)) + padded(b"x" * 10) + END),
    "size of NULs": (1, header(size=bytes(12)) + END),
    "time before 1970": (1, header(mtime=base256(-1)) + END),
    "time that is none": (1, header(mtime=b"zzzzzzzzzzz\0") + END),
    "hard link with a size": (2, header(size=1000, type=b"1") + member() + END),
    "directory with a size": (2, header(b"d/", 1000, b"5") + member() + END),
    "directory with a pax size": (2, pax({b"size": b"1000"}) + header(b"d/", 0, b"5") + member() + END),
    "hard link with a pax size": (
        2,
        pax({b"size": b"10"}) + header(b"h", 0, b"1") + padded(b"x" * 10) + member() + END,
    ),
    "unknown type": (2, member(content=b"x" * 600, type=b"Z") + member() + END),
    "volume label": (1, header(b"label", type=b"V", magic=GNU_MAGIC) + member() + END),
    "long name and link": (1, long_name(b"n" * 5000) + long_name(b"l" * 5000, b"K") + member() + END),
    "pax size overrides": (2, pax({b"size": b"600"}) + header() + bytes(1024) + member() + END),
    "pax size and long name": (2, pax({b"size": b"600"}) + long_name(b"n") + header() + bytes(1024) + member() + END),
    "pax padded with NULs": (1, pax(pax_record(b"path", b"p") + bytes(9)) + member() + END),
    "pax time that is none": (1, pax({b"mtime": b"1e-05"}) + member() + END),
    "pax value with newline and equals": (1, pax({b"path": b"a\n=b\n9 c=d"}) + member() + END),
    "pax of Solaris": (1, pax({b"path": b"p"}, b"X") + member() + END),
    "pax empty": (1, pax(b"") + member() + END),
    "pax with a huge record": (1, pax(HUGE_RECORD) + header(b"d/", type=b"5") + END),
    "pax with a long keyword": (1, pax({b"SCHILY.xattr." + b"k" * 900: b"v" * 2000}) + member() + END),
    "global pax alone": (0, pax({b"comment": b"c"}, b"g") + END),
    "global pax first": (2, pax({b"comment": b"c"}, b"g") + member() + member() + END),
    "sparse without extension": (2, sparse_gnu(b"x" * 600, 0) + member() + END),
    "sparse with one extension": (2, sparse_gnu(b"x" * 600, 1) + member() + END),
    "sparse with extensions": (2, sparse_gnu(b"x" * 600, 40) + member() + END),
    "sparse without data": (2, sparse_gnu(b"", 2) + member() + END),
    "times in the prefix area": (1, header(magic=GNU_MAGIC, patch=(345, b"14524770000\0" * 2)) + END),
    "another archive behind": (1, member() + END + member() + END),
    "dirt behind": (1, member() + END + b"\xff" * 1000),
    "end of odd length": (1, member() + bytes(BLOCK + 7)),
}
"""Whole tars: name -> (members, bytes)."""

BROKEN: dict[str, bytes] = {
    "continued volume": member(content=b"x" * 600, type=b"M") + member() + END,
    "nothing": b"",
    "text": b"This is no tar, but a text of some length. " * 40,
    "short text": b"text",
    "less than a block of zeros": bytes(300),
    "no end": member() + member(content=b"x"),
    "end of half a block": member() + bytes(256),
    "checksum off by one": header(sum_error=1) + END,
    "checksum off by what Adler-32 wraps at": header(sum_error=65_521) + END,
    "second checksum wrong": member() + header(sum_error=8) + END,
    "checksum is no number": header(sum_format=b"zzzz%04o") + END,
    "negative size": header(size=base256(-1)) + END,
    "negative size, far": header(size=base256(-(1 << 62))) + END,
    "negative octal size": header(size=b"-0000000005\0") + END,
    "huge size in base 256": header(size=b"\x80" + b"\xff" * 11) + END,
    "largest size": header(size=base256((1 << 63) - 1)) + END,
    "largest octal size": header(size=b"777777777777") + END,
    "size with digit 8": header(size=b"00000000008\0") + padded(b"x" * 8) + END,
    "size with underscore": header(size=b"000000000_5\0") + padded(b"x" * 5) + END,
    "size of Python": header(size=b"0o000000005\0") + padded(b"x" * 5) + END,
    "size of spaces": header(size=b" " * 12) + END,
    "data cut": header(size=2000) + bytes(1024),
    "padding cut": member(content=b"x") + header(size=1) + b"x",
    "long name cut": header(b"././@LongLink", 2000, b"L") + b"n" * 1000,
    "long name for no member": long_name(b"n") + END,
    "pax for no member": pax({b"path": b"p"}) + END,
    "two pax for one member": pax({b"size": b"5"}) + pax({b"path": b"p"}) + member() + END,
    "pax cut": header(size=2000, type=b"x") + pax_record(b"path", b"p" * 500),
    "pax length too long": pax(b"99 path=p\n") + member() + END,
    "pax length far too long": pax(b"99999999999999999999 path=p\n") + member() + END,
    "pax length too short": pax(b"3 path=p\n") + member() + END,
    "pax length one short": pax(b"9 path=pp\n") + member() + END,
    "pax length zero": pax(b"0 path=p\n") + member() + END,
    "pax length missing": pax(b"path=p\n") + member() + END,
    "pax length without end": pax(b"1" * 600) + member() + END,
    "pax record cut": pax(b"12") + member() + END,
    "pax without newline": pax(b"9 path=pp") + member() + END,
    "pax without equals": pax(b"8 path!\n") + member() + END,
    "pax keyword without end": pax(b"3000 " + b"k" * 2995) + member() + END,
    "pax huge record without newline": pax(HUGE_RECORD[:-1] + b"!") + member() + END,
    "pax size negative": pax({b"size": b"-5"}) + member() + END,
    "pax size with sign": pax({b"size": b"+5"}) + member(content=b"12345") + END,
    "pax size empty": pax({b"size": b""}) + member() + END,
    "pax size huge": pax({b"size": b"9" * 19}) + member() + END,
    "pax size of many digits": pax({b"size": b"9" * 5000}) + member() + END,
    "pax size of many zeros": pax({b"size": b"0" * 5000}) + member() + END,
    "pax size beyond the end": pax({b"size": b"9223372036854775807"}) + member() + END,
    "global pax size": pax({b"size": b"5"}, b"g") + member() + END,
    "sparse extension missing": sparse_gnu(b"", 3)[: 2 * BLOCK],
}
"""Tars that are not whole, in the tar itself and not in the gzip."""
