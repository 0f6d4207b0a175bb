"""The exchange of the benchmark: a process of its own, moved away by a round trip once everybody is ready."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.exchange_process import ExchangeProcess, PaperAccount
from tests.paper_exchange.kraken_client import KrakenClient

MARKETS = (
    "BTC/USD", "ETH/USD", "SOL/USD", "XRP/USD", "ADA/USD", "DOGE/USD", "LTC/USD", "DOT/USD", "LINK/USD", "AVAX/USD",
)  # fmt: skip
# What the accounts are paid in, and what is bought, where that is not dollars and those markets.
COINS_FOR_TETHER = tuple(symbol.replace("/USD", "/USDT") for symbol in MARKETS)
STOCKS = (
    "AAPL/USD", "MSFT/USD", "NVDA/USD", "AMZN/USD", "GOOGL/USD", "META/USD", "TSLA/USD", "SPY/USD", "QQQ/USD",
    "AMD/USD",
)  # fmt: skip
MARKETS_OF = {"okx": COINS_FOR_TETHER, "binance": COINS_FOR_TETHER, "alpaca": STOCKS}
CASH_OF = {"okx": "USDT", "binance": "USDT"}
# The master's own hand and the bot share a key, and their nonces may overtake each other on the way.
NONCE_WINDOW_NS = 600_000_000_000


class Venue:
    """The paper exchange with its market standing still, so that every order of a round meets the same price."""

    def __init__(self, exchange: ExchangeProcess, brokerage: str = "kraken") -> None:
        self.exchange = exchange
        self.brokerage = brokerage
        exchange.control("POST", "/session", {"brokerage": "alpaca", "mode": "always_open"})
        exchange.pause()

    @property
    def rest_url(self) -> str:
        return self.exchange.rest_url(self.brokerage)

    @property
    def private_socket_url(self) -> str:
        return f"{self.exchange.addresses[self.brokerage]['ws_auth']}/v2"

    def open_account(self, name: str, dollars: int, *, nonce_window: int = 0) -> PaperAccount:
        balances = {CASH_OF.get(self.brokerage, "USD"): dollars}
        more = {"nonce_window": nonce_window} if nonce_window else {}
        return self.exchange.open_account(self.brokerage, name, balances, **more)

    def client(self, account: PaperAccount) -> KrakenClient:
        return KrakenClient(self.rest_url, account)

    @contextmanager
    def away(self, milliseconds: float) -> Iterator[None]:
        """A round trip takes this long inside the block."""
        self.exchange.control("POST", "/latency", {"milliseconds": str(milliseconds)})
        try:
            yield
        finally:
            self.exchange.control("POST", "/latency", {"milliseconds": "0"})

    def quantity(self, symbol: str, dollars: int) -> str:
        """So much of the base as these dollars buy, as text."""
        quotes = self.exchange.control("GET", f"/market?symbol={symbol}")
        return format((Decimal(dollars) / Decimal(quotes[0]["ask"])).quantize(Decimal("0.0001")), "f")

    def accepts(self, symbol: str, since: int) -> Sequence[dict[str, Any]]:
        """The orders of this market that the exchange took after a line of its journal."""
        return self.exchange.journal(since, type="accept", symbol=symbol)


def moment(text: str) -> float:
    """Seconds since the epoch of a time as journals and books write it."""
    return datetime.fromisoformat(text).timestamp()
