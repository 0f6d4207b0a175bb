"""Every setting: its name with the unit in it, its default, its range and what it means. Frozen once loaded."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator

from bot.domain.account import BrokerType
from bot.settings.books import BooksSettings
from bot.settings.console import ConsoleSettings
from bot.settings.exchanges import Exchanges, no_such_brokerage
from bot.settings.notifications import NotificationSettings
from bot.settings.orders import OrdersSettings
from bot.settings.origins import Origin
from bot.settings.section import Section
from bot.settings.users import UserSettings
from bot.settings.values import (
    BaseUrl,
    Currencies,
    Currency,
    DrillPlan,
    FilePath,
    Flag,
    FlagOrAuto,
    Fraction,
    NotNegative,
    Optional,
    Parameters,
    Percent,
    Positive,
    Seconds,
    SomeSeconds,
    StopDistance,
    Symbols,
    TargetDistance,
    Text,
    Whole,
    read_float,
    read_whole_number,
)
from bot.settings.venues import (
    ALPACA_CURRENCY,
    AlpacaSettings,
    BinanceSettings,
    CoinbaseSettings,
    KrakenSettings,
    OkxSettings,
)

TradingMode = Literal["paper", "live"]

CYCLE = "time from one cycle of an account to its next"
MASTER_DELAY = "pause before a master's first connection"
USER_DELAY = "pause between a master's attempt and its first user"
BETWEEN_USERS = "pause between users of one brokerage"


CandleInterval = Annotated[Literal[1, 5, 15, 30, 60, 240, 1440], BeforeValidator(read_whole_number)]


class StrategySettings(Section):
    plugin: Text = Field(
        default="rsi_trend",
        description="name of a shipped strategy, or one's own: a file (rules/dip.py) or package.module:Class",
    )
    candle_interval_minutes: CandleInterval = Field(
        default=1, description="length of a candle: 1, 5, 15, 30, 60, 240 or 1440"
    )
    parameters: Parameters = Field(
        default_factory=lambda: MappingProxyType({}), description="the strategy's own; what is not set has its default"
    )


class MasterStrategySettings(Section):
    """What one master does otherwise than the section `strategy` says."""

    plugin: Optional[Text] = Field(default=None, description="another strategy; null = the common one")
    candle_interval_minutes: Optional[CandleInterval] = Field(
        default=None, description="another length of a candle; null = the common one"
    )
    parameters: Parameters = Field(
        default_factory=lambda: MappingProxyType({}),
        description="of its own plugin; without one, these come before the common parameters",
    )

    def over(self, common: StrategySettings) -> StrategySettings:
        """What is in force for the master. Parameters belong to a plugin: another one takes none of the common ones."""
        inherited = {} if self.plugin else dict(common.parameters)
        return StrategySettings(
            plugin=self.plugin or common.plugin,
            candle_interval_minutes=self.candle_interval_minutes or common.candle_interval_minutes,
            parameters=inherited | dict(self.parameters),
        )


class MasterSettings(Section):
    broker: BrokerType = Field(description="brokerage")
    enabled: Flag = Field(default=True, description="whether this master runs")
    paper_balance: NotNegative = Field(
        default=Decimal(10_000),
        description="what its account at the paper exchange starts with",
        json_schema_extra={"unit": "quote currency"},
    )
    strategy: Optional[MasterStrategySettings] = Field(
        default=None, description="its own plugin, candle_interval_minutes and parameters; null = those of strategy"
    )

    @field_validator("broker")
    @classmethod
    def _one_that_there_is(cls, broker: BrokerType, info: ValidationInfo) -> BrokerType:
        """One of the five, or an exchange that the same settings name (the context says which)."""
        named = (info.context or {}).get("exchanges")
        if named is not None and not broker.is_named and broker not in named:
            raise ValueError(no_such_brokerage(broker, named))
        return broker


class Pace(Section):
    """How often and how staggered accounts work (mission A7, B2)."""

    cycle_seconds: SomeSeconds = Field(description=CYCLE)
    cycle_jitter_fraction: Fraction = Field(default=0.05, description="each cycle is up to this much longer or shorter")
    reconcile_seconds: SomeSeconds = Field(
        default=120.0, description="time from one comparison of an account with its venue to the next"
    )
    master_connection_delay_seconds: Seconds = Field(description=MASTER_DELAY)
    user_connection_delay_seconds: Seconds = Field(description=USER_DELAY)
    min_connection_delay_seconds: Seconds = Field(description=BETWEEN_USERS)
    max_total_stagger_seconds: Seconds = Field(
        default=60.0, description="no user waits longer than this because of others"
    )


class LivePace(Pace):
    cycle_seconds: SomeSeconds = Field(default=150.0, description=CYCLE)
    master_connection_delay_seconds: Seconds = Field(default=2.0, description=MASTER_DELAY)
    user_connection_delay_seconds: Seconds = Field(default=5.0, description=USER_DELAY)
    min_connection_delay_seconds: Seconds = Field(default=5.0, description=BETWEEN_USERS)


class PaperPace(Pace):
    cycle_seconds: SomeSeconds = Field(default=5.0, description=CYCLE)
    master_connection_delay_seconds: Seconds = Field(default=0.0, description=MASTER_DELAY)
    user_connection_delay_seconds: Seconds = Field(default=0.0, description=USER_DELAY)
    min_connection_delay_seconds: Seconds = Field(default=0.0, description=BETWEEN_USERS)


class Paces(Section):
    live: LivePace = Field(default=LivePace(), description="with real money")
    paper: PaperPace = Field(default=PaperPace(), description="for watching")


class BalanceSettings(Section):
    """When a balance counts as known (mission D3)."""

    max_age_seconds: SomeSeconds = Field(default=60.0, description="older is stale: no entries")
    refresh_seconds: SomeSeconds = Field(default=45.0, description="read anew at least this often")
    cache_seconds: Seconds = Field(default=5.0, description="reads this close together share one call")
    unavailable_after_errors: Annotated[Whole, Field(ge=1, le=1000)] = Field(
        default=3,
        description="errors in a row until the account counts as unavailable",
        json_schema_extra={"unit": "errors"},
    )


class CopyingSettings(Section):
    """What a user gets who sets nothing else (mission C5, C7)."""

    mode: Literal["balance_ratio", "equity_ratio", "fixed_amount", "fixed_ratio"] = Field(
        default="balance_ratio",
        description="what sizes come from: balance_ratio, equity_ratio, fixed_amount or fixed_ratio",
    )
    risk_multiplier: Annotated[Positive, Field(le=100)] = Field(
        default=Decimal(1), description="multiplies every copied size"
    )
    fixed_amount_usd: Optional[Positive] = Field(default=None, description="size of every copy in mode fixed_amount")
    fixed_ratio: Optional[Positive] = Field(
        default=None, description="part of the master's size in mode fixed_ratio", json_schema_extra={"unit": "times"}
    )
    max_trade_notional_usd: Optional[Positive] = Field(default=None, description="largest single copy")
    max_symbol_notional_usd: Optional[Positive] = Field(
        default=None, description="most that a user holds of one symbol"
    )
    max_total_notional_usd: Optional[Positive] = Field(default=None, description="most that a user holds in total")
    allow_symbols: Symbols = Field(default=(), description="only these are copied; empty = all")
    deny_symbols: Symbols = Field(default=(), description="these are never copied")
    below_minimum: Literal["skip", "round_up", "accumulate"] = Field(
        default="skip", description="what is done below the venue's minimum order: skip, round_up or accumulate"
    )
    round_up_max_factor: Annotated[Positive, Field(ge=1, le=100)] = Field(
        default=Decimal(2),
        description="a share is rounded up to a minimum of at most so many times the share",
        json_schema_extra={"unit": "times"},
    )
    accumulate_hours: Annotated[Positive, Field(le=8_760)] = Field(
        default=Decimal(24),
        description="a share below the minimum is kept for later for so long",
        json_schema_extra={"unit": "hours"},
    )
    capacity: Literal["off", "preview", "cap", "refuse"] = Field(
        default="preview",
        description="who could follow, before a master enters: off, preview (written down), cap or refuse",
    )
    max_flow_percent_of_depth: Percent = Field(
        default=Decimal(25),
        description="with cap and refuse, master and users buy at most this part of the book within the slippage bound",
        json_schema_extra={"unit": "percent"},
    )
    min_able_percent: Percent = Field(
        default=Decimal(50), description="with refuse, at least this part of the users must be able to follow"
    )
    max_signal_age_seconds: SomeSeconds = Field(default=60.0, description="an entry older than this is not copied")
    max_copy_slippage_percent: Percent = Field(
        default=Decimal("0.5"),
        description="an entry is not copied after a move further against the user",
    )
    gather_partial_fills_milliseconds: Annotated[Whole, Field(ge=0, le=60_000)] = Field(
        default=500, description="partial fills within this time become one signal"
    )


class RiskSettings(Section):
    """How masters trade, and the limits that every account's entries are held to. Percents: 2 means 2 %."""

    max_positions: Annotated[Whole, Field(ge=1, le=1000)] = Field(
        default=8,
        description="positions and open entries of one account at a time",
        json_schema_extra={"unit": "positions"},
    )
    max_positions_all_accounts: Optional[Annotated[Whole, Field(ge=1, le=1_000_000)]] = Field(
        default=None, description="the same over all accounts", json_schema_extra={"unit": "positions"}
    )
    max_order_notional_usd: Optional[Positive] = Field(default=None, description="largest single entry")
    max_symbol_notional_usd: Optional[Positive] = Field(
        default=None, description="most that an account has in one market, at entry prices, open entries included"
    )
    max_account_notional_usd: Optional[Positive] = Field(default=None, description="most that it has in all markets")
    max_total_notional_usd: Optional[Positive] = Field(default=None, description="most that all accounts have together")
    max_daily_loss_percent: Optional[Percent] = Field(
        default=Decimal(10), description="no entries for the rest of the UTC day after losing this part of the account"
    )
    max_drawdown_percent: Optional[Percent] = Field(
        default=Decimal(25), description="no entries after losing this part since the account's own peak"
    )
    max_entries_per_minute: Optional[Annotated[Whole, Field(ge=1, le=100_000)]] = Field(
        default=30, description="entries that one account sends in any minute", json_schema_extra={"unit": "orders"}
    )
    max_entries_per_minute_all_accounts: Optional[Annotated[Whole, Field(ge=1, le=1_000_000)]] = Field(
        default=None, description="the same over all accounts", json_schema_extra={"unit": "orders"}
    )
    max_rejects_in_a_row: Optional[Annotated[Whole, Field(ge=1, le=1000)]] = Field(
        default=5,
        description="entries refused by the brokerage in a row until the account pauses",
        json_schema_extra={"unit": "orders"},
    )
    rejects_pause_seconds: SomeSeconds = Field(default=900.0, description="that pause; then one entry is tried")
    price_collar_percent: Optional[Percent] = Field(
        default=Decimal(5), description="a limit price further from the price that the entry was sized at is not sent"
    )
    max_depeg_percent: Optional[Percent] = Field(
        default=Decimal(2),
        description="no entries in what counts as a dollar while it trades further from one; unknown holds none back",
    )
    duplicate_entry_seconds: Optional[SomeSeconds] = Field(
        default=5.0, description="an entry of the same account, market and quantity is not sent again this soon"
    )
    cooldown_after_loss_minutes: Optional[Annotated[Whole, Field(ge=1, le=100_000)]] = Field(
        default=None, description="a master leaves a market alone for so long after a loss in it; null = not at all"
    )
    max_losses_in_a_row: Optional[Annotated[Whole, Field(ge=1, le=1000)]] = Field(
        default=None,
        description="a master pauses after so many positions in a row that ended with a loss; null = never",
        json_schema_extra={"unit": "positions"},
    )
    losing_streak_pause_minutes: Annotated[Whole, Field(ge=1, le=100_000)] = Field(
        default=60, description="that pause; then one entry is tried"
    )
    safe_mode_below_percent: Optional[Percent] = Field(
        default=Decimal(50),
        description="no entries of a master while fewer of its markets than this have fresh candles; null = never",
    )
    safe_mode_leave_after_looks: Annotated[Whole, Field(ge=1, le=1000)] = Field(
        default=3, description="entries go on after so many good looks in a row", json_schema_extra={"unit": "looks"}
    )
    safe_mode_leave_after_seconds: SomeSeconds = Field(
        default=30.0, description="and these good looks must lie over at least so long"
    )
    sizing: Literal["fixed_fraction", "risk_per_trade", "volatility_target"] = Field(
        default="fixed_fraction",
        description="what a master's sizes come from: fixed_fraction, risk_per_trade or volatility_target",
    )
    order_fraction_of_balance_percent: Percent = Field(
        default=Decimal(5), description="part of the balance in one entry, with fixed_fraction"
    )
    risk_per_trade_percent: Percent = Field(
        default=Decimal(1), description="part of the account that an entry loses at its stop, with risk_per_trade"
    )
    target_volatility_percent: Percent = Field(
        default=Decimal(1),
        description="part of the account that a usual day of the market moves, with volatility_target",
    )
    max_order_worth_percent: Optional[Percent] = Field(
        default=Decimal(25), description="most of the account in one entry, with risk_per_trade and volatility_target"
    )
    max_entries_per_cycle: Annotated[Whole, Field(ge=1, le=100)] = Field(
        default=1, description="new positions in one cycle", json_schema_extra={"unit": "orders"}
    )
    stop_loss_percent: StopDistance = Field(default=Decimal(2), description="sell this far below the entry")
    take_profit_percent: Optional[TargetDistance] = Field(
        default=Decimal(3), description="sell this far above the entry; null = no target"
    )
    trailing_stop_percent: Optional[StopDistance] = Field(
        default=Decimal("2.5"), description="sell this far below the highest since the entry; null = no such stop"
    )
    break_even_percent: Optional[TargetDistance] = Field(
        default=None, description="after a rise so far above the entry, sell where it is no gain any more; null = never"
    )
    max_hold_minutes: Optional[Annotated[Whole, Field(ge=1, le=5_256_000)]] = Field(
        default=None, description="sell what has been held for so long; null = never"
    )
    protective_stops: Flag = Field(
        default=False,
        description="a stop order rests at the brokerage for each position, below the bot's own stop, where it has any",
    )
    protective_stop_distance_percent: StopDistance = Field(
        default=Decimal(1), description="so far below the bot's own stop, which comes first while the bot runs"
    )
    dust_retry_minutes: Annotated[Whole, Field(ge=1, le=100_000)] = Field(
        default=60, description="what was too small to be sold is looked at again after so long"
    )
    scan_symbols_limit: Optional[Annotated[Whole, Field(ge=1, le=20_000)]] = Field(
        default=None,
        description="at most so many symbols are looked at, in alphabetical order; null = all",
        json_schema_extra={"unit": "symbols"},
    )
    quote_currency: Currency = Field(
        default="USD", description="what entries are paid with, unless the brokerage's section says; limits are in it"
    )
    at_par_with_usd: Currencies = Field(
        default=("USDT", "USDC"),
        description="count one to one as USD for limits and funding; what is in any other is not known in USD",
        json_schema_extra={"unit": "currencies"},
    )


