"""A second opinion: beancount books the same trades first in first out, from a journal in its own language."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from beancount import loader
from beancount.core.data import Transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.books.entries import Trade
from bot.books.ledger import Books
from bot.domain.order import Side

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
HEAD = """option "booking_method" "FIFO"
option "inferred_tolerance_default" "*:0.00000000001"
2019-01-01 open Assets:Coins
2019-01-01 open Assets:Money
2019-01-01 open Income:Gains
2019-01-01 open Expenses:Fees
"""
quantities = st.decimals(min_value="0.001", max_value="9", places=3)
prices = st.decimals(min_value="1", max_value="900", places=2)


@st.composite
def trade_lists(draw: st.DrawFn) -> list[Trade]:
    """One trade a day: beancount knows days only. Never more sold than is held, fee and all."""
    made: list[Trade] = []
    held = Decimal(0)
    for number in range(draw(st.integers(1, 30))):
        quantity, fee = draw(quantities), draw(st.sampled_from(("0", "0.001", "0.17")))
        in_base = draw(st.booleans()) and Decimal(fee) < quantity
        base_fee = Decimal(fee) if in_base else Decimal(0)
        side = Side.SELL if held > quantity + base_fee and draw(st.booleans()) else Side.BUY
        held += quantity - base_fee if side is Side.BUY else -quantity - base_fee
        made.append(
            Trade(
                trade_id=f"T{number}",
                symbol="BTC/USD",
                side=side,
                quantity=quantity,
                price=draw(prices),
                fee=Decimal(fee),
                fee_currency="BTC" if in_base else "USD",
                at=BEGIN + timedelta(days=number),
            )
        )
    return made


def journal(trades: Iterable[Trade]) -> str:
    """What happened, as a person would write it down for beancount."""
    return HEAD + "".join(map(_transaction, trades))


def _transaction(trade: Trade) -> str:
    money = trade.quantity * trade.price
    in_base = trade.fee if trade.fee_currency == "BTC" else Decimal(0)
    fee = in_base * trade.price if in_base else trade.fee
    paid = Decimal(0) if in_base else trade.fee
    title = f'{trade.at:%Y-%m-%d} * "{trade.trade_id}"\n'
    if trade.side is Side.BUY:
        coins, change, last = f"{trade.quantity - in_base:f} BTC {{{trade.price:f} USD}}", -money - paid, ""
    else:
        coins, change = f"{-trade.quantity - in_base:f} BTC {{}} @ {trade.price:f} USD", money - paid
        last = "  Income:Gains\n"
    # Nine digits after the point: from the shortest of them beancount infers how much to round away.
    return f"{title}  Assets:Coins  {coins}\n  Assets:Money  {change:.9f} USD\n  Expenses:Fees  {fee:.9f} USD\n{last}"


@settings(max_examples=25)
@given(trades=trade_lists())
def test_beancount_finds_the_same_lots_gains_fees_and_money(trades: list[Trade]) -> None:
    books = Books("USD")
    books.apply_all(trades)
    entries, errors, _ = loader.load_string(journal(trades))
    assert errors == []
    sums = {"Assets:Money": Decimal(0), "Income:Gains": Decimal(0), "Expenses:Fees": Decimal(0)}
    lots: dict[tuple[str, Decimal], Decimal] = {}
    for posting in (posting for entry in entries if isinstance(entry, Transaction) for posting in entry.postings):
        if posting.cost is None:
            sums[posting.account] += posting.units.number
        else:
            key = (f"{posting.cost.date}", posting.cost.number)
            lots[key] = lots.get(key, Decimal(0)) + posting.units.number
    assert sums["Assets:Money"] == books.cash
    assert sums["Income:Gains"] == -books.flows.realised
    assert sums["Expenses:Fees"] == books.flows.fees
    mine = {(f"{lot.acquired_at:%Y-%m-%d}", lot.unit_cost): lot.quantity for lot in books.lots("BTC")}
    assert {key: amount for key, amount in lots.items() if amount} == mine
