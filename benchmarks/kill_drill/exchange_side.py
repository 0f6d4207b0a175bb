"""What the exchange saw and did, put together from its journal: the only witness that the drill believes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

Line = Mapping[str, Any]


def label_of(brokerage: str, account: str) -> str:
    """The name that the bot's books use: `kraken` for a master, `daivon_frazier_kraken` for a user."""
    return brokerage if account == "master" else f"{account}_{brokerage}"


def order_name(line: Line) -> str:
    """What the bot's books call an order: where a venue finds none by its number alone, its market stands before it."""
    market = {"okx": "-", "binance": ""}.get(line["brokerage"])
    return line["order_id"] if market is None else f"{line['symbol'].replace('/', market)}-{line['order_id']}"


@dataclass(frozen=True)
class VenueFill:
    """One fill; amounts in base (quantity), quote per base (price) and `fee_asset` (fee)."""

    seq: int
    at: datetime
    account: str
    symbol: str
    side: str
    trade_id: str
    order_id: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str | None = None

    @property
    def signed_quantity(self) -> Decimal:
        """Base units that it added, which is less than was bought where the fee is taken from them."""
        fee_in_base = self.fee if self.fee_asset == self.symbol.partition("/")[0] else Decimal(0)
        return (self.quantity if self.side == "buy" else -self.quantity) - fee_in_base


@dataclass
class AcceptedOrder:
    """One `accept` line with what came of it."""

    seq: int
    at: datetime
    account: str
    order_id: str
    client_order_id: str | None
    symbol: str
    side: str
    quantity: Decimal
    fills: list[VenueFill] = field(default_factory=list)
    closed: bool = False

    @property
    def filled(self) -> Decimal:
        return sum((fill.quantity for fill in self.fills), Decimal(0))

    @property
    def average_price(self) -> Decimal:
        return sum((fill.quantity * fill.price for fill in self.fills), Decimal(0)) / self.filled

    @property
    def ended(self) -> bool:
        return self.closed or self.filled >= self.quantity


@dataclass(frozen=True)
class Check:
    """One `write_ahead` line."""

    seq: int
    account: str
    client_order_id: str | None
    verdict: str


@dataclass(frozen=True)
class ExchangeSide:
    """The journal, read. Everything is in the order of the journal's numbers."""

    orders: Sequence[AcceptedOrder]
    fills: Sequence[VenueFill]
    checks: Sequence[Check]
    nonces: Mapping[str, Sequence[int]]
    invalid_nonces: Sequence[str]

    @classmethod
    def from_lines(cls, lines: Iterable[Line]) -> "ExchangeSide":
        reading = _Reading()
        for line in lines:
            reading.take(line)
        return cls(reading.orders, reading.fills, reading.checks, reading.nonces, reading.invalid_nonces)

    def orders_by_client_id(self) -> dict[str, list[AcceptedOrder]]:
        found: dict[str, list[AcceptedOrder]] = defaultdict(list)
        for order in self.orders:
            if order.client_order_id is not None:
                found[order.client_order_id].append(order)
        return found

    def net_quantities(self) -> dict[tuple[str, str], Decimal]:
        """Base units bought less those sold, by account and symbol."""
        net: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for fill in self.fills:
            net[fill.account, fill.symbol] += fill.signed_quantity
        return net


class _Reading:
    def __init__(self) -> None:
        self.orders: list[AcceptedOrder] = []
        self.fills: list[VenueFill] = []
        self.checks: list[Check] = []
        self.nonces: dict[str, list[int]] = defaultdict(list)
        self.invalid_nonces: list[str] = []
        self._by_order_id: dict[str, list[AcceptedOrder]] = defaultdict(list)

    def take(self, line: Line) -> None:
        if line["account"] is None:
            return
        account = label_of(line["brokerage"], line["account"])
        match line["type"]:
            case "request" if line["nonce"] is not None:
                self.nonces[account].append(int(line["nonce"]))
            case "refuse" if "nonce" in (line["error"] or "").lower():
                self.invalid_nonces.append(f"{account}: {line['error']} for nonce {line['nonce']}")
            case "write_ahead":
                self.checks.append(Check(line["seq"], account, line["client_order_id"], line["verdict"]))
            case "accept":
                self._accept(line, account)
            case "fill":
                self._fill(line, account)
            case "cancel" | "expire":
                for order in self._by_order_id[order_name(line)]:
                    order.closed = True

    def _accept(self, line: Line, account: str) -> None:
        order = AcceptedOrder(
            line["seq"], _time(line), account, order_name(line), line["client_order_id"], line["symbol"],
            line["side"], Decimal(line["quantity"]),
        )  # fmt: skip
        self.orders.append(order)
        self._by_order_id[order.order_id].append(order)

    def _fill(self, line: Line, account: str) -> None:
        fill = VenueFill(
            line["seq"], _time(line), account, line["symbol"], line["side"], line["trade_id"], order_name(line),
            Decimal(line["quantity"]), Decimal(line["price"]), Decimal(line["fee"]),
            line.get("fee_asset"),
        )  # fmt: skip
        self.fills.append(fill)
        for order in self._by_order_id[fill.order_id]:
            order.fills.append(fill)


def _time(line: Line) -> datetime:
    return datetime.fromisoformat(line["time"])
