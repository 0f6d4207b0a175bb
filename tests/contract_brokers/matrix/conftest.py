"""Each case runs for each brokerage, on an account of its own."""

import contextlib
import zlib

import pytest

from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef
from bot.domain.errors import RetryLater, UnreadableReply
from tests.contract_brokers.conftest import OpenGate, Wiring
from tests.contract_brokers.matrix.rigs import RIGS, Rig

TRIES = 3


@pytest.fixture(params=RIGS.values(), ids=lambda rig: rig.name)
def rig(request: pytest.FixtureRequest) -> Rig:
    one: Rig = request.param
    return one


@pytest.fixture
def account(request: pytest.FixtureRequest, rig: Rig) -> AccountRef:
    return AccountRef.user(rig.broker, f"m{zlib.crc32(request.node.name.encode())}")


@pytest.fixture
def wiring(wiring: Wiring) -> Wiring:
    """On a machine that is busy with other tests an answer takes longer than it should."""
    wiring.read_seconds = 2.0
    return wiring


@pytest.fixture
def broker(wiring: Wiring, account: AccountRef) -> BaseBroker:
    """Connected, with the markets read."""
    return connected(wiring.broker(account))


def connected(broker: BaseBroker) -> BaseBroker:
    """What a busy machine fails is tried again; what a venue refuses is not."""
    for _ in range(TRIES):
        with contextlib.suppress(RetryLater, UnreadableReply):
            broker.connect()
            broker.get_trading_pairs()
            return broker
    broker.connect()
    return broker


@pytest.fixture
def tireless(wiring: Wiring, account: AccountRef) -> BaseBroker:
    """The same, and it goes on asking a venue that answers nothing sensible for long."""
    wiring.gate = OpenGate(wiring.clock, str(account.broker))
    return connected(wiring.broker(account))


@pytest.fixture
def stranger(wiring: Wiring, account: AccountRef) -> BaseBroker:
    """Another account at the same brokerage."""
    return connected(wiring.broker(AccountRef.user(account.broker, f"{account.user_id}b")))
