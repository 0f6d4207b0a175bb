"""What the exchange really answers, each call once: the replies that other tests spoil."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from bot.brokers.base import BaseBroker
from bot.brokers.http_session import HttpReply
from bot.domain.account import AccountRef, BrokerType
from bot.domain.order import OrderAck, OrderRequest, OrderType
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.orders import BTC, an_order, resting_price

Reading = Callable[[BaseBroker], object]


PLACE, CANCEL = "place", "cancel"


@dataclass(frozen=True)
class Recorded:
    """`replies` by what was done and by the path it asked; `filled` and `resting` are orders of the account."""

    replies: Mapping[str, Mapping[str, Any]]
    filled: OrderRequest
    filled_ack: OrderAck
    resting_ack: OrderAck
    since: datetime

    @property
    def acceptance(self) -> Any:
        """The answer to `filled`."""
        return next(iter(self.replies[PLACE].values()))


def record(wiring: Wiring, broker_type: BrokerType) -> Recorded:
    """Trade a little and read everything there is to read."""
    broker = wiring.broker(AccountRef.user(broker_type, "recorded"))
    broker.get_trading_pairs()
    broker.connect()
    taken: dict[str, Any] = {}
    exchange = broker._session.exchange  # type: ignore[attr-defined]

    def recording(method: str, url: str, **more: object) -> HttpReply:
        reply: HttpReply = exchange(method, url, **more)
        assert reply.status == 200, reply
        taken[urlsplit(url).path] = json.loads(reply.body)
        return reply

    broker._session.exchange = recording  # type: ignore[attr-defined]
    since = datetime.now(UTC)
    resting = an_order(quantity="0.01", price=resting_price(broker), order_type=OrderType.LIMIT_GTC)
    filled = an_order(quantity="0.002")
    resting_ack = broker.place_order(resting)
    taken.clear()
    recorded = Recorded({}, filled, broker.place_order(filled), resting_ack, since)
    replies = {PLACE: dict(taken)}
    steps: dict[str, Reading] = dict(readings(recorded))
    steps[CANCEL] = lambda one: one.cancel_order(resting_ack.venue_order_id)
    for name, step in steps.items():
        taken.clear()
        step(broker)
        replies[name] = dict(taken)
    return replace(recorded, replies=replies)


def readings(recorded: Recorded) -> dict[str, Reading]:
    """Each reading of a broker, by name."""
    filled, ack = recorded.filled, recorded.filled_ack
    return {
        "holdings": lambda broker: broker.fetch_holdings(),
        "open orders": lambda broker: broker.get_open_orders(),
        "find": lambda broker: broker.find_order(filled.client_order_id, symbol=BTC, sent_at=recorded.since),
        "order": lambda broker: broker.get_order(ack.venue_order_id),
        "order fills": lambda broker: broker.get_order_fills(ack.venue_order_id, since=recorded.since),
        "fills": lambda broker: broker.get_fills_since(recorded.since),
        "candles": lambda broker: broker.get_candles(BTC, interval_minutes=1, limit=5),
        "quotes": lambda broker: broker.get_best_bid_ask_batch([BTC]),
    }
