"""
JSON for people, with a sum of itself as its last member, so that any changed byte is noticed.

::

    {
      "name": "value",
      "sum": "<SHA-256 of the same text without this member>"
    }
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

_END = b"\n}"
_SUMMED = b',\n  "sum": "%s"\n}\n'
_LAID_OUT = re.compile(rb',\n  "sum": "([0-9a-f]{64})"\n}\n\Z')


def summed(members: Mapping[str, object]) -> bytes:
    """*members* and their sum: UTF-8 JSON, indented, ending in a newline."""
    text = text_of(members)
    return text.removesuffix(_END) + _SUMMED % sha256(text)


def is_as_summed(raw: bytes) -> bool:
    """Whether *raw* is a text that `summed` made, to the last byte."""
    laid_out = _LAID_OUT.search(raw)
    return laid_out is not None and sha256(raw[: laid_out.start()] + _END) == laid_out[1]


def text_of(members: Mapping[str, object]) -> bytes:
    """*members* without a sum."""
    return json.dumps(members, ensure_ascii=False, indent=2).encode(errors="surrogatepass")


def sha256(text: bytes) -> bytes:
    """The sum of *text*, in lower-case hex."""
    return hashlib.sha256(text).hexdigest().encode()
