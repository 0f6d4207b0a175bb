"""The owner of an account beside the bot, who trades by hand with the same key."""

from decimal import Decimal

from bot.broker_manager import build_broker
from bot.brokers.shared_parts import shared_parts
from bot.brokers.venue_access import VenueAccess
from bot.diagnostics.drills.finding import CutShort
from bot.domain.account import AccountRef
from bot.domain.errors import VenueError
from bot.domain.instrument import Instrument
from bot.domain.order import OrderKind, OrderRequest, OrderType, Side
from bot.seams.clock import SystemClock
from bot.seams.ids import SystemIds
from bot.settings import Settings

# Markets that every brokerage of the paper exchange has with somebody on both sides, the most traded first.
BASES = ("ETH", "BTC", "SOL", "ADA", "AAPL", "MSFT", "SPY")


class Hand:
    """Works with a broker of its own in the thread that made it. `ahead_seconds`: its clock, and so its nonces."""

    def __init__(
        self, account: AccountRef, access: VenueAccess, settings: Settings, *, ahead_seconds: float = 0.0
    ) -> None:
        self.account = account
        self._currency = settings.quote_currency_of(account.broker)
        self._ids = SystemIds()
        self._shared = shared_parts(settings, SystemClock(offset_seconds=ahead_seconds))
        self._broker = build_broker(account, access, settings=settings, shared=self._shared)

    def connect(self) -> None:
        """One private call. Raises as the broker does."""
        self._broker.connect()

    def markets(self) -> list[str]:
        """Symbols to trade, the best known first."""
        listed = self._broker.get_trading_pairs()
        known = [f"{base}/{self._currency}" for base in BASES]
        return [symbol for symbol in known if symbol in listed]

    def instrument(self, symbol: str) -> Instrument:
        return self._broker.get_trading_pairs()[symbol]

    def buy(self, symbol: str, notional: Decimal) -> Decimal:
        """At the market for about so much (quote units); returns the base units that were ordered."""
        try:
            request = self._broker.request_by_notional(
                client_order_id=self._ids.token(),
                symbol=symbol,
                side=Side.BUY,
                kind=OrderKind.ENTRY,
                notional_quote=notional,
            )
        except ValueError as error:
            raise CutShort(f"the drill's own trade is too small: {error}") from error
        return self._place(request)

    def trade(self, side: Side, symbol: str, quantity: Decimal) -> Decimal:
        """At the market; rounded down to the lot."""
        request = OrderRequest(
            client_order_id=self._ids.token(),
            symbol=symbol,
            side=side,
            kind=OrderKind.ENTRY if side is Side.BUY else OrderKind.EXIT,
            order_type=OrderType.MARKET,
            quantity=self.instrument(symbol).floor_quantity(quantity),
        )
        return self._place(request)

    def _place(self, request: OrderRequest) -> Decimal:
        try:
            self._broker.place_order(request)
        except VenueError as error:
            raise CutShort(f"the drill's own {request.side} of {request.symbol} was not taken: {error}") from error
        return request.quantity

    def close(self) -> None:
        self._broker.close()
        self._shared.close()
