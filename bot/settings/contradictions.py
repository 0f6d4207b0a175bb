"""Settings that are each possible and together are not."""

from collections import Counter
from collections.abc import Iterator, Sequence

from bot.domain.account import BrokerType
from bot.settings.exchanges import exchange_problems
from bot.settings.model import CopyingSettings, OperatorSettings
from bot.settings.users import CopySettings, UserSettings
from bot.settings.venues import ALPACA_DATA_URL


def contradictions(settings: OperatorSettings, users: Sequence[UserSettings]) -> Iterator[str]:
    """A sentence for each."""
    yield from _masters(settings)
    yield from _drills_in_live(settings)
    yield from _hosts_of_others(settings)
    in_use = {master.broker for master in settings.masters if master.enabled}
    in_use |= {user.broker for user in users if user.enabled}
    yield from exchange_problems(settings.exchanges, in_use, trading_mode=settings.trading_mode)
    yield from _many_processes(settings)
    yield from _size_left_open("copying", settings.copying.mode, settings.copying)
    for user in users:
        yield from _size_left_open(f"{user.source_file}: {user.user_id}", user.copy_rules.copy_mode, user.copy_rules)


def _masters(settings: OperatorSettings) -> Iterator[str]:
    for broker, count in Counter(master.broker for master in settings.masters).items():
        if count > 1:
            yield f"masters: {broker} is listed {count} times; a brokerage has one master"


def _drills_in_live(settings: OperatorSettings) -> Iterator[str]:
    if settings.trading_mode != "live":
        return
    for name, is_set in (
        ("NIJA_TEST_CLOCK_OFFSET_SECONDS (test_clock_offset_seconds)", settings.test_clock_offset_seconds != 0),
        ("NIJA_FAILPOINTS (failpoints)", settings.failpoints != ""),
        ("PAPER_EXCHANGE_CONTROL (paper.exchange_control_url)", settings.paper.exchange_control_url is not None),
    ):
        if is_set:
            yield f"{name} is set and trading_mode is live; it is for paper mode only"


def _many_processes(settings: OperatorSettings) -> Iterator[str]:
    """What several processes cannot share."""
    if settings.scaling.mode != "many":
        return
    if settings.database_url is None:
        yield "scaling.mode is many, and SQLite serves one process: set DATABASE_URL to a PostgreSQL"
    if not settings.multi_broker_independent:
        yield "scaling.mode is many and multi_broker_independent is false: no process knows who of all is first"
    if settings.trading_mode == "paper" and settings.paper.exchange_control_url is None:
        yield (
            "scaling.mode is many and trading_mode is paper: each process would start an exchange. Start one "
            "for all with python -m paper_exchange, and name it with PAPER_EXCHANGE_CONTROL and PAPER_EXCHANGE_TOKEN"
        )


def _hosts_of_others(settings: OperatorSettings) -> Iterator[str]:
    """A key must not be shown to a brokerage that did not issue it."""
    urls = {
        "kraken.rest_url": settings.kraken.rest_url,
        "coinbase.rest_url": settings.coinbase.rest_url,
        "okx.rest_url": settings.okx.rest_url,
        "binance.rest_url": settings.binance.rest_url,
        "coinbase.websocket_url": settings.coinbase.websocket_url or "",
        "okx.websocket_url": settings.okx.websocket_url or "",
        "binance.websocket_url": settings.binance.websocket_url or "",
        "alpaca.rest_url": settings.alpaca.rest_url,
        "alpaca.data_url": settings.alpaca.data_url or "",
        "alpaca.websocket_url": settings.alpaca.websocket_url or "",
    }
    for name, url in urls.items():
        host, own = url.partition("://")[2].partition(":")[0].split("."), name.partition(".")[0]
        for broker in BrokerType:
            if str(broker) in host and str(broker) != own:
                yield f"{name} is {url}, a host of {broker}; the keys of {own} must not go there"
    if settings.alpaca.rest_url == ALPACA_DATA_URL:
        yield f"alpaca.rest_url is {ALPACA_DATA_URL}, which takes no orders; that is alpaca.data_url's"


def _size_left_open(place: str, mode: str, rules: CopyingSettings | CopySettings) -> Iterator[str]:
    if mode == "fixed_amount" and rules.fixed_amount_usd is None:
        yield f"{place}: the copy mode is fixed_amount, so fixed_amount_usd must be set"
    if mode == "fixed_ratio" and rules.fixed_ratio is None:
        yield f"{place}: the copy mode is fixed_ratio, so fixed_ratio must be set"
