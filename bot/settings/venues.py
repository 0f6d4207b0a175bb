"""How each brokerage is called: its address, deadlines, pace and currency."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from bot.settings.section import Section
from bot.settings.values import (
    BaseUrl,
    Currency,
    Flag,
    Optional,
    Seconds,
    SocketUrl,
    SomeSeconds,
    Whole,
    read_float,
)

CallRate = Annotated[float, BeforeValidator(read_float), Field(gt=0, le=1000)]

KRAKEN_REST_URL = "https://api.kraken.com"
KRAKEN_SOCKET_URL = "wss://ws.kraken.com"
KRAKEN_AUTH_SOCKET_URL = "wss://ws-auth.kraken.com"
COINBASE_REST_URL = "https://api.coinbase.com"
COINBASE_SOCKET_URL = "wss://advanced-trade-ws-user.coinbase.com"
OKX_REST_URL = "https://www.okx.com"
# Private sockets, with real money and for demo trading: those of the region that the REST host belongs to.
OKX_GLOBAL_SOCKETS = ("wss://ws.okx.com:8443", "wss://wspap.okx.com:8443")
OKX_EEA_SOCKETS = ("wss://wseea.okx.com:8443", "wss://wseeapap.okx.com:8443")
OKX_US_SOCKETS = ("wss://wsus.okx.com:8443", "wss://wsuspap.okx.com:8443")
OKX_SOCKETS = {
    OKX_REST_URL: OKX_GLOBAL_SOCKETS,
    "https://openapi.okx.com": OKX_GLOBAL_SOCKETS,
    "https://my.okx.com": OKX_EEA_SOCKETS,
    "https://eea.okx.com": OKX_EEA_SOCKETS,
    "https://app.okx.com": OKX_US_SOCKETS,
    "https://us.okx.com": OKX_US_SOCKETS,
}
BINANCE_REST_URL = "https://api.binance.com"
BINANCE_SOCKET_URL = "wss://ws-api.binance.com"
ALPACA_REST_URL = "https://api.alpaca.markets"
ALPACA_PAPER_REST_URL = "https://paper-api.alpaca.markets"
ALPACA_HOSTS = frozenset({ALPACA_REST_URL, ALPACA_PAPER_REST_URL})
ALPACA_DATA_URL = "https://data.alpaca.markets"
# US stocks are paid in nothing else.
ALPACA_CURRENCY = "USD"


class KrakenSettings(Section):
    """Kraken's private calls (mission D2)."""

    private_call_lock: Literal["global", "per_key"] = Field(
        default="global", description="one private call at a time: global = over all accounts, per_key = per key"
    )
    private_call_hold_seconds: SomeSeconds = Field(default=5.0, description="longest that one call may keep the lock")
    private_call_timeout_seconds: SomeSeconds = Field(default=12.0, description="longest wait for the lock")
    connect_timeout_seconds: SomeSeconds = Field(default=3.05, description="longest wait for a connection")
    read_timeout_seconds: SomeSeconds = Field(default=5.0, description="longest silence while an answer arrives")
    order_deadline_seconds: Annotated[SomeSeconds, Field(ge=5, le=60)] = Field(
        default=8.0, description="Kraken refuses an order that arrives later"
    )
    settle_margin_seconds: Annotated[SomeSeconds, Field(ge=1, le=600)] = Field(
        default=60.0, description="an order may come to light this long after its deadline; with real money at least 60"
    )
    parked_key_seconds: Seconds = Field(
        default=30.0, description="a key that overran waits this long, except for exits"
    )
    nonce_reserve_milliseconds: Annotated[Whole, Field(ge=1, le=60_000)] = Field(
        default=2000, description="how far ahead nonces are reserved on disk"
    )
    tier: Optional[Literal["starter", "intermediate", "pro"]] = Field(
        default=None,
        description="rate limits kept: starter, intermediate or pro; null = starter with real money, none on paper",
    )
    public_calls_per_second: Optional[CallRate] = Field(
        default=None, description="pace of calls without a key; null = 1 with real money, any on paper"
    )
    rest_url: BaseUrl = Field(default=KRAKEN_REST_URL, description="base URL in live mode")
    order_entry: Literal["websocket", "rest"] = Field(
        default="websocket", description="how orders go out: websocket (REST while that is down) or rest"
    )
    private_stream: Flag = Field(
        default=True, description="accounts listen to their fills and balances; orders over WebSocket need it"
    )
    market_feed: Flag = Field(default=True, description="prices come over WebSocket")
    websocket_connects_per_10_minutes: Annotated[Whole, Field(ge=1, le=10_000)] = Field(
        default=140,
        description="most connections begun in any ten minutes; Kraken bans an address at about 150",
        json_schema_extra={"unit": "connections"},
    )
    websocket_silence_seconds: Annotated[SomeSeconds, Field(ge=0.2, le=60)] = Field(
        default=10.0, description="a WebSocket that says nothing for so long is taken for dead"
    )
    websocket_order_deadline_seconds: Annotated[SomeSeconds, Field(ge=0.5, le=60)] = Field(
        default=5.0,
        description="an order over WebSocket that arrives later is refused; so long its answer is awaited",
    )
    websocket_url: Optional[SocketUrl] = Field(
        default=None,
        description="base URL of public WebSockets in live mode; null = Kraken's own if rest_url is, else none",
    )
    websocket_auth_url: Optional[SocketUrl] = Field(
        default=None,
        description="base URL of private WebSockets in live mode; null = Kraken's own if rest_url is, else none",
    )

    def socket_urls(self) -> tuple[str | None, str | None]:
        """Public and private base URL in live mode. Keys of one venue must not meet the sockets of another."""
        if self.rest_url == KRAKEN_REST_URL:
            return self.websocket_url or KRAKEN_SOCKET_URL, self.websocket_auth_url or KRAKEN_AUTH_SOCKET_URL
        return self.websocket_url, self.websocket_auth_url


