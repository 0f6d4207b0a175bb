"""What changes an account's units without a trade, told by every brokerage's own ledger, over real HTTP."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest

from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef, BrokerType
from bot.domain.cash_event import CashEvent, CashKind
from bot.domain.errors import RetryLater, UnreadableReply
from bot.domain.fill import Fill
from bot.domain.order import Side
from tests.contract_brokers.matrix.orders import OF_A_READING
from tests.contract_brokers.matrix.rigs import RIGS
from tests.contract_brokers.orders import an_order, now
from tests.exchange_process import ExchangeProcess, wait_until


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What is done at the exchange, and the events that have to come of it: kind, asset, amount, fee."""

    kind: str
    asset: str
    amount: str
    more: Mapping[str, Any] = field(default_factory=dict)
    told: Sequence[tuple[CashKind, str, str, str]]


def one(kind: CashKind, asset: str, amount: str, fee: str = "0") -> list[tuple[CashKind, str, str, str]]:
    return [(kind, asset, amount, fee)]


CRYPTO_CONVERSION = {"into": {"asset": "ETH", "amount": "0.5"}}
MOVED: Mapping[BrokerType, Sequence[Moved]] = {
    BrokerType.KRAKEN: [
        Moved(kind="deposit", asset="USD", amount="250.5", told=one(CashKind.DEPOSIT, "USD", "250.5")),
        Moved(
            kind="withdrawal",
            asset="BTC",
            amount="0.1",
            more={"fee": "0.0005"},
            told=one(CashKind.WITHDRAWAL, "BTC", "-0.1", "0.0005"),
        ),
        Moved(
            kind="staking",
            asset="ETH",
            amount="0.01",
            more={"fee": "0.001"},
            told=one(CashKind.STAKING, "ETH", "0.01", "0.001"),
        ),
        Moved(kind="dividend", asset="USD", amount="3", told=one(CashKind.DIVIDEND, "USD", "3")),
        Moved(kind="transfer", asset="USD", amount="-40", told=one(CashKind.TRANSFER, "USD", "-40")),
        Moved(kind="adjustment", asset="DOGE", amount="5", told=one(CashKind.ADJUSTMENT, "DOGE", "5")),
        Moved(kind="fee", asset="USD", amount="1.25", told=one(CashKind.FEE, "USD", "0", "1.25")),
        Moved(
            kind="conversion",
            asset="BTC",
            amount="0.05",
            more={"into": {"asset": "ETH", "amount": "1", "fee": "0.01"}},
            told=[(CashKind.CONVERSION, "BTC", "-0.05", "0"), (CashKind.CONVERSION, "ETH", "1", "0.01")],
        ),
    ],
    BrokerType.COINBASE: [
        Moved(kind="deposit", asset="USD", amount="250.5", told=one(CashKind.DEPOSIT, "USD", "250.5")),
        Moved(kind="deposit", asset="ETH", amount="2", told=one(CashKind.DEPOSIT, "ETH", "2")),
        Moved(
            kind="withdrawal",
            asset="BTC",
            amount="0.1",
            more={"fee": "0.0005"},
            told=one(CashKind.WITHDRAWAL, "BTC", "-0.1", "0.0005"),
        ),
        Moved(kind="withdrawal", asset="USD", amount="20", told=one(CashKind.WITHDRAWAL, "USD", "-20")),
        Moved(kind="staking", asset="ETH", amount="0.01", told=one(CashKind.STAKING, "ETH", "0.01")),
        Moved(kind="dividend", asset="USDC", amount="3", told=one(CashKind.DIVIDEND, "USDC", "3")),
        Moved(kind="transfer", asset="USD", amount="-40", told=one(CashKind.TRANSFER, "USD", "-40")),
        Moved(kind="fee", asset="USD", amount="29.99", told=one(CashKind.FEE, "USD", "-29.99")),
        Moved(kind="adjustment", asset="USD", amount="-2", told=one(CashKind.ADJUSTMENT, "USD", "-2")),
        Moved(
            kind="conversion",
            asset="BTC",
            amount="0.05",
            more=CRYPTO_CONVERSION,
            told=[(CashKind.CONVERSION, "BTC", "-0.05", "0"), (CashKind.CONVERSION, "ETH", "0.5", "0")],
        ),
    ],
    BrokerType.OKX: [
        Moved(kind="transfer", asset="USDT", amount="300", told=one(CashKind.TRANSFER, "USDT", "300")),
        Moved(kind="transfer", asset="USDT", amount="-50", told=one(CashKind.TRANSFER, "USDT", "-50")),
        Moved(kind="fee", asset="USDT", amount="0.3", told=one(CashKind.FEE, "USDT", "-0.3")),
        Moved(kind="adjustment", asset="BTC", amount="-0.01", told=one(CashKind.ADJUSTMENT, "BTC", "-0.01")),
        Moved(
            kind="conversion",
            asset="BTC",
            amount="0.05",
            more=CRYPTO_CONVERSION,
            told=[(CashKind.CONVERSION, "BTC", "-0.05", "0"), (CashKind.CONVERSION, "ETH", "0.5", "0")],
        ),
    ],
    BrokerType.BINANCE: [
        Moved(kind="deposit", asset="USDT", amount="250.5", told=one(CashKind.DEPOSIT, "USDT", "250.5")),
        Moved(
            kind="withdrawal",
            asset="BTC",
            amount="0.1",
            more={"fee": "0.0005"},
            told=one(CashKind.WITHDRAWAL, "BTC", "-0.1", "0.0005"),
        ),
        Moved(kind="staking", asset="ETH", amount="0.01", told=one(CashKind.STAKING, "ETH", "0.01")),
        Moved(kind="dividend", asset="BNB", amount="0.5", told=one(CashKind.DIVIDEND, "BNB", "0.5")),
        Moved(kind="transfer", asset="USDT", amount="-40", told=one(CashKind.TRANSFER, "USDT", "-40")),
        Moved(kind="transfer", asset="USDT", amount="15", told=one(CashKind.TRANSFER, "USDT", "15")),
        Moved(
            kind="conversion",
            asset="BTC",
            amount="0.0001",
            more={"into": {"asset": "BNB", "amount": "0.01", "fee": "0.0002"}},
            told=[(CashKind.CONVERSION, "BTC", "-0.0001", "0"), (CashKind.CONVERSION, "BNB", "0.01", "0.0002")],
        ),
        Moved(
            kind="conversion",
            asset="BTC",
            amount="0.05",
            more=CRYPTO_CONVERSION,
            told=[(CashKind.CONVERSION, "BTC", "-0.05", "0"), (CashKind.CONVERSION, "ETH", "0.5", "0")],
        ),
    ],
    BrokerType.ALPACA: [
        Moved(kind="deposit", asset="USD", amount="250.5", told=one(CashKind.DEPOSIT, "USD", "250.5")),
        Moved(kind="withdrawal", asset="USD", amount="20", told=one(CashKind.WITHDRAWAL, "USD", "-20")),
        Moved(kind="deposit", asset="MSFT", amount="3", told=one(CashKind.TRANSFER, "MSFT", "3")),
        Moved(kind="dividend", asset="USD", amount="3.21", told=one(CashKind.DIVIDEND, "USD", "3.21")),
        Moved(kind="transfer", asset="USD", amount="-40", told=one(CashKind.TRANSFER, "USD", "-40")),
        Moved(kind="fee", asset="USD", amount="0.02", told=one(CashKind.FEE, "USD", "-0.02")),
        Moved(kind="adjustment", asset="AAPL", amount="150", told=one(CashKind.SPLIT, "AAPL", "150")),
    ],
}