class ScanSettings(Section):
    """Which markets a master looks at for entries, and how fast their candles are read (mission E1)."""

    symbols: Symbols = Field(default=(), description="only these are looked at; empty = all")
    skip_symbols: Symbols = Field(default=(), description="these are never looked at")
    min_daily_volume_usd: Optional[Positive] = Field(
        default=Decimal(100_000), description="a market that traded less in 24 hours is left out"
    )
    max_spread_percent: Optional[Percent] = Field(
        default=Decimal("0.5"), description="a market with a wider gap between bid and ask is left out"
    )
    max_taker_fee_percent: Optional[Percent] = Field(
        default=None, description="a market where the account pays a higher taker fee, as far as known, is left out"
    )
    ticker_seconds: Annotated[SomeSeconds, Field(ge=1, le=3600)] = Field(
        default=30.0, description="bid, ask and volume of all markets are asked for at most this often"
    )
    max_ticker_age_seconds: Annotated[SomeSeconds, Field(ge=1, le=86_400)] = Field(
        default=900.0, description="a market whose bid and ask are older counts as not known"
    )
    candle_calls_per_cycle: Optional[Annotated[Whole, Field(ge=1, le=100_000)]] = Field(
        default=None,
        description="readings of candles in one cycle; null = as many as the time below allows",
        json_schema_extra={"unit": "calls"},
    )
    candle_round_seconds: Annotated[SomeSeconds, Field(ge=0.1, le=25)] = Field(
        default=5.0, description="time for reading candles in a cycle; between cycles it goes on while nothing waits"
    )


