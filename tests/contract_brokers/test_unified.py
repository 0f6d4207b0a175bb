"""What holds for any exchange that is opened by name: one order, our digits, and no belief without proof."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bot.brokers.by_ccxt.unified import UnifiedBroker
from bot.brokers.by_ccxt.unified_conduct import BOUNDED_BUY, conduct_of
from bot.brokers.by_ccxt.unified_exchange import home_of, tables_of
from bot.brokers.call_reaper import CallReaper
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import (
    ConfigurationError,
    InsufficientFunds,
    OrderRefused,
    OutcomeUnknown,
    UnreadableReply,
    VenueError,
)
from bot.domain.order import OrderType, Side
from bot.seams.clock import SystemClock
from tests.contract_brokers.conftest import OpenGate
from tests.contract_brokers.matrix.conftest import connected
from tests.contract_brokers.matrix.rigs import RIGS, Rig
from tests.contract_brokers.orders import an_order, now, resting_price
from tests.contract_brokers.test_unified_matrix import PLACES
from tests.contract_brokers.unified_wiring import FRONTS, UnifiedWiring
from tests.exchange_process import ExchangeProcess

D = Decimal
KRAKEN, COINBASE, OKX, BINANCE = FRONTS
REFUSALS = (OrderRefused, InsufficientFunds)


@pytest.fixture
def wiring(exchange: ExchangeProcess, tmp_path: Path) -> Iterator[UnifiedWiring]:
    clock = SystemClock()
    made = UnifiedWiring(exchange, tmp_path, clock, CallReaper(clock))
    yield made
    made.close()


def opened(wiring: UnifiedWiring, front: BrokerType, name: str) -> UnifiedBroker:
    wiring.gate = OpenGate(wiring.clock, str(front))
    broker = connected(wiring.broker(AccountRef.user(front, name)))
    assert isinstance(broker, UnifiedBroker)
    return broker


def place_of(rig: Rig) -> str:
    return PLACES.get(rig.broker, rig.endpoints.place)


def orders_sent(exchange: ExchangeProcess, rig: Rig, since: int, name: str) -> int:
    lines = exchange.journal(since, type="request", account=name, endpoint=place_of(rig))
    return len(
        [line for line in lines if line["side"] is not None or line["quantity"] is not None or rig.broker is OKX]
    )


@pytest.mark.parametrize("front", FRONTS, ids=str)
def test_no_word_that_proves_nothing_is_taken_for_a_refusal(
    wiring: UnifiedWiring, exchange: ExchangeProcess, front: BrokerType
) -> None:
    rig, broker = RIGS[front], opened(wiring, front, "words")
    for word, meaning in rig.words.items():
        seen = exchange.last_seq()
        exchange.fault({"kind": "api_error", "text": word}, account="words", endpoint=place_of(rig))
        with pytest.raises(VenueError) as said:
            broker.place_order(an_order(quantity=rig.quantity, symbol=rig.symbol))
        exchange.clear_faults()
        known = (OutcomeUnknown,) if meaning is OutcomeUnknown else (*REFUSALS, OutcomeUnknown)
        assert type(said.value) in known, (word, said.value)
        assert orders_sent(exchange, rig, seen, "words") == 1


@pytest.mark.parametrize("front", FRONTS, ids=str)
def test_an_order_that_cannot_be_paid_is_refused_where_the_exchange_refuses_it(
    wiring: UnifiedWiring, front: BrokerType
) -> None:
    rig, broker = RIGS[front], opened(wiring, front, "poor")
    price = resting_price(broker, rig.symbol)
    order = an_order(quantity="2", price=price, order_type=OrderType.LIMIT_GTC, symbol=rig.symbol)
    with pytest.raises(InsufficientFunds):
        broker.place_order(order)


def test_a_number_that_ccxt_would_change_is_not_sent(wiring: UnifiedWiring, exchange: ExchangeProcess) -> None:
    rig, broker = RIGS[BINANCE], opened(wiring, BINANCE, "digits")
    broker._exchange.amount_to_precision = lambda symbol, amount: "0.002"  # type: ignore[attr-defined]
    seen = exchange.last_seq()
    with pytest.raises(OrderRefused, match=r"not sent: .* another number than 0.001"):
        broker.place_order(an_order(quantity="0.001", symbol=rig.symbol))
    assert orders_sent(exchange, rig, seen, "digits") == 0


def test_a_small_number_goes_out_with_all_its_digits(wiring: UnifiedWiring, exchange: ExchangeProcess) -> None:
    rig, broker = RIGS[BINANCE], opened(wiring, BINANCE, "small")
    quantity = "0.00100001"
    ack = broker.place_order(an_order(quantity=quantity, symbol=rig.symbol))
    order = broker.get_order(ack.venue_order_id)
    assert order is not None and order.quantity == D(quantity)


@pytest.mark.parametrize(("front", "proves"), [(OKX, True), (BINANCE, True), (KRAKEN, False), (COINBASE, False)])
def test_not_found_proves_something_only_where_the_look_up_has_found_another_order(
    wiring: UnifiedWiring, front: BrokerType, proves: bool
) -> None:
    """ccxt's Kraken asks by another field than it says, and its Coinbase not at all."""
    rig, broker = RIGS[front], opened(wiring, front, "proof")
    sent_at = now() - timedelta(seconds=5)
    assert broker.find_order("0" * 32, symbol=rig.symbol, sent_at=sent_at) is None
    assert broker.absence_doubt
    order = an_order(quantity=rig.quantity, symbol=rig.symbol)
    ack = broker.place_order(order)
    found = broker.find_order(order.client_order_id, symbol=rig.symbol, sent_at=sent_at)
    assert found is not None and found.venue_order_id == ack.venue_order_id
    assert broker.find_order("0" * 32, symbol=rig.symbol, sent_at=sent_at) is None
    assert (broker.absence_doubt == "") is proves


