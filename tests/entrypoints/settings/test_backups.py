"""The settings of backups: what stands in the file, what the line says, and what neither may say."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tarkeep.domain.client.backup.dump_rule import DumpRule
from tarkeep.domain.errors.settings import InvalidSetting, UsageError
from tarkeep.domain.identity.archive_id import BackupType
from tarkeep.domain.identity.invalid import InvalidType
from tarkeep.domain.tarkeep_error import TarkeepError
from tarkeep.entrypoints.settings.backups import BackupSettings, from_table


def test_each_profile_has_a_table(tmp_path: Path) -> None:
    """With everything that a line can say."""
    (tmp_path / "list").write_text("*.o\n")
    found = from_table(
        {
            "laptop": {
                "directory": str(tmp_path),
                "type": "diff",
                "exclude": ["*.tmp", ".cache"],
                "exclude_from": [str(tmp_path / "list")],
                "one_file_system": True,
                "full_every": "12w",
                "diff_every": "never",
                "max_chain": 5,
                "compress_jobs": 3,
                "level": 9,
            },
            "desk": {},
        }
    )

    assert list(found) == ["laptop", "desk"]
    laptop = found["laptop"]
    source = laptop.source()
    assert (source.directory, source.exclude, source.one_file_system) == (str(tmp_path), ("*.tmp", ".cache"), True)
    assert source.exclude_from == (str(tmp_path / "list"),)
    assert laptop.rule() == DumpRule(timedelta(weeks=12), None, 5)
    assert (laptop.wanted(), laptop.compression()) == (BackupType.DIFF, (3, 9))
    assert found["desk"].rule() == DumpRule()
    assert found["desk"].wanted() is None


def test_the_line_goes_before_the_file() -> None:
    """But what either excludes is excluded: a secret that the file keeps out stays out."""
    file = BackupSettings(directory="/a", exclude=("secret",), full_every="1d", level=1, one_file_system=True)
    both = BackupSettings(directory="/b", exclude=("tmp",), level=9).over(file)

    assert (both.directory, both.level, both.full_every, both.one_file_system) == ("/b", 9, "1d", True)
    assert both.exclude == ("secret", "tmp")


@pytest.mark.parametrize(
    ("table", "error", "words"),
    [
        (
            {"laptop": {"directry": "/"}},
            InvalidSetting,
            "[backup.laptop] in config.toml: there is no setting directry; did you mean directory?",
        ),
        ({"laptop": {"bogus": 1}}, InvalidSetting, "[backup.laptop] in config.toml: there is no setting bogus"),
        ({"laptop": {"exclude": "x"}}, InvalidSetting, "exclude must be a list, and is a text"),
        ({"laptop": {"exclude": [1]}}, InvalidSetting, "exclude[0] must be a text, and is a whole number"),
        ({"laptop": {"max_chain": "7"}}, InvalidSetting, "max_chain must be a whole number, and is a text"),
        ({"directory": "/x"}, InvalidSetting, "directory belongs in the table of a profile, such as [backup.laptop]"),
        ({"no/slash": {}}, InvalidSetting, "[backup] in config.toml: profile name 'no/slash' may hold only"),
        ({"laptop": {"full_every": "1 month"}}, InvalidSetting, "full_every"),
        ({"laptop": {"diff_every": "0d"}}, InvalidSetting, "diff_every"),
        ({"laptop": {"max_chain": 0}}, InvalidSetting, "max_chain"),
        ({"laptop": {"type": "some"}}, InvalidType, "some"),
        ({"laptop": {"level": 0}}, InvalidSetting, "level"),
        ({"laptop": {"compress_jobs": 0}}, InvalidSetting, "compress_jobs"),
    ],
)
def test_what_is_no_setting_is_an_error(table: dict[str, object], error: type[TarkeepError], words: str) -> None:
    """Of whichever profile, before any is backed up."""
    with pytest.raises(error) as raised:
        from_table({"good": {}, **table}, "config.toml")
    assert words in str(raised.value)


def test_what_is_to_be_dumped_must_be_there(tmp_path: Path) -> None:
    """A directory, and lists that are files; a link is followed, so that the dump does not hold just that."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")

    assert BackupSettings(directory=str(tmp_path / "link")).source().directory == str(tmp_path / "real")
    with pytest.raises(UsageError):
        BackupSettings().source()
    with pytest.raises(InvalidSetting, match="is not a directory"):
        BackupSettings(directory=str(tmp_path / "none")).source()
    with pytest.raises(InvalidSetting, match="is not a file"):
        BackupSettings(directory=str(tmp_path), exclude_from=(str(tmp_path),)).source()
