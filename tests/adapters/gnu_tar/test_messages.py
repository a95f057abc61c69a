"""GNU tar's messages while it makes an archive: which files it could not read, and what else matters."""

from __future__ import annotations

import io

import pytest

from tarkeep.adapters.gnu_tar.messages import KEPT, TarMessages

AT_THE_END = "tar: Exiting with failure status due to previous errors\n"


def heard(*lines: str) -> tuple[TarMessages, tuple[str, ...]]:
    messages = TarMessages(io.BytesIO("".join(lines).encode()))
    return messages, messages.wait()


@pytest.mark.parametrize(
    ("said", "path", "reason"),
    [
        ("src/secret: Cannot open: Permission denied", b"src/secret", "Permission denied"),
        ("src/x: Cannot stat: Permission denied", b"src/x", "Permission denied"),
        ("src/link: Cannot readlink: Input/output error", b"src/link", "Input/output error"),
        ("src/d: Cannot savedir: Input/output error", b"src/d", "Input/output error"),
        ("src/a: Read error at byte 0, while reading 10240 bytes: Input/output error", b"src/a", "Input/output error"),
        ("src/a: Read error at byte 1, while reading 1 byte: Input/output error", b"src/a", "Input/output error"),
        (r"src/n\377\n x: Cannot open: Permission denied", b"src/n\xff\n x", "Permission denied"),
        (r"src/a\\b\303\244: Cannot open: Permission denied", "src/a\\bä".encode(), "Permission denied"),
        ("src/a: Cannot open: b: Cannot open: Permission denied", b"src/a: Cannot open: b", "Permission denied"),
    ],
)
def test_which_file_could_not_be_read(said: str, path: bytes, reason: str) -> None:
    """Byte by byte, whatever its name is."""
    messages, _ = heard(f"tar: {said}\n", AT_THE_END)

    assert [(one.path, one.reason) for one in messages.unreadable] == [(path, reason)]
    assert (messages.went_on, messages.are_all_known) == (True, True)


def test_errors_come_first_and_what_is_ignored_on_purpose_last() -> None:
    """In whatever order tar met them, and however many sockets there are."""
    messages, said = heard(
        *(f"tar: src/{number}: socket ignored\n" for number in range(KEPT * 2)),
        "tar: src/log: file changed as we read it\n",
        "tar: src/secret: Cannot open: Permission denied\n",
        AT_THE_END,
    )

    assert said[:3] == (
        "src/secret: Cannot open: Permission denied",
        "src/log: file changed as we read it",
        "src/0: socket ignored",
    )
    assert len(said) == KEPT + 2
    assert messages.changed == ("src/log: file changed as we read it",)


def test_every_unreadable_file_counts() -> None:
    """The messages are bounded, the list of files is not."""
    messages, said = heard(*(f"tar: src/{number}: Cannot open: Permission denied\n" for number in range(KEPT * 3)))

    assert (len(messages.unreadable), len(said)) == (KEPT * 3, KEPT)
    assert not messages.went_on


@pytest.mark.parametrize(
    "said",
    [
        "/tmp/tarkeep-x/snapshot: Cannot write: No space left on device",
        "memory exhausted",
        "src/a: something new",
        "Error is not recoverable: exiting now",
    ],
)
def test_what_nobody_knows_is_an_error(said: str) -> None:
    """A dump never passes as good because a message was not understood."""
    messages, _ = heard("tar: src/secret: Cannot open: Permission denied\n", f"tar: {said}\n", AT_THE_END)

    assert not messages.are_all_known