class CoinbaseSettings(Section):
    connect_timeout_seconds: SomeSeconds = Field(default=3.05, description="longest wait for a connection")
    read_timeout_seconds: SomeSeconds = Field(default=5.0, description="longest silence while an answer arrives")
    order_deadline_seconds: Annotated[SomeSeconds, Field(ge=15, le=120)] = Field(
        default=120.0, description="Coinbase refuses an order that arrives later"
    )
    settle_margin_seconds: Annotated[SomeSeconds, Field(ge=1, le=600)] = Field(
        default=10.0, description="an order may come to light this long after its deadline; with real money at least 10"
    )
    private_calls_per_second: Optional[CallRate] = Field(
        default=None, description="most calls of one key; null = 30 with real money, any number on paper"
    )
    public_calls_per_second: Optional[CallRate] = Field(
        default=None, description="most calls without a key; null = 10 with real money, any number on paper"
    )
    rest_url: BaseUrl = Field(default=COINBASE_REST_URL, description="base URL in live mode")
    batched_orders: Flag = Field(
        default=True, description="users' entries leave in one batch, each on a connection kept open for it"
    )
    private_stream: Flag = Field(
        default=True, description="the master listens to its trades, so that they are copied sooner"
    )
    websocket_url: Optional[SocketUrl] = Field(
        default=None,
        description="base URL of the private WebSocket in live mode; null = Coinbase's own if rest_url is, else none",
    )

    def socket_url(self) -> str | None:
        """In live mode, None without a stream. Keys of one venue must not meet the sockets of another."""
        if not self.private_stream:
            return None
        return self.websocket_url or (COINBASE_SOCKET_URL if self.rest_url == COINBASE_REST_URL else None)


class OkxSettings(Section):
    connect_timeout_seconds: SomeSeconds = Field(default=3.05, description="longest wait for a connection")
    read_timeout_seconds: SomeSeconds = Field(default=5.0, description="longest silence while an answer arrives")
    order_deadline_seconds: Annotated[SomeSeconds, Field(ge=2, le=25)] = Field(
        default=8.0, description="OKX refuses an order that arrives later"
    )
    settle_margin_seconds: Annotated[SomeSeconds, Field(ge=1, le=600)] = Field(
        default=15.0, description="an order may come to light this long after its deadline; with real money at least 10"
    )
    private_calls_per_second: Optional[CallRate] = Field(
        default=None, description="most calls of one key; null = 5 with real money, any number on paper"
    )
    public_calls_per_second: Optional[CallRate] = Field(
        default=None, description="most calls without a key; null = 5 with real money, any number on paper"
    )
    rest_url: BaseUrl = Field(
        default=OKX_REST_URL,
        description="base URL in live mode; of the EEA https://eea.okx.com, of the US https://us.okx.com",
    )
    demo: Flag = Field(default=False, description="the keys are of OKX's demo trading; no real money moves there")
    quote_currency: Currency = Field(default="USDT", description="what entries are paid with")
    batched_orders: Flag = Field(
        default=True, description="users' entries leave in one batch, each on a connection kept open for it"
    )
    private_stream: Flag = Field(
        default=True, description="accounts listen to their trades, so that they are copied sooner"
    )
    websocket_url: Optional[SocketUrl] = Field(
        default=None,
        description="base URL of private WebSockets in live mode; null = OKX's own of rest_url's region, else none",
    )

    def socket_url(self) -> str | None:
        """In live mode, None without a stream. Keys of one venue must not meet the sockets of another."""
        if not self.private_stream:
            return None
        live, demo = OKX_SOCKETS.get(self.rest_url, (None, None))
        return self.websocket_url or (demo if self.demo else live)


