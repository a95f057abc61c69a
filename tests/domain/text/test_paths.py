"""Names from archives as text that travels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.domain.text.paths import path_bytes, path_text


@given(st.binary(max_size=20) | st.text(max_size=20).map(lambda text: text.encode(errors="surrogatepass")))
def test_every_name_comes_back(path: bytes) -> None:
    """Whatever the bytes are, the text can be printed and sent in a query, and gives them back."""
    text = path_text(path)

    assert path_bytes(text) == path
    assert text.isprintable()
    assert "\ufffd" not in text


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (b"documents/a b.txt", "documents/a b.txt"),
        ("été/Straße".encode(), "été/Straße"),
        (b"latin-\xe9", r"latin-\xe9"),
        (b"back\\slash\\x41", r"back\\slash\\x41"),
        (b"line\nfeed\x1b[2J", r"line\x0afeed\x1b[2J"),
        ("\u202egpj.exe".encode(), r"\xe2\x80\xaegpj.exe"),
        ("\ufffd".encode(), r"\xef\xbf\xbd"),
    ],
)
def test_a_name_as_text(path: bytes, text: str) -> None:
    """Printable UTF-8 as it is; everything else byte by byte."""
    assert path_text(path) == text


@pytest.mark.parametrize("text", ["\\", "a\\b", "\\x4", "\\xgg", "\\\\\\"])
def test_a_backslash_that_begins_nothing_is_an_error(text: str) -> None:
    """The intended path is not guessed."""
    with pytest.raises(ValueError, match="backslash"):
        path_bytes(text)
