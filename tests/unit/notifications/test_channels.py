"""Each way to people against a real server on this machine."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from bot.notifications.by_apprise import NOT_INSTALLED, Apprise
from bot.notifications.delivery import Item, Message, NotDelivered
from bot.notifications.email import Email
from bot.notifications.outgoing import Outgoing
from bot.notifications.telegram import LONGEST_TEXT, TelegramApi, TelegramChannel
from bot.notifications.webhook import LONGEST_CONTENT, SIGNATURE, Webhook, signature
from bot.seams.clock import SystemClock
from tests.listeners import MailServer, Reply, TelegramServer, WebServer

AT = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
ITEM = Item(id=7, cause="account_lost", subject="kraken", severity="critical", text="failed", at=AT)
MESSAGE = Message(
    id="0123-7", title="NIJA (paper) CRITICAL: account_lost", text="lost", severity="critical", at=AT, items=[ITEM]
)
TOKEN = "123456:canary"


def outgoing() -> Outgoing:
    return Outgoing(SystemClock(), allow_private=True)


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer() as made:
        yield made


@pytest.fixture
def telegram() -> Iterator[TelegramServer]:
    with TelegramServer(TOKEN) as made:
        yield made


def test_a_webhook_gets_all_fields_and_a_signature_that_a_receiver_can_check(server: WebServer) -> None:
    Webhook(outgoing(), url=f"{server.url}/hook", secret="words", style="json").send(MESSAGE)
    call = server.calls[0]
    assert call.headers[SIGNATURE] == f"sha256={signature('words', call.body)}"
    assert call.said["id"] == "0123-7"
    assert call.said["events"] == [
        {
            "id": 7,
            "cause": "account_lost",
            "subject": "kraken",
            "severity": "critical",
            "text": "failed",
            "at": "2026-01-31T12:00:00.000000Z",
        }
    ]


def test_without_a_secret_there_is_no_signature(server: WebServer) -> None:
    Webhook(outgoing(), url=server.url, secret="", style="json").send(MESSAGE)
    assert SIGNATURE not in server.calls[0].headers


def test_slack_and_discord_get_the_field_that_they_read_and_nobody_is_called_by_a_quoted_text(
    server: WebServer,
) -> None:
    Webhook(outgoing(), url=server.url, secret="", style="slack").send(MESSAGE)
    assert server.calls[0].said == {"text": f"{MESSAGE.title}\nlost"}
    long = Message(id="1", title="t", text="x" * 5000, severity="info", at=AT)
    Webhook(outgoing(), url=server.url, secret="", style="discord").send(long)
    said = server.calls[1].said
    assert len(said["content"]) == LONGEST_CONTENT and said["allowed_mentions"] == {"parse": []}


@pytest.mark.parametrize(("status", "name"), [(302, "Retry-After"), (400, "retry-after"), (404, "RETRY-AFTER")])
def test_an_answer_that_is_no_success_is_a_failure(server: WebServer, status: int, name: str) -> None:
    """Servers differ in how they write the names of headers."""
    server.reply = lambda _call: Reply(status, headers={name: "90"})
    with pytest.raises(NotDelivered, match=str(status)) as failed:
        Webhook(outgoing(), url=server.url, secret="", style="json").send(MESSAGE)
    assert failed.value.retry_after_seconds == 90


def test_telegram_sends_to_the_chat_and_shortens_what_is_too_long(telegram: TelegramServer) -> None:
    channel = TelegramChannel(TelegramApi(outgoing(), base_url=telegram.url, token=TOKEN), "-100200")
    channel.send(Message(id="1", title="title", text="x" * 5000, severity="info", at=AT))
    ((chat, text),) = telegram.sent
    assert (channel.name, chat, len(text)) == ("telegram:-100200", "-100200", LONGEST_TEXT)
    assert text.startswith("title\n\nx")


def test_what_telegram_refuses_is_said_in_its_words_and_without_the_token(server: WebServer) -> None:
    refusal = {"ok": False, "description": "Too Many Requests", "parameters": {"retry_after": 33}}
    server.reply = lambda _call: Reply(429, json.dumps(refusal).encode())
    with pytest.raises(NotDelivered, match=r"429.*Too Many Requests") as failed:
        TelegramApi(outgoing(), base_url=server.url, token=TOKEN).send("42", "words")
    assert failed.value.retry_after_seconds == 33
    assert "canary" not in str(failed.value)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"ok": true, "result": 5}', b"\xff", b'{"ok": 1}'])
def test_nonsense_instead_of_updates_is_a_failure_and_nothing_else(server: WebServer, body: bytes) -> None:
    server.reply = lambda _call: Reply(200, body)
    with pytest.raises(NotDelivered):
        TelegramApi(outgoing(), base_url=server.url, token=TOKEN).updates(0, wait_seconds=0)


def test_updates_of_any_form_are_taken_apart_without_an_error(server: WebServer) -> None:
    found = [
        {"update_id": 1, "message": {"chat": {"id": 42}, "text": "/status", "date": 1_769_860_800}},
        {"update_id": 2}, {"update_id": 3, "message": {"chat": 5, "text": ["x"], "date": "y", "from": 1}},
        {"update_id": "4"}, 5, {"update_id": 6, "message": {"chat": {"id": 42}, "date": 10**30}},
    ]  # fmt: skip
    server.reply = lambda _call: Reply(200, json.dumps({"ok": True, "result": found}).encode())
    updates = TelegramApi(outgoing(), base_url=server.url, token=TOKEN).updates(0, wait_seconds=0)
    assert [(one.id, one.chat, one.text) for one in updates] == [
        (1, "42", "/status"),
        (2, "", ""),
        (3, "", ""),
        (6, "42", ""),
    ]
    assert updates[0].at == AT


def test_an_email_goes_to_every_address_and_without_encryption_no_password_is_sent() -> None:
    with MailServer() as mail:
        made = Email(
            host="127.0.0.1",
            port=mail.port,
            security="none",
            user="anna",
            password="canary",
            sender="nija@example.org",
            receivers=["anna@example.org", "bob@example.org"],
        )
        made.send(MESSAGE)
        assert "Subject: NIJA (paper) CRITICAL: account_lost" in mail.mails[0]
        assert "Message-ID: <0123-7@nija.invalid>" in mail.mails[0] and "\r\n\r\nlost" in mail.mails[0]
        commands = " ".join(mail.commands)
        assert "anna@example.org" in commands and "bob@example.org" in commands
        assert "AUTH" not in commands and "canary" not in commands


def test_an_email_that_one_address_of_several_refuses_is_sent_and_refused_by_all_it_is_not() -> None:
    with MailServer() as mail:
        made = Email(
            host="127.0.0.1",
            port=mail.port,
            security="none",
            user="",
            password="",
            sender="nija@example.org",
            receivers=["anna@example.org", "bob@example.org"],
        )
        assert made.send(MESSAGE) == ""
        mail.refused = {"bob@example.org"}
        assert made.send(MESSAGE) == "127.0.0.1 refused 1 of 2 addresses"
        assert len(mail.mails) == 2
        mail.refused = {"anna@example.org", "bob@example.org"}
        with pytest.raises(NotDelivered, match="refused every address"):
            made.send(MESSAGE)
        assert len(mail.mails) == 2


def test_a_server_without_encryption_gets_no_mail_where_encryption_is_asked_for() -> None:
    with MailServer() as mail:
        made = Email(
            host="127.0.0.1",
            port=mail.port,
            security="starttls",
            user="anna",
            password="canary",
            sender="a@example.org",
            receivers=["a@example.org"],
        )
        with pytest.raises(NotDelivered, match=r"127\.0\.0\.1"):
            made.send(MESSAGE)
        assert mail.mails == [] and "canary" not in " ".join(mail.commands)


def test_apprise_that_is_not_installed_is_said_in_a_sentence_with_what_to_do() -> None:
    with pytest.raises(NotDelivered, match="pip install apprise") as failed:
        Apprise("ntfy://canary").send(MESSAGE)
    assert str(failed.value) == NOT_INSTALLED


class OneOfApprise:
    """As apprise is used: takes an address and sends to it. By its name an address fails or not."""

    def __init__(self) -> None:
        self._url = ""

    def add(self, url: str) -> bool:
        self._url = url
        return not url.startswith("nonsense")

    def notify(self, *, title: str, body: str) -> bool:
        if self._url.startswith("broken"):
            raise KeyError(self._url)
        return bool(title and body) and self._url.startswith("good")


def test_an_address_of_apprise_that_fails_does_not_send_to_the_others_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", SimpleNamespace(Apprise=OneOfApprise))
    assert Apprise("good://canary good://canary").send(MESSAGE) == ""
    said = Apprise("good://canary bad://canary nonsense://canary broken://canary").send(MESSAGE)
    assert said == ("address 2 did not take it; apprise does not understand address 3; address 4 has failed: KeyError")
    with pytest.raises(NotDelivered, match="address 1 did not take it; address 2 has failed"):
        Apprise("bad://canary broken://canary").send(MESSAGE)
