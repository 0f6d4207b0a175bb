"""`bot.py reconcile`: what an account's rows add up to beside its last reading; differences explained or flagged."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert, update

from bot import app
from bot.diagnostics.period_figures import ListedAccount
from bot.diagnostics.reconciled import History, Reconciled, VenueWord
from bot.diagnostics.reconciled_account import last_word, reconcile_account
from bot.domain.cash_event import CashEvent, CashKind
from bot.domain.drift import DriftKind
from bot.domain.fill import Fill
from bot.domain.order import IntentState, OrderKind, Side
from bot.storage.cash_events import note_unread
from bot.storage.drifts import note_drift
from bot.storage.fills import advance_cursor
from bot.storage.schema import dust, fill, position
from bot.supervision.instance_lock import InstanceLock
from tests.stored_bot import DAIVON, StoredBot, now
from tests.unit.diagnostics.books import order
from tests.unit.diagnostics.conftest import Ask
from tests.unit.diagnostics.ledger import Ledger

D = Decimal
USER = DAIVON.label
BTC = "BTC/USD"
OPENED = now() - timedelta(days=3)
ACCOUNT = ListedAccount(account_id=USER, name="Daivon", broker="kraken", user_id="daivon_frazier", currency="USD")


@pytest.fixture
def ledger(bot: StoredBot) -> Ledger:
    """Opened with 1,000 USD and a coin of the owner's; a round trip, fees in both assets, a deposit."""
    made = Ledger(bot, DAIVON, opened=OPENED, units={"USD": "1000", "BTC": "1"}, prices={"BTC": "100"})
    made.buy(OPENED + timedelta(hours=1), BTC, "2", "100", "0.002", "BTC")
    made.sell(OPENED + timedelta(hours=2), BTC, "0.5", "110", "0.11")
    made.cash(OPENED + timedelta(hours=3), CashKind.DEPOSIT, "USD", "500", "1.25")
    made.point(OPENED + timedelta(hours=4), {"BTC": "120"})
    return made


def _lot(bot: StoredBot, quantity: str) -> None:
    row = {"account_id": USER, "symbol": BTC, "quantity": D(quantity), "owed_quantity": D(0), "opened_at": OPENED}
    prices = {"average_entry_price": D(100), "highest_price": D(100)}
    bot.store.write(lambda connection: connection.execute(insert(position).values(row | prices)))


def _reconciled(bot: StoredBot, **changes: Any) -> Reconciled:
    with bot.store.read() as connection:
        word = last_word(connection, USER)
        if changes:
            assert word is not None
            values = {"at": now(), "units": word.units, "marks": word.marks} | changes
            word = VenueWord(**values)
        return reconcile_account(connection, ACCOUNT, word)


def test_every_asset_is_added_up_from_the_first_row_on_and_agrees(ask: Ask, bot: StoredBot, ledger: Ledger) -> None:
    bot.runs()
    shown = ask(app.main, "reconcile", USER)
    assert (shown.code, shown.text.count("agrees")) == (0, 2)
    assert "All is explained in 1 account" in shown.text and "2 trades, 2 of them by hand" in shown.text
    assert max(map(len, shown.text.splitlines())) <= 100
    (account,) = ask(app.main, "reconcile", "all", "--json").json["accounts"]
    btc, usd = account["assets"]
    assert (btc["opening"], btc["traded"], btc["fees"], btc["books"]) == ("1", "1.5", "0.002", "2.498")
    assert (usd["traded"], usd["fees"], usd["moved"], usd["books"]) == ("-145", "0.11", "498.75", "1353.64")
    assert (btc["difference"], usd["difference"], account["explained"]) == ("0", "0", True)
    bot.ended()
    assert ask(app.main, "reconcile", USER).code == 3


def test_what_nothing_explains_is_flagged_by_asset(ask: Ask, bot: StoredBot, ledger: Ledger) -> None:
    bot.runs()
    ledger.units["BTC"] -= D("0.25")
    ledger.point(OPENED + timedelta(hours=5), {"BTC": "120"})
    shown = ask(app.main, "reconcile", USER)
    assert (shown.code, "NOT EXPLAINED: BTC: nothing in the books explains it" in shown.text) == (1, True)
    (account,) = ask(app.main, "reconcile", USER, "--json").json["accounts"]
    assert account["flagged"] == ["BTC: nothing in the books explains it"]
    assert [one["difference"] for one in account["assets"]] == ["-0.25", "0"]


