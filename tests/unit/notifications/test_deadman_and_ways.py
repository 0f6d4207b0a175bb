"""Pings while all is well, which ways there are by the settings, and the command that tries them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bot.app import main
from bot.news_desk import not_well
from bot.notifications.deadman import DeadMan
from bot.notifications.outgoing import Outgoing
from bot.notifications.ways import Ways, find_ways, secrets_in
from bot.observability.readiness import Readiness
from bot.seams.clock import SystemClock
from bot.settings import Settings
from bot.settings.notifications import NotificationSettings
from bot.storage import notifications
from tests.listeners import MailServer, Reply, WebServer
from tests.stored_bot import StoredBot, now
from tests.unit.diagnostics.conftest import Ask, ask, bot, home
from tests.unit.notifications.conftest import MovedClock

__all__ = ["ask", "bot", "home"]
EMAIL = {"email_to": "a@example.org,b@example.org", "smtp_host": "mail.example.org"}


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer() as made:
        yield made


class Watched:
    """A dead man's switch whose bot is well or not."""

    def __init__(self, url: str) -> None:
        self.clock, self.problem, self.taken = MovedClock(), "", 0
        self.switch = DeadMan(
            Outgoing(SystemClock(), allow_private=True),
            url=url,
            every_seconds=60,
            clock=self.clock,
            alive=lambda: self.problem,
            on_ping=self._note,
        )

    def _note(self) -> None:
        self.taken += 1

    def later(self, seconds: float) -> None:
        self.clock.later += type(self.clock.later)(seconds=seconds)
        self.switch.turn()


def test_a_process_that_cannot_write_anything_down_is_not_well() -> None:
    """No order leaves then, no exit either, and an alert cannot say so."""
    readiness, said = Readiness(), [""]
    assert not_well(readiness) == ["starting"]
    readiness.waiting = ""
    readiness.problems.append(lambda: said[0])
    assert not_well(readiness) == []
    said[0] = "nothing can be written down"
    assert not_well(readiness) == said


def test_pings_go_out_as_often_as_was_said_and_only_while_all_is_well(server: WebServer) -> None:
    watched = Watched(f"{server.url}/ping")
    watched.switch.turn()
    watched.later(30)
    assert len(server.calls) == 1
    watched.later(31)
    assert len(server.calls) == 2
    watched.problem = "the main loop has not turned for 31 s"
    watched.later(61)
    watched.later(600)
    assert len(server.calls) == 2
    watched.problem = ""
    watched.later(1)
    assert (len(server.calls), watched.taken) == (3, 3)


