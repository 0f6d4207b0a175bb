"""Chats that may ask and stop: the allowed ones alone, in two steps, each message once."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.diagnostics.alert_causes import causes
from bot.notifications.outgoing import Outgoing
from bot.notifications.telegram import TelegramApi
from bot.seams.clock import SystemClock
from bot.seams.ids import SystemIds
from bot.settings import Settings, load_settings
from bot.storage import control_requests, halts
from bot.storage.kill_file import read_kill_file, write_kill_file
from bot.telegram.controls import Controls
from bot.telegram.desk import TelegramDesk
from tests.listeners import TelegramServer
from tests.stored_bot import StoredBot, now, write_configuration
from tests.unit.notifications.conftest import MovedClock

TOKEN, CHAT = "123456:token", "42"


class Chat:
    """A bot's store, its Telegram, and one chat that may speak to it."""

    def __init__(self, bot: StoredBot, server: TelegramServer, settings: Settings) -> None:
        self.bot, self.server, self.settings, self.clock = bot, server, settings, MovedClock()
        self.desk = self.new_desk()

    def new_desk(self, leads: Callable[[], bool] = lambda: True) -> TelegramDesk:
        api = TelegramApi(Outgoing(SystemClock(), allow_private=True), base_url=self.server.url, token=TOKEN)
        return TelegramDesk(
            api,
            chats=[CHAT],
            settings=self.settings,
            store=self.bot.store,
            clock=self.clock,
            controls=Controls(self.settings, now=self.clock.now, token=SystemIds().token),
            clean=lambda text: text.replace("canary", "***"),
            leads=leads,
        )

    def say(self, text: str, *, chat: str = CHAT, ago: float = 0.0, sender: str = "anna", sender_id: int = 7) -> str:
        """One message, and what was answered to it; "" = nothing."""
        before = len(self.server.sent)
        at = int((self.clock.now() - timedelta(seconds=ago)).timestamp())
        self.server.say(chat, text, at=at, sender=sender, sender_id=sender_id)
        assert self.desk.turn(wait_seconds=0) == ""
        return "\n".join(said for _, said in self.server.sent[before:])

    def code_of(self, text: str) -> str:
        said = self.say(text)
        assert "/confirm " in said, said
        return said.rpartition("/confirm ")[2]

    def stopped(self) -> list[str]:
        with self.bot.store.read() as connection:
            return [one.covers for one in halts.all_in_force(connection)]

    def sources(self) -> list[str]:
        with self.bot.store.read() as connection:
            return [one.source for one in halts.all_in_force(connection)]

    def requests(self) -> list[tuple[str, str, str]]:
        with self.bot.store.read() as connection:
            found = control_requests.latest_requests(connection, limit=10)
        return [(str(one.action), one.target, one.actor) for one in found]


@pytest.fixture
def chat(directory: Path) -> Iterator[Chat]:
    environ = {"STATE_DIR": str(directory)}
    settings = load_settings(environ=environ, config_dir=write_configuration(directory))
    with StoredBot(directory) as bot, TelegramServer(TOKEN) as server:
        bot.runs()
        bot.accounts()
        yield Chat(bot, server, settings)


def test_questions_are_answered_from_the_store(chat: Chat) -> None:
    assert "NIJA is running in paper mode" in chat.say("/status")
    assert "kraken: trades; holds nothing" in chat.say("/status@nija_bot")
    assert "Every account trades" in chat.say("/why")
    assert "daivon_frazier_kraken trades" in chat.say("/why daivon_frazier_kraken")
    assert "there is no account" in chat.say("/why nobody").lower() or "nobody" in chat.say("/why nobody")
    assert "kraken: not known USD" in chat.say("/money")
    assert "Net P&L" in chat.say("/pnl")
    assert "No signal yet" in chat.say("/copies")
    assert "/kill" in chat.say("/help")
    assert "There is no /nonsense" in chat.say("/nonsense")


def test_whoever_is_not_on_the_list_gets_no_answer_and_is_logged_once(
    chat: Chat, caplog: pytest.LogCaptureFixture
) -> None:
    for text in ("/status", "/kill", "/confirm 123456", "/start"):
        assert chat.say(text, chat="666") == ""
    assert chat.stopped() == []
    assert [line for line in caplog.messages if "666" in line] == [
        "Telegram chat 666 is not in notifications.telegram_chats and gets no answer"
    ]