def test_without_ids_orders_still_go_out_once_and_nothing_is_proven(
    wiring: UnifiedWiring, exchange: ExchangeProcess
) -> None:
    wiring.passes_ids = False
    rig, broker = RIGS[OKX], opened(wiring, OKX, "nameless")
    order = an_order(quantity=rig.quantity, symbol=rig.symbol)
    ack = broker.place_order(order)
    shown = broker.get_order(ack.venue_order_id)
    assert shown is not None and shown.client_order_id != order.client_order_id
    assert broker.absence_doubt and "no id of ours" in broker.order_way


def test_a_market_buy_by_cost_goes_out_as_a_bounded_limit_order(
    wiring: UnifiedWiring, exchange: ExchangeProcess
) -> None:
    rig, broker = RIGS[COINBASE], opened(wiring, COINBASE, "bounded")
    assert broker.capabilities.order_types[OrderType.MARKET] == BOUNDED_BUY
    seen, ask = exchange.last_seq(), broker.get_best_bid_ask(rig.symbol).ask
    broker.place_order(an_order(quantity=rig.quantity, symbol=rig.symbol))
    (line,) = exchange.journal(seen, type="accept", account="bounded")
    assert ask < D(line["price"]) <= ask * D("1.02"), "a market order would have no price"
    broker.place_order(an_order(Side.SELL, rig.quantity, symbol=rig.symbol))


@pytest.mark.parametrize("front", FRONTS, ids=str)
def test_an_answer_without_a_list_is_no_empty_list(
    wiring: UnifiedWiring, exchange: ExchangeProcess, front: BrokerType
) -> None:
    broker = opened(wiring, front, "empty")
    assert broker.get_open_orders() == []
    for text in ("{}", '{"code": "0"}', '{"error": []}', "null", '""', "<html>maintenance</html>"):
        exchange.clear_faults()
        exchange.fault({"kind": "body", "text": text}, times=None, account="empty")
        for read in (broker.fetch_holdings, broker.get_open_orders, lambda: broker.get_fills_since(now())):
            with pytest.raises(VenueError):
                read()


def test_as_many_open_orders_as_one_answer_lists_may_be_a_part_of_them(wiring: UnifiedWiring) -> None:
    rig, broker = RIGS[OKX], opened(wiring, OKX, "many")
    price = resting_price(broker, rig.symbol)
    for _ in range(2):
        broker.place_order(
            an_order(quantity=rig.quantity, price=price, order_type=OrderType.LIMIT_GTC, symbol=rig.symbol)
        )
    assert len(broker.get_open_orders()) == 2
    broker._reader._conduct = replace(broker._conduct, open_page=2)
    with pytest.raises(UnreadableReply, match="there may be more"):
        broker.get_open_orders()


def test_too_many_requests_slow_the_readings_down(wiring: UnifiedWiring, exchange: ExchangeProcess) -> None:
    broker = opened(wiring, BINANCE, "hasty")
    exchange.fault({"kind": "api_error", "text": "-1003"}, account="hasty", endpoint="account")
    reading = broker.get_account_balance_detailed()
    assert "DDoSProtection" in reading.reason
    assert broker.get_account_balance() == D(10000)


def test_ccxt_is_asked_what_an_exchange_can_do() -> None:
    bybit, gate = (conduct_of(tables_of(name)) for name in ("bybit", "gate"))
    assert bybit.immediate and bybit.buys_by_cost and bybit.trades_window == timedelta(days=7)
    assert gate.capabilities().order_types[OrderType.MARKET] == BOUNDED_BUY
    assert OrderType.LIMIT_IOC not in conduct_of(tables_of("bitopro")).capabilities().order_types
    assert "no outcome could ever be known" in conduct_of(tables_of("coinspot")).hindrance
    assert "opened with privateKey" in conduct_of(tables_of("nado")).hindrance
    assert home_of("bybit") == "https://api.bybit.com"
    with pytest.raises(ConfigurationError, match="ccxt knows no exchange nowhere"):
        tables_of("nowhere")


def test_an_exchange_with_a_passphrase_says_where_it_is_looked_for(wiring: UnifiedWiring) -> None:
    access = wiring.access(AccountRef.user(OKX, "phrase"))
    credentials = replace(access.credentials, api_passphrase=None)
    with pytest.raises(ConfigurationError, match="ends with API_PASSPHRASE"):
        wiring.broker(AccountRef.user(OKX, "phrase"), access=replace(access, credentials=credentials))


def test_accounts_of_one_exchange_share_its_tables(wiring: UnifiedWiring) -> None:
    one, two = (opened(wiring, OKX, name) for name in ("first", "second"))
    assert one._exchange is not two._exchange and one._exchange.markets is two._exchange.markets
    assert one._exchange.options is not two._exchange.options
    keys = json.dumps(str(vars(tables_of("okx"))))
    assert one._context.access.credentials.api_key not in keys
