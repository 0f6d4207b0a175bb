"""Kraken's front: who calls, whether they may, and which handler answers."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from paper_exchange.api_keys import Account
from paper_exchange.brokerage import Brokerage
from paper_exchange.exchange import Exchange
from paper_exchange.http import Call, Front, Reply
from paper_exchange.kraken import (
    order_batch,
    order_changes,
    order_edit,
    order_reads,
    order_writes,
    public,
    trade_reads,
    wallet,
)
from paper_exchange.kraken.conditional_close import ConditionalCloses
from paper_exchange.kraken.context import Context, Handler
from paper_exchange.kraken.envelope import (
    INVALID_KEY,
    INVALID_NONCE,
    INVALID_SIGNATURE,
    PERMISSION_DENIED,
    RATE_LIMIT,
    UNKNOWN_METHOD,
    KrakenError,
    failure,
    success,
)
from paper_exchange.kraken.form import Params, parse_body, parse_query
from paper_exchange.kraken.ledger_types import KINDS
from paper_exchange.kraken.naming import Names
from paper_exchange.kraken.placements import placements
from paper_exchange.kraken.price_text import plain_decimal
from paper_exchange.kraken.signature import new_key_pair, signature_is_valid
from paper_exchange.nonces import read_nonce
from paper_exchange.orders import LedgerKind
from paper_exchange.rate_counters import TIERS, RateCounters
from paper_exchange.write_ahead import Placement

PUBLIC_PREFIX = "/0/public/"
PRIVATE_PREFIX = "/0/private/"
DEFAULT_PERMISSIONS = frozenset(
    {
        "query-funds",
        "query-open-trades",
        "query-closed-trades",
        "modify-trades",
        "close-trades",
        "query-ledger",
        "export-data",
        "create-ws-token",
    }
)
PERMISSIONS = DEFAULT_PERMISSIONS | {
    "add-funds",
    "withdraw-funds",
    "earn-funds",
    "add-withdraw-address",
    "update-withdraw-address",
}
HISTORY_COST = 4.0
"""Of the histories; clients say 2, Kraken's pages of 2026 say 4, and the dearer one finds more mistakes."""


@dataclass(frozen=True, slots=True)
class Private:
    """A private endpoint: any one of ``permissions`` opens it (none: any key), or only all of them with ``needs_all``;
    ``cost`` counts against the key."""

    handler: Handler
    permissions: tuple[str, ...] = ()
    cost: float = 1.0
    needs_all: bool = False

    def opens_to(self, permissions: frozenset[str]) -> bool:
        held = [name in permissions for name in self.permissions]
        return all(held) if self.needs_all or not held else any(held)


PUBLIC: dict[str, Handler] = {
    "Time": public.time,
    "SystemStatus": public.system_status,
    "Assets": public.assets,
    "AssetPairs": public.asset_pairs,
    "Ticker": public.ticker,
    "OHLC": public.ohlc,
    "Depth": public.depth,
    "Trades": public.trades,
    "Spread": public.spread,
}
OPEN, CLOSED, FUNDS, LEDGER = "query-open-trades", "query-closed-trades", "query-funds", "query-ledger"
MODIFY, CANCEL = "modify-trades", "close-trades"
PRIVATE: dict[str, Private] = {
    "Balance": Private(wallet.balance, (FUNDS,)),
    "BalanceEx": Private(wallet.balance_ex, (FUNDS,)),
    "TradeBalance": Private(wallet.trade_balance, (OPEN,)),
    "TradeVolume": Private(wallet.trade_volume, (FUNDS,)),
    "Ledgers": Private(wallet.ledgers, (LEDGER,), HISTORY_COST),
    "QueryLedgers": Private(wallet.query_ledgers, (LEDGER,), HISTORY_COST),
    "DepositStatus": Private(wallet.deposit_status, (FUNDS,)),
    "WithdrawStatus": Private(wallet.withdraw_status, ("withdraw-funds", LEDGER)),
    "OpenOrders": Private(order_reads.open_orders, (OPEN,)),
    "ClosedOrders": Private(order_reads.closed_orders, (CLOSED,)),
    "QueryOrders": Private(order_reads.query_orders, (OPEN, CLOSED)),
    "TradesHistory": Private(trade_reads.trades_history, (CLOSED,), HISTORY_COST),
    "QueryTrades": Private(trade_reads.query_trades, (CLOSED,)),
    "GetApiKeyInfo": Private(wallet.api_key_info),
    "GetWebSocketsToken": Private(wallet.websockets_token, ("create-ws-token",)),
    "AddOrder": Private(order_writes.add_order, (MODIFY,), 0.0),
    "AddOrderBatch": Private(order_batch.add_order_batch, (MODIFY, CANCEL), 0.0, needs_all=True),
    "AmendOrder": Private(order_changes.amend_order, (MODIFY, CANCEL), 0.0),
    "EditOrder": Private(order_edit.edit_order, (MODIFY, CANCEL), 0.0, needs_all=True),
    "OrderAmends": Private(order_changes.order_amends, (OPEN, CLOSED)),
    "CancelOrder": Private(order_writes.cancel_order, (MODIFY, CANCEL), 0.0),
    "CancelAll": Private(order_writes.cancel_all, (MODIFY, CANCEL), 0.0),
    "CancelAllOrdersAfter": Private(order_writes.cancel_all_after, (MODIFY, CANCEL), 0.0),
    "CancelOrderBatch": Private(order_writes.cancel_order_batch, (MODIFY, CANCEL), 0.0),
}