def test_a_fill_that_was_removed_is_a_difference_in_both_assets(bot: StoredBot, ledger: Ledger) -> None:
    bot.store.write(lambda connection: connection.execute(fill.delete().where(fill.c.trade_id == "T2")))
    found = _reconciled(bot)
    assert {asset: row.difference for asset, row in found.assets.items()} == {"BTC": D("-0.5"), "USD": D("54.89")}
    assert len(found.flagged) == 2


def test_less_than_half_a_cent_is_the_brokerages_rounding(bot: StoredBot, ledger: Ledger) -> None:
    found = _reconciled(bot, units={"USD": D("1353.6359"), "BTC": D("2.49797")})
    assert found.flagged == []
    assert "rounding" in found.assets["USD"].remarks[0].words
    assert _reconciled(bot, units={"USD": D("1353.64"), "BTC": D("2.4979")}).flagged != []


def test_while_an_order_is_under_way_its_assets_prove_nothing(bot: StoredBot, ledger: Ledger) -> None:
    order(bot, "a", kind=OrderKind.ENTRY, side=Side.BUY, state=IntentState.ACKNOWLEDGED)
    found = _reconciled(bot, units={"USD": D("1300"), "BTC": D("2.498")})
    assert found.flagged == []
    assert found.assets["USD"].remarks[0].words == "1 order under way"


def test_lots_that_are_not_there_are_flagged_and_coins_of_ones_own_are_not(bot: StoredBot, ledger: Ledger) -> None:
    _lot(bot, "2.4")
    assert _reconciled(bot).flagged == []
    rest = {"account_id": USER, "symbol": BTC, "quantity": D("0.1"), "average_entry_price": D(1), "closed_at": OPENED}
    bot.store.write(lambda connection: connection.execute(insert(dust).values(rest)))
    assert _reconciled(bot).flagged == ["BTC: 0.002 less than the lots that the bot calls its own"]


def test_an_order_whose_trades_are_not_what_it_says_is_flagged(bot: StoredBot, ledger: Ledger) -> None:
    values = {"state": IntentState.FILLED, "filled_quantity": D(2), "venue_order_id": "O1"}
    order_id = order(bot, "b", **values)
    assert _reconciled(bot).flagged == []
    bot.store.write(lambda c: c.execute(update(fill).where(fill.c.trade_id == "T1").values(quantity=D("1.9"))))
    assert f"order {order_id} says 2 filled, its trades 1.9" in _reconciled(bot).flagged


def test_what_could_not_be_read_and_drifts_of_orders_are_flagged(bot: StoredBot, ledger: Ledger) -> None:
    bot.store.write(lambda connection: note_unread(connection, USER, "HTTP 500"))
    for kind in (DriftKind.FILL_MISSING, DriftKind.SURPLUS):
        bot.store.write(lambda c, kind=kind: note_drift(c, USER, kind, "T9", detail="a trade", now=now()))  # type: ignore[misc]
    found = _reconciled(bot)
    assert found.flagged == ["fill_missing T9: a trade"]
    # The settled reading had the ledger with it.
    assert found.remarks[0].words == "its ledger could not be read since: HTTP 500"
    unproved = _reconciled(bot, unsettled="orders were under way")
    assert "its ledger could not be read, deposits may be missing: HTTP 500" in unproved.flagged