def move(exchange: ExchangeProcess, account: AccountRef, moved: Moved) -> list[str]:
    if account.broker is BrokerType.OKX and moved.kind == "transfer" and D(moved.amount) > 0:
        path = f"/accounts/okx/{account.venue_account_name}/deposit"
        exchange.control("POST", path, {"asset": moved.asset, "amount": moved.amount})
    return exchange.move(
        str(account.broker), account.venue_account_name, moved.kind, moved.asset, moved.amount, **moved.more
    )


def told(events: Sequence[CashEvent]) -> list[tuple[CashKind, str, D, D]]:
    return [(event.kind, event.asset, event.amount, event.fee) for event in events]


def since_opening(events: Sequence[CashEvent], opened: Sequence[CashEvent]) -> list[CashEvent]:
    """Without what the account was opened with."""
    known = {event.event_id for event in opened}
    return [event for event in events if event.event_id not in known]


def changes(events: Sequence[CashEvent], fills: Sequence[Fill]) -> dict[str, D]:
    moved: defaultdict[str, D] = defaultdict(D)
    for event in events:
        moved[event.asset] += event.change
    for fill in fills:
        base, _, quote = fill.symbol.partition("/")
        sign = 1 if fill.side is Side.BUY else -1
        moved[base] += sign * fill.quantity
        moved[quote] -= sign * fill.notional
        moved[fill.fee_currency] -= fill.fee
    return dict(moved)


