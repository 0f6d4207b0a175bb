"""why: sentences about an account and its markets, for masters and users, from the store alone."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert

from bot.app import main
from bot.domain.decision import EntryOutcome, ExitStatus
from bot.domain.halt import HaltScope, HaltSource, HaltStrength
from bot.domain.order import IntentState, OrderKind, OrderType, Side
from bot.domain.position import ExitPlan, Position
from bot.domain.signal import CopyReason, CopyStatus
from bot.storage import halts, positions, symbol_pauses
from bot.storage.entry_decisions import EntryDecision, add_entry_decision
from bot.storage.exit_states import ExitState, save_exit_state
from bot.storage.market_words import MarketWord, save_words
from bot.storage.round_trips import RoundTrip, add_round_trip
from bot.storage.scan_cycles import ScanCycle, add_scan
from bot.storage.schema import dust
from tests.stored_bot import DAIVON, KRAKEN, StoredBot, now
from tests.unit.diagnostics.books import change, copy, member, order, signal
from tests.unit.diagnostics.conftest import Answer, Ask
from tests.unit.diagnostics.test_why_no_trade import copied

D = Decimal
BTC = "BTC/USD"
Say = Callable[..., Answer]
WISH = EntryDecision(
    account_id="kraken", at=now(), symbol=BTC, strategy="rsi", confidence=D("0.7"), reason="RSI 21.0 is below 30",
    outcome=EntryOutcome(False, "order_rate", "4 entries in a minute are enough", {"entries": "4"}), scan_id=1,
)  # fmt: skip
RULES: dict[str, dict[str, Any]] = {
    "hard_stop": {"level": "97", "distance_percent": "3.4", "armed": True},
    "break_even": {"level": "100", "distance_percent": "0.4", "armed": False},
    "time": {"level": None, "distance_percent": None, "armed": True, "at": "2026-02-01T00:00:00Z"},
}


@pytest.fixture
def say(ask: Ask) -> Say:
    return lambda *words: ask(main, "why", *words)


@pytest.fixture
def running(bot: StoredBot) -> StoredBot:
    bot.runs()
    bot.accounts([KRAKEN, DAIVON])
    return bot


def hold(bot: StoredBot, account: str = "kraken", symbol: str = BTC) -> None:
    position = Position(
        account_id=account, symbol=symbol, quantity=D("0.5"), average_entry_price=D(100), highest_price=D(101),
        opened_at=now() - timedelta(hours=3), exit_plan=ExitPlan(stop_loss_percent=D(3)),
    )  # fmt: skip
    bot.store.write(lambda connection: positions.save_position(connection, position))


def judge(bot: StoredBot, status: ExitStatus, account: str = "kraken", **changes: Any) -> None:
    state = ExitState(
        account_id=account, symbol=BTC, at=now(), cycle=4, status=status, reason="kept", bid=D("100.4"), rules=RULES
    )
    bot.store.write(lambda connection: save_exit_state(connection, replace(state, **changes)))


# -- a master -----------------------------------------------------------------------------------------------------
def test_a_master_that_trades_says_so_with_its_last_look_and_what_became_of_its_signals(
    running: StoredBot, say: Say
) -> None:
    counts = {"filtered": {"spread": 8}, "no_entry": {"no_signal": 3}, "vetoed": {"order_rate": 1}}
    looked = ScanCycle(account_id="kraken", at=now(), listed=12, passed=4, ready=4, signals=1, counts=counts)
    running.store.write(lambda connection: add_scan(connection, looked))
    running.store.write(lambda connection: add_entry_decision(connection, WISH))
    answer = say("kraken")
    assert answer.code == 0
    assert "kraken trades, and no gate is closed to its entries." in answer.text
    assert "scanned 12: 8 filtered (spread 8), 4 ready of 4, 1 signal, 1 vetoed (order_rate 1)" in answer.text
    assert "RSI 21.0 is below 30" in answer.text
    (wish,) = say("kraken", "--json").json["signals"]
    assert (wish["outcome"], wish["rule"]) == ("vetoed", "order_rate")
    assert wish["why"] == "order_rate: 4 entries in a minute are enough [entries 4]"


def test_the_first_closed_gate_is_said_in_words(running: StoredBot, say: Say) -> None:
    running.account(KRAKEN, waiting_for="5 positions and 0 open entries, the cap is 5")
    assert "kraken makes no entries now: 5 positions and 0 open entries" in say("kraken").text
    running.account(KRAKEN, health="degraded", health_reason="no answer")
    assert "kraken does not trade: degraded: no answer" in say("kraken").text
    stop = {"strength": HaltStrength.ENTRIES_OFF, "reason": "the news", "set_by": "anna", "source": HaltSource.COMMAND}
    running.store.write(lambda c: halts.set_halt(c, scope=HaltScope.ALL, target="", now=now(), **stop))  # type: ignore[arg-type]
    assert say("kraken", "--json").json["closed_gate"].startswith("HALTED: entries are off for everything")


def test_why_a_market_was_not_bought_is_the_last_word_of_the_scans(running: StoredBot, say: Say) -> None:
    word = MarketWord(
        symbol=BTC, stage="filtered", rule="spread", detail="0.8 % is above 0.5 %", since=now() - timedelta(hours=1)
    )
    running.store.write(lambda connection: save_words(connection, "kraken", [word]))
    answer = say("kraken", "btc")
    assert "kraken does not hold BTC/USD." in answer.text
    assert "In the scans it was left out by the filter spread since" in answer.text
    assert "0.8 % is above 0.5 %." in answer.text
    assert say("kraken", BTC, "--json").json["word"]["rule"] == "spread"


def test_a_market_that_was_wanted_shows_what_became_of_it_and_how_it_ended_last_time(
    running: StoredBot, say: Say
) -> None:
    running.store.write(lambda connection: add_entry_decision(connection, WISH))
    trip = RoundTrip(
        account_id="kraken", symbol=BTC, opened_at=now(), closed_at=now(), bought_quantity=D(1), bought_quote=D(100),
        sold_quote=D(97), fees_quote=D("0.5"), exit_rule="hard_stop",
    )  # fmt: skip
    running.store.write(lambda connection: add_round_trip(connection, trip))
    order(running, "3f9c", account_id="kraken", side=Side.BUY, kind=OrderKind.ENTRY, state=IntentState.FILLED)
    answer = say("kraken", BTC)
    assert "sold by its hard stop, and made -3.5." in answer.text
    found = say("kraken", BTC, "--json").json
    assert (found["orders"][0]["state"], found["signals"][0]["rule"]) == ("filled", "order_rate")


# -- a position ---------------------------------------------------------------------------------------------------
def test_why_it_is_still_held_names_the_nearest_armed_rule_and_shows_them_all(running: StoredBot, say: Say) -> None:
    hold(running)
    judge(running, ExitStatus.ARMED)
    answer = say("kraken", BTC)
    assert answer.code == 0
    assert "kraken holds 0.5 BTC/USD since" in answer.text
    assert "no exit rule is met; the nearest is its hard stop at 97, 3.40 % away from the bid of 100.4." in answer.text
    found = say("kraken", BTC, "--json").json
    assert [(rule["rule"], rule["level"], rule["armed"]) for rule in found["exit_rules"]] == [
        ("hard_stop", "97", True), ("break_even", "100", False), ("time", None, True)
    ]  # fmt: skip
    assert "at 2026-02-01T00:00:00Z" in found["exit_rules"][2]["besides"]
    assert [each["status"] for each in found["exit_decisions"]] == ["armed"]


def test_a_pending_exit_says_what_it_waits_for(running: StoredBot, say: Say) -> None:
    hold(running)
    judge(running, ExitStatus.WAITING, rule="hard_stop", reason="no price")
    order(running, "3f9c21aa", account_id="kraken")
    text = say("kraken", BTC).text
    assert "Its exit waits by its hard stop: no price." in text
    assert "Its order 3f9c21aa to sell 0.001 BTC/USD is unknown: time-out." in text


def test_a_position_that_nothing_guards_is_wrong_and_said_of_the_account_too(running: StoredBot, say: Say) -> None:
    hold(running)
    judge(running, ExitStatus.UNGUARDED, reason="its plan has no usable rule")
    for answer in (say("kraken", BTC), say("kraken")):
        assert answer.code == 1
        assert "NOTHING GUARDS" in answer.text and "its plan has no usable rule" in answer.text


def test_an_old_judgement_is_not_taken_for_the_present(running: StoredBot, say: Say) -> None:
    hold(running)
    judge(running, ExitStatus.ARMED, at=now() - timedelta(hours=1))
    assert "no later cycle has judged it" in say("kraken", BTC).text
    running.store.write(lambda connection: positions.close_position(connection, "kraken", BTC))
    hold(running, symbol="ETH/USD")
    assert "No cycle has judged its exits yet." in say("kraken", "ETH/USD").text


def test_what_could_not_be_sold_has_its_retry(running: StoredBot, say: Say) -> None:
    row = {"account_id": "kraken", "symbol": BTC, "quantity": D("0.00001"), "average_entry_price": D(100)}
    again = now() + timedelta(hours=1)
    running.store.write(
        lambda c: c.execute(insert(dust).values(**row, closed_at=now(), reason="below the minimum", retry_at=again))
    )
    order(running, "3f9c", account_id="kraken", state=IntentState.FILLED)
    text = say("kraken", BTC).text
    assert "0.00001 of BTC/USD could not be sold since" in text
    assert f": below the minimum; looked at again at {again:%Y-%m-%d %H:%M:%S}." in text


# -- a user -------------------------------------------------------------------------------------------------------
def test_a_user_sees_its_copies_pauses_and_positions(running: StoredBot, say: Say) -> None:
    copied(running, "s1", CopyStatus.SKIPPED, CopyReason.BELOW_MINIMUM)
    running.store.write(
        lambda c: symbol_pauses.pause_symbol(c, DAIVON.label, "ETH/USD", reason="traded by hand", now=now())
    )
    hold(running, DAIVON.label)
    judge(running, ExitStatus.ARMED, DAIVON.label)
    text = say(DAIVON.label).text
    assert "0 of 1 entries were copied; of 1 that were not, most (1) for below minimum." in text
    assert "It does not enter ETH/USD any more: traded by hand (python bot.py symbols)." in text
    found = say(DAIVON.label, BTC, "--json").json
    assert (found["kind"], found["held"], found["copies"][0]["reason"]) == ("user", True, "below_minimum")


def test_a_copy_without_an_answer_says_what_it_waits_for(running: StoredBot, say: Say) -> None:
    member(running)
    hold(running, DAIVON.label)
    hold(running, DAIVON.label, "ETH/USD")
    entry = signal(running, "a", OrderKind.ENTRY, ago=90)
    copy(running, entry)
    exit_ = signal(running, "b", OrderKind.EXIT, ago=60)
    copy(running, exit_)
    begins = "Its copy of the entry aaaaaaaa (buy BTC/USD) has no answer yet; it waits for"
    assert f"{begins} its account to be compared with its venue for the first time." in say(DAIVON.label).text
    running.account(DAIVON, hydrated_at=now())
    text = say(DAIVON.label, BTC).text
    assert f"{begins} its turn." in text
    assert "Its copy of the exit bbbbbbbb (sell BTC/USD) has no answer yet; it waits for the entry copy" in text
    name = order(running, "e1aa", signal_id=entry, side=Side.BUY, kind=OrderKind.ENTRY)
    assert f"{begins} the outcome of order e1aa0000." in say(DAIVON.label).text
    change(running, name, needs_person="the venue shows another order")
    assert f"{begins} a person: python bot.py resolve e1aa0000 (contradictory)." in say(DAIVON.label).text
    other = say(DAIVON.label, "ETH/USD").text
    assert "holds 0.5 ETH/USD" in other and "no answer yet" not in other
    running.ended()
    assert f"{begins} NIJA to run" in say(DAIVON.label).text


def test_an_accounts_rests_are_listed_with_their_reason_and_their_next_look(running: StoredBot, say: Say) -> None:
    row = {"account_id": DAIVON.label, "average_entry_price": D(100), "closed_at": now(), "reason": "below 5 USD"}
    again = now() + timedelta(hours=1)
    gone = {**row, "symbol": "SOL/USD", "quantity": D(1), "retry_at": None, "reopened_at": now()}
    left = {**row, "symbol": BTC, "quantity": D("0.00001"), "retry_at": again, "reopened_at": None}
    running.store.write(lambda c: c.execute(insert(dust), [gone, left]))
    (rest,) = say(DAIVON.label, "--json").json["dust"]
    assert (rest["symbol"], rest["quantity"], rest["reason"]) == (BTC, "0.00001", "below 5 USD")
    assert rest["retry_at"] == f"{again:%Y-%m-%d %H:%M:%S}"
    assert "Rests that are too small to be sold" in say(DAIVON.label).text
    assert say("kraken", "--json").json["dust"] == []


# -- names and the bot ----------------------------------------------------------------------------------------------
def test_unknown_names_are_answered_with_the_nearest(running: StoredBot, say: Say) -> None:
    hold(running)
    for words, near in (
        (("daivon_fraser_kraken",), "Did you mean daivon_frazier_kraken?"),
        (("kraken", "BCT/USD"), "Did you mean BTC/USD?"),
    ):
        answer = say(*words)
        assert answer.code == 2 and near in answer.errors


def test_of_a_bot_that_does_not_run_it_is_as_last_seen(bot: StoredBot, say: Say) -> None:
    bot.accounts([KRAKEN])
    answer = say("kraken")
    assert answer.code == 3
    assert "kraken does not trade: the bot is not running." in answer.text


def chain(bot: StoredBot, *filled: str, end: str | None) -> None:
    """An entry that rested and was moved, of which each order has filled so much."""
    name = "c".ljust(32, "0")
    for step, quantity in enumerate(filled):
        order(
            bot, "c" if step == 0 else f"c{step}", ago=60.0 - step, account_id=KRAKEN.label, side=Side.BUY,
            kind=OrderKind.ENTRY, order_type=OrderType.LIMIT_GTC, quantity=D("0.5"), limit_price=D(100 + step),
            filled_quantity=D(quantity), state=IntentState.CANCELLED, reason="", decision="a wish", chain_id=name,
            chain_step=step, chain_end=end,
        )  # fmt: skip


def test_an_order_that_was_moved_is_told_as_one_try_with_its_end(running: StoredBot, say: Say) -> None:
    chain(running, "0.1", "0.2", end="not all of it was to be had in 2 tries")
    answer = say("kraken", BTC)
    assert "Its last try to buy 0.5 BTC/USD began" in answer.text
    assert "is over, 2 orders, one after the other, 0.3 filled: not all of it was to be had in 2 tries" in answer.text
    listed = say("kraken", BTC, "--json").json["orders"]
    assert [(row["step"], row["filled"]) for row in listed] == [(2, "0.2"), (1, "0.1")]
    assert [row["why"] for row in listed] == ["a wish; not all of it was to be had in 2 tries", "a wish"]


def test_an_order_that_rests_says_where_it_waits(running: StoredBot, say: Say) -> None:
    chain(running, "0.1", "0", end=None)
    waits = "It waits to buy 0.5 BTC/USD: 2 orders, one after the other, 0.1 filled, now at 101"
    assert waits in say("kraken", BTC).text