class MarketWatchSettings(Section):
    """Which markets are looked at closely, and which get there by themselves (mission G4)."""

    enabled: Flag = Field(default=True, description="false = no market is watched; prices are asked for when needed")
    favourites: Symbols = Field(default=(), description="markets that are always looked at closely")
    max_price_age_seconds: Annotated[SomeSeconds, Field(ge=1, le=300)] = Field(
        default=10.0, description="an older price is asked for anew, and no entry is made at it"
    )
    scout_seconds: Annotated[SomeSeconds, Field(ge=1, le=3600)] = Field(
        default=30.0, description="time from one look at all markets to the next"
    )
    max_focus: Annotated[Whole, Field(ge=1, le=1000)] = Field(
        default=100, description="markets looked at closely at a time", json_schema_extra={"unit": "markets"}
    )
    max_movers: Annotated[Whole, Field(ge=0, le=500)] = Field(
        default=20, description="movers among them", json_schema_extra={"unit": "markets"}
    )
    mover_momentum_percent: Positive = Field(
        default=Decimal(3), description="a mover has moved so far in an hour, up or down"
    )
    mover_volume_ratio: Positive = Field(
        default=Decimal(2),
        description="a mover has traded so many times its usual volume of an hour",
        json_schema_extra={"unit": "times"},
    )
    mover_max_spread_percent: Percent = Field(
        default=Decimal("0.5"), description="a market with a wider spread is no mover"
    )
    mover_hold_minutes: Annotated[Whole, Field(ge=1, le=1440)] = Field(
        default=30, description="a mover stays one for so long after it last was one"
    )


