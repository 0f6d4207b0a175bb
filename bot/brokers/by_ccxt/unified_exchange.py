"""ccxt's exchange objects for exchanges that are opened by name: shared tables, one shallow copy per account.

ccxt builds and signs the requests and reads the documents; it sends nothing itself, waits for nothing and takes no
time from this machine. Numbers are text on both sides (`number: str`), so none of them passes through a float.
"""

import copy
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast
from urllib.parse import urlsplit

from bot.domain.errors import ConfigurationError, CredentialsRejected

Row = Mapping[str, object]
# The only markets that are traded here.
SPOT = "spot"


class Fetch(Protocol):
    """What stands in for ccxt's own way to the network."""

    def __call__(
        self, url: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: object = None
    ) -> object: ...


class Exchange(Protocol):
    """The part of a ccxt exchange that is used here."""

    id: str
    name: str
    hostname: str | None
    apiKey: str
    secret: str
    password: str
    uid: str
    urls: dict[str, object]
    options: dict[str, object]
    headers: dict[str, str]
    has: Mapping[str, object]
    features: Mapping[str, object] | None
    timeframes: Mapping[str, str] | None
    requiredCredentials: Mapping[str, bool]
    precisionMode: int
    rateLimit: float
    markets: Mapping[str, Row] | None
    accounts: object
    session: object
    last_http_response: object
    fetch: Fetch
    sign: Callable[..., Mapping[str, object]]
    nonce: Callable[[], int]
    milliseconds: Callable[[], int]
    microseconds: Callable[[], int]
    seconds: Callable[[], int]

    def fetch_time(self) -> object: ...
    def fetch_markets(self) -> Sequence[Row]: ...
    def set_markets(self, markets: Sequence[Row], currencies: object = None) -> object: ...
    def set_markets_from_exchange(self, source: "Exchange") -> object: ...
    def fetch_balance(self) -> Row: ...
    def fetch_tickers(self, symbols: Sequence[str] | None) -> Mapping[str, Row]: ...
    def fetch_bids_asks(self, symbols: Sequence[str] | None) -> Mapping[str, Row]: ...
    def fetch_order_book(self, symbol: str, limit: int | None) -> Row: ...
    def fetch_ohlcv(self, symbol: str, timeframe: str, since: int, limit: int) -> Sequence[Sequence[object]]: ...
    def create_order(
        self, symbol: str, kind: str, side: str, amount: str, price: str | None, params: Mapping[str, object]
    ) -> Row: ...
    def cancel_order(self, number: str, symbol: str) -> Row: ...
    def fetch_order(self, number: str, symbol: str, params: Mapping[str, object]) -> Row: ...
    def fetch_open_orders(self, symbol: str | None) -> Sequence[Row]: ...
    def fetch_orders(self, symbol: str | None, since: int) -> Sequence[Row]: ...
    def fetch_canceled_and_closed_orders(self, symbol: str | None, since: int) -> Sequence[Row]: ...
    def fetch_closed_orders(self, symbol: str | None, since: int) -> Sequence[Row]: ...
    def fetch_canceled_orders(self, symbol: str | None, since: int) -> Sequence[Row]: ...
    def fetch_my_trades(
        self, symbol: str | None, since: int, limit: int | None, params: Mapping[str, object]
    ) -> Sequence[Row]: ...
    def handle_errors(self, *answer: object) -> object: ...
    def handle_http_status_code(self, code: int, reason: str, url: str, method: str, body: str) -> None: ...


_tables_lock = threading.Lock()
_tables: dict[str, Exchange] = {}


def tables_of(exchange_id: str) -> Exchange:
    """What every account at this exchange is a shallow copy of. Raises `ConfigurationError` for one ccxt has not."""
    with _tables_lock:
        found = _tables.get(exchange_id)
        if found is None:
            import ccxt  # 76 MB and a third of a second: only for who trades there

            if exchange_id not in ccxt.exchanges:
                raise ConfigurationError(f"ccxt knows no exchange {exchange_id}")
            made = getattr(ccxt, exchange_id)(
                {"number": str, "enableRateLimit": False, "enableLastHttpResponse": False}
            )
            found = _tables[exchange_id] = _prepared(cast(Exchange, made))
        return found


