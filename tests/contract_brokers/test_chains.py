"""Orders that rest and are moved, at every brokerage and on both of Kraken's ways, judged by the exchange's journal."""

import zlib
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef, BrokerType
from bot.domain.order import IntentState, OrderType
from bot.execution.repositioner import OrderRules, Policy
from bot.storage import migrations
from bot.storage.store import Store, sqlite_url
from tests.contract_brokers.chain_account import ChainAccount, ChainInTheJournal
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.matrix.conftest import connected
from tests.contract_brokers.matrix.rigs import RIGS
from tests.contract_brokers.streamed import Streamed, StreamedAccount
from tests.exchange_process import ExchangeProcess

D = Decimal
RICH = "100000000000"
WAYS = [*((broker, "rest") for broker in RIGS), (BrokerType.KRAKEN, "socket")]
# The first order waits in a market that stands still; the first move crosses what is offered next to it, and no more.
RULES = OrderRules(
    entry=Policy.RESTING,
    exit=Policy.RESTING,
    entry_ttl_seconds=0.5,
    exit_ttl_seconds=0.5,
    max_reprices=1,
    reprice_step_bps=D(50),
    max_cross_bps=D(1),
    cancel_above_spread_percent=D(5),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = sqlite_url(tmp_path / "chains.db")
    migrations.upgrade(url)
    opened = Store(url)
    opened.start()
    yield opened
    opened.close()


@pytest.fixture(params=WAYS, ids=lambda one: f"{one[0]}-{one[1]}")
def way(request: pytest.FixtureRequest) -> tuple[BrokerType, str]:
    broker, lane = request.param
    return broker, lane


@pytest.fixture
def broker(way: tuple[BrokerType, str], wiring: Wiring, request: pytest.FixtureRequest) -> Iterator[BaseBroker]:
    """Of an account with money for everything, in a market that stands still."""
    wiring.read_seconds = 3.0
    account = AccountRef.user(way[0], f"chain{zlib.crc32(request.node.name.encode())}")
    if way[1] == "rest":
        yield connected(wiring.broker(account, balance=RICH))
        return
    streamed = Streamed(wiring)
    yield StreamedAccount(streamed, account, streamed.access(account, balance=RICH)).live().broker
    streamed.close()


def test_what_rests_is_moved_filled_in_part_given_up_and_sold_with_one_live_order_and_never_too_much(
    broker: BaseBroker, store: Store, exchange: ExchangeProcess
) -> None:
    rig = RIGS[broker.account.broker]
    exchange.pause()
    account = ChainAccount(store, broker, RULES, rig.symbol)
    entry = account.enter(D(rig.more_than_offered))
    assert (entry.state, entry.filled_quantity) == (IntentState.ACKNOWLEDGED, 0)
    account.until_quiet()
    steps, seen = account.steps_of(entry), ChainInTheJournal(exchange, account.steps_of(entry))
    assert [step.chain_step for step in steps] == [0, 1] and steps[1].filled_quantity > 0
    assert steps[-1].chain_end == "not all of it was to be had in 2 tries"
    assert (seen.most, seen.live) == (1, {})
    assert 0 < seen.filled < entry.quantity
    # What rests on the way out goes at the market when its time is over.
    account.chains.rules = replace(RULES, max_reprices=0)
    first = account.exit(broker.get_trading_pairs()[rig.symbol].floor_quantity(account.lots()))
    account.until_quiet()
    steps, seen = account.steps_of(first), ChainInTheJournal(exchange, account.steps_of(first))
    assert [step.order_type for step in steps[:2]] == [OrderType.LIMIT_GTC, OrderType.MARKET]
    assert (seen.most, seen.live) == (1, {})
    assert seen.filled == first.quantity
    assert account.unfinished() == [] and broker.get_open_orders() == []
    assert account.lots() < broker.get_trading_pairs()[rig.symbol].lot_step
