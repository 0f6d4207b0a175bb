"""The table of `docs/brokers.md`, made of what the broker classes say of themselves."""

from collections.abc import Callable, Mapping, Sequence

from bot.domain.account import BrokerType
from bot.domain.order import OrderType
from tests.lone_brokers import Facts, facts_of

BROKERS = tuple(BrokerType)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:g} s"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _order(order_type: OrderType) -> Callable[[Facts], str]:
    return lambda facts: facts.capabilities.order_types.get(order_type, "-")


ROWS: Mapping[str, Callable[[Facts], str]] = {
    "market order": _order(OrderType.MARKET),
    "limit that ends at once": _order(OrderType.LIMIT_IOC),
    "limit that rests": _order(OrderType.LIMIT_GTC),
    "protective stop": _order(OrderType.STOP),
    "stop orders it would take": lambda facts: ", ".join(facts.capabilities.stop_orders) or "-",
    "market buy by its cost (never sent so)": lambda facts: _yes(facts.capabilities.market_by_quote),
    "less than one unit": lambda facts: facts.capabilities.fractions,
    "a client id used again": lambda facts: facts.capabilities.repeated_id,
    "an order late on its way is stopped by": lambda facts: facts.capabilities.deadline,
    "the order is good for": lambda facts: _seconds(facts.order_expiry_seconds),
    "absence is proven after": lambda facts: _seconds(facts.settle_seconds),
    "fee": lambda facts: facts.capabilities.fee,
    "tells what moved without a trade in": lambda facts: facts.capabilities.ledger,
    "its private stream tells": lambda facts: facts.capabilities.private_stream,
    "cash is counted in": lambda facts: facts.quote_currency,
    "closed at times": lambda facts: _yes(facts.capabilities.sessions),
    "keys have a passphrase": lambda facts: _yes(facts.capabilities.passphrase),
    "tells that a key can withdraw": lambda facts: _yes(facts.capabilities.withdraw_right_told),
}


def table(brokers: Sequence[BrokerType] = BROKERS) -> str:
    """Markdown, one column a brokerage."""
    facts = [facts_of(broker) for broker in brokers]
    lines = [
        "| | " + " | ".join(broker.value for broker in brokers) + " |",
        "|---" * (len(brokers) + 1) + "|",
        *(f"| {name} | " + " | ".join(row(one) for one in facts) + " |" for name, row in ROWS.items()),
    ]
    return "\n".join(lines)
