"""In what the brokerages differ for the matrix: names, sizes, words. What they can do, they say themselves."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.account import BrokerType
from bot.domain.errors import (
    CredentialsRejected,
    InsufficientFunds,
    OrderRefused,
    OutcomeUnknown,
    RetryLater,
    VenueError,
    VenueInMaintenance,
)
from bot.domain.order import OrderType

Words = Mapping[str, type[VenueError]]
# What no brokerage says to an order that it took, and what proves nothing all the same.
NO_ANSWERS = ("", "null", "[]", "{}", "<html>maintenance</html>", "[" * 5000, '{"a": NaN}', "true", '"ok"')


@dataclass(frozen=True, kw_only=True)
class Endpoints:
    """What a fault of the exchange calls them."""

    place: str
    cancel: str
    balance: str
    quotes: str
    open_orders: str
    fills: str
    # Every list in which an order is looked for by our id.
    find: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Rig:
    """One brokerage. Quantities are base units of `symbol`, a liquid market; `halted` is one nobody else here trades.

    `held` of the base is in every account opened. `page`, `fill_page` and `open_page` are how many orders, trades and
    open orders one answer lists at most.
    `words` are errors in the venue's own envelope, and what each means after an order was sent. `acceptances` are
    answers to an order that say neither yes nor no. `balances` is the answer to a reading of balances around a number.
    """

    broker: BrokerType
    endpoints: Endpoints
    symbol: str = "BTC/USD"
    second: str = "ETH/USD"
    halted: str = "ATOM/USD"
    cash: str = "USD"
    quantity: str = "0.001"
    halted_quantity: str = "10"
    held: str = "0.5"
    lot_step: str = "0.00000001"
    too_small: str = "0.00000001"
    off_lot: str = "0.0010000001"
    # The least that may rest at half the price.
    small_resting: str = "0.0002"
    off_tick: str = "100.123456"
    too_much: str = "2"
    # Of money there is enough for it, and nobody offers so much at one price.
    more_than_offered: str = "250"
    resting_quantity: str = "0.1"
    notional: str = "500"
    least_markets: int = 900
    # A key that may look and not trade, the venue's word for the missing right, and rights to move money out.
    few_rights: tuple[str, ...]
    missing_right: str
    rights: tuple[str, ...]
    withdraw_rights: tuple[str, ...] = ()
    page: int
    fill_page: int
    open_page: int
    # Of an order that somebody else made for the account.
    foreign_id: str = "f" * 32
    # What stands before the venue's number in the name of an order of `symbol`.
    order_prefix: str = ""
    words: Words
    rate_limit: str
    maintenance: str
    acceptances: tuple[str, ...]
    balances: str
    # Whether cash may be below zero there: then that is no nonsense, and nothing is available.
    debts: bool = False
    # Lists come as they are, without an envelope: an empty one is an answer.
    bare_lists: bool = False

    @property
    def name(self) -> str:
        return str(self.broker)

    @property
    def base(self) -> str:
        return self.symbol.partition("/")[0]

    def places(self, line: Mapping[str, object]) -> bool:
        """Whether this request, a line of the exchange's journal, was one to place an order."""
        return line["endpoint"] == self.endpoints.place and (line["side"] is not None or line["quantity"] is not None)

    def opening(self, balance: str) -> dict[str, str]:
        """What an account starts with."""
        return {self.cash: balance, self.base: self.held}


