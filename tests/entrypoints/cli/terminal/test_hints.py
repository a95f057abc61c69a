"""What a person is told to do about an error of the domain, which itself says what happened only."""

from __future__ import annotations

import pytest

from tarkeep.domain.errors.access import TokenNotFound
from tarkeep.domain.errors.archives import NameConflict
from tarkeep.domain.errors.capacity import CatalogBusy, CatalogDamaged
from tarkeep.domain.errors.client import (
    CertificateNotTrusted,
    DumpTooLarge,
    FolderNotPrivate,
    LocalConflict,
    LocalDiskFull,
    LocalFileChanged,
    NoBackupFolder,
    NothingToSend,
    NotRestorable,
    ParentMoved,
    PrivateFolder,
    PulledBytesDiffer,
    Refused,
    RemoteConflict,
    TargetNotEmpty,
    TarUnusable,
    TooManyArchivesOpen,
    UnsafeMembers,
)
from tarkeep.domain.errors.settings import CatalogLacks, CatalogStaysDamaged, InvalidSetting, NotARegularFile
from tarkeep.domain.tarkeep_error import TarkeepError
from tarkeep.domain.text.lack_counts import Counts
from tarkeep.entrypoints.cli.terminal.exits import last_words
from tarkeep.entrypoints.cli.terminal.hints import hint, in_full
from tests.support.errors import ID

LINES = [
    (TokenNotFound("ab"), "no token 'ab'; tarkeep token list shows the tokens"),
    (
        CertificateNotTrusted("https://backup", "self-signed certificate"),
        "the certificate of https://backup is not trusted: self-signed certificate; give its issuer's "
        "certificate with --cacert, or its own SHA-256 with --fingerprint",
    ),
    (
        RemoteConflict("FULL/a.tar.gz"),
        "other bytes are stored under this name (FULL/a.tar.gz) and stay; rename the file and push it again",
    ),
    (
        LocalFileChanged("a.tar.gz"),
        "a.tar.gz changed while it was read; run this again when the program that writes it has finished",
    ),
    (NothingToSend("here"), "no .tar.gz in FULL, INC or DIFF below here; name files, or set BACKUP_DIR"),
    (
        PulledBytesDiffer("a.tar.gz", "ab", "cd"),
        "a.tar.gz arrived with SHA-256 cd, the server says ab; nothing was kept, and the server was asked to read it "
        "again; pull it again, or see what tarkeep list shows about it",
    ),
    (LocalConflict("a.tar.gz"), "a.tar.gz has other bytes than the server; move it away, or replace it with --force"),
    (
        LocalDiskFull("here", 5, 1),
        "no space left in here, which has 1 byte free and needs 5; free some and run the same command again; it "
        "continues from here",
    ),
    (
        ParentMoved("the parent is another", None),
        "the parent is another; another backup of this profile was stored meanwhile; run the same command again",
    ),
    (TarUnusable("tar", "bsdtar"), "tar is not GNU tar but bsdtar; install GNU tar, or name it with --tar"),
    (
        DumpTooLarge(5, "max_upload_bytes"),
        "this dump goes on after byte 5, which is the last that the server takes of one archive; nothing was stored; "
        "raise max_upload_bytes on the server, or leave something out with --exclude",
    ),
    (
        TargetNotEmpty("there"),
        "there is not empty; restore into a new directory, or use --overwrite, which replaces and removes files as "
        "the archives require",
    ),
    (
        CatalogLacks(12, 11),
        "the store holds 12 archives that the catalog does not know, as after it was lost; more than 11 (setting "
        "max_adopted_archives) are not entered at a start; run tarkeep rebuild",
    ),
    (
        CatalogStaysDamaged(),
        "the catalog was made anew and is still damaged; remove its file, if it has one, and run tarkeep rebuild",
    ),
    (NameConflict(ID, None), f"the store holds a {ID} that the catalog does not know; run tarkeep rebuild"),
    (
        NameConflict(ID, "ab"),
        f"{ID} is already stored with other bytes (sha256 ab) and archives are never overwritten; give it a new name, "
        'for example with the date in it, or set same_name = "keep-both", which adds the receive time to the name',
    ),
    (CatalogBusy(), "the catalog is busy; try again"),
    (
        CatalogDamaged(),
        "the catalog is not available: it is damaged; remove its file, if it has one, and run tarkeep rebuild",
    ),
    (
        NoBackupFolder("here", "there is no such folder"),
        "here cannot be used: there is no such folder; set --backup-dir or BACKUP_DIR",
    ),
    (
        FolderNotPrivate("here", "it is a link", PrivateFolder.WORK),
        "here cannot be used: it is a link; name another folder with --work",
    ),
    (
        FolderNotPrivate("here", "it is a link", PrivateFolder.SPOOL),
        "here cannot be used: it is a link; name another folder with --spool",
    ),
    (
        TooManyArchivesOpen("here", "too many"),
        "here cannot be used: too many; restore with --merged, or raise the limit (ulimit -n)",
    ),
    (NotARegularFile("etc", "is a folder"), "etc: is a folder; tarkeep restore --path restores it"),
    (
        NotRestorable("then", ("it is damaged",), (), Counts(2)),
        "the tree as of then cannot be restored: it is damaged; tarkeep restore --allow-gaps restores it "
        "anyway: 2 names are missing",
    ),
    (
        UnsafeMembers("INC/a.tar.gz", ("../a",), is_merged=True, is_begun=True),
        "INC/a.tar.gz holds what would be written outside the directory (../a); restore into a new directory",
    ),
    (Refused("overloaded", "wait", True, 5.0), "wait; run the same command again later"),
    (Refused("quota-exceeded", "it is full"), "it is full; free space on the server, then run the same command again"),
    (InvalidSetting("level", "must be 1 to 9, is 10"), "setting level: must be 1 to 9, is 10"),
]


@pytest.mark.parametrize(("error", "line"), LINES, ids=lambda it: type(it).__name__)
def test_a_command_ends_with_what_happened_and_what_to_do(error: TarkeepError, line: str) -> None:
    """In one line; where the sentence is enough there is no more."""
    assert in_full(error) == line
    assert last_words(error, "push")[1] == line
    assert line == (f"{error}; {hint(error)}" if hint(error) else str(error))
