"""People are told (faults O13 and S14): by a webhook, Telegram and e-mail, while a way hangs, and without a secret."""

import json
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from bot.notifications.webhook import MESSAGE_ID, SIGNATURE, signature
from tests.bot_process import BotProcess, environment, wait_until
from tests.exchange_process import ExchangeProcess
from tests.listeners import Call, MailServer, Reply, TelegramServer, WebServer

TOKEN, SECRET, CHAT = "123456789:canary-of-the-telegram-token", "canary-of-the-webhook-secret", "42"
PATH = "/hooks/canary-of-the-webhook-path"
LONG = 120.0


@dataclass
class Scene:
    bot: BotProcess
    exchange: ExchangeProcess
    state: Path
    hook: WebServer
    telegram: TelegramServer
    mail: MailServer
    pings: WebServer
    hang: threading.Event

    def told(self, cause: str) -> list[dict[str, Any]]:
        """Messages of the webhook that tell of this cause."""
        said = [call.said for call in list(self.hook.calls)]
        return [one for one in said if any(event["cause"] == cause for event in one["events"])]

    def rows(self, query: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(f"file:{self.state}/nija.db?mode=ro", uri=True, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query)]

    def asks(self, text: str, *, answer: str, chat: str = CHAT) -> str:
        """Say it in the chat; returns the answer, which has these words in it."""
        before = len(self.telegram.sent)
        self.telegram.say(chat, text, at=int(time.time()))

        def said() -> str:
            return next((said for to, said in self.telegram.sent[before:] if to == chat and answer in said), "")

        found: str = wait_until(said, seconds=LONG, what=f"{text} is answered with {answer!r}: {self.telegram.sent}")
        return found


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    directory = tmp_path
    hang = threading.Event()

    def reply(_call: Call) -> Reply:
        if hang.is_set():
            threading.Event().wait(60)
        return Reply()

    with (
        ExchangeProcess(seed=11) as exchange,
        WebServer(reply) as hook,
        TelegramServer(TOKEN) as telegram,
        MailServer() as mail,
        WebServer() as pings,
    ):
        settings = {
            "ALLOW_PRIVATE_HOSTS": "true",
            "TELEGRAM_URL": telegram.url,
            "TELEGRAM_CHATS": CHAT,
            "EMAIL_TO": "anna@example.org",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(mail.port),
            "SMTP_SECURITY": "none",
            "DEADMAN_SECONDS": "1",
        }
        environ = environment(
            directory / "state",
            exchange,
            NIJA__PACE__PAPER__CYCLE_SECONDS="1",
            NIJA__BALANCE__CACHE_SECONDS="0.2",
            NIJA_TELEGRAM_TOKEN=TOKEN,
            NIJA_WEBHOOK_URL=hook.url + PATH,
            NIJA_WEBHOOK_SECRET=SECRET,
            NIJA_DEADMAN_URL=pings.url + "/canary-of-the-dead-man",
            **{f"NIJA__NOTIFICATIONS__{name}": value for name, value in settings.items()},
        )
        with BotProcess(environ, log=directory / "out.txt") as bot:
            bot.says("daivon_frazier_kraken: buy ", seconds=LONG)
            yield Scene(bot, exchange, directory / "state", hook, telegram, mail, pings, hang)


def more_cycles(scene: Scene, number: int) -> None:
    """Of the master at the brokerage that nothing is wrong with."""
    goal = scene.bot.log().count("coinbase - Cycle #") + number
    wait_until(
        lambda: scene.bot.log().count("coinbase - Cycle #") >= goal, seconds=LONG, what=f"{number} cycles of a master"
    )


def revoke(scene: Scene, user: str) -> None:
    scene.exchange.fault(
        {"kind": "api_error", "text": "EAPI:Invalid key"}, times=None, account=user, brokerage="kraken"
    )


def an_account_that_is_lost_is_told_once_by_every_way_and_the_next_one_waits_for_its_turn(scene: Scene) -> None:
    revoke(scene, "tania_gilbert")
    wait_until(lambda: scene.told("account_lost"), seconds=LONG, what="the webhook is told of the account")
    call = next(call for call in scene.hook.calls if b"account_lost" in call.body)
    page = scene.told("account_lost")[0]
    assert call.path == PATH
    assert call.headers[SIGNATURE] == f"sha256={signature(SECRET, call.body)}"
    assert call.headers[MESSAGE_ID] == page["id"]
    assert "(paper)" in page["title"] and page["severity"] == "critical"
    assert "tania_gilbert_kraken" in page["text"] and "EAPI:Invalid key" in page["text"]
    assert "docs/runbook.md#alert-account_lost" in page["text"]
    wait_until(
        lambda: any("account_lost" in said for to, said in scene.telegram.sent if to == CHAT),
        seconds=LONG,
        what="Telegram is told",
    )
    wait_until(lambda: any("account_lost" in mail for mail in scene.mail.mails), seconds=LONG, what="a mail comes")
    revoke(scene, "daivon_frazier")
    wait_until(
        lambda: scene.rows(
            "SELECT 1 FROM notification WHERE cause = 'account_lost' AND subject = 'daivon_frazier_kraken'"
        ),
        seconds=LONG,
        what="the second account is written down",
    )
    asked = scene.bot.command("bot.py", "notify", "list", "--json", "--limit", "1000")
    listed = json.loads(asked.stdout)["notifications"]
    lost = [one for one in listed if one["cause"] == "account_lost" and one["channel"] == "webhook"]
    assert {one["subject"]: one["state"] for one in lost} == {
        "tania_gilbert_kraken": "sent",
        "daivon_frazier_kraken": "waiting",
    }
    assert len(scene.told("account_lost")) == 1


