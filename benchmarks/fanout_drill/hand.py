"""The owner of the master account, who buys beside the bot with the same key."""

import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from benchmarks.fanout_drill.venue import NONCE_WINDOW_NS, Venue
from bot.brokers.call_reaper import CallReaper
from bot.domain.account import AccountRef, BrokerType
from bot.domain.order import OrderKind, OrderRequest, OrderType, Side
from bot.seams.clock import SystemClock
from tests.acceptance.hand_traded import Hand
from tests.contract_brokers.conftest import Wiring


class Owner(Protocol):
    """Trades at the market."""

    def trades(self, side: str, quantity: str, symbol: str) -> None: ...

    def close(self) -> None: ...


class OwnerAtKraken:
    """With nonces of the same clock as the bot's: the exchange lets the two overtake each other on the way."""

    def __init__(self, venue: Venue, dollars: int) -> None:
        self._hand = Hand(venue.rest_url, venue.open_account("master", dollars, nonce_window=NONCE_WINDOW_NS))

    def trades(self, side: str, quantity: str, symbol: str) -> None:
        self._hand.trades(side, quantity, symbol)

    def close(self) -> None:
        self._hand.session.close()


class OwnerElsewhere:
    """Through a broker object of its own, in this process."""

    def __init__(self, venue: Venue, dollars: int) -> None:
        self._directory = tempfile.TemporaryDirectory()
        clock = SystemClock()
        self._wiring = Wiring(venue.exchange, Path(self._directory.name), clock, CallReaper(clock), read_seconds=10)
        account = AccountRef.master(BrokerType(venue.brokerage))
        self._broker = self._wiring.broker(account, balance=str(dollars))
        self._broker.connect()
        self._broker.get_trading_pairs()
        self._number = 0

    def trades(self, side: str, quantity: str, symbol: str) -> None:
        self._number += 1
        request = OrderRequest(
            client_order_id=f"owner{self._number:027d}",
            symbol=symbol,
            side=Side(side),
            kind=OrderKind.ENTRY,
            order_type=OrderType.MARKET,
            quantity=Decimal(quantity),
        )
        self._broker.place_order(request)

    def close(self) -> None:
        self._wiring.close()
        self._directory.cleanup()


def owner_of_master(venue: Venue, dollars: int) -> Owner:
    """Opens the master's account with so much money, and gives its owner."""
    return OwnerAtKraken(venue, dollars) if venue.brokerage == "kraken" else OwnerElsewhere(venue, dollars)
