"""Where the fields of a header stand, in one place for readers and writers."""

from __future__ import annotations

import re
from struct import Struct

BLOCK_BYTES = 512


HEADER = Struct("100s8s8s8s12s12s8xc100s8s32s32s8s8s155s")


NAME, MODE, SIZE, MTIME, TYPE, LINK = (0, 100), (100, 108), (124, 136), (136, 148), 156, (157, 257)


SUM_AT, SUM_END = 148, 156


MAGIC_AT = 257


PREFIX_AT = 345


TIMES = (345, 369)  # atime and ctime in GNU format


NO_TIMES = bytes(TIMES[1] - TIMES[0])


REAL_SIZE = (483, 495)


NAME_FIELD_BYTES = 100


NEWLINE = 10


PAX_NAME = b"./PaxHeaders/member"


NO_PREFIX = bytes(BLOCK_BYTES - PREFIX_AT)


POSIX = b"ustar\0"


GLOBAL = 103  # g


PAX_HEADER = 120  # x


PAX = frozenset(b"xX")


LONG_NAME, LONG_LINK = 76, 75  # L, K


EXTENSIONS = PAX | {GLOBAL, LONG_NAME, LONG_LINK}


FILE, DIRECTORY = b"05"


DIRECTORIES = b"5D"


SIMPLE = frozenset(b"023456")


MAYBE_DIRECTORIES = b"0\x007"  # directories if their name ends in a slash


ONLY_TIMES = (
    rb"(?:" + b"|".join(b"%d(?=.{%d}\n)" % (n, n - 3) for n in range(30, 10, -1)) + rb") "
    rb"(?:mtime=([0-9]{1,10}(?:\.[0-9]{1,9})?)|[ac]time=[0-9]{1,10}(?:\.[0-9]{1,9})?)\n"
)
"""
One pax record with a time; the first group is mtime. For nearly every member in posix format GNU tar writes nothing
else. The lookahead checks the length of the record.
"""


TIMES_FIRST = re.compile(b"(?:" + ONLY_TIMES + b")*")


DUMPDIR_RECORD = re.compile(rb"([0-9]{1,9}) GNU\.dumpdir=", re.ASCII)


TIMES_ALONE = re.compile(b"(?:" + ONLY_TIMES + b")+\\0*")


SPARSE_NAME = b"GNU.sparse.name"


DUMPDIR = b"GNU.dumpdir"
