"""`python bot.py market`: prices, spreads and their age; which markets are looked at closely, and which move."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row

from bot import exit_codes
from bot.diagnostics.listing import age, cannot_read, count, paper, print_json, seconds_since, time_text
from bot.diagnostics.store_reading import BotState, NoStore, bot_state, now, read_store
from bot.diagnostics.terminal import table
from bot.domain.money import plain
from bot.domain.symbol import normalise_symbol
from bot.settings import Settings
from bot.storage import market_rows

# So many looks at all markets may be missed before somebody should know.
MISSED_LOOKS = 3


@dataclass(frozen=True)
class _Seen:
    """What the store says, described; a part that was not asked for is None."""

    sources: list[dict[str, Any]]
    focus: list[dict[str, Any]] | None = None
    movers: list[dict[str, Any]] | None = None
    markets: list[dict[str, Any]] | None = None


def run(settings: Settings, *, as_json: bool, focus: bool, movers: bool, symbol: str | None) -> int:
    """Print what is asked for, or focus and movers.

    0 = prices are fresh, 1 = some that matter are old, 2 = no such market, 3 = the bot is not running.
    """
    moment = now(settings)
    try:
        wanted = None if symbol is None else normalise_symbol(symbol)
    except ValueError as error:
        return cannot_read(NoStore(str(error)), as_json=as_json, code=exit_codes.WRONG_USE, empty=("markets",))
    try:
        with read_store(settings) as connection:
            state = bot_state(connection, now=moment)
            seen = _read(connection, moment, focus=focus, movers=movers, symbol=wanted)
            stale = _stale(connection, settings, moment) if state.running else []
    except NoStore as error:
        return cannot_read(error, as_json=as_json, code=exit_codes.NOT_RUNNING, empty=("sources",))
    if wanted is not None and not seen.markets:
        unknown = NoStore(f"No brokerage here lists {wanted}, as far as its markets were read")
        return cannot_read(unknown, as_json=as_json, code=exit_codes.WRONG_USE, empty=("markets",))
    if as_json:
        parts = {"focus": seen.focus, "movers": seen.movers, "markets": seen.markets}
        shown = {name: rows for name, rows in parts.items() if rows is not None}
        print_json(state, sources=seen.sources, stale=stale, **shown)
    else:
        _print(state, seen, stale, moment)
    if not state.running:
        return exit_codes.NOT_RUNNING
    return exit_codes.SOMETHING_WRONG if stale else exit_codes.OK


# -- reading ------------------------------------------------------------------------------------------------------
def _read(connection: Connection, moment: datetime, *, focus: bool, movers: bool, symbol: str | None) -> _Seen:
    everything = not focus and not movers and symbol is None
    rows = market_rows.focus_rows(connection)
    return _Seen(
        sources=[source_fields(row, moment) for row in market_rows.sources(connection)],
        focus=[focus_fields(row, moment) for row in rows] if focus or everything else None,
        movers=[mover_fields(row, moment) for row in market_rows.mover_rows(connection)]
        if movers or everything
        else None,
        markets=None if symbol is None else market_fields(connection, symbol, rows, moment),
    )


def _stale(connection: Connection, settings: Settings, moment: datetime) -> list[str]:
    """Sentences about what is too old to be acted on, although the bot runs."""
    limit = MISSED_LOOKS * settings.market_watch.scout_seconds
    found = [
        f"{row.broker}: nobody has looked at the markets for {age(row.looked_at, moment)}"
        for row in market_rows.sources(connection)
        if (moment - row.looked_at).total_seconds() > limit
    ]
    for row in market_rows.focus_rows(connection):
        if "held" not in row.reasons.split(","):
            continue
        if row.priced_at is None:
            found.append(f"{row.symbol}, which is held, has no price")
        elif (moment - row.priced_at).total_seconds() > limit:
            found.append(f"{row.symbol}, which is held, has a price of {age(row.priced_at, moment)} ago")
    return found


def source_fields(row: Row[Any], moment: datetime) -> dict[str, Any]:
    """Where the prices of a brokerage come from."""
    return {
        "broker": row.broker,
        "source": row.source,
        "looked_at": time_text(row.looked_at),
        "age_seconds": seconds_since(row.looked_at, moment),
    }


def focus_fields(row: Row[Any], moment: datetime) -> dict[str, Any]:
    """One market looked at closely."""
    return {
        "broker": row.broker,
        "symbol": row.symbol,
        "why": row.reasons.split(","),
        **_prices(row, moment),
        "bid_quantity": _text(row.bid_quantity),
        "ask_quantity": _text(row.ask_quantity),
        "last_side": row.last_side,
        "trades": row.trades,
    }


def mover_fields(row: Row[Any], moment: datetime) -> dict[str, Any]:
    """One market that moves."""
    return {
        "broker": row.broker,
        "symbol": row.symbol,
        "momentum_percent": _text(row.momentum_percent),
        "window_seconds": row.window_seconds,
        "volume_ratio": _text(row.volume_ratio),
        "spread_percent": _text(row.spread_percent),
        "promoted_at": time_text(row.promoted_at),
        "age_seconds": seconds_since(row.promoted_at, moment),
        "expires_at": time_text(row.expires_at),
    }


def market_fields(
    connection: Connection, symbol: str, focused: Sequence[Row[Any]], moment: datetime
) -> list[dict[str, Any]]:
    """One entry for each brokerage that lists the market."""
    tickers = {row.broker: row for row in market_rows.scout_rows(connection, [symbol])}
    close_up = {row.broker: row for row in focused if row.symbol == symbol}
    made = []
    for row in market_rows.catalogue_rows(connection, [symbol]):
        priced = close_up.get(row.broker) or tickers.get(row.broker)
        made.append(
            {
                "broker": row.broker,
                "symbol": row.symbol,
                "venue_symbol": row.venue_symbol,
                "status": row.status,
                "tradable": row.tradable,
                "minimum_quantity": _text(row.minimum_quantity),
                "minimum_notional": _text(row.minimum_notional),
                "tick_size": _text(row.tick_size),
                "lot_step": _text(row.lot_step),
                "why": close_up[row.broker].reasons.split(",") if row.broker in close_up else [],
                **({} if priced is None else _prices(priced, moment)),
            }
        )
    return made


def _prices(row: Row[Any], moment: datetime) -> dict[str, Any]:
    known = row.bid is not None and row.ask is not None
    spread = (200 * (row.ask - row.bid) / (row.ask + row.bid)).quantize(Decimal("0.0001")) if known else None
    return {
        "bid": _text(row.bid),
        "ask": _text(row.ask),
        "spread_percent": _text(spread),
        "last_price": _text(row.last_price),
        "priced_at": time_text(row.priced_at),
        "age_seconds": seconds_since(row.priced_at, moment),
    }


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)


# -- printing -----------------------------------------------------------------------------------------------------
def _print(state: BotState, seen: _Seen, stale: Sequence[str], moment: datetime) -> None:
    console = paper()
    console.print(state.sentence, soft_wrap=True)
    if not seen.sources:
        console.print("No market is watched: market_watch.enabled is off, or Kraken has no account here.")
    for source in seen.sources:
        looked = datetime.fromisoformat(source["looked_at"])
        text = f"Prices of {source['broker']}: {source['source']}; last look at all markets {age(looked, moment)} ago"
        console.print(text, soft_wrap=True)
    if seen.markets is not None:
        _print_markets(seen.markets)
    if seen.focus is not None:
        _print_focus(seen.focus)
    if seen.movers is not None:
        _print_movers(seen.movers)
    for sentence in stale:
        console.print(f"LOOK AT THIS: {sentence}", soft_wrap=True)


def _print_focus(rows: Sequence[Mapping[str, Any]]) -> None:
    console = paper()
    if not rows:
        console.print("No market is looked at closely.")
        return
    listed = table(console, "Looked at closely", "market", "bid", "ask", "spread", "age", "last")
    listed.add_column("why", overflow="fold")
    for row in rows:
        last = f"{_or_dash(row['last_price'])} {row['last_side']}".strip()
        listed.add_row(row["symbol"], *_priced(row), last, ", ".join(row["why"]))
    console.print(listed)
    console.print(f"{count(len(rows), 'market')} in focus.")


def _print_movers(rows: Sequence[Mapping[str, Any]]) -> None:
    console = paper()
    if not rows:
        console.print("No market moves more than the others now.")
        return
    listed = table(console, "Movers, the strongest first", "market", "momentum", "within", "volume", "spread")
    listed.add_column("until (UTC)", overflow="fold")
    for row in rows:
        listed.add_row(
            row["symbol"],
            f"{row['momentum_percent']} %",
            f"{row['window_seconds'] // 60} min",
            f"{row['volume_ratio']} x usual",
            f"{row['spread_percent']} %",
            row["expires_at"][:19].replace("T", " "),
        )
    console.print(listed)
    console.print(f"{count(len(rows), 'mover')}.")


def _print_markets(rows: Sequence[Mapping[str, Any]]) -> None:
    console = paper()
    listed = table(console, "Market", "brokerage", "status", "bid", "ask", "spread", "age", "minimum")
    listed.add_column("why in focus", overflow="fold")
    for row in rows:
        minimum = f"{row['minimum_quantity']} / {row['minimum_notional']}"
        listed.add_row(row["broker"], row["status"], *_priced(row), minimum, ", ".join(row["why"]) or "-")
    console.print(listed)


def _priced(row: Mapping[str, Any]) -> tuple[str, str, str, str]:
    spread, seconds = row.get("spread_percent"), row.get("age_seconds")
    return (
        _or_dash(row.get("bid")),
        _or_dash(row.get("ask")),
        "-" if spread is None else f"{spread} %",
        "-" if seconds is None else f"{seconds:.0f} s",
    )


def _or_dash(text: str | None) -> str:
    return text or "-"
