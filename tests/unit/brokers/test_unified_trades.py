"""Trades of a list whose order and page size nobody knows: each is told, or the list is refused."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.brokers.by_ccxt.times import milliseconds
from bot.brokers.by_ccxt.unified_trades import LEAST_PAGE, trades_since
from bot.domain.errors import UnreadableReply
from bot.domain.fill import Fill
from bot.domain.order import Side

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=30)


def trade(number: int, at: datetime) -> Fill:
    return Fill(
        trade_id=str(number), venue_order_id="BTC/USDT:1", symbol="BTC/USDT", side=Side.BUY, quantity=Decimal(1),
        price=Decimal(1), fee=Decimal(0), fee_currency="USDT", executed_at=at,
    )  # fmt: skip


class Exchange:
    """Lists at most `size` trades of a span of at most `window`, its oldest or its newest."""

    def __init__(self, trades: Sequence[Fill], *, size: int, newest: bool, window: timedelta | None, bounded: bool):
        self.trades = sorted(trades, key=lambda one: one.executed_at)
        self.size, self.newest, self.window, self.bounded = size, newest, window, bounded

    def page(self, start: int, end: int | None) -> Sequence[Fill]:
        end = end if self.bounded else None
        longest = None if self.window is None else start + int(self.window.total_seconds() * 1000)
        last = min((bound for bound in (end, longest) if bound is not None), default=None)
        moments = [(milliseconds(one.executed_at), one) for one in self.trades]
        span = [one for at, one in moments if start <= at and (last is None or at <= last)]
        return span[-self.size :] if self.newest else span[: self.size]


@given(
    gaps=st.lists(st.integers(1, 200_000), max_size=150),
    size=st.integers(LEAST_PAGE, 60),
    newest=st.booleans(),
    window=st.sampled_from([None, timedelta(days=1), timedelta(days=7)]),
    told=st.booleans(),
)
def test_every_trade_is_told_whichever_way_round_the_pages_go(
    gaps: list[int], size: int, newest: bool, window: timedelta | None, told: bool
) -> None:
    moments = [START + timedelta(seconds=sum(gaps[: place + 1]) % 2_500_000) for place in range(len(gaps))]
    trades = [trade(number, at) for number, at in enumerate(dict.fromkeys(moments))]
    exchange = Exchange(trades, size=size, newest=newest, window=window, bounded=True)
    found = trades_since(
        exchange.page, START, now=NOW, window=window, page_size=size if told else None, where="the list"
    )
    assert {one.trade_id for one in found} == {one.trade_id for one in trades}


def test_where_older_trades_cannot_be_asked_for_a_cut_list_is_refused() -> None:
    trades = [trade(number, START + timedelta(minutes=number)) for number in range(100)]
    exchange = Exchange(trades, size=40, newest=True, window=None, bounded=False)
    with pytest.raises(UnreadableReply, match="does not list older trades"):
        trades_since(exchange.page, START, now=NOW, window=None, page_size=None, where="the list")


@pytest.mark.parametrize("newest", [True, False])
def test_a_page_full_of_one_moments_trades_is_refused(newest: bool) -> None:
    trades = [trade(number, START + timedelta(minutes=1)) for number in range(100)]
    exchange = Exchange(trades, size=40, newest=newest, window=None, bounded=True)
    with pytest.raises(UnreadableReply, match="one moment's trades"):
        trades_since(exchange.page, START, now=NOW, window=None, page_size=None, where="the list")
