"""`python bot.py capacity`: who could follow an entry of a brokerage's master now, and who could not and why."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import Connection

from bot import exit_codes
from bot.capacity import Capacity, capacity_rules, preview
from bot.copy_planner import CopyPlanner
from bot.diagnostics.accounts import Reader
from bot.diagnostics.command_line import Commands, add_command, name
from bot.diagnostics.listing import cannot_read, count, paper, print_json, since, time_text
from bot.diagnostics.possible_order_store import StoredFollowers, StoredPrice, price_of
from bot.diagnostics.store_reading import BotState, NoStore, bot_state, now, read_store
from bot.diagnostics.terminal import table
from bot.domain.account import AccountRef
from bot.domain.money import percent_to_fraction, plain
from bot.domain.order import OrderKind, Side
from bot.domain.position import ExitPlan
from bot.domain.signal import CopyReason, TradeSignal
from bot.domain.symbol import normalise_symbol
from bot.domain.veto import Veto
from bot.followers import copy_limits
from bot.position_sizer import PositionSizer
from bot.risk.limits import Limits, limit_rules
from bot.seams.clock import SystemClock
from bot.settings import Settings
from bot.storage.capacity_previews import StoredPreview, latest_previews
from bot.storage.copies import PlannedCopy

LATEST = 20


class Refused(Exception):
    """What cannot be asked, with the reason."""


@dataclass(frozen=True)
class Asked:
    """`symbol` empty = the last previews; `notional` None = what the master would spend by its settings."""

    broker: str
    symbol: str
    notional: Decimal | None


@dataclass(frozen=True)
class Answer:
    """The copies of an entry that the master would make now, and what they come to."""

    signal: TradeSignal
    copies: Sequence[PlannedCopy]
    found: Capacity
    before: StoredPreview | None


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "capacity",
        "who could follow an entry of a master now, who could not and why; without SYMBOL, the last previews",
        _run,
        codes="0 all could follow, 1 somebody could not, 2 wrong use or configuration, 3 the bot is not running",
        examples=["capacity kraken", "capacity kraken BTC/USD", "capacity kraken ETH/USD --notional 500 --json"],
    )
    made.add_argument("broker", type=name, metavar="BROKER", help="a brokerage, as kraken")
    made.add_argument("symbol", nargs="?", default="", metavar="SYMBOL", help="a market, as BTC/USD")
    made.add_argument("--notional", type=_amount, metavar="N", help="what the master buys for, in the quote currency")


def _amount(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or not 0 < value < Decimal(10) ** 12:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount above 0")
    return value


def _run(settings: Settings, words: argparse.Namespace) -> int:
    return run(settings, Asked(words.broker, words.symbol, words.notional), as_json=words.json)


def run(settings: Settings, asked: Asked, *, as_json: bool) -> int:
    """Print it; nothing is written, and no venue is asked."""
    try:
        with read_store(settings) as connection:
            state = bot_state(connection, now=now(settings))
            master = _master(settings, asked.broker)
            if asked.symbol:
                answer = _answer(connection, settings, state, master, asked)
            else:
                previews = latest_previews(connection, master.label, most=LATEST)
    except NoStore as error:
        return cannot_read(error, as_json=as_json, code=exit_codes.NOT_RUNNING, empty=("users",))
    except (Refused, ValueError) as error:
        return cannot_read(NoStore(str(error)), as_json=as_json, code=exit_codes.WRONG_USE, empty=("users",))
    if not asked.symbol:
        return _show_previews(settings, state, previews, as_json=as_json)
    return _show_answer(state, answer, as_json=as_json)


def _master(settings: Settings, broker: str) -> AccountRef:
    masters = [one.broker for one in settings.masters if one.enabled]
    found = next((each for each in masters if str(each) == broker), None)
    if found is None:
        raise Refused(f"there is no master at {broker!r}; masters: {', '.join(map(str, masters)) or 'none'}")
    return AccountRef.master(found)


# -- an entry of now ----------------------------------------------------------------------------------------------
def _answer(connection: Connection, settings: Settings, state: BotState, master: AccountRef, asked: Asked) -> Answer:
    moment = now(settings)
    reader = Reader(moment, settings.pace.cycle_seconds, settings.balance.max_age_seconds, state.running)
    followers = StoredFollowers(connection, settings, reader)
    signal = _signal(connection, settings, followers, master, asked)
    planner = CopyPlanner(
        install_id="preview", sizer=PositionSizer(), followers=followers, limits=copy_limits(settings)
    )
    users = followers.followers_of(master.broker)
    members = [each.account.label for each in users if each.leaving is None and not each.shadow]
    plan = planner.plan(connection, signal, members, moment)
    limits = Limits(
        rules=limit_rules(settings),
        clock=SystemClock(offset_seconds=settings.test_clock_offset_seconds),
        listed=lambda _account, symbol: followers.instrument_of(master.broker, symbol),
    )
    vetoes = limits.veto_all(connection, plan.entries)
    copies = [_judged(copy, vetoes) for copy in plan.copies]
    before = next(
        (one for one in latest_previews(connection, master.label, most=LATEST) if one.symbol == signal.symbol), None
    )
    found = preview(
        copies,
        quantity=signal.quantity,
        price=signal.reference_price,
        depth_notional=None if before is None else before.depth_notional,
        rules=capacity_rules(settings.copying),
    )
    return Answer(signal, copies, found, before)


def _judged(copy: PlannedCopy, vetoes: Mapping[str, Veto]) -> PlannedCopy:
    """With the limits' word on its order for an answer."""
    veto = vetoes.get(copy.client_order_id or "")
    if veto is None:
        return copy
    return copy._replace(client_order_id=None, reason=CopyReason.LIMIT, detail=f"{veto.rule}: {veto.detail}")