class PaperSettings(Section):
    exchange_control_url: Optional[BaseUrl] = Field(
        default=None, description="a paper exchange that runs already; null = start one"
    )
    exchange_token: Optional[SecretStr] = Field(
        default=None, description="its control token; better in .env than here", json_schema_extra={"unit": "secret"}
    )
    seed: Optional[Annotated[Whole, Field(ge=0)]] = Field(
        default=None, description="of the generated market; null = that of the kept state, or 1"
    )
    latency_milliseconds: Annotated[Whole, Field(ge=0, le=60_000)] = Field(
        default=0, description="added to every answer of the paper exchange"
    )


class SupervisionSettings(Section):
    """When a thread that makes no progress is shut out and replaced (mission B4)."""

    step_seconds: SomeSeconds = Field(default=30.0, description="longest that one step of a thread may take")
    suspect_after_seconds: SomeSeconds = Field(
        default=5.0, description="so much later its connections are cut and its stack is logged"
    )
    quarantine_after_seconds: SomeSeconds = Field(
        default=5.0, description="and again so much later it is shut out and replaced"
    )
    watchdog_silence_seconds: SomeSeconds = Field(
        default=30.0, description="a watchdog that looks at nothing for so long ends the process"
    )
    most_hung_threads: Annotated[Whole, Field(ge=0, le=100)] = Field(
        default=3, description="more that hang for good end the process", json_schema_extra={"unit": "threads"}
    )
    circuit_open_seconds: SomeSeconds = Field(
        default=900.0, description="an account whose thread died or hung too often is left alone so long, then probed"
    )
    crashed_boots: Annotated[Whole, Field(ge=0, le=100)] = Field(
        default=3,
        description="starts in a row that crash before they have settled turn entries off; 0 = never",
        json_schema_extra={"unit": "starts"},
    )
    boot_settled_seconds: SomeSeconds = Field(default=60.0, description="a start that has run for so long has settled")


