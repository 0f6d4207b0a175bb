"""Each case runs for each brokerage, on an account of its own."""

import zlib

import pytest

from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef
from tests.contract_brokers.conftest import OpenGate, Wiring
from tests.contract_brokers.matrix.rigs import RIGS, Rig


@pytest.fixture(params=RIGS.values(), ids=lambda rig: rig.name)
def rig(request: pytest.FixtureRequest) -> Rig:
    one: Rig = request.param
    return one


@pytest.fixture
def account(request: pytest.FixtureRequest, rig: Rig) -> AccountRef:
    return AccountRef.user(rig.broker, f"m{zlib.crc32(request.node.name.encode())}")


@pytest.fixture
def broker(wiring: Wiring, account: AccountRef) -> BaseBroker:
    """Connected, with the markets read."""
    made = wiring.broker(account)
    made.connect()
    made.get_trading_pairs()
    return made


@pytest.fixture
def tireless(wiring: Wiring, account: AccountRef) -> BaseBroker:
    """The same, and it goes on asking a venue that answers nothing sensible for long."""
    wiring.gate = OpenGate(wiring.clock, str(account.broker))
    made = wiring.broker(account)
    made.connect()
    made.get_trading_pairs()
    return made


@pytest.fixture
def stranger(wiring: Wiring, account: AccountRef) -> BaseBroker:
    """Another account at the same brokerage."""
    made = wiring.broker(AccountRef.user(account.broker, f"{account.user_id}b"))
    made.connect()
    return made