def test_an_address_that_refuses_is_said_once_and_asked_no_more_often(
    server: WebServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.reply = lambda _call: Reply(404)
    watched = Watched(f"{server.url}/canary")
    for _ in range(4):
        watched.later(20)
    assert (len(server.calls), watched.taken) == (2, 0)
    assert [line for line in caplog.messages if "404" in line] == [
        "no ping goes to the dead-man address: it answered 404"
    ]
    assert "canary" not in caplog.text


def ways(settings: Mapping[str, object], **environ: str) -> Ways:
    return find_ways(NotificationSettings.model_validate(settings), environ, SystemClock())


def test_without_any_setting_there_is_no_way_and_nothing_wrong() -> None:
    found = ways({})
    assert (found.channels, found.problems, found.telegram, found.deadman_url) == ([], [], None, "")


def test_each_way_that_is_whole_is_there() -> None:
    found = ways(
        {**EMAIL, "telegram_chats": "42, -100"},
        NIJA_TELEGRAM_TOKEN="1:a",
        NIJA_WEBHOOK_URL="https://hooks.example.org/x",
        NIJA_APPRISE_URLS="ntfy://a ntfy://b",
        NIJA_DEADMAN_URL="https://hc.example.org/x",
    )
    names = [one.name for one in found.channels]
    assert names == ["telegram:42", "telegram:-100", "webhook", "email", "apprise"]
    assert found.problems == [] and found.telegram is not None and found.deadman_url


@pytest.mark.parametrize(
    ("settings", "environ", "said"),
    [
        ({"telegram_chats": ["42"]}, {}, "NIJA_TELEGRAM_TOKEN is not set"),
        ({}, {"NIJA_TELEGRAM_TOKEN": "1:a"}, "telegram_chats is empty"),
        ({"telegram_chats": ["42"]}, {"NIJA_TELEGRAM_TOKEN": "1:a/../b"}, "is no token"),
        ({"email_to": ["a@example.org"]}, {}, "smtp_host is not set"),
        ({"smtp_host": "mail"}, {}, "email_to is empty"),
        ({**EMAIL, "smtp_user": "anna"}, {}, "NIJA_SMTP_PASSWORD is not"),
        ({}, {"NIJA_WEBHOOK_URL": "http://hooks.example.org"}, "must begin with https://"),
        ({}, {"NIJA_WEBHOOK_URL": "https://169.254.169.254/latest/meta-data"}, "private network"),
        ({}, {"NIJA_DEADMAN_URL": "https://localhost:1@10.0.0.1/canary"}, "user name or password"),
    ],
)
def test_half_of_a_way_is_said_and_not_used(
    settings: Mapping[str, object], environ: Mapping[str, str], said: str
) -> None:
    found = ways(settings, **environ)
    (problem,) = found.problems
    assert said in problem and "canary" not in problem
    assert (found.channels == [] or "SMTP_PASSWORD" in problem) and not found.deadman_url


def test_with_notifications_off_nothing_is_called() -> None:
    found = ways({"enabled": False, **EMAIL}, NIJA_DEADMAN_URL="https://hc.example.org/x")
    assert (found.channels, found.problems, found.deadman_url) == ([], [], "")


def test_every_address_and_token_is_a_secret() -> None:
    environ = {"NIJA_APPRISE_URLS": "ntfy://one ntfy://two", "NIJA_DEADMAN_URL": "https://x", "OTHER": "words"}
    assert secrets_in(environ) == ["ntfy://one ntfy://two", "ntfy://one", "ntfy://two", "https://x"]


@pytest.mark.parametrize("chats", ["abc", "@anna", "1.5", "42;43"])
def test_what_is_no_chat_is_refused(chats: str) -> None:
    with pytest.raises(ValueError, match="not the number of a chat"):
        Settings.model_validate({"notifications": {"telegram_chats": chats}})


@pytest.mark.parametrize("address", ["anna", "anna@", "a b@example.org", "a@b\nBcc: x@example.org"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="not an address"):
        Settings.model_validate({"notifications": {"email_to": [address]}})


# -- python bot.py notify -----------------------------------------------------------------------------------------
def test_the_test_command_sends_by_each_way_and_says_what_came_of_it(
    home: Path, ask: Ask, server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = ask(main, "notify", "test")
    assert answer.code == 2 and "docs/notifications.md" in answer.text
    monkeypatch.setenv("NIJA_WEBHOOK_URL", f"{server.url}/canary")
    refused = ask(main, "notify", "test")
    assert refused.code == 2 and "must begin with https://" in refused.text
    monkeypatch.setenv("NIJA__NOTIFICATIONS__ALLOW_PRIVATE_HOSTS", "true")
    assert ask(main, "notify", "test").code == 0
    assert server.calls[0].said["title"] == "NIJA (paper) test"
    server.reply = lambda _call: Reply(500)
    failed = ask(main, "notify", "test", "--json")
    assert failed.code == 1
    assert failed.json["results"][0]["problem"] == "the webhook answered 500"
    assert ask(main, "notify", "test", "--channel", "email").code == 2
    assert "canary" not in refused.text + failed.text + failed.errors


def test_the_test_command_names_who_did_not_get_it_and_what_nobody_thought_of(
    home: Path, ask: Ask, server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MailServer() as mail:
        mail.refused = {"bob@example.org"}
        for name, value in {
            "EMAIL_TO": "anna@example.org,bob@example.org",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(mail.port),
            "SMTP_SECURITY": "none",
            "ALLOW_PRIVATE_HOSTS": "true",
        }.items():
            monkeypatch.setenv(f"NIJA__NOTIFICATIONS__{name}", value)
        partly = ask(main, "notify", "test")
        assert partly.code == 1 and "but 127.0.0.1 refused 1 of 2 addresses" in partly.text
        monkeypatch.setenv("NIJA_WEBHOOK_URL", f"{server.url}/canary")
        monkeypatch.setattr("bot.notifications.webhook.format_time", lambda _at: {"a": "b"}["canary"])
        shown, listed = ask(main, "notify", "test"), ask(main, "notify", "test", "--json")
    assert shown.code == listed.code == 1
    assert "webhook: it has failed in a way that nobody thought of (KeyError)" in shown.text
    found = {one["channel"]: (one["sent"], one["problem"]) for one in listed.json["results"]}
    assert found["webhook"] == (False, "it has failed in a way that nobody thought of (KeyError)")
    assert found["email"] == (True, "127.0.0.1 refused 1 of 2 addresses")
    assert "canary" not in shown.text + shown.errors + listed.text


def test_the_list_shows_what_was_told_and_what_waits(bot: StoredBot, ask: Ask) -> None:
    bot.runs()
    empty = ask(main, "notify", "list")
    assert (empty.code, "Nobody was told of anything yet" in empty.text) == (0, True)
    bot.store.write(
        lambda connection: notifications.add_notification(
            connection,
            cause="account_lost",
            subject="kraken",
            severity="critical",
            text="failed",
            channels=["webhook", "email"],
            now=now(),
        )
    )
    bot.store.write(lambda connection: notifications.note_told(connection, 1, [], now=now()))
    assert ask(main, "notify", "list").code == 0
    bot.store.write(
        lambda connection: notifications.note_failed(connection, [2], due_at=now(), problem="mail.example.org is away")
    )
    shown = ask(main, "notify", "list")
    assert shown.code == 1 and "failed 1 time:" in shown.text
    listed = ask(main, "notify", "list", "--json").json
    assert listed["waiting"] == 1
    assert [(one["channel"], one["state"]) for one in listed["notifications"]] == [
        ("email", "waiting"),
        ("webhook", "sent"),
    ]
