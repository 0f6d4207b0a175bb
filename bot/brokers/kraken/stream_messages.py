"""What Kraken's private sockets say, as values of ours. Numbers are read as the exact decimals they were written as.

Raises `UnreadableReply` for anything that is not as it should be: the stream is then begun anew, and the readings tell
what was in the message.
"""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

import msgspec

from bot.brokers.account_view import OrderEvent
from bot.brokers.kraken.orders import normal_client_id
from bot.brokers.replies import as_id, iso_time, number
from bot.domain.errors import UnreadableReply
from bot.domain.fill import Fill
from bot.domain.order import Side, VenueOrderStatus
from bot.domain.symbol import quote_of

HEARTBEAT = b'{"channel":"heartbeat"}'
SNAPSHOT = "snapshot"
TRADE = "trade"

STATUSES: Mapping[str, VenueOrderStatus] = MappingProxyType(
    {
        "pending_new": VenueOrderStatus.PENDING,
        "new": VenueOrderStatus.OPEN,
        "partially_filled": VenueOrderStatus.OPEN,
        "filled": VenueOrderStatus.FILLED,
        "canceled": VenueOrderStatus.CANCELLED,
        "expired": VenueOrderStatus.EXPIRED,
    }
)


class Message(msgspec.Struct, gc=False):
    """Any message: a push of a channel, or the answer to a request."""

    channel: str = ""
    method: str = ""
    type: str = ""
    sequence: int | None = None
    req_id: int | None = None
    success: bool | None = None
    error: str = ""
    time_out: str = ""
    result: msgspec.Raw = msgspec.Raw(b"null")
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Fee(msgspec.Struct):
    asset: str
    qty: Decimal


class _Execution(msgspec.Struct):
    order_id: str
    exec_type: str
    order_status: str
    timestamp: str
    cl_ord_id: str | None = None
    symbol: str | None = None
    side: str | None = None
    order_qty: Decimal | None = None
    limit_price: Decimal | None = None
    cum_qty: Decimal | None = None
    avg_price: Decimal | None = None
    reason: str | None = None
    exec_id: str | None = None
    last_qty: Decimal | None = None
    last_price: Decimal | None = None
    liquidity_ind: str | None = None
    fees: list[_Fee] = []


class _Wallet(msgspec.Struct):
    type: str
    id: str
    balance: Decimal


class _Asset(msgspec.Struct):
    asset: str
    balance: Decimal
    wallets: list[_Wallet] | None = None


class _Ledger(msgspec.Struct):
    asset: str
    balance: Decimal
    type: str = ""
    ref_id: str = ""
    wallet_type: str = "spot"
    wallet_id: str = "main"


class BalanceChange(msgspec.Struct, frozen=True):
    """The new total of one asset. `trade_id` is the trade it comes from, empty if it comes from something else."""

    asset: str
    total: Decimal
    trade_id: str


class _OrderId(msgspec.Struct):
    order_id: str


_messages = msgspec.json.Decoder(Message)
_executions = msgspec.json.Decoder(list[_Execution])
_assets = msgspec.json.Decoder(list[_Asset])
_ledger = msgspec.json.Decoder(list[_Ledger])
_order_ids = msgspec.json.Decoder(_OrderId)


def message_of(text: bytes) -> Message:
    """The envelope; its `data` and `result` are still text."""
    try:
        return _messages.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableReply(f"Kraken's socket: a message that is not one ({str(error)[:120]})") from error


def order_events(message: Message) -> list[OrderEvent]:
    """What a message of the channel `executions` tells, in its order."""
    where = "Kraken executions"
    try:
        items = _executions.decode(message.data)
        return [_event(item, past=message.type == SNAPSHOT, where=where) for item in items]
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise UnreadableReply(f"{where}: {str(error)[:160]}") from error


def totals_of(message: Message) -> dict[str, Decimal]:
    """A snapshot of `balances`: what can be traded with of each asset, holds included; not what earns elsewhere."""
    where = "Kraken balances"
    try:
        items = _assets.decode(message.data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadableReply(f"{where}: {str(error)[:160]}") from error
    return {item.asset: _total(_spot(item), item.asset) for item in items}


def balance_changes(message: Message) -> list[BalanceChange]:
    """An update of `balances`."""
    where = "Kraken balances"
    try:
        items = _ledger.decode(message.data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadableReply(f"{where}: {str(error)[:160]}") from error
    return [
        BalanceChange(
            item.asset,
            _total(item.balance, item.asset),
            item.ref_id if item.type == TRADE else "",
        )
        for item in items
        if (item.wallet_type, item.wallet_id) == ("spot", "main")
    ]


def order_id_of(message: Message) -> str:
    """The order that an answer to `add_order` names."""
    try:
        return as_id(_order_ids.decode(message.result).order_id, where="Kraken add_order")
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadableReply(f"Kraken add_order: the answer does not name the order ({str(error)[:120]})") from error


def _event(item: _Execution, *, past: bool, where: str) -> OrderEvent:
    status = STATUSES.get(item.order_status)
    if status is None:
        raise UnreadableReply(f"{where}: unknown status {item.order_status[:40]!r}")
    order_id = as_id(item.order_id, where=where)
    fill = _fill(item, order_id, where) if item.exec_type == TRADE else None
    if past and fill is not None and not status.ended:
        status = None  # an old trade's order may be over by now
    return OrderEvent(
        venue_order_id=order_id,
        status=status,
        client_order_id=normal_client_id(item.cl_ord_id),
        symbol=item.symbol,
        side=None if item.side is None else Side(item.side),
        quantity=_amount(item.order_qty, where),
        limit_price=_amount(item.limit_price, where) or None,
        filled_quantity=_amount(item.cum_qty, where),
        average_price=_amount(item.avg_price, where) or None,
        opened_at=iso_time(item.timestamp, where=where) if item.exec_type in ("pending_new", "new") else None,
        reason=item.reason,
        fill=fill,
    )


def _fill(item: _Execution, order_id: str, where: str) -> Fill:
    if item.symbol is None or item.side is None or item.last_qty is None or item.last_price is None:
        raise UnreadableReply(f"{where}: a trade without its market, side, quantity or price")
    quote = quote_of(item.symbol)
    if len(item.fees) > 1:
        raise UnreadableReply(f"{where}: a trade with fees in {len(item.fees)} assets")
    fee = item.fees[0] if item.fees else None
    return Fill(
        trade_id=as_id(item.exec_id, where=f"{where} exec_id"),
        venue_order_id=order_id,
        symbol=item.symbol,
        side=Side(item.side),
        quantity=number(item.last_qty, where=where),
        price=number(item.last_price, where=where),
        fee=Decimal(0) if fee is None else number(fee.qty, where=where),
        fee_currency=quote if fee is None else fee.asset,
        executed_at=iso_time(item.timestamp, where=where),
        maker={"m": True, "t": False}.get(item.liquidity_ind or ""),
    )


def _total(value: Decimal, asset: str) -> Decimal:
    """Borrowed money makes it negative; none of that can be spent."""
    return number(value, where=f"Kraken balance of {asset}", minimum=None)


def _amount(value: Decimal | None, where: str) -> Decimal | None:
    return None if value is None else number(value, where=where)


def _spot(item: _Asset) -> Decimal:
    if item.wallets is None:
        return item.balance
    return sum((each.balance for each in item.wallets if (each.type, each.id) == ("spot", "main")), Decimal(0))
