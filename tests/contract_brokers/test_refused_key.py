"""A key that the venue refuses while it is in use: against the real exchange, whose journal says what was asked."""

from datetime import timedelta

import pytest

from bot.brokers.base import BaseBroker
from bot.brokers.refused_key import REFUSED_KEY_PAUSE_SECONDS
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import CredentialsRejected
from bot.seams.clock import SystemClock
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.orders import BALANCE, PLACE, an_order, now
from tests.exchange_process import ExchangeProcess

REFUSED = {BrokerType.KRAKEN: "EAPI:Invalid key", BrokerType.COINBASE: "Unauthorized"}
DENIED = {BrokerType.KRAKEN: "EGeneral:Permission denied", BrokerType.COINBASE: "PERMISSION_DENIED"}


class TurnableClock(SystemClock):
    """The machine's clock, which a test may turn on."""

    ahead_seconds = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_seconds


@pytest.fixture
def clock(wiring: Wiring) -> TurnableClock:
    wiring.clock = turnable = TurnableClock()
    return turnable


@pytest.fixture
def broker(wiring: Wiring, account: AccountRef, clock: TurnableClock) -> BaseBroker:
    made = wiring.broker(account)
    made.connect()
    made.get_trading_pairs()
    return made


def refuse(exchange: ExchangeProcess, account: AccountRef, text: str, endpoint: str | None = None) -> None:
    where = {"account": account.user_id, "brokerage": str(account.broker)}
    more = {} if endpoint is None else {"endpoint": endpoint}
    exchange.fault({"kind": "api_error", "text": text}, times=None, **where, **more)


def asked(exchange: ExchangeProcess, account: AccountRef, since: int) -> int:
    lines = exchange.journal(since, type="request", brokerage=str(account.broker), account=account.user_id)
    return len(lines)


def refused_reading(broker: BaseBroker) -> str:
    with pytest.raises(CredentialsRejected) as raised:
        broker.fetch_holdings()
    return str(raised.value)


def test_nothing_leaves_after_two_refusals_whatever_is_asked(
    broker: BaseBroker, wiring: Wiring, exchange: ExchangeProcess, account: AccountRef
) -> None:
    refuse(exchange, account, REFUSED[account.broker])
    refused_reading(broker)
    assert broker.key_refusal == ""
    refused_reading(broker)
    assert broker.key_refusal
    seen, calls = exchange.last_seq(), len(wiring.calls)
    for _ in range(3):
        assert refused_reading(broker) == broker.key_refusal
        for call in (
            lambda: broker.place_order(an_order()),
            lambda: broker.cancel_order("OABCDE-FGHIJ-KLMNOP"),
            lambda: broker.get_order("OABCDE-FGHIJ-KLMNOP"),
            lambda: broker.find_order("1" * 32, symbol="BTC/USD", sent_at=now()),
            broker.get_open_orders,
            lambda: broker.get_fills_since(now() - timedelta(hours=1)),
            broker.connect,
        ):
            with pytest.raises(CredentialsRejected):
                call()
    assert asked(exchange, account, seen) == 0
    assert len(wiring.calls) == calls


def test_refused_orders_count_too(broker: BaseBroker, exchange: ExchangeProcess, account: AccountRef) -> None:
    refuse(exchange, account, REFUSED[account.broker], PLACE[account.broker])
    for _ in range(2):
        with pytest.raises(CredentialsRejected):
            broker.place_order(an_order())
    assert broker.key_refusal
    refused_reading(broker)


def test_the_other_accounts_of_the_venue_go_on(
    broker: BaseBroker, wiring: Wiring, exchange: ExchangeProcess, account: AccountRef
) -> None:
    other = wiring.broker(AccountRef.user(account.broker, f"{account.user_id}b"))
    other.connect()
    refuse(exchange, account, REFUSED[account.broker])
    for _ in range(3):
        refused_reading(broker)
        other.fetch_holdings()
    assert other.key_refusal == ""
    other.place_order(an_order())


def test_after_the_pause_one_call_tries_the_key_and_a_good_answer_gives_it_back(
    broker: BaseBroker, exchange: ExchangeProcess, account: AccountRef, clock: TurnableClock
) -> None:
    refuse(exchange, account, REFUSED[account.broker])
    refused_reading(broker)
    refused_reading(broker)
    clock.ahead_seconds += REFUSED_KEY_PAUSE_SECONDS
    seen = exchange.last_seq()
    for _ in range(4):
        refused_reading(broker)
    # One call; a reading whose token is turned away asks once more with a new one at Coinbase.
    assert asked(exchange, account, seen) == {BrokerType.KRAKEN: 1, BrokerType.COINBASE: 2}[account.broker]
    exchange.clear_faults()
    refused_reading(broker)
    clock.ahead_seconds += REFUSED_KEY_PAUSE_SECONDS
    broker.fetch_holdings()
    assert broker.key_refusal == ""
    broker.place_order(an_order())


def test_one_refusal_between_good_answers_changes_nothing(
    broker: BaseBroker, exchange: ExchangeProcess, account: AccountRef
) -> None:
    for _ in range(3):
        refuse(exchange, account, REFUSED[account.broker], BALANCE[account.broker])
        refused_reading(broker)
        exchange.clear_faults()
        broker.fetch_holdings()
    assert broker.key_refusal == ""


@pytest.mark.parametrize("endpoints", [PLACE, BALANCE], ids=["orders", "balances"])
def test_a_right_that_is_missing_for_one_method_leaves_the_others_alone(
    broker: BaseBroker,
    exchange: ExchangeProcess,
    account: AccountRef,
    endpoints: dict[BrokerType, str],
) -> None:
    refuse(exchange, account, DENIED[account.broker], endpoints[account.broker])
    for _ in range(4):
        with pytest.raises(CredentialsRejected):
            if endpoints is PLACE:
                broker.place_order(an_order())
            else:
                broker.fetch_holdings()
    assert broker.key_refusal == ""
    if endpoints is PLACE:
        broker.fetch_holdings()
    else:
        broker.place_order(an_order())