def _signal(
    connection: Connection, settings: Settings, followers: StoredFollowers, master: AccountRef, asked: Asked
) -> TradeSignal:
    symbol, broker = normalise_symbol(asked.symbol), master.broker
    price = price_of(connection, str(broker), symbol) or _previewed_price(connection, master, symbol)
    if price is None:
        raise Refused(f"the price of {symbol} at {broker} was not written down: nobody looks at this market")
    holdings = followers.balance_of(master).holdings
    cash = None if holdings is None else holdings.of(settings.quote_currency_of(broker))
    if cash is None and asked.notional is None:
        raise Refused("the master's balance is not known: say --notional")
    percent = settings.risk.order_fraction_of_balance_percent
    notional = asked.notional
    if notional is None:
        assert cash is not None, "asked above"
        notional = cash.available * percent_to_fraction(percent)
    return TradeSignal(
        signal_id="capacity",
        broker=broker,
        symbol=symbol,
        side=Side.BUY,
        kind=OrderKind.ENTRY,
        size=notional,
        quantity=notional / price.ask,
        reference_price=price.ask,
        master_balance=None if cash is None else cash.total,
        executed_at=now(settings),
        exit_plan=ExitPlan(),
    )


def _previewed_price(connection: Connection, master: AccountRef, symbol: str) -> StoredPrice | None:
    """Where no market watch looks: what it cost when the master last wanted to enter."""
    before = latest_previews(connection, master.label, most=LATEST)
    return next((StoredPrice(one.price, one.at) for one in before if one.symbol == symbol), None)


def _show_answer(state: BotState, answer: Answer, *, as_json: bool) -> int:
    if as_json:
        print_json(state, **_described(answer), users=[_copy(each) for each in answer.copies])
    else:
        _print_answer(state, answer)
    if not state.running:
        return exit_codes.NOT_RUNNING
    return exit_codes.OK if answer.found.able == answer.found.followers else exit_codes.SOMETHING_WRONG