KRAKEN = Rig(
    broker=BrokerType.KRAKEN,
    endpoints=Endpoints(
        place="AddOrder",
        cancel="CancelOrder",
        balance="BalanceEx",
        quotes="Ticker",
        open_orders="OpenOrders",
        fills="TradesHistory",
        find=("OpenOrders", "ClosedOrders"),
    ),
    few_rights=("query-funds",),
    missing_right="modify-trades",
    rights=("query-funds", "query-open-trades", "query-closed-trades", "modify-trades", "close-trades"),
    withdraw_rights=("withdraw-funds",),
    page=50,
    fill_page=50,
    open_page=50,
    words={
        "EOrder:Insufficient funds": InsufficientFunds,
        "EOrder:Order minimum not met": OrderRefused,
        "EOrder:Rate limit exceeded": RetryLater,
        "EService:Deadline elapsed": RetryLater,
        "EService:Market in cancel_only mode": VenueInMaintenance,
        "EGeneral:Permission denied": CredentialsRejected,
        "EService:Busy": OutcomeUnknown,
        "EGeneral:Internal error": OutcomeUnknown,
        "EGeneral:Invalid arguments:cl_ord_id not unique": OutcomeUnknown,
        "ENew:Never seen": OutcomeUnknown,
    },
    rate_limit="EAPI:Rate limit exceeded",
    maintenance="EService:Unavailable",
    acceptances=(
        '{"error": [], "result": {"descr": {"order": "buy"}}}',
        '{"error": [], "result": {"descr": {}, "txid": ["A", "B"]}}',
        '{"error": [], "result": {"descr": {}, "txid": [null]}}',
        '{"error": ["EOrder:Insufficient funds"], "result": {"txid": ["OAAAAA-BBBBB-CCCCCC"]}}',
        '{"error": []}',
    ),
    balances='{"error": [], "result": {"ZUSD": {"balance": %s, "hold_trade": "0"}}}',
)
COINBASE = Rig(
    broker=BrokerType.COINBASE,
    endpoints=Endpoints(
        place="orders",
        cancel="orders/batch_cancel",
        balance="accounts",
        quotes="best_bid_ask",
        open_orders="orders/historical/batch",
        fills="orders/historical/fills",
        find=("orders/historical/batch",),
    ),
    few_rights=("view",),
    missing_right="can_trade",
    rights=("view", "trade"),
    withdraw_rights=("transfer",),
    page=100,
    fill_page=100,
    open_page=100,
    words={
        "INSUFFICIENT_FUND": InsufficientFunds,
        "INVALID_SIZE_PRECISION": OrderRefused,
        "INVALID_ARGUMENT": OrderRefused,
        "rate_limit_exceeded": RetryLater,
        "ORDER_ENTRY_DISABLED": VenueInMaintenance,
        "PERMISSION_DENIED": CredentialsRejected,
        "Unauthorized": CredentialsRejected,
        "UNKNOWN_FAILURE_REASON": OutcomeUnknown,
        "unknown": OutcomeUnknown,
    },
    rate_limit="rate_limit_exceeded",
    maintenance="unknown",
    acceptances=(
        '{"success": true}',
        '{"success": false}',
        '{"success": "true", "order_id": "x"}',
        '{"success": true, "order_id": null, "success_response": null, "order_configuration": null}',
        '{"success": true, "order_id": "a", "success_response": {"order_id": "b"}}',
        '{"success": true, "order_id": "a", "error_response": {"error": "INVALID_SIDE"}}',
        '{"success": false, "error_response": {"error": "NEVER_SEEN"}}',
    ),
    balances=(
        '{"accounts": [{"currency": "USD", "available_balance": {"value": %s, "currency": "USD"},'
        ' "hold": {"value": "0", "currency": "USD"}}], "has_next": false}'
    ),
)
OKX = Rig(
    broker=BrokerType.OKX,
    symbol="BTC/USDT",
    second="ETH/USDT",
    halted="ATOM/USDT",
    cash="USDT",
    endpoints=Endpoints(
        place="trade/order",
        cancel="trade/cancel-order",
        balance="account/balance",
        quotes="market/ticker",
        open_orders="trade/orders-pending",
        fills="trade/fills",
        find=("trade/order", "trade/orders-history"),
    ),
    few_rights=("read_only",),
    missing_right="trade",
    rights=("read_only", "trade"),
    withdraw_rights=("withdraw",),
    page=100,
    fill_page=100,
    open_page=100,
    foreign_id="SomeBodyElse7",
    order_prefix="BTC-USDT-",
    words={
        "51008": InsufficientFunds,
        "51020": OrderRefused,
        "51121": OrderRefused,
        "50011": RetryLater,
        "50061": RetryLater,
        "50036": RetryLater,
        "50037": RetryLater,
        "50102": RetryLater,
        "51022": VenueInMaintenance,
        "50120": CredentialsRejected,
        "50113": CredentialsRejected,
        "51016": OutcomeUnknown,
        "50001": OutcomeUnknown,
        "50004": OutcomeUnknown,
        "50013": OutcomeUnknown,
        "50026": OutcomeUnknown,
        "59999": OutcomeUnknown,
    },
    rate_limit="50011",
    maintenance="50001",
    acceptances=(
        '{"code": "0", "msg": "", "data": []}',
        '{"code": "0", "msg": "", "data": null}',
        '{"code": "0", "msg": "", "data": [{"ordId": "", "sCode": "0"}]}',
        '{"code": "0", "msg": "", "data": [{"ordId": "1", "sCode": "51008", "sMsg": "no"}]}',
        '{"code": "1", "msg": "", "data": [{"ordId": "1", "sCode": "0", "sMsg": ""}]}',
        '{"code": "1", "msg": "", "data": [{"ordId": "1", "sCode": "51008", "sMsg": "no"}]}',
        '{"code": "0", "msg": "", "data": [{"ordId": "1", "clOrdId": "other", "sCode": "0", "sMsg": ""}]}',
        '{"code": "1", "msg": "", "data": []}',
    ),
    balances='{"code": "0", "msg": "", "data": [{"details": [{"ccy": "USDT", "cashBal": "0", "frozenBal": %s}]}]}',
)
BINANCE = Rig(
    broker=BrokerType.BINANCE,
    symbol="BTC/USDT",
    second="ETH/USDT",
    halted="ATOM/USDT",
    cash="USDT",
    endpoints=Endpoints(
        place="order",
        cancel="cancelOrder",
        balance="account",
        quotes="ticker/bookTicker",
        open_orders="openOrders",
        fills="myTrades",
        find=("queryOrder", "allOrders"),
    ),
    few_rights=("enableReading",),
    missing_right="enableSpotAndMarginTrading",
    rights=("enableReading", "enableSpotAndMarginTrading"),
    withdraw_rights=("enableWithdrawals",),
    page=100,
    fill_page=1000,
    open_page=100,
    foreign_id="somebody-else_7",
    order_prefix="BTCUSDT-",
    bare_lists=True,
    words={
        "-2010: Account has insufficient balance for requested action.": InsufficientFunds,
        "-1013: Filter failure: LOT_SIZE": OrderRefused,
        "-1121": OrderRefused,
        "-1003": RetryLater,
        "-1015": RetryLater,
        "-1021": RetryLater,
        "-1022": CredentialsRejected,
        "-2015": CredentialsRejected,
        "-2010": OutcomeUnknown,
        "-1000": OutcomeUnknown,
        "-1006": OutcomeUnknown,
        "-1007": OutcomeUnknown,
        "-1008": OutcomeUnknown,
        "-9999": OutcomeUnknown,
    },
    rate_limit="-1003",
    maintenance="-1016",
    acceptances=(
        '{"symbol": "BTCUSDT"}',
        '{"symbol": "BTCUSDT", "orderId": null}',
        '{"symbol": "BTCUSDT", "orderId": 0, "clientOrderId": ""}',
        '{"symbol": "ETHUSDT", "orderId": 7}',
        '{"symbol": "BTCUSDT", "orderId": 7, "clientOrderId": "other"}',
        '{"symbol": "BTCUSDT", "orderId": 7, "side": "SELL"}',
    ),
    balances='{"balances": [{"asset": "USDT", "free": %s, "locked": "0"}], "canTrade": true}',
)
ALPACA = Rig(
    broker=BrokerType.ALPACA,
    symbol="AAPL/USD",
    second="MSFT/USD",
    halted="NFLX/USD",
    quantity="1",
    halted_quantity="1",
    held="50",
    lot_step="0.000000001",
    too_small="0.001",
    off_lot="1.0000000001",
    off_tick="100.123",
    too_much="500",
    more_than_offered="500000",
    resting_quantity="1",
    small_resting="0.05",
    least_markets=30,
    endpoints=Endpoints(
        place="orders",
        cancel="orders/cancel",
        balance="account",
        quotes="stocks/quotes/latest",
        open_orders="orders/list",
        fills="account/activities/{activity_type}",
        find=("orders:by_client_order_id",),
    ),
    few_rights=(),
    missing_right="",
    rights=("view", "trade"),
    page=100,
    fill_page=100,
    open_page=100,
    foreign_id="somebody else's order no. 7",
    debts=True,
    bare_lists=True,
    words={
        "40310000: insufficient buying power": InsufficientFunds,
        "40310000: insufficient qty available for order (requested: 1, available: 0)": InsufficientFunds,
        "40310000: potential wash trade detected. use complex orders": OrderRefused,
        "42210000: sub-penny increment does not fulfill minimum pricing criteria": OrderRefused,
        "40010001: qty must be > 0": OrderRefused,
        "42910000: too many requests.": RetryLater,
        "40110000: request is not authorized": CredentialsRejected,
        "40010001: client_order_id must be unique": OutcomeUnknown,
        "50010000: internal server error": OutcomeUnknown,
        "50410000: gateway timeout": OutcomeUnknown,
        "40410000: not found": OutcomeUnknown,
    },
    rate_limit="42910000: too many requests.",
    maintenance="50310000: maintenance",
    acceptances=(
        '{"id": null}',
        '{"id": "a", "client_order_id": "b"}',
        '{"id": "a", "symbol": "MSFT"}',
        '{"id": "a", "side": "sell"}',
        '{"code": 40310000, "message": "insufficient buying power"}',
    ),
    balances=(
        '{"id": "a", "account_number": "PA1", "status": "ACTIVE", "currency": "USD", "cash": %s,'
        ' "buying_power": "100", "non_marginable_buying_power": "100", "equity": "100", "multiplier": "1"}'
    ),
)
RIGS: Mapping[BrokerType, Rig] = {rig.broker: rig for rig in (KRAKEN, COINBASE, OKX, BINANCE, ALPACA)}
# The kinds of order the bot makes; a brokerage says which of them it has. Stops have cases of their own.
ORDER_TYPES = tuple(each for each in OrderType if each is not OrderType.STOP)
