"""Exchanges beside the five brokerages, opened by naming them: `exchanges: {bybit: {ccxt_id: bybit, …}}`."""

import importlib.util
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from bot.domain.account import EXCHANGE_NAME, BrokerType
from bot.settings.section import Section
from bot.settings.values import Currency, Flag, Optional, Parameters, SomeSeconds, Text
from bot.settings.venues import CallRate

# These begin variables, scopes and labels that mean something else.
RESERVED_NAMES = frozenset({"nija", "master", "user", "paper", "all", "account", "symbol", "broker", "state", "log"})
# Without an expiry of requests an order may come to light this long after its sending (docs/architecture.md).
LEAST_LIVE_SETTLE_SECONDS = 125.0
# Of the brokerages that the paper exchange plays, those that ccxt has a class for.
PaperFront = Literal["kraken", "coinbase", "okx", "binance"]


class ExchangeSettings(Section):
    """One exchange, driven through ccxt's unified methods. Experimental: nobody has tried each of them."""

    ccxt_id: Text = Field(description="ccxt's name of the exchange")
    quote_currency: Currency = Field(default="USDT", description="what entries are paid with")
    experimental: Flag = Field(
        default=False, description="the operator's word that real money may be traded through an untried adapter"
    )
    paper_front: Optional[PaperFront] = Field(
        default=None,
        description="in paper mode: the brokerage of the paper exchange whose language it speaks; null = none, refused",
    )
    connect_timeout_seconds: SomeSeconds = Field(default=3.05, description="longest wait for a connection")
    read_timeout_seconds: SomeSeconds = Field(default=8.0, description="longest silence while an answer arrives")
    settle_seconds: Annotated[SomeSeconds, Field(ge=1, le=3600)] = Field(
        default=180.0,
        description="an order may come to light this long after its sending; with real money at least 125",
    )
    calls_per_second: Optional[CallRate] = Field(
        default=None, description="most calls of one address; null = 2 with real money, any number on paper"
    )
    client_order_ids: Flag = Field(default=True, description="orders carry our id wherever ccxt passes it on")
    options: Parameters = Field(
        default_factory=lambda: MappingProxyType({}), description="ccxt's own options for it, such as operatorId"
    )


def _nothing_as_none(value: object) -> object:
    """A heading with nothing below it."""
    return {} if value is None else value


def _named_well(exchanges: Mapping[str, ExchangeSettings]) -> Mapping[str, ExchangeSettings]:
    for name in exchanges:
        if not EXCHANGE_NAME.fullmatch(name):
            raise ValueError(f"has {name[:40]!a}, which is no name: 2 to 24 small letters and digits, a letter first")
        if name in set(BrokerType):
            raise ValueError(f"has {name}, which is one of the five brokerages: its own section has its settings")
        if name in RESERVED_NAMES:
            raise ValueError(f"has {name}, which means something else here; choose another name")
    return MappingProxyType(dict(exchanges))


Exchanges = Annotated[
    Mapping[str, ExchangeSettings],
    BeforeValidator(_nothing_as_none),
    AfterValidator(_named_well),
    PlainSerializer(lambda exchanges: {name: one.model_dump() for name, one in exchanges.items()}),
]


def no_such_brokerage(broker: str, exchanges: Collection[str]) -> str:
    """What a master's brokerage has to be, when it is neither one of the five nor one that is named."""
    *others, last = [f"'{name}'" for name in (*BrokerType, *exchanges)]
    known = f"{', '.join(others)} or {last}"
    return f"must be {known}, not '{broker}'; any other exchange is named in the section exchanges first"


def exchange_problems(
    exchanges: Mapping[str, ExchangeSettings], in_use: Collection[BrokerType], *, trading_mode: str
) -> Iterator[str]:
    """A sentence for each; `in_use` are the brokers of enabled masters and users."""
    for name, exchange in exchanges.items():
        yield from _wrong_id(name, exchange.ccxt_id)
        if name in in_use:
            yield from _not_to_be_traded(name, exchange, trading_mode=trading_mode)


def _wrong_id(name: str, ccxt_id: str) -> Iterator[str]:
    where = f"exchanges.{name}.ccxt_id is {ccxt_id[:40]}"
    if ccxt_id in set(BrokerType):
        yield f"{where}: that brokerage has a broker of its own here; write broker: {ccxt_id} and no exchange for it"
        return
    known = known_ids()
    if known and ccxt_id not in known:
        near = get_close_matches(ccxt_id.lower(), sorted(known), n=3, cutoff=0.6)
        hint = f"did you mean {' or '.join(near)}?" if near else "its names are listed at docs.ccxt.com"
        yield f"{where}, which ccxt does not know: {hint}"


def _not_to_be_traded(name: str, exchange: ExchangeSettings, *, trading_mode: str) -> Iterator[str]:
    if trading_mode == "paper":
        if exchange.paper_front is None:
            five = ", ".join(str(broker) for broker in BrokerType)
            yield (
                f"{name} can't be traded in paper mode, which knows five brokerages ({five}). If ccxt's "
                f"{exchange.ccxt_id} speaks like one of them, say so with exchanges.{name}.paper_front"
            )
        return
    if not exchange.experimental:
        yield (
            f"{name} is experimental: nobody has tried ccxt's {exchange.ccxt_id} with this program. Write "
            f"exchanges.{name}.experimental: true to trade real money there all the same"
        )
    if exchange.settle_seconds < LEAST_LIVE_SETTLE_SECONDS:
        yield (
            f"exchanges.{name}.settle_seconds is {exchange.settle_seconds:g}; with real money it is at least "
            f"{LEAST_LIVE_SETTLE_SECONDS:g}"
        )


def known_ids() -> frozenset[str]:
    """ccxt's names of all exchanges, by its files: to import it takes 76 MB. Empty when it is not installed."""
    found = importlib.util.find_spec("ccxt")
    if found is None or found.origin is None:
        return frozenset()
    return frozenset(path.stem for path in Path(found.origin).parent.glob("[a-z]*.py"))