def test_an_account_that_was_never_read_is_flagged(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.accounts()
    shown = ask(app.main, "reconcile", "all")
    assert (shown.code, "NOT EXPLAINED in 3 accounts" in shown.text) == (1, True)
    assert "was never read completely" in shown.text and "have not begun" in shown.text


def test_who_there_is_not_is_refused_and_a_running_bot_keeps_its_keys(ask: Ask, bot: StoredBot, ledger: Ledger) -> None:
    unknown = ask(app.main, "reconcile", "daivon")
    assert (unknown.code, "There is no account" in unknown.errors) == (2, True)
    lock = InstanceLock(bot.directory)
    lock.acquire()
    try:
        refused = ask(app.main, "reconcile", USER, "--connect")
    finally:
        lock.release()
    assert (refused.code, "owns its keys" in refused.errors) == (2, True)


# -- what the brokerage lists -------------------------------------------------------------------------------------
def _listed(ledger: Ledger, **changes: Any) -> dict[str, Any]:
    """A trade as the brokerage would list it."""
    values = {
        "trade_id": "T1", "venue_order_id": "O1", "symbol": BTC, "side": Side.BUY, "quantity": D(2), "price": D(100),
        "fee": D("0.002"), "fee_currency": "BTC", "executed_at": OPENED + timedelta(hours=1),
    }  # fmt: skip
    return values | changes


SECOND = {
    "trade_id": "T2", "venue_order_id": "O2", "side": Side.SELL, "quantity": D("0.5"), "price": D(110),
    "fee": D("0.11"), "fee_currency": "USD", "executed_at": OPENED + timedelta(hours=2),
}  # fmt: skip
DEPOSIT = CashEvent(
    event_id="E3",
    kind=CashKind.DEPOSIT,
    asset="USD",
    amount=D(500),
    fee=D("1.25"),
    at=OPENED + timedelta(hours=3),
)


def _asked(bot: StoredBot, ledger: Ledger, trades: list[dict[str, Any]], events: list[CashEvent]) -> Reconciled:
    history = History(since=OPENED, trades=[Fill(**one) for one in trades], events=events)
    return _reconciled(bot, units=ledger.units, history=history)


def test_the_same_trades_and_events_on_both_sides_are_no_word_worth(bot: StoredBot, ledger: Ledger) -> None:
    found = _asked(bot, ledger, [_listed(ledger), _listed(ledger, **SECOND)], [DEPOSIT])
    assert (found.flagged, found.remarks) == ([], [])


def test_what_came_while_the_bot_was_stopped_explains_the_balances(bot: StoredBot, ledger: Ledger) -> None:
    bot.store.write(lambda connection: advance_cursor(connection, USER, OPENED + timedelta(hours=2)))
    late = _listed(ledger, trade_id="T9", fee=D(1), fee_currency="USD", executed_at=now() - timedelta(hours=1))
    withdrawal = CashEvent(event_id="E9", kind=CashKind.WITHDRAWAL, asset="USD", amount=D(-50), fee=D(2), at=now())
    ledger.units |= {"BTC": ledger.units["BTC"] + 2, "USD": ledger.units["USD"] - 201 - 52}
    found = _asked(bot, ledger, [_listed(ledger), _listed(ledger, **SECOND), late], [DEPOSIT, withdrawal])
    assert found.flagged == []
    assert {row.difference for row in found.assets.values()} == {D(0)}
    assert sum("not booked yet" in remark.words for remark in found.remarks) == 2


def test_an_older_trade_that_the_books_lack_is_flagged(bot: StoredBot, ledger: Ledger) -> None:
    bot.store.write(lambda connection: advance_cursor(connection, USER, OPENED + timedelta(hours=3)))
    missed = _listed(ledger, trade_id="T9", executed_at=OPENED + timedelta(hours=1, minutes=30))
    found = _asked(bot, ledger, [_listed(ledger), _listed(ledger, **SECOND), missed], [DEPOSIT])
    assert any("trade T9" in words and "is not booked" in words for words in found.flagged)


@pytest.mark.parametrize("changes", [{"fee": D("0.003")}, {"price": D(101)}, {"quantity": D("2.5")}])
def test_a_trade_told_otherwise_is_flagged(bot: StoredBot, ledger: Ledger, changes: dict[str, Any]) -> None:
    found = _asked(bot, ledger, [_listed(ledger, **changes), _listed(ledger, **SECOND)], [DEPOSIT])
    assert [words.startswith("trade T1 of BTC/USD is booked as") for words in found.flagged] == [True]


def test_what_the_brokerage_does_not_list_is_flagged(bot: StoredBot, ledger: Ledger) -> None:
    found = _asked(bot, ledger, [_listed(ledger)], [])
    assert ["does not list it" in words for words in found.flagged] == [True, True]
