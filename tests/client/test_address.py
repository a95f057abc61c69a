"""The address of a server: which texts are valid, which ones are equal, and what is never shown."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tarkeep.domain.client.address import ServerAddress
from tarkeep.domain.errors.settings import InvalidSetting


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("http://127.0.0.1:5000/", "http://127.0.0.1:5000"),
        ("HTTP://Backup.Example", "http://backup.example"),
        ("http://backup.example:80", "http://backup.example"),
        ("https://backup.example:443/", "https://backup.example"),
        ("https://backup.example:80", "https://backup.example:80"),
        ("https://backup.example/below/a/path/", "https://backup.example/below/a/path"),
        ("https://laptop:secret@backup.example/below", "https://backup.example/below"),
        ("http://[::1]:5000", "http://[::1]:5000"),
        ("http://[::1]", "http://[::1]"),
        ("http://b\u00fccher.example", "http://xn--bcher-kva.example"),
        ("http://a_b.internal.", "http://a_b.internal."),
        (" http://backup:5000 ", "http://backup:5000"),
        ("http://backup/\u00e4", "http://backup/%C3%A4"),
    ],
)
def test_an_address_is_the_same_however_it_is_written(text: str, url: str) -> None:
    """Case, a default port, a trailing slash and a login make no difference."""
    assert ServerAddress.parse(text).url == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "backup:5000",
        "ftp://backup",
        "http://",
        "http:///path",
        "http://:5000",
        "http://backup:0",
        "http://backup:65536",
        "http://backup:99999999999",
        "http://backup:abc",
        "http://backup:-1",
        "http://backup:\u0661",
        "http://backup:5000:6000",
        "http://::1",
        "http://[::1",
        "http://[::1]x",
        "http://[backup]",
        "http://[127.0.0.1]:1",
        "http://a..b",
        "http://.b",
        "http://-b",
        "http://" + "a" * 64,
        "http://" + "a." * 200 + "b",
        "http://b\u00fc" + "\u00fc" * 80,
        "http://back up",
        "http://back\nup",
        "http://back\0up",
        "http://backup/?a=b",
        "http://backup/#a",
        "http://back%75p",
        "http://\udcff",
    ],
)
def test_what_can_never_be_an_address_is_refused(text: str) -> None:
    """At once, with the name of the setting."""
    with pytest.raises(InvalidSetting, match="setting server: "):
        ServerAddress.parse(text)


SECRETS = ["s3cret", "s3/cret", "s3@cret", "s3 cret", "s3?cret", "s3#cret", "s3:cret", "s3\ncret", "s3\udcffcret"]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("where", ["http://laptop:{}@backup", "http://laptop:{}@backup:x", "laptop:{}@backup", "{}@"])
def test_a_login_is_never_shown(secret: str, where: str) -> None:
    """For valid and for invalid addresses."""
    try:
        address = ServerAddress.parse(where.format(secret))
    except InvalidSetting as error:
        shown = str(error)
    else:
        shown = address.url + repr(address)

    assert "cret" not in shown
    assert "s3" not in shown


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "where", ["https://backup.example/?token={}", "https://backup.example/#{}", "https://backup.example?{}", "b/x?{}"]
)
def test_the_rest_of_an_invalid_address_is_not_shown_either(secret: str, where: str) -> None:
    """A token in that place is secret, too; scheme and host are shown if they are unambiguous."""
    with pytest.raises(InvalidSetting) as error:
        ServerAddress.parse(where.format(secret))

    assert "cret" not in str(error.value)
    assert "s3" not in str(error.value)
    if where.startswith("https") and "@" not in secret:
        assert "is 'https://backup.example'" in str(error.value)


def test_a_login_is_what_its_escapes_say() -> None:
    """It is bytes, because a password need not be text."""
    address = ServerAddress.parse("https://laptop:s3%2Fcr%40t%FF@backup")

    assert address.login == b"laptop:s3/cr@t\xff"
    assert address.password == "s3/cr@t\ufffd"
    assert ServerAddress.parse("https://backup").password is None


@example("http://\ud800@backup")
@given(st.text(st.characters(codec=None), max_size=40).map(lambda text: f"http://{text}"))
def test_any_text_is_an_address_or_is_refused(text: str) -> None:
    """A valid address gives the same address when its text is parsed again."""
    try:
        address = ServerAddress.parse(text)
    except InvalidSetting:
        return

    assert ServerAddress.parse(address.url).url == address.url
    assert address.url.isascii()