def _prepared(exchange: Exchange) -> Exchange:
    """Spot only, and no warnings raised as errors."""
    exchange.session = None
    exchange.options["defaultType"] = SPOT
    exchange.options["warnOnFetchOpenOrdersWithoutSymbol"] = False
    listed = exchange.options.get("fetchMarkets")
    if isinstance(listed, dict) and "types" in listed:
        exchange.options["fetchMarkets"] = {**listed, "types": [SPOT]}
    elif isinstance(listed, list):
        exchange.options["fetchMarkets"] = [SPOT]
    return exchange


def bare_copy(exchange_id: str) -> Exchange:
    """Without keys, and with no way to the network: it only holds tables."""
    made = copy.copy(tables_of(exchange_id))
    made.options = copy.deepcopy(made.options)
    made.session = None
    made.fetch = _no_way_out
    return made


def _no_way_out(url: str, method: str = "GET", headers: object = None, body: object = None) -> object:
    raise RuntimeError("this exchange object only holds tables")


def exchange_for(
    exchange_id: str,
    *,
    api_key: str,
    api_secret: str,
    passphrase: str,
    base_url: str | None,
    fetch: Fetch,
    milliseconds: Callable[[], int],
    options: Mapping[str, str],
) -> Exchange:
    """One account's. With a `base_url` every request goes there, whatever host ccxt would have asked."""
    made = bare_copy(exchange_id)
    made.apiKey, made.secret, made.password = api_key, api_secret, passphrase
    # Where a key belongs to a user id, the passphrase's variable carries it.
    made.uid = passphrase
    made.headers, made.accounts, made.last_http_response = {}, None, None
    if base_url is not None:
        made.urls = {**made.urls, "api": rehosted(made.urls["api"], base_url.rstrip("/"))}
    made.options |= options
    made.fetch = fetch
    made.milliseconds = milliseconds
    made.microseconds = lambda: milliseconds() * 1000
    made.seconds = lambda: milliseconds() // 1000
    made.nonce = _rising(made.nonce)
    made.sign = _silent_about_the_secret(made.sign)
    return made


def rehosted(urls: object, base_url: str) -> object:
    """The same paths at another host."""
    if isinstance(urls, dict):
        return {name: rehosted(url, base_url) for name, url in urls.items()}
    if isinstance(urls, str):
        _, _, rest = urls.partition("://")
        _, slash, path = rest.partition("/")
        return f"{base_url}{slash}{path}"
    return urls


def home_of(exchange_id: str) -> str:
    """Scheme and host of the first address that ccxt has for this exchange: its name in messages and caches."""
    exchange = tables_of(exchange_id)
    url: object = exchange.urls["api"]
    while isinstance(url, dict):
        url = next(iter(url.values()))
    parts = urlsplit(str(url).replace("{hostname}", exchange.hostname or exchange_id))
    return f"{parts.scheme}://{parts.netloc}"


def _rising(nonce: Callable[[], int]) -> Callable[[], int]:
    """Two requests of one millisecond would have one nonce."""
    last = 0

    def next_one() -> int:
        nonlocal last
        last = max(last + 1, int(nonce()))
        return last

    return next_one


def _silent_about_the_secret(sign: Callable[..., Mapping[str, object]]) -> Callable[..., Mapping[str, object]]:
    def signed(*what: object) -> Mapping[str, object]:
        try:
            return sign(*what)
        except Exception as error:  # many kinds, and their words may be about the secret
            if type(error).__name__ in ("ArgumentsRequired", "NotSupported", "BadRequest", "InvalidOrder"):
                raise
            raise CredentialsRejected("not sent: the API secret cannot sign") from None

    return signed
