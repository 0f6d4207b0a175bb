"""What a chat is told that asks: short, from the store, without a call to any brokerage."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from bot.diagnostics.amounts_shown import cents, signed
from bot.diagnostics.books_command import open_ledger
from bot.diagnostics.chosen_days import ChosenDays
from bot.diagnostics.copies import signals_of
from bot.diagnostics.listing import count
from bot.diagnostics.money import read_purses
from bot.diagnostics.overview import read_overview
from bot.diagnostics.period_figures import total, totals_of
from bot.diagnostics.period_reading import UnknownName
from bot.diagnostics.pnl import chosen_of, read_periods
from bot.diagnostics.store_reading import NoStore, read_store
from bot.diagnostics.why import explain
from bot.diagnostics.why_subject import find_subject, find_symbol
from bot.settings import Settings
from bot.storage.copies import latest_copies

MOST_LINES = 40
COPIES_SHOWN = 5

HELP = """\
/status - who trades, and what to look into
/why [ACCOUNT [SYMBOL]] - why it does not trade, or holds what it holds
/money - what is in each account
/pnl - profit and loss of today
/copies - the latest signals and what became of them
/pause TARGET - no more entries of an account, a brokerage or a symbol
/kill - no more entries at all
/resume [TARGET] - lift what is stopped
/confirm CODE - do what pause, kill or resume has shown
Stops and exits go on whatever is stopped. Selling everything is not done from here: python bot.py flatten"""


def answer(settings: Settings, command: str, words: Sequence[str]) -> str | None:
    """The answer to a question; None = it is none. What cannot be answered is said in words too."""
    ask = _ANSWERS.get(command)
    if ask is None:
        return None
    try:
        return _shortened(ask(settings, words))
    except (NoStore, UnknownName) as error:
        return str(error)


def _status(settings: Settings, _words: Sequence[str]) -> list[str]:
    seen = read_overview(settings)
    lines = [f"{seen.sentence}.", *seen.attention]
    for one in seen.accounts:
        held = f"holds {count(one.positions, 'market')}" if one.positions else "holds nothing"
        lines.append(f"{one.label}: {one.why_not_trading or 'trades'}; {held}")
    return lines + seen.notes()


def _why(settings: Settings, words: Sequence[str]) -> list[str]:
    if not words:
        silent = [one for one in read_overview(settings).accounts if one.why_not_trading]
        said = [f"{one.label}: {one.why_not_trading}" for one in silent]
        return said or ["Every account trades. /why ACCOUNT tells more of one."]
    with read_store(settings) as connection:
        subject = find_subject(connection, settings, words[0])
        symbol = find_symbol(connection, subject, words[1]) if len(words) > 1 else None
        return [f"{sentence}." for sentence in explain(connection, settings, subject, symbol, limit=5).sentences]


def _money(settings: Settings, _words: Sequence[str]) -> list[str]:
    with open_ledger(settings) as ledger:
        purses = read_purses(ledger)
        equity = {purse.period.account.account_id: purse.equity for purse in purses}
        lines = [
            f"{purse.period.account.account_id}: {_known(cents, purse.equity)} {purse.period.account.currency}"
            for purse in purses
        ]
        for group in totals_of([purse.period for purse in purses], ledger.settings.currencies_at_par()):
            whole = total(equity[one.account.account_id] for one in group.periods)
            lines.append(f"Total: {_known(cents, whole)} {group.currency}")
        return [ledger.mode_words, *(lines or ["No account was ever seen."])]


def _pnl(settings: Settings, _words: Sequence[str]) -> list[str]:
    with open_ledger(settings) as ledger:
        chosen: ChosenDays = chosen_of(ledger, 1)
        periods = read_periods(ledger, chosen)
        lines = [
            f"{period.account.account_id}: {_known(signed, period.net)} {period.account.currency}" for period in periods
        ]
        for group in totals_of(periods, ledger.settings.currencies_at_par()):
            lines.append(f"Total: {_known(signed, group.sum_of(lambda period: period.net))} {group.currency}")
        head = f"Net P&L of {chosen.words} ({ledger.zone}), after fees. {ledger.mode_words}"
        return [head, *(lines or ["No account was ever seen."])]


def _copies(settings: Settings, _words: Sequence[str]) -> list[str]:
    with read_store(settings) as connection:
        signals = signals_of(latest_copies(connection, signals=COPIES_SHOWN))
    lines = []
    for signal in signals:
        when = str(signal["executed_at"])[11:19]
        lines.append(f"{when} {signal['broker']} {signal['side']} {signal['symbol']} at {signal['price']}:")
        for user in signal["users"]:
            because = f" ({user['reason']})" if user["reason"] else ""
            lines.append(f"  {user['account_id']}: {user['status'] or 'no answer yet'}{because}")
    return lines or ["No signal yet: no master has traded."]


def _help(_settings: Settings, _words: Sequence[str]) -> list[str]:
    return HELP.splitlines()


def _known(form: Callable[[Decimal | None], str], amount: Decimal | None) -> str:
    return "not known" if amount is None else form(amount)


def _shortened(lines: Sequence[str]) -> str:
    if len(lines) <= MOST_LINES:
        return "\n".join(lines)
    return "\n".join([*lines[:MOST_LINES], f"… and {len(lines) - MOST_LINES} more lines: see the page or the commands"])


_ANSWERS: Mapping[str, Callable[[Settings, Sequence[str]], list[str]]] = {
    "status": _status,
    "why": _why,
    "money": _money,
    "pnl": _pnl,
    "copies": _copies,
    "help": _help,
    "start": _help,
}