def the_first_fill_of_each_account_is_told(scene: Scene) -> None:
    def accounts() -> set[str]:
        events = [event for one in scene.told("first_fill") for event in one["events"]]
        return {event["subject"] for event in events if event["cause"] == "first_fill"}

    rows = scene.rows("SELECT DISTINCT subject FROM notification WHERE cause = 'first_fill'")
    assert "kraken" in {row["subject"] for row in rows}
    assert accounts() <= {row["subject"] for row in rows}
    assert len(scene.told("first_fill")) == 1, "the later ones of a cause wait"


def pings_go_out_while_all_is_well_and_figures_count_what_was_told(scene: Scene) -> None:
    wait_until(lambda: len(scene.pings.calls) >= 2, seconds=LONG, what="two pings")
    assert {call.path for call in scene.pings.calls} == {"/canary-of-the-dead-man"}
    found = re.search(r"Metrics at (http://\S+)", scene.bot.log())
    assert found is not None
    with requests.Session() as session:
        session.trust_env = False
        figures = session.get(found.group(1), timeout=60).text
    assert re.search(r'nija_notifications_total{channel="telegram",result="sent"} [1-9]', figures)
    assert re.search(r"nija_deadman_ping_age_seconds [0-9]", figures)


def trading_goes_on_while_a_way_hangs_and_the_others_tell_all_the_same(scene: Scene) -> None:
    scene.hang.set()
    calls = len(scene.hook.calls)
    scene.bot.command("bot.py", "pause", "BTC/USD", "--yes", "--by", "Anna")
    wait_until(lambda: len(scene.hook.calls) > calls, seconds=LONG, what="the webhook is asked and hangs")
    wait_until(
        lambda: any("symbol BTC/USD" in said for _, said in scene.telegram.sent), seconds=LONG, what="Telegram tells"
    )
    more_cycles(scene, 3)
    wait_until(
        lambda: scene.rows("SELECT 1 FROM notification WHERE channel = 'webhook' AND tries > 0 AND problem <> ''"),
        seconds=LONG,
        what="the failure is noted",
    )
    scene.hang.clear()


def a_chat_that_is_allowed_asks_and_stops_with_a_code_and_others_get_no_answer(scene: Scene) -> None:
    assert "accounts trade" in scene.asks("/status", answer="running in paper mode")
    assert "EAPI:Invalid key" in scene.asks("/why", answer="tania_gilbert_kraken")
    scene.asks("/money", answer="Total")
    scene.asks("/pnl@nija_bot", answer="Net P&L")
    scene.asks("/copies", answer="kraken buy")
    scene.telegram.say("666", "/kill", at=int(time.time()))
    scene.telegram.say(CHAT, "/confirm 000000", at=int(time.time()) - 3600)
    shown = scene.asks("/kill the news", answer="To do it")
    code = shown.rpartition(" ")[2]
    assert not [to for to, _ in scene.telegram.sent if to == "666"]
    assert any("more than a minute late" in said for _, said in scene.telegram.sent)
    assert not [halt for halt in scene.rows("SELECT * FROM halt") if halt["scope"] == "all"]
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    scene.asks(f"/confirm {wrong}", answer="not the code")
    scene.asks(f"/confirm {code}", answer="Entries are off for everything")
    halt = next(halt for halt in scene.rows("SELECT * FROM halt") if halt["scope"] == "all")
    assert halt["set_by"].startswith(f"telegram:{CHAT}") and halt["reason"] == "the news"
    assert halt["source"] == "telegram"
    asked = scene.rows("SELECT * FROM control_request")
    assert [(one["action"], one["role"], one["address"]) for one in asked] == [("kill", "control", "telegram")]
    more_cycles(scene, 2)  # what was on its way has arrived by then
    since = scene.exchange.last_seq()
    more_cycles(scene, 3)
    assert scene.exchange.journal(0, type="accept", side="buy")
    assert not scene.exchange.journal(since, type="accept", side="buy")
    scene.asks(f"/confirm {code}", answer="Nothing waits for a code")


def no_secret_of_a_way_is_in_the_log_or_the_books(scene: Scene) -> None:
    kept = scene.bot.log() + (scene.state / "nija.log").read_text(encoding="utf-8")
    kept += str(scene.rows("SELECT * FROM notification"))
    assert "canary" not in kept


def test_people_are_told_once_and_heard_while_a_way_hangs_and_trading_goes_on(scene: Scene) -> None:
    """One story, because each step stands on the one before, and a bot of its own for each would take minutes."""
    an_account_that_is_lost_is_told_once_by_every_way_and_the_next_one_waits_for_its_turn(scene)
    the_first_fill_of_each_account_is_told(scene)
    pings_go_out_while_all_is_well_and_figures_count_what_was_told(scene)
    trading_goes_on_while_a_way_hangs_and_the_others_tell_all_the_same(scene)
    a_chat_that_is_allowed_asks_and_stops_with_a_code_and_others_get_no_answer(scene)
    no_secret_of_a_way_is_in_the_log_or_the_books(scene)
