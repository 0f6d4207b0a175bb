"""The rules of the books, one by one, with figures that a person can check."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

import pytest

from bot.books.book_text import from_json, to_json
from bot.books.entries import CostEntry, Movement, Opening, Trade
from bot.books.exactly import add, multiply
from bot.books.identity import Standing, prove
from bot.books.ledger import Books, LateEntry
from bot.books.lots import Realised
from bot.domain.cash_event import CashEvent, CashKind
from bot.domain.order import Side

BEGIN = datetime(2026, 5, 1, tzinfo=UTC)


def trade(hour: int, side: str, quantity: str, price: str, fee: str = "0", currency: str = "USD", **more: str) -> Trade:
    return Trade(
        trade_id=more.get("trade_id", f"T{hour}"),
        symbol=more.get("symbol", "BTC/USD"),
        side=Side(side),
        quantity=D(quantity),
        price=D(price),
        fee=D(fee),
        fee_currency=currency,
        at=BEGIN + timedelta(hours=hour),
        order_id=more.get("order_id", ""),
    )


def moved(hour: int, kind: CashKind, asset: str, amount: str, fee: str = "0") -> Movement:
    at = BEGIN + timedelta(hours=hour)
    return Movement(event=CashEvent(event_id=f"E{hour}", kind=kind, asset=asset, amount=D(amount), fee=D(fee), at=at))


def word(asset: str, quantity: str, cost: str, *, hour: int = -100, currency: str = "USD") -> CostEntry:
    at = BEGIN + timedelta(hours=hour)
    return CostEntry(asset=asset, quantity=D(quantity), cost=D(cost), currency=currency, acquired_at=at)


def test_the_oldest_lot_is_sold_first_and_each_at_its_own_price() -> None:
    slices: list[Realised] = []
    books = Books("USD", on_close=slices.append)
    books.apply_all([trade(1, "buy", "1", "100", "1"), trade(2, "buy", "2", "130", "2"), trade(3, "sell", "2", "120")])
    assert [(part.lot_trade_id, part.quantity, part.gain) for part in slices] == [("T1", 1, 20), ("T2", 1, -10)]
    assert [part.opening_fee for part in slices] == [1, 1]
    assert books.flows.realised == 10
    assert books.known()["BTC"].cost == 130


def test_fees_of_many_partial_closes_add_up_to_the_whole_fee_to_the_last_digit() -> None:
    slices: list[Realised] = []
    books = Books("USD", on_close=slices.append)
    books.apply(trade(0, "buy", "7", "3", "1"))
    for hour in range(1, 8):
        books.apply(trade(hour, "sell", "1", "3", "0.1"))
    assert sum((part.opening_fee or D(0) for part in slices), D(0)) == 1
    assert sum((part.closing_fee or D(0) for part in slices), D(0)) == D("0.7")


def test_a_fee_in_the_base_asset_makes_the_lot_smaller_and_is_a_fee_at_the_fills_price() -> None:
    books = Books("USD")
    books.apply(trade(1, "buy", "1", "100", "0.01", "BTC"))
    (lot,) = books.lots("BTC")
    assert (lot.quantity, lot.unit_cost) == (D("0.99"), 100)
    assert books.flows.fees == 1
    assert books.cash == -100


def test_a_fee_in_a_third_asset_costs_what_its_oldest_lots_cost() -> None:
    books = Books("USD")
    books.apply(trade(1, "buy", "1", "300", symbol="BNB/USD"))
    books.apply(trade(2, "buy", "1", "100", "0.5", "BNB"))
    assert books.flows.fees == 150
    books.apply(trade(3, "buy", "1", "100", "0.75", "BNB"))
    assert books.flows.fees == 300
    assert books.flows.fees_apart == {"BNB": D("0.25")}
    assert books.units()["BNB"] == D("-0.25")


def test_what_was_bought_with_another_currency_has_no_cost_and_what_was_sold_for_one_no_proceeds() -> None:
    slices: list[Realised] = []
    books = Books("USD", on_close=slices.append)
    books.apply(trade(1, "buy", "1", "100"))
    books.apply(trade(2, "buy", "10", "0.05", symbol="ETH/BTC"))
    assert [(part.asset, part.quantity, part.cost, part.proceeds) for part in slices] == [("BTC", D("0.5"), 50, None)]
    (lot,) = books.lots("ETH")
    assert (lot.unit_cost, lot.cost_currency, books.knows_cost(lot)) == (D("0.05"), "BTC", False)
    books.apply(trade(3, "sell", "10", "7", symbol="ETH/USD"))
    assert books.flows.realised == 0
    assert slices[-1].gain is None
    assert books.flows.turnover == 170
    assert books.flows.turnover_apart == {"BTC": D("0.5")}


def test_a_currency_bought_with_the_own_one_in_the_base_has_a_cost() -> None:
    books = Books("USD")
    books.apply(trade(1, "sell", "100", "0.8", symbol="USD/CHF"))
    assert books.known()["CHF"].cost == 100
    books.apply(trade(2, "buy", "88", "1", symbol="USD/CHF", trade_id="back"))
    assert (books.flows.realised, books.flows.other) == (-20, 8)
    assert books.units() == {"USD": -12, "CHF": -8}


def test_coins_from_before_stay_without_cost_until_somebody_says_it() -> None:
    books = Books("USD")
    books.apply(Opening(asset="BTC", units=D(2)))
    said = from_json(to_json(books))
    books.apply(trade(1, "sell", "2", "500"))
    assert (books.flows.realised, books.flows.other) == (0, 1000)
    said.apply_all([word("BTC", "1.5", "300"), trade(1, "sell", "2", "500")])
    assert (said.flows.realised, said.flows.other) == (450, 250)


def test_a_word_on_cost_waits_for_coins_that_come_later_and_ends_with_its_quantity() -> None:
    books = Books("USD")
    books.apply(word("ETH", "3", "30"))
    books.apply(moved(1, CashKind.DEPOSIT, "ETH", "2"))
    books.apply(moved(2, CashKind.STAKING, "ETH", "2"))
    assert [(lot.quantity, lot.unit_cost) for lot in books.lots("ETH")] == [(2, 10), (1, 10), (1, None)]
    assert books.pending_costs == {"ETH": []}


def test_a_word_on_cost_in_another_currency_says_nothing_in_ours() -> None:
    books = Books("USD")
    books.apply_all([Opening(asset="BTC", units=D(1)), word("BTC", "1", "20000", currency="EUR")])
    assert books.known() == {}
    assert books.lots("BTC")[0].cost_currency == "EUR"


def test_more_sold_than_held_makes_no_lot_and_is_made_good_by_what_comes_in() -> None:
    books = Books("USD")
    books.apply(trade(1, "sell", "3", "10"))
    assert books.units() == {"USD": 30, "BTC": -3}
    assert books.lots("BTC") == ()
    books.apply(moved(2, CashKind.DEPOSIT, "BTC", "2"))
    books.apply(trade(3, "buy", "2", "10"))
    assert [(lot.quantity, lot.unit_cost) for lot in books.lots("BTC")] == [(1, 10)]
    assert books.flows.realised == 0


def test_a_short_sale_is_a_lot_below_zero_that_a_purchase_closes() -> None:
    slices: list[Realised] = []
    books = Books("USD", shorts=True, on_close=slices.append)
    books.apply_all([trade(1, "buy", "1", "90"), trade(2, "sell", "3", "100", "3"), trade(3, "buy", "4", "95", "4")])
    assert books.flows.realised == 10 + 10
    assert [(lot.quantity, lot.unit_cost) for lot in books.lots("BTC")] == [(2, 95)]
    long, short = slices
    assert (long.closing_fee, short.opening_fee, short.closing_fee) == (1, 2, 2)
    assert (short.proceeds, short.cost, short.gain) == (200, 190, 10)


def test_money_in_and_out_is_no_profit_and_the_venues_later_fees_are_fees() -> None:
    books = Books("USD")
    books.apply(moved(1, CashKind.DEPOSIT, "USD", "1000", "1.5"))
    books.apply(moved(2, CashKind.WITHDRAWAL, "USD", "-200", "5"))
    books.apply(moved(3, CashKind.FEE, "USD", "-0.25"))
    books.apply(moved(4, CashKind.DIVIDEND, "USD", "2"))
    books.apply(moved(5, CashKind.ADJUSTMENT, "USD", "-1"))
    flows = books.flows
    assert (flows.net_deposits, flows.fees, flows.income, flows.other) == (800, D("6.75"), 2, -1)
    assert books.cash == D("794.25")


def test_the_same_trade_id_at_two_symbols_is_two_trades() -> None:
    books = Books("USD")
    assert books.apply(trade(1, "buy", "1", "100", trade_id="7"))
    assert books.apply(trade(1, "buy", "1", "100", trade_id="7", symbol="ETH/USD"))
    assert not books.apply(trade(1, "buy", "1", "100", trade_id="7"))


def test_a_ledger_entry_that_is_told_again_with_another_number_or_date_counts_once() -> None:
    books = Books("USD")
    first = moved(1, CashKind.DEPOSIT, "USD", "100")
    assert books.apply(first)
    assert not books.apply(replace(first, sequence=9))
    assert not books.apply(Movement(event=replace(first.event, at=BEGIN + timedelta(hours=2))))
    assert books.cash == 100


def test_what_belongs_earlier_is_refused_loudly_and_changes_nothing() -> None:
    books = Books("USD")
    books.apply(trade(5, "buy", "1", "100"))
    before = to_json(books)
    for late in (trade(4, "sell", "1", "90"), moved(5, CashKind.DEPOSIT, "USD", "1"), word("BTC", "1", "1")):
        with pytest.raises(LateEntry):
            books.apply(late)
    assert to_json(books).replace('"missing":"0"', "") == before.replace('"missing":"0"', "")
    read_back = from_json(before)
    with pytest.raises(LateEntry):
        read_back.apply(trade(5, "buy", "1", "100"))


def test_dust_of_many_decimals_is_kept_to_the_last_digit() -> None:
    books = Books("USD")
    books.apply(trade(1, "buy", "123456789012.123456789012345678", "0.000000012345678901"))
    books.apply(trade(2, "sell", "123456789012.123456789012345677", "0.000000012345678901"))
    (lot,) = books.lots("BTC")
    assert lot.quantity == D("0.000000000000000001")
    assert books.flows.realised == 0
    assert books.cash == -lot.quantity * D("0.000000012345678901")


@pytest.mark.parametrize(("more", "price"), [("30", "57"), ("-7", "760"), ("0.5", "217.142857142857142857")])
def test_a_split_changes_shares_and_no_cost(more: str, price: str) -> None:
    books = Books("USD")
    books.apply(trade(1, "buy", "3", "228", symbol="AAPL/USD"))
    books.apply(trade(2, "buy", "7", "230", symbol="AAPL/USD"))
    opening = books.point()
    books.apply(moved(3, CashKind.SPLIT, "AAPL", more))
    assert books.units()["AAPL"] == 10 + D(more) == sum(lot.quantity for lot in books.lots("AAPL"))
    assert abs(books.known()["AAPL"].cost - (3 * 228 + 7 * 230)) < D("1e-15")
    closing = books.point()
    proof = prove(
        Standing(point=opening, venue_units=opening.units, prices={"AAPL": D(228)}),
        Standing(point=closing, venue_units=closing.units, prices={"AAPL": D(price)}),
    )
    assert proof.difference == 0
    assert abs(proof.terms.unrealised_change) < D("1e-12")
    assert proof.terms.net_deposits == proof.terms.income == 0
    books.apply(trade(4, "sell", f"{10 + D(more)}", price, symbol="AAPL/USD"))
    assert abs(books.flows.realised - ((10 + D(more)) * D(price) - 2294)) < D("1e-12")
    assert books.lots("AAPL") == ()


def test_sums_of_products_of_quotients_are_exact_too() -> None:
    third = D(1) / 3
    tiny = third * D("1e-40")
    assert add(multiply(multiply(third, third), third), multiply(tiny, tiny)) != multiply(multiply(third, third), third)


def test_text_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="another version"):
        from_json(to_json(Books("USD")).replace('"version":1', '"version":99'))


@pytest.mark.parametrize("bad", [{"quantity": "0"}, {"price": "-1"}, {"quantity": "NaN"}, {"fee": "1", "currency": ""}])
def test_a_trade_that_cannot_be_is_refused(bad: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="trade"):
        trade(1, "buy", **({"quantity": "1", "price": "1"} | bad))