class InstanceSettings(Section):
    """How two processes on one PostgreSQL keep out of each other's way (mission B7)."""

    lease_seconds: Annotated[SomeSeconds, Field(ge=2, le=600)] = Field(
        default=30.0, description="a process that has not been heard of for this long may be replaced by another"
    )


class ScalingSettings(Section):
    """One process for all accounts, or many that share them between themselves on one PostgreSQL (docs/scaling.md)."""

    mode: Literal["one", "many"] = Field(
        default="one", description="one = one process trades, others wait; many = each holds some of the accounts"
    )
    share: Optional[Annotated[Whole, Field(ge=1, le=1_000_000)]] = Field(
        default=None,
        description="most accounts that this process holds; null = all accounts by the number of processes",
        json_schema_extra={"unit": "accounts"},
    )


class StorageSettings(Section):
    """How long readings are kept. Fills, signals, orders, copies and cash are books and stay."""

    keep_balance_readings_days: Annotated[Whole, Field(ge=7, le=36_500)] = Field(
        default=90, description="each reading of a balance is kept so long", json_schema_extra={"unit": "days"}
    )
    keep_health_changes_days: Annotated[Whole, Field(ge=7, le=36_500)] = Field(
        default=400,
        description="each change of an account's health is kept so long",
        json_schema_extra={"unit": "days"},
    )
    keep_decisions_days: Annotated[Whole, Field(ge=7, le=36_500)] = Field(
        default=90,
        description="scans, wishes to buy and decisions on exits are kept so long",
        json_schema_extra={"unit": "days"},
    )


