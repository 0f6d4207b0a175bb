"""Both brokerages through a bad network, judged by the exchange's own journal."""

import random
from collections.abc import Mapping
from typing import Any

import pytest

from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import OutcomeUnknown, RetryLater, UnreadableReply
from bot.domain.order import OrderType
from tests.contract_brokers.conftest import HOLD_SECONDS, OpenGate, Wiring
from tests.contract_brokers.orders import BALANCE, BTC, PLACE, after_parking, an_order, now, resting_price
from tests.exchange_process import ExchangeProcess, wait_until

EVERY_FAULT: tuple[str | Mapping[str, Any], ...] = (
    "drop_request",
    "drop_response",
    "accept_then_5xx",
    "5xx",
    {"kind": "5xx", "status": 429},
    {"kind": "5xx", "status": 408},
    {"kind": "5xx", "status": 520},
    "html",
    "malformed",
    "reset",
    {"kind": "api_error", "text": "EAPI:Rate limit exceeded"},
    {"kind": "body", "text": "null"},
)


@pytest.mark.parametrize("fault", EVERY_FAULT, ids=str)
def test_no_fault_makes_an_order_or_a_cancel_reach_the_exchange_twice(
    wiring: Wiring, exchange: ExchangeProcess, account: AccountRef, fault: str | Mapping[str, Any]
) -> None:
    wiring.gate = OpenGate(wiring.clock, "any")
    broker = wiring.broker(account)
    broker.connect()
    resting = an_order(price=resting_price(broker), order_type=OrderType.LIMIT_GTC)
    placed = broker.place_order(resting)
    seen = exchange.last_seq()
    exchange.fault(fault, times=None, account=account.user_id)
    for call in (lambda: broker.place_order(an_order()), lambda: broker.cancel_order(placed.venue_order_id)):
        with pytest.raises((OutcomeUnknown, RetryLater)):
            call()
    asked = [line["endpoint"] for line in exchange.journal(seen, type="request", account=account.user_id)]
    assert (len(asked), len(set(asked))) == (2, 2), asked


def test_an_order_that_is_taken_long_after_we_gave_up_is_unknown_and_then_found(
    broker: BaseBroker, exchange: ExchangeProcess, account: AccountRef
) -> None:
    before, seen = now(), exchange.last_seq()
    request = an_order()
    exchange.fault(
        {"kind": "delay", "seconds": HOLD_SECONDS + 0.5}, account=account.user_id, endpoint=PLACE[account.broker]
    )
    with pytest.raises(OutcomeUnknown):
        broker.place_order(request)
    first = after_parking(lambda: broker.find_order(request.client_order_id, symbol=BTC, sent_at=before))
    assert first is None, "not found, which proves nothing: it is still on its way"
    wait_until(lambda: exchange.journal(seen, type="accept", client_order_id=request.client_order_id))
    assert broker.find_order(request.client_order_id, symbol=BTC, sent_at=before) is not None
    assert len(exchange.journal(seen, type="accept", client_order_id=request.client_order_id)) == 1


def test_a_look_up_that_lags_behind_says_not_found_and_later_finds(
    broker: BaseBroker, exchange: ExchangeProcess, account: AccountRef
) -> None:
    before = now()
    request = an_order()
    ack = broker.place_order(request)
    exchange.fault({"kind": "lookup_lag", "seconds": 60}, times=None, account=account.user_id)
    assert broker.find_order(request.client_order_id, symbol=BTC, sent_at=before) is None
    assert broker.get_fills_since(before) == []
    exchange.clear_faults()
    found = broker.find_order(request.client_order_id, symbol=BTC, sent_at=before)
    assert found is not None and found.venue_order_id == ack.venue_order_id


@pytest.mark.parametrize("seed", range(3))
def test_brokerages_that_fail_one_by_one_and_heal_in_another_order_all_work_again(
    wiring: Wiring, exchange: ExchangeProcess, seed: int
) -> None:
    dice = random.Random(seed)
    accounts = [AccountRef.user(kind, f"swizzle{seed}{n}") for kind in BALANCE for n in range(2)]
    brokers = {account: wiring.broker(account) for account in accounts}
    for broker in brokers.values():
        broker.connect()
    faults = {}
    for account in dice.sample(accounts, len(accounts)):
        action = dice.choice(("reset", "5xx", "drop_response", "html"))
        faults[account] = exchange.fault(action, times=None, account=account.user_id, brokerage=str(account.broker))
        for one, broker in brokers.items():
            assert works(broker) == (one not in faults)
    for account in dice.sample(accounts, len(accounts)):
        exchange.control("DELETE", f"/faults/{faults.pop(account)}")
        for one, broker in brokers.items():
            assert works(broker) == (one not in faults)


def works(broker: BaseBroker) -> bool:
    try:
        return broker.fetch_holdings().of("BTC").total > 0
    except (UnreadableReply, RetryLater):
        return False


def test_a_dead_brokerage_costs_the_other_nothing(wiring: Wiring, exchange: ExchangeProcess) -> None:
    well = wiring.broker(AccountRef.user(BrokerType.COINBASE, "alive"))
    well.connect()
    exchange.fault("reset", times=None, brokerage="kraken")
    with pytest.raises((UnreadableReply, RetryLater)):
        wiring.broker(AccountRef.user(BrokerType.KRAKEN, "dead")).connect()
    assert well.place_order(an_order()).venue_order_id
