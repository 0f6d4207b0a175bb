"""Random histories of an account: everything that can happen to one, at random moments."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from bot.books.entries import CostEntry, Entry, Movement, Opening, Trade, place_of
from bot.domain.cash_event import CashEvent, CashKind
from bot.domain.order import Side

OWN = "USD"
ASSETS = ("BNB", "BTC", "CHF", "ETH")
# Two for money, one for another asset, one with the own currency as its base.
SYMBOLS = ("BTC/USD", "ETH/USD", "BNB/USD", "ETH/BTC", "USD/CHF")
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
# Their inverses are finite, so that both ways to count agree to the last digit.
INVERTIBLE = tuple(map(Decimal, ("0.5", "0.8", "1.25", "2")))

# A split multiplies lots by any fraction, which is rounded: it has a test of its own.
KINDS = tuple(kind for kind in CashKind if kind is not CashKind.SPLIT)

amounts = st.decimals(min_value="0.001", max_value="20", places=3)
prices = st.decimals(min_value="0.01", max_value="500", places=2)
moments = st.integers(min_value=0, max_value=40).map(lambda minutes: BEGIN + timedelta(minutes=minutes))


@st.composite
def trades(draw: st.DrawFn, number: int) -> Trade:
    symbol = draw(st.sampled_from(SYMBOLS))
    fee = draw(st.sampled_from(("0", "0.001", "0.25", "-0.05", "30"))) if draw(st.booleans()) else "0"
    return Trade(
        trade_id=f"T{number}",
        symbol=symbol,
        side=draw(st.sampled_from(Side)),
        quantity=draw(amounts),
        price=draw(st.sampled_from(INVERTIBLE) if symbol == "USD/CHF" else prices),
        fee=Decimal(fee),
        fee_currency=draw(st.sampled_from((*symbol.split("/"), "BNB"))),
        at=draw(moments),
        ours=draw(st.booleans()),
        sequence=number,
        order_id=f"O{number // 2}",
    )


@st.composite
def movements(draw: st.DrawFn, number: int) -> Movement:
    sign = draw(st.sampled_from((1, -1)))
    event = CashEvent(
        event_id=f"E{number}",
        kind=draw(st.sampled_from(KINDS)),
        asset=draw(st.sampled_from((OWN, *ASSETS))),
        amount=sign * draw(amounts),
        fee=draw(st.sampled_from((Decimal(0), Decimal("0.002")))),
        at=draw(moments),
    )
    return Movement(event=event, sequence=number)


@st.composite
def words_on_cost(draw: st.DrawFn, number: int) -> CostEntry:
    quantity = draw(amounts)
    return CostEntry(
        asset=draw(st.sampled_from(ASSETS)),
        quantity=quantity,
        cost=quantity * draw(prices),
        currency=draw(st.sampled_from((OWN, OWN, "EUR"))),
        acquired_at=draw(moments),
        entry_id=f"C{number:03}",
    )


@st.composite
def histories(draw: st.DrawFn, longest: int = 25) -> list[Entry]:
    """Openings and then anything, in the order of the books."""
    openings = [Opening(asset=OWN, units=Decimal(1000))]
    openings += [
        Opening(asset=asset, units=draw(amounts)) for asset in draw(st.sets(st.sampled_from(ASSETS), max_size=3))
    ]
    kinds = (trades, trades, trades, movements, words_on_cost)
    later: list[Entry] = [draw(draw(st.sampled_from(kinds))(number)) for number in range(draw(st.integers(0, longest)))]
    return sorted([*openings, *later], key=place_of)