class OperatorSettings(Section):
    """What config/nija.yaml and the environment can say."""

    trading_mode: TradingMode = Field(default="paper", description="paper = no real money can move, live = it can")
    state_dir: FilePath = Field(
        default=Path("data"), description="where all state lies; relative to the project's directory"
    )
    database_url: Optional[SecretStr] = Field(
        default=None,
        description="postgresql://user:password@host:5432/name; null = SQLite in state_dir. Better in .env than here",
        json_schema_extra={"unit": "secret"},
    )
    allow_ephemeral: Flag = Field(
        default=False, description="start although the platform throws state_dir away at every restart"
    )
    allow_withdraw_keys: Flag = Field(
        default=False, description="trade also with keys that can withdraw money; they are warned of"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="least severe line logged: DEBUG, INFO, WARNING or ERROR"
    )
    log_json: FlagOrAuto = Field(
        default="auto",
        description="log lines as JSON; auto = on stdout when it is no terminal, while nija.log stays text",
    )
    metrics_host: Text = Field(default="127.0.0.1", description="address of /metrics")
    metrics_port: Annotated[Whole, Field(ge=0, le=65_535)] = Field(
        default=9108, description="of /metrics; 0 = any free one", json_schema_extra={"unit": "port"}
    )
    multi_broker_independent: Flag = Field(
        default=True, description="every funded master trades; false = only the first funded one"
    )
    minimum_funded_usd: NotNegative = Field(default=Decimal(10), description="an account with less does not trade")
    summary_every_cycles: Annotated[Whole, Field(ge=1, le=100_000)] = Field(
        default=10, description="from one summary line in the log to the next", json_schema_extra={"unit": "cycles"}
    )
    shutdown_seconds: SomeSeconds = Field(default=8.0, description="a stop takes no longer")
    test_clock_offset_seconds: Annotated[float, BeforeValidator(read_float), Field(ge=-1e9, le=1e9)] = Field(
        default=0.0, description="shifts the bot's clock, for drills, in paper mode only"
    )
    failpoints: DrillPlan = Field(default="", description="where a drill crashes or hangs, in paper mode only")
    masters: tuple[MasterSettings, ...] = Field(
        default=(
            MasterSettings(broker=BrokerType.KRAKEN),
            MasterSettings(broker=BrokerType.COINBASE),
            MasterSettings(broker=BrokerType.OKX),
            MasterSettings(broker=BrokerType.BINANCE),
            MasterSettings(broker=BrokerType.ALPACA),
        ),
        description="one per brokerage",
    )
    paces: Paces = Field(
        default=Paces(), alias="pace", description="how often and how staggered accounts work, by mode"
    )
    balance: BalanceSettings = Field(default=BalanceSettings(), description="when a balance counts as known")
    copying: CopyingSettings = Field(default=CopyingSettings(), description="what users get who set nothing else")
    kraken: KrakenSettings = Field(default=KrakenSettings(), description="calls to Kraken")
    coinbase: CoinbaseSettings = Field(default=CoinbaseSettings(), description="calls to Coinbase")
    okx: OkxSettings = Field(default=OkxSettings(), description="calls to OKX")
    binance: BinanceSettings = Field(default=BinanceSettings(), description="calls to Binance")
    alpaca: AlpacaSettings = Field(default=AlpacaSettings(), description="calls to Alpaca")
    strategy: StrategySettings = Field(
        default_factory=StrategySettings, description="what decides on entries and exits"
    )
    risk: RiskSettings = Field(
        default=RiskSettings(), description="how masters trade, and the limits of every account's entries"
    )
    scan: ScanSettings = Field(default=ScanSettings(), description="which markets a master looks at for entries")
    orders: OrdersSettings = Field(
        default=OrdersSettings(), description="how masters' entries and every account's own exits are placed"
    )
    market_watch: MarketWatchSettings = Field(
        default=MarketWatchSettings(), description="markets that are looked at closely"
    )
    console: ConsoleSettings = Field(default=ConsoleSettings(), description="the Ops Console, a page for a browser")
    books: BooksSettings = Field(default=BooksSettings(), description="what an account has made, day by day")
    notifications: NotificationSettings = Field(
        default=NotificationSettings(), description="what people outside are told"
    )
    supervision: SupervisionSettings = Field(default=SupervisionSettings(), description="threads that make no progress")
    paper: PaperSettings = Field(default=PaperSettings(), description="the paper exchange, in paper mode")
    exchanges: Exchanges = Field(
        default_factory=lambda: MappingProxyType({}),
        description="exchanges beside the five brokerages, by the name that they get here; experimental",
    )
    instance: InstanceSettings = Field(
        default=InstanceSettings(), description="one process at a time, on one PostgreSQL"
    )
    storage: StorageSettings = Field(default=StorageSettings(), description="how long readings are kept; books stay")
    scaling: ScalingSettings = Field(default=ScalingSettings(), description="one process or many, on one PostgreSQL")

    @property
    def pace(self) -> Pace:
        """The pace of the mode in force."""
        return self.paces.live if self.trading_mode == "live" else self.paces.paper

    @property
    def cash_events_seconds(self) -> float:
        """From one reading of an account's ledger to the next, in the mode in force."""
        return self.books.cash_events_seconds or (300.0 if self.trading_mode == "live" else 20.0)

    @property
    def equity_point_seconds(self) -> float:
        """From one note of an account's worth to the next, in the mode in force."""
        return self.books.equity_point_seconds or (300.0 if self.trading_mode == "live" else 20.0)

    def strategy_of(self, broker: BrokerType) -> StrategySettings:
        """What decides for a brokerage's master: its own word, then the common section."""
        own = next((master.strategy for master in self.masters if master.broker is broker), None)
        return self.strategy if own is None else own.over(self.strategy)

    def brokers(self) -> tuple[BrokerType, ...]:
        """The five, and the exchanges that are opened by name."""
        return (*BrokerType, *(BrokerType(name) for name in self.exchanges))

    def paper_front_of(self, broker: BrokerType) -> BrokerType:
        """The brokerage of the paper exchange that its accounts are at."""
        exchange = self.exchanges.get(broker)
        return broker if exchange is None or exchange.paper_front is None else BrokerType(exchange.paper_front)

    def quote_currency_of(self, broker: BrokerType) -> str:
        """The asset in which the accounts of a brokerage are counted and their entries are paid."""
        if broker in self.exchanges:
            return self.exchanges[broker].quote_currency
        own = {
            BrokerType.OKX: self.okx.quote_currency,
            BrokerType.BINANCE: self.binance.quote_currency,
            BrokerType.ALPACA: ALPACA_CURRENCY,
        }
        return own.get(broker, self.risk.quote_currency)

    def currencies_at_par(self) -> frozenset[str]:
        """Those that count one to one as the currency of the limits, itself among them."""
        dollars = frozenset({"USD", *self.risk.at_par_with_usd})
        return dollars if self.risk.quote_currency in dollars else frozenset({self.risk.quote_currency})


class Settings(OperatorSettings):
    """All settings of one process, as loaded once at its start. `origins` says by dotted name where each came from."""

    users: tuple[UserSettings, ...] = Field(default=(), description="from config/users/")
    origins: Mapping[str, Origin] = Field(
        default_factory=lambda: MappingProxyType({}), exclude=True, repr=False, description="for config show"
    )
