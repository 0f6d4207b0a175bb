"""From settings to what each brokerage's class is given."""

from bot.brokers.alpaca.context import AlpacaContext
from bot.brokers.balance_book import BalanceBook
from bot.brokers.by_ccxt.context import CcxtContext
from bot.brokers.by_ccxt.unified_context import UnifiedContext
from bot.brokers.by_ccxt.unified_exchange import home_of
from bot.brokers.coinbase.context import CoinbaseContext
from bot.brokers.credentials import Credentials
from bot.brokers.http_session import CallLimits
from bot.brokers.kraken.context import KrakenContext, nonce_path
from bot.brokers.shared_parts import SharedParts
from bot.brokers.venue_access import VenueAccess
from bot.domain.account import AccountRef, BrokerType
from bot.seams.clock import Clock
from bot.settings.model import Settings
from bot.settings.venues import AlpacaSettings, BinanceSettings, CoinbaseSettings, OkxSettings

# A public call may carry a list of megabytes and holds nobody up; it gets this many times the limit of one read.
PUBLIC_CALL_READS = 3


def balance_book(settings: Settings, clock: Clock) -> BalanceBook:
    return BalanceBook(
        clock,
        max_age_seconds=settings.balance.max_age_seconds,
        cache_seconds=settings.balance.cache_seconds,
        unavailable_after_errors=settings.balance.unavailable_after_errors,
    )


def live_access(broker: BrokerType, settings: Settings, credentials: Credentials) -> VenueAccess:
    """The real venue."""
    if broker is BrokerType.KRAKEN:
        public, private = settings.kraken.socket_urls()
        return VenueAccess(
            base_url=settings.kraken.rest_url,
            credentials=credentials,
            mode="live",
            ws_url=public,
            ws_auth_url=private,
        )
    if not broker.is_named:
        home = home_of(settings.exchanges[broker].ccxt_id)
        return VenueAccess(base_url=home, credentials=credentials, mode="live")
    urls = {
        BrokerType.COINBASE: settings.coinbase.rest_url,
        BrokerType.OKX: settings.okx.rest_url,
        BrokerType.BINANCE: settings.binance.rest_url,
        BrokerType.ALPACA: settings.alpaca.rest_url,
    }
    streams = {
        BrokerType.COINBASE: settings.coinbase.socket_url(),
        BrokerType.OKX: settings.okx.socket_url(),
        BrokerType.BINANCE: settings.binance.socket_url(),
        BrokerType.ALPACA: settings.alpaca.socket_url(),
    }
    return VenueAccess(base_url=urls[broker], credentials=credentials, mode="live", ws_auth_url=streams.get(broker))


def kraken_context(account: AccountRef, access: VenueAccess, settings: Settings, shared: SharedParts) -> KrakenContext:
    kraken = settings.kraken
    return KrakenContext(
        access=access,
        balance_book=balance_book(settings, shared.clock),
        nonce_path=nonce_path(settings.state_dir, account),
        keys=shared.kraken_keys,
        locks=shared.kraken_locks,
        catalogues=shared.kraken_catalogues,
        reaper=shared.reaper,
        resolver=shared.resolver,
        public_budget=shared.kraken_public,
        gate=shared.gates[BrokerType.KRAKEN],
        clock=shared.clock,
        limits=CallLimits(
            connect_seconds=kraken.connect_timeout_seconds,
            read_seconds=kraken.read_timeout_seconds,
            call_seconds=kraken.connect_timeout_seconds + PUBLIC_CALL_READS * kraken.read_timeout_seconds,
        ),
        lock_timeout_seconds=kraken.private_call_timeout_seconds,
        order_deadline_seconds=kraken.order_deadline_seconds,
        settle_margin_seconds=kraken.settle_margin_seconds,
        nonce_reserve_milliseconds=kraken.nonce_reserve_milliseconds,
        on_private_call=shared.on_private_call,
        wire=shared.kraken_wire if kraken.private_stream else None,
        socket_orders=kraken.order_entry == "websocket",
        socket_deadline_seconds=kraken.websocket_order_deadline_seconds,
        gather_seconds=settings.copying.gather_partial_fills_milliseconds / 1000,
        values=shared.kraken_values if kraken.market_feed else None,
        max_price_age_seconds=settings.market_watch.max_price_age_seconds,
        quote_currency=settings.quote_currency_of(BrokerType.KRAKEN),
    )