# -- kinds, signs, fees ---------------------------------------------------------------------------------------------
def test_every_kind_is_told_with_its_sign_its_fee_and_its_time(
    broker: BaseBroker, account: AccountRef, exchange: ExchangeProcess
) -> None:
    since = now() - timedelta(seconds=1)
    opened = broker.get_cash_events(since)
    for moved in MOVED[account.broker]:
        move(exchange, account, moved)
    events = since_opening(broker.get_cash_events(since), opened)
    expected = [
        (kind, asset, D(amount), D(fee)) for moved in MOVED[account.broker] for kind, asset, amount, fee in moved.told
    ]
    assert sorted(told(events), key=str) == sorted(expected, key=str)
    assert all(since <= event.at <= now() + timedelta(seconds=5) for event in events)
    assert all(event.detail for event in events)
    assert list(events) == sorted(events, key=lambda event: event.at), "oldest first"


def test_the_legs_of_a_conversion_share_a_reference_that_no_other_conversion_has(
    broker: BaseBroker, account: AccountRef, exchange: ExchangeProcess
) -> None:
    if account.broker is BrokerType.ALPACA:
        pytest.skip("nothing is converted at Alpaca")
    since = now()
    for _ in range(2):
        exchange.move(str(account.broker), account.venue_account_name, "conversion", "BTC", "0.01", **CRYPTO_CONVERSION)
    legs = [event for event in broker.get_cash_events(since) if event.kind is CashKind.CONVERSION]
    by_reference: defaultdict[str, list[str]] = defaultdict(list)
    for leg in legs:
        by_reference[leg.reference].append(leg.asset)
    assert sorted(map(sorted, by_reference.values())) == [["BTC", "ETH"]] * 2 and "" not in by_reference


def test_ledger_and_trades_together_are_the_change_of_the_balance_to_the_last_digit(
    broker: BaseBroker, account: AccountRef, exchange: ExchangeProcess
) -> None:
    rig, since = RIGS[account.broker], now()
    opened = broker.get_cash_events(since)
    before = broker.fetch_holdings()
    for moved in MOVED[account.broker]:
        move(exchange, account, moved)
    for side in (Side.BUY, Side.SELL):
        broker.place_order(an_order(symbol=rig.symbol, quantity=rig.quantity, side=side))
    after, fills = broker.fetch_holdings(), broker.get_fills_since(since)
    events = since_opening(broker.get_cash_events(since), opened)
    assert fills, "there was a trade among it"
    moved_units = changes(events, fills)
    assets = set(before.assets) | set(after.assets) | set(moved_units)
    differences = {
        asset: after.of(asset).total - before.of(asset).total - moved_units.get(asset, D(0)) for asset in assets
    }
    # Alpaca books its fees to the cent, later: nothing of the kind has happened here yet.
    assert {asset: units for asset, units in differences.items() if units} == {}


