"""`python bot.py limits ACCOUNT`: what order it could make now, in each market that matters, and what sets its size."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, select

from bot import exit_codes
from bot.diagnostics.limits import any_vetoes, described, print_limits
from bot.diagnostics.listing import cannot_read, print_json
from bot.diagnostics.possible_order import Bound, PossibleOrder, PossibleOrders
from bot.diagnostics.store_reading import NoStore, read_store
from bot.diagnostics.why import first_gate
from bot.diagnostics.why_answer import Answer, Cell, Listing, amount
from bot.diagnostics.why_subject import Subject, Unknown, find_subject, find_symbol
from bot.domain.symbol import quote_of
from bot.seams.clock import SystemClock
from bot.settings import Settings
from bot.storage.entry_decisions import decisions_of
from bot.storage.positions import symbols_held
from bot.storage.schema import market_catalogue, market_focus

MARKETS = 8


def show(settings: Settings, account: str, symbol: str | None, *, as_json: bool) -> int:
    """Print them. 0 = an order is possible, 1 = none is, 2 = an unknown name, 3 = the bot is not running."""
    clock = SystemClock(offset_seconds=settings.test_clock_offset_seconds)
    try:
        with read_store(settings) as connection:
            subject = find_subject(connection, settings, account)
            symbols = _markets(connection, subject) if symbol is None else [find_symbol(connection, subject, symbol)]
            gate = first_gate(connection, settings, subject)
            orders = PossibleOrders(connection, settings, subject, clock=clock)
            found = [orders.of(each, gate=gate) for each in symbols]
            standing = described(connection, settings, [subject.label])
    except NoStore as error:
        code = exit_codes.WRONG_USE if isinstance(error, Unknown) else exit_codes.NOT_RUNNING
        return cannot_read(error, as_json=as_json, code=code, empty=("accounts", "possible_orders"))
    answer = _answer(subject, found, gate)
    if as_json:
        print_json(subject.state, account=subject.label, accounts=standing, **answer.json())
    else:
        answer.print(subject.account.reader.seen_at)
        print_limits(standing)
    if not subject.state.running:
        return exit_codes.NOT_RUNNING
    return exit_codes.SOMETHING_WRONG if answer.wrong or any_vetoes(standing) else exit_codes.OK


def _markets(connection: Connection, subject: Subject) -> Sequence[str]:
    """What it holds, what was wanted of late, what is looked at closely, and any others in its currency."""
    currency, broker = str(subject.account.row.quote_currency), subject.broker
    master = subject.label if subject.is_master else broker
    wanted = [each.symbol for each in decisions_of(connection, master, limit=MARKETS)]
    near = connection.execute(select(market_focus.c.symbol).where(market_focus.c.broker == broker)).scalars()
    listed = connection.execute(
        select(market_catalogue.c.symbol)
        .where(market_catalogue.c.broker == broker, market_catalogue.c.symbol.like(f"%/{currency}"))
        .order_by(market_catalogue.c.symbol)
        .limit(MARKETS)
    ).scalars()
    symbols: Iterable[str] = [*symbols_held(connection, subject.label), *wanted, *near, *listed]
    return list(dict.fromkeys(each for each in symbols if quote_of(each) == currency))[:MARKETS]


def _answer(subject: Subject, found: Sequence[PossibleOrder], gate: str) -> Answer:
    answer = Answer(wrong=not any(not each.why_none and each.next for each in found))
    answer.say(subject.state.sentence)
    if gate:
        answer.say(f"No order is possible because of this: {gate}")
    elif not found:
        answer.say("No market of its currency was written down: no order can be worked out")
    elif answer.wrong:
        reasons = list(dict.fromkeys(each.why_none for each in found))
        answer.say(f"No order is possible{' in these markets' if len(found) > 1 else ''} because {reasons[0]}")
    else:
        _say_bounds(subject, [each for each in found if not each.why_none], answer)
    answer.show(_listing(found))
    return answer


def _say_bounds(subject: Subject, possible: Sequence[PossibleOrder], answer: Answer) -> None:
    currency = subject.account.row.quote_currency
    least = [(each.smallest, each.symbol) for each in possible if each.smallest]
    most = [(each.largest, each.symbol) for each in possible if each.largest]
    if least:
        bound, symbol = min(least, key=lambda each: each[0].notional)
        answer.say(f"Its smallest possible order is {amount(bound.notional)} {currency} of {symbol}: {bound.set_by}")
    if most:
        bound, symbol = max(most, key=lambda each: each[0].notional)
        answer.say(f"Its largest possible order is {amount(bound.notional)} {currency} of {symbol}: {bound.set_by}")


def _listing(found: Sequence[PossibleOrder]) -> Listing:
    columns = {
        "symbol": "market",
        "price": "at a price of",
        "smallest": "smallest",
        "next": "the next one",
        "largest": "largest",
        "why_none": "no order, because",
    }
    return Listing("possible_orders", "What it could order now", columns, [_row(each) for each in found])


def _row(order: PossibleOrder) -> dict[str, Cell]:
    row: dict[str, Cell] = {
        "symbol": order.symbol,
        "price": None if order.price is None else order.price.ask,
        "price_at": None if order.price is None else order.price.at,
        "why_none": order.why_none or None,
    }
    for name, bound in (("smallest", order.smallest), ("next", order.next), ("largest", order.largest)):
        row |= _bound(name, bound)
    return row


def _bound(name: str, bound: Bound | None) -> dict[str, Any]:
    if bound is None:
        return {name: None, f"{name}_quantity": None, f"{name}_notional": None, f"{name}_set_by": None}
    return {
        name: f"{amount(bound.quantity)} = {bound.notional:.2f} ({bound.set_by})",
        f"{name}_quantity": bound.quantity,
        f"{name}_notional": bound.notional,
        f"{name}_set_by": bound.set_by,
    }
