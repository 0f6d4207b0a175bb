"""status, users, positions, orders, alerts, nonce and trace: what they say of a store, and what their codes mean."""

import os
import pty
import select
import subprocess
import sys
import time
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.app import main
from bot.domain.decision import ExitStatus
from bot.domain.fill import Fill
from bot.domain.order import IntentState, OrderKind, OrderType, Side
from bot.domain.position import ExitPlan, Position
from bot.domain.signal import CopyReason, CopyStatus, TradeSignal
from bot.storage import alerts, copies, fills, halts, intents, positions, signals, symbol_pauses
from bot.storage.alerts import AlertNow
from bot.storage.exit_states import ExitState, save_exit_state
from bot.storage.intents import OrderIntent
from tests.bot_process import ROOT
from tests.stored_bot import COINBASE, DAIVON, KRAKEN, StoredBot, now
from tests.unit.diagnostics.books import order
from tests.unit.diagnostics.conftest import Ask

D = Decimal
BTC = "BTC/USD"
SIGNAL = "5a5a5a5a" * 4
MASTERS, COPIED = "1b1b1b1b" * 4, "2c2c2c2c" * 4


@pytest.fixture
def running(bot: StoredBot) -> StoredBot:
    bot.runs()
    bot.accounts([KRAKEN, COINBASE, DAIVON])
    return bot


def hold(bot: StoredBot, status: ExitStatus = ExitStatus.ARMED, *, bid: str = "104") -> None:
    """Kraken's master holds half a bitcoin, bought at 100."""
    moment = now()
    held = Position(
        account_id="kraken", symbol=BTC, quantity=D("0.5"), average_entry_price=D(100), highest_price=D(105),
        opened_at=moment - timedelta(hours=3), exit_plan=ExitPlan(),
    )  # fmt: skip
    rules: dict[str, dict[str, Any]] = {
        "target": {"level": "106.08", "distance_percent": "2.00", "armed": True},
        "hard_stop": {"level": "97", "distance_percent": "6.73", "armed": True},
    }
    state = ExitState(
        account_id="kraken", symbol=BTC, at=moment, cycle=4, status=status, reason="no price", bid=D(bid), rules=rules
    )
    bot.store.write(lambda connection: positions.save_position(connection, held))
    bot.store.write(lambda connection: save_exit_state(connection, state))


def sent(bot: StoredBot, order_id: str, account: str, venue_id: str, *, signal_id: str | None = None) -> None:
    """An order that was taken and filled, with its fill."""
    at = now() - timedelta(seconds=5)
    quantity = D("0.01") if account == "kraken" else D("0.001")
    intent = OrderIntent(
        client_order_id=order_id, account_id=account, signal_id=signal_id, decision="rsi", symbol=BTC, side=Side.BUY,
        kind=OrderKind.ENTRY, order_type=OrderType.MARKET, quantity=quantity, limit_price=None, balance_before=None,
        created_at=at, exit_plan=ExitPlan(),
    )  # fmt: skip
    ref = KRAKEN if account == "kraken" else DAIVON
    filled = Fill(
        trade_id=f"T-{venue_id}", venue_order_id=venue_id, symbol=BTC, side=Side.BUY, quantity=quantity,
        price=D(50_000), fee=D("0.8"), fee_currency="USD", executed_at=at,
    )  # fmt: skip

    def work(connection: Any) -> None:
        intents.add_intent(connection, intent)
        for number, state in enumerate((IntentState.SUBMITTED, IntentState.ACKNOWLEDGED, IntentState.FILLED)):
            changes: dict[str, Any] = {"venue_order_id": venue_id} if number else {}
            done = {"filled_quantity": quantity, "average_price": D(50_000)} if state is IntentState.FILLED else {}
            when = at + timedelta(seconds=0.1 * (number + 1))
            intents.move(connection, order_id, state, at=when, **changes, **done)
        fills.add_fill(connection, ref, filled, client_order_id=order_id, now=at)

    bot.store.write(work)


