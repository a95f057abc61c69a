"""notify.toml: what it says, and what is refused with its place; `tarkeep notify test` over it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, timedelta
from pathlib import Path

import pytest

from tarkeep.adapters.cron_lines import CronsimLines
from tarkeep.domain.errors.settings import InvalidSetting
from tarkeep.domain.notices.event import AlertKey, Event
from tarkeep.entrypoints.settings.notify import NotifySettings, SmtpSettings, WebhookSettings, read_notify
from tests.support.receivers import receiver

HOOK = '[channels.ops]\nwebhook = "https://hooks.example.org/x"\n'
MAIL = '[channels.mail]\nsmtp = "smtp.example.org"\nfrom = "t@example.org"\nto = ["o@example.org"]\n'


def read(tmp_path: Path, text: str) -> NotifySettings:
    file = tmp_path / "notify.toml"
    file.write_text(text)
    return read_notify(file, must_exist=True, read_cron=CronsimLines().read, zone=UTC)


def test_without_routes_everybody_is_told_of_everything(tmp_path: Path) -> None:
    told = read(tmp_path, HOOK + MAIL)
    assert told.channels["ops"] == WebhookSettings("https://hooks.example.org/x")
    mail = told.channels["mail"]
    assert isinstance(mail, SmtpSettings)
    assert (mail.host, mail.port, mail.security) == ("smtp.example.org", 587, "starttls")
    assert set(told.plan.ways(AlertKey(Event.DISK))) == {"ops", "mail"}


def test_routes(tmp_path: Path) -> None:
    plan = read(
        tmp_path,
        HOOK + MAIL + '[[routes]]\nchannels = ["ops"]\nevents = ["damaged"]\nprofiles = ["web-*"]\nafter = "15min"\n'
        'remind = "1d"\n[[routes]]\nchannels = ["mail"]\nevents = ["undelivered"]\n[digest]\nchannels = ["mail"]\n',
    ).plan
    times = plan.ways(AlertKey(Event.DAMAGED, "web-1"))["ops"]
    assert (times.after, times.remind) == (timedelta(minutes=15), timedelta(days=1))
    assert not plan.ways(AlertKey(Event.DAMAGED, "other"))
    assert not plan.ways(AlertKey(Event.UNDELIVERED, None, "mail"))  # it reaches nobody
    assert plan.ways(AlertKey(Event.UNDELIVERED, None, "ops"))
    assert plan.digest is not None


def test_that_nobody_is_to_be_told_is_said_by_one_line(tmp_path: Path) -> None:
    told = read(tmp_path, 'channels = "none"\n')
    assert (told.channels, told.plan.lacks_channel) == ({}, False)
    assert read(tmp_path, "").plan.lacks_channel
    assert not read(tmp_path, HOOK).plan.lacks_channel


def test_a_missing_file_tells_nobody(tmp_path: Path) -> None:
    nothing = read_notify(tmp_path / "none", must_exist=False, read_cron=CronsimLines().read, zone=UTC)
    assert nothing.plan.channels == ()
    with pytest.raises(InvalidSetting, match="there is no file"):
        read_notify(tmp_path / "none", must_exist=True, read_cron=CronsimLines().read, zone=UTC)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[chanels.ops]\nwebhook = "x"\n', "there is no table chanels; did you mean channels?"),
        ('channels = "nobody"\n', 'channels must be tables such as [channels.ops], or "none" if nobody is to be told'),
        ('channels = "none"\n[digest]\nchannels = ["ops"]\n', 'channels = "none" says that nobody is told, and stands'),
        ('[channels.ops]\nwebhok = "https://x"\n', "[channels.ops] there is no setting webhok; did you mean webhook?"),
        ('[channels.ops]\nwebhook = "ftp://x/"\n', "[channels.ops] webhook must be an address"),
        ('[channels.ops]\nwebhook = "https://u:p@x/"\n', "must not have a user or a password"),
        ('[channels."no name"]\nwebhook = "https://x"\n', "a name has 1 to 40"),
        (HOOK + "allow_private = 1\n", "[channels.ops] allow_private must be true or false"),
        (HOOK + 'format = "xml"\n', "format must be json, text or slack"),
        (HOOK + 'secret_file = "/nowhere"\n', "secret_file: there is no file /nowhere"),
        (MAIL.replace("o@example.org", "nobody"), "to must be mail addresses"),
        (MAIL + 'user = "x"\n', "user and password_file belong together"),
        (
            HOOK + '[[routes]]\nchannels = ["opps"]\n',
            "[[routes]] 1: channels: there is no channel opps; did you mean ops?",
        ),
        (HOOK + '[[routes]]\nchannels = ["ops"]\nevents = ["damage"]\n', "no event damage; did you mean damaged?"),
        (HOOK + '[[routes]]\nchannels = ["ops"]\nafter = "soon"\n', "[[routes]] 1: after: 'soon' is not a span"),
        (HOOK + '[[routes]]\nchannels = ["ops"]\nevents = []\n', "takes nothing"),
        (HOOK + '[digest]\nchannels = ["ops"]\nat = "x"\n', "[digest] at: 'x' is not a cron line"),
        ('[[routes]]\nchannels = ["ops"]\n', "there are routes, but no [channels.NAME]"),
    ],
)
def test_what_is_wrong_is_refused_by_its_place(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        read(tmp_path, text)
    assert str(refused.value).startswith(f"setting notify: {tmp_path}/notify.toml: ")
    assert words in str(refused.value)


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret\n")
    secret.chmod(0o644)
    text = HOOK + f'secret_file = "{secret}"\n'
    with pytest.raises(InvalidSetting, match=r"others may read or write .* chmod 0600"):
        read(tmp_path, text)
    secret.chmod(0o600)
    channel = read(tmp_path, text).channels["ops"]
    assert isinstance(channel, WebhookSettings)
    assert channel.secret == "the secret"


def test_the_command_tries_each_channel(tmp_path: Path) -> None:
    def tarkeep(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tarkeep", "notify", "test", *words, "--notify", str(tmp_path / "notify.toml")]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TARKEEP_")}
        return subprocess.run(command, env=clean, text=True, capture_output=True, check=False)

    with receiver() as good, receiver(500, 500, 500) as bad:
        (tmp_path / "notify.toml").write_text(
            f'[channels.good]\nwebhook = "{good.url}"\nallow_private = true\n'
            f'[channels.bad]\nwebhook = "{bad.url}"\nallow_private = true\n'
        )
        both = tarkeep("--json")
        assert both.returncode == 3
        assert [(one["channel"], one["delivered"]) for one in map(json.loads, both.stdout.splitlines())] == [
            ("good", True),
            ("bad", False),
        ]
        assert (tarkeep("good").stdout, tarkeep("good").returncode) == ("good: delivered\n", 0)
        failed = tarkeep("bad")
        assert (failed.returncode, "bad: not delivered: 127.0.0.1: it answered 500" in failed.stdout) == (1, True)
        assert tarkeep("goood").returncode == 10
        assert good.came[0].told["kind"] == "test"
    (tmp_path / "notify.toml").write_text('[channels.x]\nwebhok = "y"\n')
    assert tarkeep().returncode == 2
    (tmp_path / "notify.toml").write_text("")
    assert tarkeep().returncode == 1
