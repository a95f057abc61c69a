"""A token or a password that somebody typed where it does not belong is not repeated, however the command ends."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tarkeep.entrypoints.settings import secrets
from tests.support.machine import Machine, some

SECRET = "xlsfoooqvxtdiqw5hnhvu4ice7shmrqppoj4eemhsryebkuj3snyfjyt3u"
TOKEN = f"tk_63c5ujmz_{SECRET}"
LOGIN = "https://me:hush-hush-hush@backup.example"


@pytest.mark.parametrize("secret", [TOKEN, LOGIN, LOGIN + "h" * 80])
@pytest.mark.parametrize(
    "line",
    [
        ["push", "laptop", "{}"],
        ["push", "{}"],
        ["list", "laptop", "{}"],
        ["stats", "--{}"],
        ["stats", "--token", "{}"],
        ["stats", "--token={}"],
        ["stats", "--jobs", "{}"],
        ["stats", "--fingerprint", "{}"],
        ["stats", "--token-file", "{}"],
        ["stats", "--token-command", "{}"],
        ["stats", "--config", "{}"],
        ["cat", "laptop", "letter", "--at", "{}"],
        ["backup", "laptop", "{}", "--json"],
        ["token", "create", "--data", "{}", "--scope", "{}", "--profile", "*"],
        ["token", "revoke", "{}", "--data", "nowhere"],
        ["{}"],
        ["help", "{}"],
    ],
)
def test_what_is_typed_in_a_wrong_place_is_not_repeated(machine: Machine, line: list[str], secret: str) -> None:
    """What else the error says stays."""
    words = [word.format(secret) for word in line]
    ran = machine.run(*words, "--retries", "1", environment={"SERVER_URL": "http://127.0.0.1:1"})

    assert ran.returncode != 0
    for part in (SECRET[:20], "hush-hush"):
        assert part not in ran.stdout + ran.stderr
    assert "bug in tarkeep" not in ran.stderr


@pytest.mark.parametrize("token", ["two words of a secret", "\udcffbroken-secret", f"{TOKEN}!\x01"])
def test_a_token_that_can_be_none_is_not_repeated(machine: Machine, token: str) -> None:
    """Nor when the same words stand on the command line."""
    ran = machine.run("stats", "--profile", token, environment={"TARKEEP_TOKEN": token})

    assert ran.returncode == 2
    assert "secret" not in ran.stderr
    assert SECRET not in ran.stderr


def test_a_token_that_is_made_is_shown(machine: Machine) -> None:
    """That one time it is what was asked for."""
    data = str(machine.home / "data")
    made = machine.run("token", "create", "--data", data, "--scope", "list", "--profile", "*")

    assert made.stdout.startswith("tk_")
    assert len(made.stdout) == len(TOKEN) + 1


@given(before=st.text(max_size=20), after=st.text(max_size=20), cut=st.integers(0, 30))
def test_a_secret_is_left_out_wherever_it_stands_and_where_it_is_cut(before: str, after: str, cut: int) -> None:
    """Half of it is enough to be left out; words around it stay."""
    secret = "hush-7f3a9c-hush"
    text = secrets._without(f"{before}|{secret[: max(8, cut)]}|{after}", secret)

    assert text == f"{before}|***|{after}"


def test_names_that_are_not_utf8_make_good_json(machine: Machine, profile: str) -> None:
    """JSON has no half characters: bytes are escaped as everywhere else."""
    machine.keep("FULL", os.fsdecode(b"odd\xff.tar.gz"), some("a"))
    ran = machine.run("push", profile, "--all", "--json")

    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert lines[0]["name"] == r"odd\xff.tar.gz"
    ran.stdout.encode()
    json.dumps(lines, ensure_ascii=False).encode()


@pytest.mark.parametrize("days", ["0", "-1", "36501", "9" * 30])
def test_a_certificate_has_an_end(machine: Machine, days: str) -> None:
    """Of a number of days that programs can count."""
    ran = machine.run("tls", "self-signed", "--into", "made", "--days", days)

    assert ran.returncode == 2
    assert "days: must be 1 to 36500" in ran.stderr
    assert not (machine.home / "made").exists()