@pytest.fixture
def copied(running: StoredBot, home: Path) -> StoredBot:
    """The master has bought, and Daivon's copy is filled; the log has named both."""
    sent(running, MASTERS, "kraken", "OMASTER-1")
    moment = now()
    item = TradeSignal(
        signal_id=SIGNAL, broker=KRAKEN.broker, symbol=BTC, side=Side.BUY, kind=OrderKind.ENTRY, size=D(500),
        quantity=D("0.01"), reference_price=D(50_000), master_balance=D(10_000), executed_at=moment,
    )  # fmt: skip

    def work(connection: Any) -> None:
        signals.add_signal(connection, item, account_id="kraken", venue_order_id="OMASTER-1", batch=0, now=moment)
        signals.claim_for_planning(connection, SIGNAL, at=moment)
        copies.add_copy(
            connection, signal_id=SIGNAL, account_id=DAIVON.label, planned_at=moment, status="planned", reason="",
            detail="",
        )  # fmt: skip

    running.store.write(work)
    sent(running, COPIED, DAIVON.label, "OCOPY-7", signal_id=SIGNAL)
    answered = {"client_order_id": COPIED, "filled_quantity": D("0.001"), "average_price": D(50_000)}
    running.store.write(
        lambda connection: copies.answer_copy(
            connection, signal_id=SIGNAL, account_id=DAIVON.label, status=CopyStatus.COPIED, reason=CopyReason.NONE,
            detail="", at=now(), **answered,
        )
    )  # fmt: skip
    (home / "nija.log").write_text(f"12:00:00 INFO signal {SIGNAL[:8]}: entry\n12:00:01 INFO other\n", encoding="utf-8")
    return running


# -- status -------------------------------------------------------------------------------------------------------
def test_status_says_in_one_word_that_it_trades_with_accounts_and_mode(ask: Ask, running: StoredBot) -> None:
    answer = ask(main, "status")
    assert answer.text.startswith("TRADING  PAPER")
    assert "3 of 3 accounts trade" in answer.text
    assert "daivon_frazier_kraken" in answer.text
    assert "900.50" in answer.text
    assert answer.code == 0
    assert ask(main, "status", "--json").json["state"] == "trading"


def test_status_names_who_has_stopped_it_and_ends_with_1(ask: Ask, running: StoredBot) -> None:
    ask(main, "kill", "--by", "Anna", "--reason", "the news")
    answer = ask(main, "status")
    assert answer.text.startswith("STOPPED")
    assert "Anna" in answer.text
    assert "the news" in answer.text
    assert answer.code == 1
    with running.store.read() as connection:
        assert len(halts.all_in_force(connection)) == 1