class KrakenFront(Front):
    """``GET /0/public/<Method>`` and ``POST /0/private/<Method>``; failures are HTTP 200 with a text in ``error``."""

    brokerage: ClassVar[str] = "kraken"
    lookup_endpoints: ClassVar[frozenset[str]] = frozenset(
        {"OpenOrders", "ClosedOrders", "QueryOrders", "OrderAmends", "TradesHistory", "QueryTrades"}
    )

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._names = Names(exchange.catalogue.for_brokerage("kraken"))
        self._counters = RateCounters()
        self._closes = ConditionalCloses(exchange)

    def context(self, call: Call, params: Params, now_ns: int) -> Context:
        """For a call that came another way than as a REST request: names, counters and closes are the same."""
        return Context(
            exchange=self._exchange,
            names=self._names,
            counters=self._counters,
            closes=self._closes,
            call=call,
            params=params,
            now_ns=now_ns,
        )

    @property
    def names(self) -> Names:
        return self._names

    def identify(self, call: Call) -> None:
        private = call.path.startswith(PRIVATE_PREFIX)
        call.data["private"] = private
        call.endpoint = call.path.removeprefix(PRIVATE_PREFIX if private else PUBLIC_PREFIX)
        params = parse_body(call.body, call.headers.get("content-type", "")) if call.body else parse_query(call.query)
        call.data["params"] = params
        if not private:
            return
        call.account = self._exchange.account_by_key("kraken", call.headers.get("api-key", ""))
        if params is not None:
            self._note_order(call, params)

    def admit(self, call: Call) -> Reply | None:
        try:
            self._check(call)
        except KrakenError as problem:
            return failure(problem.text)
        return None

    def execute(self, call: Call, now_ns: int) -> Reply:
        handler = PRIVATE[call.endpoint].handler if call.data["private"] else PUBLIC[call.endpoint]
        try:
            return success(handler(self._context(call, now_ns)))
        except KrakenError as problem:
            return failure(problem.text)

    def placements(self, call: Call) -> list[Placement]:
        return placements(self._context(call, call.received_ns)) if call.data["private"] else []

    def error_reply(self, text: str) -> Reply:
        return failure(text)

    def _context(self, call: Call, now_ns: int) -> Context:
        return self.context(call, call.data["params"], now_ns)

    def _check(self, call: Call) -> None:
        """Key, signature, nonce, rate, permission: in this order, so that a forged request can't use up a nonce."""
        if not call.data["private"]:
            if call.endpoint not in PUBLIC:
                raise KrakenError(UNKNOWN_METHOD)
            if call.data["params"] is None:
                raise KrakenError("EGeneral:Invalid arguments")
            return
        account = call.account
        if account is None:
            raise KrakenError(INVALID_KEY)
        self._check_signature(call, account)
        if call.endpoint not in PRIVATE or call.method != "POST":
            raise KrakenError(UNKNOWN_METHOD)
        endpoint = PRIVATE[call.endpoint]
        if account.strict and not self._counters.call_allowed(
            account.api_key, account.tier, endpoint.cost, call.received_ns
        ):
            raise KrakenError(RATE_LIMIT)
        if not endpoint.opens_to(account.permissions):
            raise KrakenError(PERMISSION_DENIED)

    def _check_signature(self, call: Call, account: Account) -> None:
        if call.data["params"] is None:
            raise KrakenError("EGeneral:Invalid arguments")
        nonce = read_nonce(call.nonce)
        signature = call.headers.get("api-sign", "")
        if not signature_is_valid(account.api_secret, call.path, call.nonce or "", call.body, signature):
            raise KrakenError(INVALID_SIGNATURE)
        if nonce is None or not self._exchange.nonces.accept(account.api_key, nonce, window=account.nonce_window):
            raise KrakenError(INVALID_NONCE)

    def _note_order(self, call: Call, params: Params) -> None:
        """What the journal says of a request, as far as it can be read."""
        call.nonce = params.text("nonce")
        call.client_order_id = params.text("cl_ord_id")
        call.order_id = params.text("txid")
        if call.endpoint in ("AddOrder", "EditOrder"):
            pair = self._names.pair(params.text("pair") or "")
            call.symbol = pair.symbol if pair is not None else None
            call.side = params.text("type")
            call.quantity = _readable(params.text("volume"))
            call.price = _readable(params.text("price"))
        if call.endpoint == "AmendOrder":
            call.quantity = _readable(params.text("order_qty"))
            call.price = _readable(params.text("limit_price"))


def _readable(text: str | None) -> Decimal | None:
    return plain_decimal(text) if text is not None else None


KRAKEN = Brokerage(
    name="kraken",
    port_offset=1,
    new_key_pair=new_key_pair,
    permissions=PERMISSIONS,
    default_permissions=DEFAULT_PERMISSIONS,
    front=KrakenFront,
    tiers=tuple(TIERS),
    movements=KINDS - {LedgerKind.TRADE},
)
