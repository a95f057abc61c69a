"""
Yardstick: inflating a ``.tar.gz`` with isal and dropping the bytes, and nothing else.

``python -m benchmarks.inflate FILE`` prints the seconds, without the interpreter's start, and the inflated bytes. One
thread, blocks of 256 KiB (larger ones are no faster), the CRC checked by isal: the fastest way isal offers from Python,
so that the comparison is honest.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from isal import igzip_lib

_BLOCK_BYTES = 1 << 18
_OUTPUT_BYTES = 1 << 18


def inflate(path: Path) -> int:
    """
    The number of inflated bytes of the one gzip member in *path*.

    Raises:
        EOFError: the file ends inside the member.
        isal.igzip_lib.error: it is damaged.
    """
    member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    inflated = 0
    with path.open("rb", buffering=0) as file:
        while not member.eof:
            block = file.read(_BLOCK_BYTES) if member.needs_input else b""
            if not block and member.needs_input:
                raise EOFError(f"{path.name} ends inside its gzip member")
            inflated += len(member.decompress(block, _OUTPUT_BYTES))
    return inflated


if __name__ == "__main__":
    begin = time.perf_counter()
    length = inflate(Path(sys.argv[1]))
    print(f"{time.perf_counter() - begin:.6f} {length}")
