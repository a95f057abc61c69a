"""The rules for names, by table and by property."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tarkeep.domain.identity.invalid import InvalidName
from tarkeep.domain.identity.naming import (
    check_archive_name,
    check_profile,
    day_in_name,
    judged_closely,
    time_in_name,
    with_time,
)


@pytest.mark.parametrize("name", ["a", "document", "Laptop-2.home_dir", "0", "x" * 64])
def test_profiles_that_pass(name: str) -> None:
    """Letters, digits, dot, underscore and hyphen, up to 64."""
    assert check_profile(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "-x", "_x", "a/b", "a b", "é", "a\n", "a\0", "x" * 65, "a%2f"]
)
def test_profiles_that_are_refused(name: str) -> None:
    """A name with a meaning to a file system, a shell or a URL is refused with the broken rule."""
    with pytest.raises(InvalidName, match="profile name"):
        check_profile(name)


@pytest.mark.parametrize(
    "name",
    [
        "a.tar.gz",
        "full_2025-11-21_09-07-19.tar.gz",
        "my backup (2), final=yes@home+1.tar.gz",
        "sauvegarde-été.tar.gz",
        "резервная копия.tar.gz",
        "バックアップ.tar.gz",
        "हिन्दी.tar.gz",
        "x" * 193 + ".tar.gz",
    ],
)
def test_archive_names_that_pass(name: str) -> None:
    """Letters and digits of any script, space, and the punctuation of the rule."""
    assert check_archive_name(name) == name


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("", "must end in"),
        (".tar.gz", "must have 8 to 200 bytes"),
        ("a.tgz", "must end in"),
        ("a.TAR.GZ", "must end in"),
        # those of files that a store keeps beside an archive
        ("a.tar.gz.json", "must end in"),
        ("a.tar.gz.snar", "must end in"),
        ("a.tar.gz.marks", "must end in"),
        ("a.tar.gz.trashed.json", "must end in"),
        ("x" * 194 + ".tar.gz", "must have 8 to 200 bytes"),
        ("é" * 97 + ".tar.gz", "must have 8 to 200 bytes"),
        ("../a.tar.gz", "may hold only"),
        ("a/b.tar.gz", "may hold only"),
        ("a\\b.tar.gz", "may hold only"),
        (" a.tar.gz", "must start with"),
        ("-rf.tar.gz", "must start with"),
        ("\u0301a.tar.gz", "must start with"),
        ("a\n.tar.gz", "may hold only"),
        ("a\0.tar.gz", "may hold only"),
        ("a'b.tar.gz", "may hold only"),
        ('a"b.tar.gz', "may hold only"),
        ("a$b.tar.gz", "may hold only"),
        ("a\u202eb.tar.gz", "may hold only"),
        ("a\u200bb.tar.gz", "may hold only"),
        ("a\ue000b.tar.gz", "may hold only"),
        ("a😀b.tar.gz", "may hold only"),
        ("a\ud800b.tar.gz", "must be valid UTF-8"),
        (unicodedata.normalize("NFD", "été.tar.gz"), "normal form C"),
    ],
)
def test_archive_names_that_are_refused(name: str, rule: str) -> None:
    """The error names the broken rule."""
    with pytest.raises(InvalidName, match="archive name") as caught:
        check_archive_name(name)

    assert rule in caught.value.rule


@given(st.text(max_size=210) | st.text(max_size=20).map(lambda text: f"{text}.tar.gz"))
def test_what_passes_is_one_safe_path_component(name: str) -> None:
    """A name that passes has no separator, no control or format character, and is not a dot name."""
    try:
        check_archive_name(name)
    except InvalidName as error:
        str(error).encode()  # the message can always be sent
        return

    assert not set(name) & set("/\\\0'\"$`;&|<>*?[]{}!#~%^:\n\r\t")
    assert name[0] not in ".- "
    assert all(unicodedata.category(character)[0] != "C" for character in name)
    assert len(name.encode()) <= 200


@pytest.mark.parametrize(
    "name",
    [
        "full_2025-11-21_09-07-19.tar.gz",
        "20251121T090719Z.tar.gz",
        "home 2025-11-21 09-07-19.tar.gz",
        "20251121090719.tar.gz",
        "inc-99999999-2025-11-21T09-07-19Z.tar.gz",
    ],
)
def test_the_time_in_a_name_is_found(name: str) -> None:
    """The usual formats of a time in a file name are understood."""
    assert time_in_name(name) == datetime(2025, 11, 21, 9, 7, 19, tzinfo=UTC)


@pytest.mark.parametrize(
    "name", ["backup.tar.gz", "2025-11-21.tar.gz", "2025-13-41_09-07-19.tar.gz", "1234567890.tar.gz"]
)
def test_a_name_without_a_whole_time_has_none(name: str) -> None:
    """A date alone, an impossible time and a bare number are not times."""
    assert time_in_name(name) is None


@pytest.mark.parametrize("name", ["full_2025-11-21.tar.gz", "a20251121-1.tar.gz", "12345678-2025.11.21.tar.gz"])
def test_the_day_in_a_name_is_found(name: str) -> None:
    """The usual formats of a day are understood, in the given zone."""
    begin, end = datetime(2025, 11, 20, 23, tzinfo=UTC), datetime(2025, 11, 21, 22, 59, 59, 999_999, tzinfo=UTC)

    assert day_in_name(name, ZoneInfo("Europe/Paris")) == (begin, end)


@pytest.mark.parametrize(
    "name", ["backup.tar.gz", "2025-1121.tar.gz", "20251399.tar.gz", "2025-02-30.tar.gz", "1.tar.gz"]
)
def test_a_name_without_a_day_has_none(name: str) -> None:
    """A day that does not exist in the calendar is not one either."""
    assert day_in_name(name) is None


def test_the_time_put_into_a_name_is_found_again() -> None:
    """A name made by keep-both contains the time when its archive was received."""
    moment = datetime(2026, 11, 23, 2, 3, 4, tzinfo=UTC)

    name = with_time("backup.tar.gz", moment)

    assert name == "backup.2026-11-23T02-03-04Z.tar.gz"
    assert time_in_name(name) == moment


odd = st.sampled_from("aZ09 ._+@=,()-\n\0/\u00e9\u0301\u00aa\u0663\ud800~\u200b")
suffixes = st.sampled_from([".tar.gz", ".tar.gz\n", ".TAR.GZ", ".tar-gz", ""])


@given(st.text(odd, max_size=12) | st.text(odd, min_size=185, max_size=200), suffixes)
@example("a" * 193, ".tar.gz")
@example("a" * 194, ".tar.gz")
@example("a", ".tar.gz\n")
@example("", ".tar.gz")
def test_the_fast_check_of_a_name_agrees_with_the_rules(stem: str, suffix: str) -> None:
    """The pattern of common names accepts only names that the rules accept; the rules judge all others."""
    assert outcome(check_archive_name, stem + suffix) == outcome(judged_closely, stem + suffix)


def outcome(judge: Callable[[str], str], name: str) -> tuple[str, str]:
    try:
        return "", judge(name)
    except InvalidName as error:
        return error.rule, name