# -- overlaps and pages ---------------------------------------------------------------------------------------------
def test_the_same_event_has_the_same_name_in_every_reading_and_comes_once(
    broker: BaseBroker, account: AccountRef, exchange: ExchangeProcess
) -> None:
    since = now() - timedelta(days=1)
    first = broker.get_cash_events(since)
    for moved in MOVED[account.broker][:3]:
        move(exchange, account, moved)
    again = broker.get_cash_events(since)
    later = broker.get_cash_events(now() - timedelta(minutes=5))
    assert len({event.event_id for event in again}) == len(again)
    known = {event.event_id: event for event in again}
    assert all(known[event.event_id] == event for event in (*first, *later))
    assert len(again) == len(first) + 3


def test_trades_are_no_cash_events(broker: BaseBroker, account: AccountRef) -> None:
    rig, since = RIGS[account.broker], now() - timedelta(minutes=1)
    before = broker.get_cash_events(since)
    broker.place_order(an_order(symbol=rig.symbol, quantity=rig.quantity))
    assert broker.get_cash_events(since) == before


def test_a_list_of_many_pages_is_read_to_its_end(
    broker: BaseBroker, account: AccountRef, exchange: ExchangeProcess
) -> None:
    kind, asset = ("transfer", "USDT") if account.broker is BrokerType.OKX else ("deposit", "USD")
    kind, asset = ("staking", "ETH") if account.broker is BrokerType.BINANCE else (kind, asset)
    since, many = now(), {BrokerType.KRAKEN: 60, BrokerType.BINANCE: 12}.get(account.broker, 110)
    if account.broker is BrokerType.OKX:
        exchange.control(
            "POST", f"/accounts/okx/{account.venue_account_name}/deposit", {"asset": asset, "amount": "99999"}
        )
    for number in range(1, many + 1):
        exchange.move(str(account.broker), account.venue_account_name, kind, asset, str(number))
    wanted = CashKind(kind)
    amounts = [event.amount for event in broker.get_cash_events(since) if event.kind is wanted and event.asset == asset]
    assert [amount for amount in amounts if amount == amount.to_integral_value()][-many:] == list(range(1, many + 1))


# -- what can't be read ---------------------------------------------------------------------------------------------
LEDGERS = {
    BrokerType.KRAKEN: "Ledgers",
    BrokerType.COINBASE: "accounts/{account_uuid}/transactions",
    BrokerType.OKX: "account/bills",
    BrokerType.BINANCE: "capital/withdraw/history",
    BrokerType.ALPACA: "account/activities",
}


@pytest.mark.parametrize("action", ["reset", "5xx 500", "html"])
def test_a_list_that_fails_fails_the_reading_and_the_next_reading_has_it_all(
    broker: BaseBroker, account: AccountRef, exchange: ExchangeProcess, action: str
) -> None:
    since = now() - timedelta(seconds=1)
    move(exchange, account, MOVED[account.broker][0])
    ledger = LEDGERS[account.broker]
    exchange.fault(action, times=None, account=account.venue_account_name, endpoint=ledger)
    with pytest.raises(OF_A_READING):
        broker.get_cash_events(since)
    exchange.clear_faults()
    kind, asset, amount, fee = MOVED[account.broker][0].told[0]

    def is_told() -> bool:
        try:
            return (kind, asset, D(amount), D(fee)) in told(broker.get_cash_events(since))
        except RetryLater:
            return False

    wait_until(is_told, seconds=30, what="the ledger after the fault")


def test_a_brokerage_that_has_no_ledger_says_so_and_never_nothing(broker: BaseBroker) -> None:
    with pytest.raises(UnreadableReply, match="no way"):
        BaseBroker.get_cash_events(broker, datetime.now().astimezone())
