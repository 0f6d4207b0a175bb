"""C80–C86: each trade once, with its fee in its currency; every open order, whoever made it."""

from datetime import timedelta
from decimal import Decimal

from bot.brokers.base import BaseBroker
from bot.brokers.capabilities import FeeTaken
from bot.domain.account import AccountRef
from bot.domain.order import Side
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.matrix.conftest import connected
from tests.contract_brokers.matrix.orders import market_order, resting_order
from tests.contract_brokers.matrix.rigs import Rig
from tests.contract_brokers.orders import an_order, now
from tests.exchange_process import ExchangeProcess

D = Decimal
A_MOMENT = timedelta(seconds=2)


def test_c80_every_trade_of_many_pages_comes_once_and_in_order(
    wiring: Wiring, account: AccountRef, exchange: ExchangeProcess, rig: Rig
) -> None:
    """Large orders, of which each is many trades."""
    broker = wiring.broker(account, balance="1000000000000")
    broker.connect()
    instrument, since, seen = broker.get_trading_pairs()[rig.symbol], now() - A_MOMENT, exchange.last_seq()
    made: list[dict[str, str]] = []
    while len(made) < rig.fill_page + 5:
        price = instrument.buy_cap(broker.get_best_bid_ask(rig.symbol).ask * D("1.01"))
        broker.place_order(an_order(quantity=rig.more_than_offered, price=price, symbol=rig.symbol))
        made = exchange.journal(seen, type="fill", account=account.venue_account_name)
    fills = broker.get_fills_since(since)
    assert len({fill.trade_id for fill in fills}) == len(fills) == len(made)
    assert [fill.executed_at for fill in fills] == sorted(fill.executed_at for fill in fills)
    assert sum(fill.quantity for fill in fills) == sum(D(line["quantity"]) for line in made)
    assert sum(fill.fee for fill in fills) == sum(D(line["fee"] or 0) for line in made)
    for order_id in {fill.venue_order_id for fill in fills}:
        assert [fill for fill in fills if fill.venue_order_id == order_id] == broker.get_order_fills(
            order_id, since=since
        )


def test_c81_fees_are_in_the_currency_and_at_the_time_that_the_brokerage_says(broker: BaseBroker, rig: Rig) -> None:
    before = now()
    for side in (Side.BUY, Side.SELL):
        ack = broker.place_order(market_order(rig, side))
        fills = broker.get_order_fills(ack.venue_order_id, since=before)
        assert fills
        match broker.capabilities.fee:
            case FeeTaken.LATER:
                assert all(fill.fee == 0 for fill in fills)
            case FeeTaken.QUOTE:
                assert all(fill.fee > 0 and fill.fee_currency == rig.cash for fill in fills)
            case FeeTaken.RECEIVED:
                expected = rig.base if side is Side.BUY else rig.cash
                assert all(fill.fee > 0 and fill.fee_currency == expected for fill in fills)


def test_c82_the_fee_of_a_fill_is_the_one_the_exchange_took(
    broker: BaseBroker, exchange: ExchangeProcess, rig: Rig
) -> None:
    seen, before = exchange.last_seq(), now()
    request = market_order(rig)
    ack = broker.place_order(request)
    fills = broker.get_order_fills(ack.venue_order_id, since=before)
    lines = exchange.journal(seen, type="fill", client_order_id=request.client_order_id)
    assert sum(D(line["quantity"]) for line in lines) == sum(fill.quantity for fill in fills)
    assert sum(D(line["quantity"]) * D(line["price"]) for line in lines) == sum(fill.notional for fill in fills)
    assert sum(D(line["fee"] or 0) for line in lines) == sum(fill.fee for fill in fills)


def test_c83_fills_from_before_are_left_out(broker: BaseBroker, rig: Rig) -> None:
    broker.place_order(market_order(rig))
    assert broker.get_fills_since(now() + timedelta(hours=1)) == []


def test_c84_every_open_order_is_listed_also_when_they_fill_more_than_a_page(
    wiring: Wiring, account: AccountRef, rig: Rig
) -> None:
    broker = wiring.broker(account, balance="1000000")
    broker.connect()
    order = resting_order(rig, broker)
    placed = []
    for _ in range(rig.open_page + 5):
        request = an_order(
            quantity=rig.small_resting, price=order.limit_price, order_type=order.order_type, symbol=rig.symbol
        )
        placed.append(broker.place_order(request).venue_order_id)
    listed = [one.venue_order_id for one in broker.get_open_orders()]
    assert sorted(listed) == sorted(placed)


def test_c85_an_order_with_an_id_that_is_not_ours_is_listed_among_the_open_ones(broker: BaseBroker, rig: Rig) -> None:
    ours = broker.place_order(resting_order(rig, broker))
    other = broker.place_order(resting_order(rig, broker, client_order_id=rig.foreign_id))
    shown = {one.venue_order_id: one.client_order_id for one in broker.get_open_orders()}
    assert set(shown) == {ours.venue_order_id, other.venue_order_id}
    assert shown[other.venue_order_id] == rig.foreign_id


def test_c86_what_was_sold_to_the_last_unit_while_nobody_looked_is_told_to_a_new_process(
    broker: BaseBroker, wiring: Wiring, account: AccountRef, rig: Rig
) -> None:
    """Some venues list trades market by market, and nothing is held any more that would lead there."""
    since = now() - A_MOMENT
    sale = broker.place_order(an_order(Side.SELL, rig.held, symbol=rig.symbol))
    assert broker.fetch_holdings().of(rig.base).total == 0
    again = connected(wiring.broker(account, access=wiring.access(account)))
    again.expect_trades([rig.symbol])
    fills = again.get_fills_since(since)
    assert {fill.venue_order_id for fill in fills} == {sale.venue_order_id}
    assert sum(fill.quantity for fill in fills) == D(rig.held)
