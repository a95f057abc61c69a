"""Each setting with where it came from; what may be a secret is not shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tarkeep.entrypoints.settings.server import ServerSettings, StorageSettings
from tarkeep.entrypoints.settings.shown.effective import DEFAULT, effective_settings, origin_of


@pytest.mark.parametrize(
    ("words", "variables", "table", "origin"),
    [
        (["serve", "--max-uploads", "5"], {"TARKEEP_MAX_UPLOADS": "6"}, {"max_uploads": 7}, "option --max-uploads"),
        (["serve", "--max-uploads=5"], {}, {}, "option --max-uploads"),
        (
            ["--max-uploads-x"],
            {"TARKEEP_MAX_UPLOADS": "6"},
            {"max_uploads": 7},
            "variable TARKEEP_MAX_UPLOADS",
        ),
        (["serve"], {"MAX_UPLOADS": "6"}, {"max_uploads": 7}, "file tarkeep.toml"),
        (["serve"], {}, {"max_upload_bytes": 7}, DEFAULT),
    ],
)
def test_the_first_that_states_it_counts(
    words: list[str], variables: dict[str, str], table: dict[str, object], origin: str
) -> None:
    assert origin_of("max_uploads", words, variables, table, "tarkeep.toml") == origin


def test_a_switch_that_is_off_was_stated() -> None:
    assert origin_of("behind_proxy", ["--no-behind-proxy"], {}, {}, "f") == "option --behind-proxy"


def test_values_are_text_and_secrets_are_not_shown() -> None:
    storage = StorageSettings(
        data=Path("/srv/x"), heartbeat_url="https://example/secret", catalog="postgresql://me:secret@db/tarkeep"
    )
    server = ServerSettings(behind_proxy=True, allowed_hosts=("a", "b"))

    shown = {one.name: one.value for one in effective_settings((storage, server), [], {}, {}, "")}

    assert shown["data"] == "/srv/x"
    assert shown["heartbeat_url"] == "set, and not shown"
    assert shown["catalog"] == "postgresql://me:...@db/tarkeep"
    assert (shown["behind_proxy"], shown["allowed_hosts"], shown["profiles"]) == ("yes", "a, b", "not set")
    assert (shown["scrub_rate"], shown["port"]) == ("0", "5000")
