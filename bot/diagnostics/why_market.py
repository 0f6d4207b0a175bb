"""Why an account holds, or does not hold, one market."""

from datetime import datetime

from sqlalchemy import Connection, select

from bot.diagnostics.listing import since
from bot.diagnostics.why_answer import Answer, amount, words
from bot.diagnostics.why_held import explain_held
from bot.diagnostics.why_orders import (
    chain_sentence,
    copy_listing,
    order_listing,
    order_sentence,
    orders_of,
    under_way,
    wish_listing,
)
from bot.diagnostics.why_subject import Subject
from bot.storage.entry_decisions import decisions_of
from bot.storage.halts import in_force
from bot.storage.market_words import MarketWord, word_of
from bot.storage.positions import find_position
from bot.storage.round_trips import round_trips_of
from bot.storage.schema import accumulation, dust
from bot.storage.symbol_pauses import pause_reason

_STAGES = {
    "filtered": "was left out by the filter",
    "held": "is held",
    "missing": "could not be judged for",
    "no_entry": "was not wanted by the strategy for",
    "vetoed": "was wanted, and vetoed by",
    "ordered": "was wanted, and ordered",
}


def explain_market(connection: Connection, subject: Subject, symbol: str, answer: Answer, *, limit: int) -> None:
    """`answer` has the account's own gates already."""
    at = subject.account.reader.seen_at
    answer.facts["symbol"] = symbol
    position = find_position(connection, subject.label, symbol)
    answer.facts["held"] = position is not None
    if position is not None:
        explain_held(connection, subject, position, answer, limit=limit)
    else:
        _not_held(connection, subject, symbol, answer, limit)
    answer.say(chain_sentence(connection, subject.label, symbol, at))
    _stopped(connection, subject, symbol, answer)
    _leftovers(connection, subject.label, symbol, answer, at)
    if subject.is_master:
        answer.show(wish_listing(decisions_of(connection, subject.label, symbol=symbol, limit=limit)))
    else:
        answer.show(copy_listing(connection, subject.label, symbol=symbol, limit=limit))
    answer.show(order_listing(orders_of(connection, subject.label, symbol=symbol, limit=limit)))


def _not_held(connection: Connection, subject: Subject, symbol: str, answer: Answer, limit: int) -> None:
    at = subject.account.reader.seen_at
    answer.say(f"{subject.label} does not hold {symbol}")
    if subject.is_master:
        word = word_of(connection, subject.label, symbol)
        answer.say(_word(word, at))
        answer.facts["word"] = None if word is None else {"stage": word.stage, "rule": word.rule, "detail": word.detail}
    for order in under_way(orders_of(connection, subject.label, symbol=symbol, limit=limit)):
        answer.say(order_sentence(order))
    for trip in round_trips_of(connection, subject.label, symbol=symbol, limit=1):
        made = "a result that is not known" if trip.result_quote is None else amount(trip.result_quote)
        by = f" by its {words(trip.exit_rule)}" if trip.exit_rule else ""
        answer.say(f"It was held until {since(trip.closed_at, at)}, sold{by}, and made {made}")


def _word(word: MarketWord | None, at: datetime) -> str:
    """The last word of the scans on it."""
    if word is None:
        return "No scan has looked at it yet"
    said = _STAGES.get(word.stage, f"ended at {word.stage} by")
    rule = f" {words(word.rule)}" if word.rule and word.stage not in ("held", "ordered") else ""
    detail = f": {word.detail}" if word.detail else ""
    return f"In the scans it {said}{rule} since {since(word.since, at)}{detail}"


def _stopped(connection: Connection, subject: Subject, symbol: str, answer: Answer) -> None:
    halt = in_force(connection, subject.label, symbol)
    if halt is not None and halt.target == symbol:
        answer.say(f"HALTED: {halt.sentence}: python bot.py halts")
    paused = pause_reason(connection, subject.label, symbol)
    if paused:
        answer.say(f"It does not enter {symbol} any more: {paused} (python bot.py symbols)")


def _leftovers(connection: Connection, account_id: str, symbol: str, answer: Answer, at: datetime) -> None:
    """Coins that could not be sold, and shares too small to be bought."""
    here = (dust.c.account_id == account_id, dust.c.symbol == symbol)
    query = select(dust).where(*here, dust.c.reopened_at.is_(None)).order_by(dust.c.id.desc()).limit(1)
    left = connection.execute(query).first()
    if left is not None:
        again = "" if left.retry_at is None else f"; looked at again at {left.retry_at:%Y-%m-%d %H:%M:%S}"
        because = f": {left.reason}" if left.reason else ""
        when = since(left.closed_at, at)
        answer.say(f"{amount(left.quantity)} of {symbol} could not be sold since {when}{because}{again}")
    kept = connection.execute(
        select(accumulation).where(accumulation.c.account_id == account_id, accumulation.c.symbol == symbol)
    ).first()
    if kept is not None:
        until = f"{kept.expires_at:%Y-%m-%d %H:%M:%S}"
        answer.say(f"Shares of {amount(kept.quantity)} that were too small are gathered until {until}")