def test_strangers_do_not_keep_the_database_busy(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    write, writes = chat.bot.store.write, []

    def counted(*words: Any, **named: Any) -> Any:
        writes.append(words)
        return write(*words, **named)

    monkeypatch.setattr(chat.bot.store, "write", counted)
    for _ in range(50):
        chat.server.say("666", "/status", at=int(now().timestamp()))
    assert chat.desk.turn(wait_seconds=0) == ""
    assert len(writes) == 1
    chat.desk = chat.new_desk()
    assert chat.say("/help") != "" and len(chat.server.sent) == 1


def test_a_kill_is_shown_first_and_done_with_its_code(chat: Chat) -> None:
    code = chat.code_of("/kill the news")
    assert chat.stopped() == []
    assert "Entries are off for everything" in chat.say(f"/confirm {code}")
    assert chat.stopped() == ["everything"]
    assert chat.requests() == [("kill", "all", "telegram:42 (anna)")]
    assert chat.sources() == ["telegram"]
    with chat.bot.store.read() as connection:
        request = control_requests.latest_requests(connection, limit=1)[0]
        assert (request.role, request.address) == ("control", "telegram")
        settings = Settings.model_validate({"state_dir": str(chat.bot.directory)})
        told = [one for one in causes(connection, settings, now(), missing=0) if one.cause == "halted"]
    assert [(one.severity, "(telegram)" in one.text) for one in told] == [("info", True)]
    assert "Nothing waits for a code" in chat.say(f"/confirm {code}")
    assert len(chat.requests()) == 1


def test_a_pause_and_its_end_name_their_target(chat: Chat) -> None:
    assert "Say what" in chat.say("/pause")
    assert "Refused" in chat.say("/pause nobody_at_all")
    chat.say(f"/confirm {chat.code_of('/pause daivon_frazier_kraken')}")
    assert chat.stopped() == ["account daivon_frazier_kraken"]
    code = chat.code_of("/resume")
    assert chat.stopped() == ["account daivon_frazier_kraken"]
    assert "Lifted" in chat.say(f"/confirm {code}")
    assert chat.stopped() == []
    assert "nothing is halted" in chat.say("/resume")


def test_a_code_that_is_late_or_of_another_chat_does_nothing(chat: Chat) -> None:
    code = chat.code_of("/kill")
    assert chat.say(f"/confirm {code}", chat="666") == ""
    chat.clock.later += timedelta(seconds=121)
    assert "longer than 2 minutes" in chat.say(f"/confirm {code}")
    assert chat.stopped() == []


def test_codes_cannot_be_guessed_one_after_the_other(chat: Chat) -> None:
    code = chat.code_of("/kill")
    wrong = [f"{(int(code) + step) % 1_000_000:06d}" for step in range(1, 6)]
    for guess in wrong[:4]:
        assert "not the code" in chat.say(f"/confirm {guess}")
    assert "not good any more" in chat.say(f"/confirm {wrong[4]}")
    assert "Nothing waits" in chat.say(f"/confirm {code}")
    assert chat.stopped() == []


def test_what_was_said_before_the_process_listened_and_is_a_minute_old_is_left_alone(chat: Chat) -> None:
    for text in ("/kill", "/pause kraken", "/resume", "/confirm 123456"):
        chat.desk = chat.new_desk()
        said = chat.say(text, ago=61)
        assert "nothing was done" in said and "this machine's clock shows" in said
    chat.desk = chat.new_desk()
    assert "To do it" in chat.say("/kill", ago=50)
    assert chat.stopped() == []
    assert "NIJA is running" in chat.say("/status", ago=3600)


def test_a_clock_that_is_ahead_keeps_nobody_from_stopping_and_is_named_where_it_keeps_from_lifting(chat: Chat) -> None:
    chat.say("/help")  # the process listens
    for text in ("/pause kraken", "/kill"):
        shown = chat.say(text, ago=3700)
        chat.say(f"/confirm {shown.rpartition(' ')[2]}", ago=3700)
    assert sorted(chat.stopped()) == ["brokerage kraken", "everything"]
    said = chat.say("/resume", ago=61)
    assert "nothing was done" in said and "this machine's clock shows" in said
    code = chat.code_of("/resume")
    assert "nothing was done" in chat.say(f"/confirm {code}", ago=61)
    assert len(chat.stopped()) == 2


def test_the_news_of_a_process_that_did_not_listen_meanwhile_is_judged_by_its_age(chat: Chat) -> None:
    """Another process heard Telegram until then."""
    leads = [True]
    chat.desk = chat.new_desk(leads=lambda: leads[0])
    chat.say("/help")
    leads[0] = False
    chat.server.say(CHAT, "/kill", at=int(now().timestamp()) - 61)
    assert chat.desk.turn(wait_seconds=0) == ""
    leads[0] = True
    assert chat.desk.turn(wait_seconds=0) == ""
    assert "nothing was done" in chat.server.sent[-1][1]


def test_only_the_one_who_asked_can_confirm_it(chat: Chat) -> None:
    code = chat.code_of("/kill")
    for _ in range(6):
        assert "Only the one who asked" in chat.say(f"/confirm {code}", sender="bob", sender_id=8)
    # A name can be taken by another, a number cannot.
    assert "Only the one who asked" in chat.say(f"/confirm {code}", sender="anna", sender_id=8)
    assert chat.stopped() == []
    assert "To do it" in chat.say("/pause kraken", sender="bob", sender_id=8)
    assert "Entries are off for everything" in chat.say(f"/confirm {code}", sender="anna_2")
    assert chat.stopped() == ["everything"]


def test_a_message_is_acted_on_once_although_telegram_says_it_again(chat: Chat) -> None:
    code = chat.code_of("/kill")
    chat.say(f"/confirm {code}")
    answers = len(chat.server.sent)
    chat.desk = chat.new_desk()
    chat.desk.turn(wait_seconds=0)
    assert len(chat.server.sent) == answers
    assert len(chat.requests()) == 1


def test_telegram_that_begins_its_numbers_anew_is_heard_and_each_message_once(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a week without a message it goes on at any number; of an offset beyond that it returns all it has."""
    assert "NIJA is running" in chat.say("/status")
    since = chat.server._since
    monkeypatch.setattr(chat.server, "_updates", [])
    monkeypatch.setattr(chat.server, "_next", 10)
    monkeypatch.setattr(chat.server, "_since", lambda offset: since(0 if offset > 100 else offset))
    assert "NIJA is running" in chat.say("/status")
    assert "Entries are off" in chat.say(f"/confirm {chat.code_of('/kill')}")
    answers = len(chat.server.sent)
    for desk in (chat.desk, chat.new_desk()):
        assert desk.turn(wait_seconds=0) == ""
    assert len(chat.server.sent) == answers


def test_a_message_whose_answer_gets_lost_is_not_acted_on_again(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    code = chat.code_of("/kill")
    with monkeypatch.context() as broken:
        answer = chat.server.reply

        def lose(call: Any) -> Any:
            made = answer(call)
            return type(made)(500, b"") if call.path.endswith("/sendMessage") else made

        broken.setattr(chat.server, "reply", lose)
        chat.server.say(CHAT, f"/confirm {code}", at=int(now().timestamp()))
        assert "500" in chat.desk.turn(wait_seconds=0)
    assert chat.stopped() == ["everything"]
    chat.desk.turn(wait_seconds=0)
    assert len(chat.requests()) == 1


def test_a_kill_that_the_database_does_not_take_makes_the_file_and_nothing_is_lifted_meanwhile(chat: Chat) -> None:
    database = chat.bot.directory / "nija.db"
    chat.say(f"/confirm {chat.code_of('/pause kraken')}")
    database.rename(database.with_suffix(".away"))
    assert "nothing can be lifted" in chat.say("/resume")
    said = chat.say(f"/confirm {chat.code_of('/kill')}")
    assert "was made" in said
    file = read_kill_file(chat.bot.directory)
    assert file is not None and "telegram:42" in file.reason
    answers = len(chat.server.sent)
    chat.desk.turn(wait_seconds=0)
    assert len(chat.server.sent) == answers, "what is only kept in mind is not acted on again either"


def test_nothing_is_lifted_while_the_file_that_stops_everything_is_there(chat: Chat) -> None:
    chat.say(f"/confirm {chat.code_of('/kill')}")
    write_kill_file(chat.bot.directory, reason="by hand", flatten=False)
    assert "Remove it first" in chat.say(f"/confirm {chat.code_of('/resume')}")
    assert chat.stopped() == ["everything"]


def test_an_answer_shows_no_secret(chat: Chat) -> None:
    assert "***" in chat.say("/canary")


def test_a_question_that_breaks_is_said_and_the_next_one_is_answered(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("bot.telegram.desk.answer", lambda *_words: 1 / 0)
        assert "the log says why" in chat.say("/status")
    assert "ZeroDivisionError" in caplog.text
    assert "NIJA is running" in chat.say("/status")


def test_telegram_that_does_not_answer_is_said_and_nothing_is_lost(chat: Chat) -> None:
    chat.server.say(CHAT, "/status", at=int(now().timestamp()))
    answer = chat.server.reply
    chat.server.reply = lambda call: type(answer(call))(502, b"<html>")
    assert "502" in chat.desk.turn(wait_seconds=0)
    chat.server.reply = answer
    assert chat.desk.turn(wait_seconds=0) == ""
    assert "NIJA is running" in chat.server.sent[-1][1]
