"""Makes the exchange misbehave while the bot is being killed: lost, late and wrong answers."""

import random
from collections.abc import Mapping, Sequence

from benchmarks.kill_drill.exchange_process import DrillExchange

ORDER_ENDPOINTS: Sequence[Mapping[str, str]] = (
    {"brokerage": "kraken", "endpoint": "AddOrder"},
    {"brokerage": "coinbase", "endpoint": "orders"},
    {"brokerage": "okx", "endpoint": "trade/order"},
    {"brokerage": "binance", "endpoint": "order"},
    {"brokerage": "alpaca", "endpoint": "orders"},
)
ORDER_FAULTS: Sequence[Mapping[str, object]] = (
    {"kind": "drop_response"},
    {"kind": "drop_request"},
    {"kind": "accept_then_5xx", "status": 502},
    {"kind": "5xx", "status": 503},
    {"kind": "malformed"},
    {"kind": "reset"},
    {"kind": "delay", "seconds": 0.5},
    {"kind": "delay", "seconds": 3},
    {"kind": "delay", "seconds": 6.5},
)
READ_FAULTS: Sequence[Mapping[str, object]] = (
    {"kind": "5xx", "status": 503},
    {"kind": "drop_response"},
    {"kind": "lookup_lag", "seconds": 2},
    {"kind": "delay", "seconds": 0.5},
)


class Disturber:
    """Orders a few faults for each life; what was not hit is taken back before the next ones."""

    def __init__(self, exchange: DrillExchange, chance: random.Random, brokerages: Sequence[str]) -> None:
        self._exchange = exchange
        self._brokerages = tuple(brokerages)
        self._chance = chance
        self.ordered = 0

    def disturb(self) -> None:
        self._exchange.clear_faults()
        for match in ORDER_ENDPOINTS:
            if match["brokerage"] in self._brokerages and self._chance.random() < 0.7:
                nth = {"nth": self._chance.randint(1, 4)}
                self._order({**match, **nth}, self._chance.choice(ORDER_FAULTS))
        if self._chance.random() < 0.5:
            brokerage = self._chance.choice(self._brokerages)
            self._order({"brokerage": brokerage, "nth": self._chance.randint(5, 60)}, self._chance.choice(READ_FAULTS))

    def _order(self, match: Mapping[str, object], action: Mapping[str, object]) -> None:
        self._exchange.fault(match, action)
        self.ordered += 1