def _described(answer: Answer) -> dict[str, Any]:
    signal, found = answer.signal, answer.found
    return {
        "symbol": signal.symbol,
        "notional": plain(signal.size),
        "price": plain(signal.reference_price),
        "followers": found.followers,
        "able": found.able,
        "unable": dict(found.unable),
        "flow_notional": plain(found.flow_notional),
        "depth_notional": None if found.depth_notional is None else plain(found.depth_notional),
        "depth_at": None if answer.before is None else time_text(answer.before.at),
        "outcome": str(found.verdict.outcome),
        "sentence": found.verdict.sentence,
    }


def _copy(copy: PlannedCopy) -> dict[str, Any]:
    able = copy.client_order_id is not None
    return {
        "account": copy.account_id,
        "able": able,
        "quantity": plain(copy.planned_quantity) if copy.planned_quantity is not None else None,
        "ratio": None if copy.ratio is None else plain(copy.ratio),
        "balance": None if copy.user_balance is None else plain(copy.user_balance),
        "reason": "" if able else str(copy.reason),
        "detail": "" if able else copy.detail,
    }


def _print_answer(state: BotState, answer: Answer) -> None:
    console, signal, found = paper(), answer.signal, answer.found
    console.print(state.sentence, soft_wrap=True)
    title = f"If the {signal.broker} master bought {signal.symbol} for {signal.size:.2f} now"
    listed = table(console, title, "account", "balance", "would buy", "why not")
    for one in map(_copy, answer.copies):
        balance = "unknown" if one["balance"] is None else f"{Decimal(one['balance']):.2f}"
        why = ": ".join(filter(None, (one["reason"].replace("_", " "), one["detail"])))
        listed.add_row(one["account"], balance, one["quantity"] or "-", why)
    console.print(listed)
    depth = "unknown" if found.depth_notional is None else f"{found.depth_notional:.2f} (as last looked at)"
    console.print(
        f"{found.able} of {count(found.followers, 'user')} could follow; master and users would buy for "
        f"{found.flow_notional:.2f}, the book's depth within the bound is {depth}.",
        soft_wrap=True,
    )
    if found.verdict.sentence:
        console.print(f"{str(found.verdict.outcome).capitalize()}: {found.verdict.sentence}", soft_wrap=True)


# -- what was looked at before entries ----------------------------------------------------------------------------
def _show_previews(settings: Settings, state: BotState, previews: Sequence[StoredPreview], *, as_json: bool) -> int:
    if as_json:
        print_json(state, previews=[_stored(one) for one in previews])
    else:
        _print_previews(settings, state, previews)
    if not state.running:
        return exit_codes.NOT_RUNNING
    return exit_codes.SOMETHING_WRONG if any(one.able < one.followers for one in previews[:1]) else exit_codes.OK


def _stored(one: StoredPreview) -> dict[str, Any]:
    return {
        "at": time_text(one.at),
        "symbol": one.symbol,
        "quantity": plain(one.quantity),
        "price": plain(one.price),
        "followers": one.followers,
        "able": one.able,
        "unable": dict(one.unable),
        "flow_notional": plain(one.flow_notional),
        "depth_notional": None if one.depth_notional is None else plain(one.depth_notional),
        "outcome": one.outcome,
        "sentence": one.detail,
    }


def _print_previews(settings: Settings, state: BotState, previews: Sequence[StoredPreview]) -> None:
    console = paper()
    console.print(state.sentence, soft_wrap=True)
    if not previews:
        console.print("No entry was previewed yet (copying.capacity, and the master has to want to enter).")
        return
    headings = ("at (UTC)", "market", "could follow", "could not", "flow", "depth", "")
    listed = table(console, "Before the master's last entries, newest first", *headings)
    for one in previews:
        unable = ", ".join(f"{number} {reason.replace('_', ' ')}" for reason, number in one.unable.items())
        depth = "unknown" if one.depth_notional is None else f"{one.depth_notional:.2f}"
        said = one.outcome if one.outcome == "allowed" and not one.detail else f"{one.outcome}: {one.detail}"
        listed.add_row(
            since(one.at, now(settings)),
            one.symbol,
            f"{one.able} of {one.followers}",
            unable or "-",
            f"{one.flow_notional:.2f}",
            depth,
            said,
        )
    console.print(listed)
