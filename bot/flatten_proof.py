"""What a venue says is left in an account after a flatten, and which of it is not the bot's."""

from dataclasses import dataclass
from decimal import Decimal

from bot.brokers.base import BaseBroker, Urgency
from bot.domain.balance import Holdings
from bot.domain.errors import VenueError
from bot.domain.halt import Halt, HaltScope
from bot.domain.money import plain
from bot.domain.order import VenueOrder
from bot.domain.symbol import base_of
from bot.storage.positions import positions_of
from bot.storage.store import Store


@dataclass(frozen=True)
class VenueRest:
    """`problem` says what could not be read; then nothing is proven. `not_ours` names what stays untouched."""

    holdings: Holdings | None
    problem: str = ""
    not_ours: str = ""

    def of(self, symbol: str) -> Decimal | None:
        """Base units of the market's asset, whoever bought them; None = not known."""
        return None if self.holdings is None else self.holdings.of(base_of(symbol)).total


def read_venue_rest(broker: BaseBroker, store: Store, halt: Halt) -> VenueRest:
    """Balances and open orders, read now. Raises nothing that the venue does."""
    with broker.urgent(Urgency.RESOLVE):
        reading = broker.refresh_balance(max_age_seconds=0)
        if reading.holdings is None or reading.reason:
            return VenueRest(None, f"what the venue has left is not known: {reading.reason or 'no balance was read'}")
        try:
            orders = [order for order in broker.get_open_orders() if _covers(halt, base_of(order.symbol))]
        except VenueError as error:
            return VenueRest(reading.holdings, f"open orders are not known: {error}")
    coins = _coins_not_ours(broker, store, halt, reading.holdings)
    parts = [f"open orders not touched: {', '.join(map(_in_words, orders))}" if orders else ""]
    parts += [f"not bought by the bot, not touched: {', '.join(coins)}" if coins else ""]
    return VenueRest(reading.holdings, "", "; ".join(filter(None, parts)))


def _coins_not_ours(broker: BaseBroker, store: Store, halt: Halt, holdings: Holdings) -> list[str]:
    """`3 ETH`, of what exceeds the lots in the books."""
    booked: dict[str, Decimal] = {}
    with store.read() as connection:
        for position in positions_of(connection, broker.account.label):
            asset = base_of(position.symbol)
            booked[asset] = booked.get(asset, Decimal(0)) + position.quantity
    rest = {
        asset: balance.total - booked.get(asset, Decimal(0))
        for asset, balance in sorted(holdings.assets.items())
        if asset != broker.quote_currency and _covers(halt, asset)
    }
    return [f"{plain(amount)} {asset}" for asset, amount in rest.items() if amount > 0]


def _covers(halt: Halt, asset: str) -> bool:
    return halt.scope is not HaltScope.SYMBOL or asset == base_of(halt.target)


def _in_words(order: VenueOrder) -> str:
    return f"{order.side} {plain(order.quantity)} {order.symbol} ({order.venue_order_id})"
