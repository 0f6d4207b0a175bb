"""The matrix of every brokerage once more, through ccxt's unified methods: its classes on the fronts that they speak.

OKX's is tried by every run; all four are with NIJA_ALL_UNIFIED=1.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from bot.brokers.call_reaper import CallReaper
from bot.domain.account import BrokerType
from bot.seams.clock import SystemClock
from tests.contract_brokers.matrix.conftest import account, broker, stranger, tireless
from tests.contract_brokers.matrix.rigs import RIGS, Endpoints, Rig
from tests.contract_brokers.matrix.test_markets import halted
from tests.contract_brokers.unified_wiring import FRONTS, UnifiedWiring
from tests.exchange_process import ExchangeProcess

__all__ = ["account", "broker", "halted", "stranger", "tireless"]

KRAKEN, COINBASE, OKX, BINANCE = FRONTS
TRIED = FRONTS if os.environ.get("NIJA_ALL_UNIFIED") else (OKX,)
FILES = "balances cancelling connection fills identity markets orders refusals trouble unknown_outcomes"
for _file in FILES.split():
    _module = import_module(f"tests.contract_brokers.matrix.test_{_file}")
    globals().update(
        {name: value for name, value in vars(_module).items() if name.startswith("test_c") and "_c43_" not in name}
    )

OF_CCXT = "by ccxt's classes this proves nothing, so the outcome is unknown (test_unified.py)"
NOT_TOLD = "ccxt's class does not tell it"
# What is the exchange's own matter, or where ccxt knows less than our own adapters. The rule that holds instead is in
# test_unified.py, or named here.
DIFFERENT: dict[str, tuple[str, tuple[BrokerType, ...]]] = {
    "c02": ("ccxt takes this refusal of a key for any other error", (KRAKEN,)),
    "c03": ("the words are the exchange's own", FRONTS),
    "c04": ("unified methods tell no rights of a key", FRONTS),
    "c07": ("ccxt takes this refusal of a key for too many calls", (BINANCE,)),
    "c10": (NOT_TOLD, (COINBASE,)),
    "c11": (NOT_TOLD, (COINBASE,)),
    "c14": (
        "ccxt needs more than the good answer of the case has (or, at Kraken, reads 1_0 as ten)",
        (KRAKEN, COINBASE, OKX),
    ),
    "c22": (OF_CCXT, (KRAKEN, COINBASE, BINANCE)),
    "c24": ("a few prices are read from order books, one by one", FRONTS),
    "c40": ("without OKX's banAmend a market order shrinks to what can be paid", (OKX,)),
    "c41": (OF_CCXT, (COINBASE,)),
    "c44": ("ccxt sees no contradictions in an answer; the order is asked for by its number afterwards", FRONTS),
    "c51": ("it answers with the first order", (COINBASE,)),
    "c52": ("a repeated id is never sent, whatever the exchange makes of it", FRONTS),
    "c53": ("a repeated id is never sent, whatever the exchange makes of it", FRONTS),
    "c54": (
        "without a look-up by our id only lists are looked through; not found is no proof there",
        (KRAKEN, COINBASE),
    ),
    "c70": (OF_CCXT, (COINBASE,)),
    "c71": (OF_CCXT, (COINBASE,)),
    "c73": ("ccxt takes the order that is not there for any other error", (KRAKEN, COINBASE)),
    "c80": ("a page full of one moment's trades is refused, not cut", (KRAKEN,)),
    "c84": ("a full page of open orders is refused, not cut", (COINBASE, OKX)),
    "c85": ("only ids like ours are sent", (BINANCE,)),
    "c90": (OF_CCXT, FRONTS),
    "c94": ("an empty list alone may be an answer", FRONTS),
}
# Where ccxt asks for something else than our own adapters do.
PLACES = {OKX: "trade/batch-orders"}


@pytest.fixture(params=TRIED, ids=str)
def rig(request: pytest.FixtureRequest) -> Rig:
    front: BrokerType = request.param
    why, where = DIFFERENT.get(request.node.originalname.split("_")[1], ("", ()))
    if front in where:
        pytest.skip(why)
    rig = RIGS[front]
    endpoints: Endpoints = replace(rig.endpoints, place=PLACES.get(front, rig.endpoints.place))
    return replace(rig, order_prefix=f"{rig.symbol}:", endpoints=endpoints)


@pytest.fixture
def wiring(exchange: ExchangeProcess, tmp_path: Path) -> Iterator[UnifiedWiring]:
    clock = SystemClock()
    made = UnifiedWiring(exchange, tmp_path, clock, CallReaper(clock))
    yield made
    made.close()