def coinbase_context(access: VenueAccess, settings: Settings, shared: SharedParts) -> CoinbaseContext:
    coinbase = settings.coinbase
    return CoinbaseContext(
        access=access,
        balance_book=balance_book(settings, shared.clock),
        instruments=shared.coinbase_instruments,
        reaper=shared.reaper,
        resolver=shared.resolver,
        public_budget=shared.budgets[BrokerType.COINBASE].public,
        key_budgets=shared.budgets[BrokerType.COINBASE].keys,
        gate=shared.gates[BrokerType.COINBASE],
        clock=shared.clock,
        limits=_limits(coinbase),
        order_deadline_seconds=coinbase.order_deadline_seconds,
        settle_margin_seconds=coinbase.settle_margin_seconds,
        on_private_call=shared.on_private_call,
        quote_currency=settings.quote_currency_of(BrokerType.COINBASE),
        wire=shared.stream_wires[BrokerType.COINBASE] if coinbase.private_stream else None,
        order_wire=shared.order_wire if coinbase.batched_orders else None,
    )


def okx_context(access: VenueAccess, settings: Settings, shared: SharedParts) -> CcxtContext:
    return _ccxt_context(BrokerType.OKX, settings.okx, access, settings, shared, demo=settings.okx.demo)


def binance_context(access: VenueAccess, settings: Settings, shared: SharedParts) -> CcxtContext:
    return _ccxt_context(BrokerType.BINANCE, settings.binance, access, settings, shared)


def _ccxt_context(
    broker: BrokerType,
    venue: OkxSettings | BinanceSettings,
    access: VenueAccess,
    settings: Settings,
    shared: SharedParts,
    *,
    demo: bool = False,
) -> CcxtContext:
    return CcxtContext(
        access=access,
        balance_book=balance_book(settings, shared.clock),
        instruments=shared.ccxt_markets[broker],
        reaper=shared.reaper,
        resolver=shared.resolver,
        public_budget=shared.budgets[broker].public,
        key_budgets=shared.budgets[broker].keys,
        gate=shared.gates[broker],
        clock=shared.clock,
        limits=_limits(venue),
        order_deadline_seconds=venue.order_deadline_seconds,
        settle_margin_seconds=venue.settle_margin_seconds,
        on_private_call=shared.on_private_call,
        quote_currency=settings.quote_currency_of(broker),
        # The keys of the paper exchange are no demo keys, whatever those of the real venue are.
        demo=demo and access.mode == "live",
        wire=shared.stream_wires[broker] if venue.private_stream else None,
        order_wire=shared.order_wire if venue.batched_orders else None,
        gather_seconds=settings.copying.gather_partial_fills_milliseconds / 1000,
    )


def unified_context(
    account: AccountRef, access: VenueAccess, settings: Settings, shared: SharedParts
) -> UnifiedContext:
    """Of an account at an exchange that is opened by name."""
    exchange, budgets = settings.exchanges[account.broker], shared.budgets[account.broker]
    return UnifiedContext(
        exchange_id=exchange.ccxt_id,
        access=access,
        balance_book=balance_book(settings, shared.clock),
        instruments=shared.unified_markets[account.broker],
        reaper=shared.reaper,
        resolver=shared.resolver,
        public_budget=budgets.public,
        key_budgets=budgets.keys,
        gate=shared.gates[account.broker],
        clock=shared.clock,
        limits=CallLimits(
            connect_seconds=exchange.connect_timeout_seconds,
            read_seconds=exchange.read_timeout_seconds,
            call_seconds=exchange.connect_timeout_seconds + exchange.read_timeout_seconds,
        ),
        settle_seconds=exchange.settle_seconds,
        passes_ids=exchange.client_order_ids,
        options=exchange.options,
        on_private_call=shared.on_private_call,
        quote_currency=exchange.quote_currency,
    )


def alpaca_context(access: VenueAccess, settings: Settings, shared: SharedParts) -> AlpacaContext:
    alpaca, budgets = settings.alpaca, shared.budgets[BrokerType.ALPACA]
    return AlpacaContext(
        access=access,
        balance_book=balance_book(settings, shared.clock),
        instruments=shared.stocks,
        hours=shared.stock_hours,
        reaper=shared.reaper,
        resolver=shared.resolver,
        public_budget=budgets.public,
        key_budgets=budgets.keys,
        data_budgets=budgets.data,
        gate=shared.gates[BrokerType.ALPACA],
        clock=shared.clock,
        limits=_limits(alpaca),
        order_deadline_seconds=alpaca.order_deadline_seconds,
        settle_margin_seconds=alpaca.settle_margin_seconds,
        on_private_call=shared.on_private_call,
        # The paper exchange tells prices where it takes orders.
        data_url=alpaca.market_data_url() if access.mode == "live" else access.base_url,
        data_feed=alpaca.data_feed,
        wire=shared.stream_wires[BrokerType.ALPACA] if alpaca.private_stream else None,
        order_wire=shared.order_wire if alpaca.batched_orders else None,
    )


def _limits(venue: CoinbaseSettings | OkxSettings | BinanceSettings | AlpacaSettings) -> CallLimits:
    return CallLimits(
        connect_seconds=venue.connect_timeout_seconds,
        read_seconds=venue.read_timeout_seconds,
        call_seconds=venue.connect_timeout_seconds + venue.read_timeout_seconds,
    )