def test_status_says_what_it_waits_for_when_nobody_trades(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.account(KRAKEN, health="degraded", health_reason="Kraken does not answer")
    answer = ask(main, "status")
    assert answer.text.startswith("WAITING")
    assert "kraken: degraded: Kraken does not answer" in answer.text
    assert answer.code == 1


def test_status_of_a_stopped_bot_is_as_last_seen_and_ends_with_3(ask: Ask, running: StoredBot) -> None:
    running.ended()
    answer = ask(main, "status", "--json")
    assert (answer.code, answer.json["state"], answer.json["uptime_seconds"]) == (3, "stopped", None)


def test_status_has_positions_and_open_alerts(ask: Ask, running: StoredBot) -> None:
    hold(running)
    found = AlertNow("disk_low", "", "warning", "200 MB are left")
    running.store.write(lambda connection: alerts.begin_alert(connection, found, now=now()))
    answer = ask(main, "status")
    assert "kraken BTC/USD: target 2.00 %, unrealised +2.00" in answer.text
    assert "disk_low: 200 MB are left" in answer.text
    assert answer.code == 1


def test_a_balance_that_is_not_known_is_unknown_and_no_zero(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.account(KRAKEN, balance_status="unknown", cash_available=None, cash_held=None, balance_taken_at=None)
    line = next(line for line in ask(main, "status").text.splitlines() if line.strip().startswith("kraken"))
    assert "unknown" in line
    assert "0.00" not in line


def test_a_long_reason_stands_once_below_the_table_and_one_word_of_it_in_each_line(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    for account in (KRAKEN, DAIVON):
        bot.account(account, health="degraded", health_reason="its balance is not fresh")
    text = ask(main, "status").text
    assert "degraded: its balance is not fresh: kraken, daivon_frazier_kraken" in text
    lines = [
        line.split() for line in text.splitlines() if line.strip().startswith(("kraken ", "daivon_frazier_kraken "))
    ]
    assert [line[1] for line in lines] == ["degraded", "degraded"]


def test_money_says_once_what_all_accounts_wait_for(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    for account in (KRAKEN, DAIVON):
        bot.account(account)
    answer = ask(main, "money")
    assert answer.text.count("have not begun") == 1
    assert "python bot.py status" in answer.text
    assert answer.code == 1


def test_watching_is_for_a_terminal(ask: Ask, running: StoredBot, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["status", "--watch"])
    assert ended.value.code == 2
    assert "for a terminal" in capsys.readouterr().err


def test_watching_draws_again_and_q_ends_it_with_the_terminal_as_it_was(running: StoredBot) -> None:
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "bot.py", "status", "--watch", "0.2"], cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs,
        env={**os.environ, "TERM": "xterm"}, close_fds=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        shown = _read_until(ours, lambda text: text.count(b"TRADING") >= 2)
        os.write(ours, b"q")
        shown += _read_until(ours, lambda text: b"\x1b[?1049l" in text)
        assert child.wait(timeout=60) == 0
    finally:
        child.kill()
        child.wait(timeout=60)
        os.close(ours)
    assert b"Traceback" not in shown
    assert shown.index(b"\x1b[?1049h") < shown.rindex(b"\x1b[?1049l")


def _read_until(descriptor: int, enough: Any) -> bytes:
    text, deadline = b"", time.monotonic() + 60
    while not enough(text):
        assert time.monotonic() < deadline, text
        if select.select([descriptor], [], [], 1.0)[0]:
            text += os.read(descriptor, 65_536)
    return text


# -- lists --------------------------------------------------------------------------------------------------------
def test_users_show_how_they_copy_their_last_copy_and_paused_markets(ask: Ask, copied: StoredBot) -> None:
    copied.store.write(
        lambda connection: symbol_pauses.pause_symbol(connection, DAIVON.label, "ETH/USD", reason="own", now=now())
    )
    answer = ask(main, "users", "--json")
    user = answer.json["users"][0]
    assert (user["user_id"], user["copy_mode"], user["trading"]) == ("daivon_frazier", "balance_ratio", True)
    assert (user["last_copy"]["status"], user["last_copy"]["signal_id"]) == ("copied", SIGNAL)
    assert user["paused_symbols"] == ["ETH/USD"]
    assert answer.code == 0
    assert "copied: buy BTC/USD" in ask(main, "users").text


def test_a_user_that_does_not_trade_ends_the_command_with_1(ask: Ask, running: StoredBot) -> None:
    running.account(DAIVON, health="failed", health_reason="the key was refused")
    answer = ask(main, "users")
    assert answer.code == 1
    assert "failed: the key was refused" in answer.text


def test_positions_have_entry_price_profit_and_the_nearest_exit(ask: Ask, running: StoredBot) -> None:
    hold(running)
    answer = ask(main, "positions", "kraken")
    assert answer.code == 0
    assert "target 2.00 %" in answer.text
    assert "+2.00" in answer.text
    found = ask(main, "positions", "--account", "kraken", "--json").json["positions"][0]
    assert (found["average_entry_price"], found["profit_quote"], found["profit_percent"]) == ("100", "2", "4")


def test_a_position_that_nothing_guards_is_said_first_and_ends_with_1(ask: Ask, running: StoredBot) -> None:
    hold(running, ExitStatus.UNGUARDED)
    answer = ask(main, "positions")
    assert answer.code == 1
    assert "NOTHING GUARDS 1 of them" in answer.text


def test_an_account_that_does_not_exist_is_met_with_the_nearest(ask: Ask, running: StoredBot) -> None:
    for command in ("positions", "orders"):
        answer = ask(main, command, "krakn")
        assert answer.code == 2
        assert "Did you mean kraken?" in answer.errors


def test_orders_tell_their_life_with_the_time_of_each_state(ask: Ask, copied: StoredBot) -> None:
    answer = ask(main, "orders", "--json")
    newest = answer.json["orders"][0]
    assert newest["client_order_id"] == COPIED
    assert [step["state"] for step in newest["life"]] == ["submitted", "acknowledged", "filled"]
    assert "all at 50000" in ask(main, "orders").text
    assert "filled after 0.30 s" in ask(main, "orders").text
    assert answer.code == 0


def test_open_orders_are_those_without_an_end_and_an_unknown_one_ends_with_1(ask: Ask, copied: StoredBot) -> None:
    waiting = order(copied, "3d3d3d3d")
    answer = ask(main, "orders", "--open", "--json")
    assert [one["client_order_id"] for one in answer.json["orders"]] == [waiting]
    assert answer.code == 1
    assert len(ask(main, "orders", "--limit", "2", "--json").json["orders"]) == 2


def test_alerts_that_are_open_come_first_with_what_they_mean(ask: Ask, running: StoredBot) -> None:
    found = AlertNow("exit_debt", "daivon_frazier_kraken", "critical", "an exit is owed")
    running.store.write(lambda connection: alerts.begin_alert(connection, found, now=now()))
    answer = ask(main, "alerts")
    assert answer.code == 1
    assert "exit_debt: a copied exit has been owed" in answer.text
    assert ask(main, "alerts", "--json").json["alerts"][0]["subject"] == "daivon_frazier_kraken"
    with running.store.read() as connection:
        ids = [row.id for row in alerts.open_alerts(connection).values()]
    running.store.write(lambda connection: alerts.clear_alerts(connection, ids, now=now()))
    assert ask(main, "alerts").code == 0


def test_nonces_far_ahead_of_the_clock_are_something_wrong(ask: Ask, running: StoredBot, home: Path) -> None:
    ceiling = int((now() + timedelta(hours=2)).timestamp()) * 1_000_000_000
    file = home / "kraken_nonce_master.txt"
    file.write_text(f'{{"format": "nija-kraken-nonce/1", "unit": "ns", "key": "ab", "ceiling": "{ceiling}"}}')
    before = file.read_bytes()
    answer = ask(main, "nonce", "status", "--json")
    master = answer.json["nonces"][0]
    assert answer.code == 1
    assert (master["ceiling"], master["unit"], master["key"]) == (str(ceiling), "nanoseconds", "ab")
    assert "ahead of the clock" in master["problem"]
    assert file.read_bytes() == before


# -- trace --------------------------------------------------------------------------------------------------------
def test_any_id_of_a_trade_leads_to_all_of_it(ask: Ask, copied: StoredBot) -> None:
    for typed in (SIGNAL, SIGNAL[:8], MASTERS[:8], COPIED[:6], "OMASTER-1", "OCOPY-7", "T-OCOPY-7"):
        answer = ask(main, "trace", typed, "--json")
        found = answer.json
        assert answer.code == 0
        assert found["signal"]["signal_id"] == SIGNAL
        assert [one["client_order_id"] for one in found["orders"]] == [MASTERS, COPIED]
        assert [one["account_id"] for one in found["copies"]] == [DAIVON.label]
        cash = [(one["trade_id"], one["cash"]) for one in found["fills"]]
        assert cash == [("T-OMASTER-1", "-500"), ("T-OCOPY-7", "-50")]
        assert found["log"] == [{"line": f"12:00:00 INFO signal {SIGNAL[:8]}: entry"}]


def test_an_order_without_a_signal_is_traced_alone(ask: Ask, running: StoredBot) -> None:
    alone = order(running, "4e4e4e4e")
    found = ask(main, "trace", "4e4e4e4e", "--json").json
    assert found["signal"] is None
    assert [one["client_order_id"] for one in found["orders"]] == [alone]


def test_an_id_that_nothing_has_or_that_several_have_is_refused_with_what_to_do(ask: Ask, running: StoredBot) -> None:
    order(running, "5f5f5f5f1")
    order(running, "5f5f5f5f2")
    several = ask(main, "trace", "5f5f5f5f")
    assert several.code == 2
    assert "say more of it" in several.errors
    nothing = ask(main, "trace", "6a6a6a6a")
    assert nothing.code == 2
    assert "python bot.py orders" in nothing.errors