class BinanceSettings(Section):
    connect_timeout_seconds: SomeSeconds = Field(default=3.05, description="longest wait for a connection")
    read_timeout_seconds: SomeSeconds = Field(default=5.0, description="longest silence while an answer arrives")
    order_deadline_seconds: Annotated[SomeSeconds, Field(ge=1, le=60)] = Field(
        default=8.0, description="Binance refuses an order that arrives later (recvWindow)"
    )
    settle_margin_seconds: Annotated[SomeSeconds, Field(ge=1, le=600)] = Field(
        default=15.0, description="an order may come to light this long after its deadline; with real money at least 12"
    )
    private_calls_per_second: Optional[CallRate] = Field(
        default=None, description="most calls of one key; null = 5 with real money, any number on paper"
    )
    public_calls_per_second: Optional[CallRate] = Field(
        default=None, description="most calls without a key; null = 5 with real money, any number on paper"
    )
    rest_url: BaseUrl = Field(
        default=BINANCE_REST_URL, description="base URL in live mode; Binance.US is https://api.binance.us"
    )
    quote_currency: Currency = Field(default="USDT", description="what entries are paid with")
    batched_orders: Flag = Field(
        default=True, description="users' entries leave in one batch, each on a connection kept open for it"
    )
    private_stream: Flag = Field(
        default=True, description="accounts listen to their trades, so that they are copied sooner"
    )
    websocket_url: Optional[SocketUrl] = Field(
        default=None,
        description="base URL of private WebSockets in live mode; null = Binance's own if rest_url is, else none",
    )

    def socket_url(self) -> str | None:
        """In live mode, None without a stream. Keys of one venue must not meet the sockets of another."""
        if not self.private_stream:
            return None
        return self.websocket_url or (BINANCE_SOCKET_URL if self.rest_url == BINANCE_REST_URL else None)


class AlpacaSettings(Section):
    connect_timeout_seconds: SomeSeconds = Field(default=3.05, description="longest wait for a connection")
    read_timeout_seconds: SomeSeconds = Field(default=5.0, description="longest silence while an answer arrives")
    order_deadline_seconds: Annotated[SomeSeconds, Field(ge=1, le=60)] = Field(
        default=15.0, description="an order that could not be sent within this is not sent"
    )
    settle_margin_seconds: Annotated[SomeSeconds, Field(ge=1, le=600)] = Field(
        default=110.0,
        description="an order may come to light this long after its deadline; with real money at least 110",
    )
    private_calls_per_second: Optional[CallRate] = Field(
        default=None, description="most calls of one key; null = 3 with real money, any number on paper"
    )
    public_calls_per_second: Optional[CallRate] = Field(
        default=None, description="most calls for market data; null = 3 with real money, any number on paper"
    )
    rest_url: BaseUrl = Field(
        default=ALPACA_REST_URL,
        description=f"base URL for orders in live mode; keys of paper trading (PK…): {ALPACA_PAPER_REST_URL}",
    )
    data_url: Optional[BaseUrl] = Field(
        default=None,
        description="base URL for market data in live mode; null = Alpaca's own if rest_url is, else rest_url",
    )
    data_feed: Literal["iex", "sip"] = Field(
        default="iex", description="whose quotes: iex (every plan) or sip (all exchanges, with a paid plan)"
    )
    session: Literal["always_open", "calendar"] = Field(
        default="always_open", description="hours of the paper exchange's stock market: always_open or calendar"
    )

    batched_orders: Flag = Field(
        default=True, description="users' entries leave in one batch, each on a connection kept open for it"
    )
    private_stream: Flag = Field(
        default=True, description="the master listens to its trades, so that they are copied sooner"
    )
    websocket_url: Optional[SocketUrl] = Field(
        default=None,
        description="base URL of the private WebSocket in live mode; null = Alpaca's own if rest_url is, else none",
    )

    def socket_url(self) -> str | None:
        """In live mode, None without a stream. Keys of one host must not go to another."""
        if not self.private_stream:
            return None
        own = self.rest_url.replace("https://", "wss://", 1) if self.rest_url in ALPACA_HOSTS else None
        return self.websocket_url or own

    def market_data_url(self) -> str:
        """Where prices come from in live mode. Keys of one host must not go to another."""
        return self.data_url or (ALPACA_DATA_URL if self.rest_url in ALPACA_HOSTS else self.rest_url)
