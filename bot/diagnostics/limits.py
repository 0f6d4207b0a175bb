"""`python bot.py limits`: each account's limits, how far it is from them, and a new beginning after a drawdown."""

import difflib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from bot import exit_codes
from bot.diagnostics.listing import cannot_read, paper, print_json, time_text
from bot.diagnostics.store_reading import BotState, NoStore, bot_state, now, read_store
from bot.diagnostics.store_writing import write_store
from bot.diagnostics.terminal import table
from bot.domain.money import plain
from bot.risk.case import Case, LimitRules, shown
from bot.risk.limits import Limits, limit_rules
from bot.risk.standing import Standing, anyone, standings
from bot.seams.clock import Clock, SystemClock
from bot.settings import Settings
from bot.storage.accounts import states
from bot.storage.risk_marks import RiskMark, all_marks, find_mark, save_mark


class Refused(Exception):
    """What cannot be done, with the reason."""


def show(settings: Settings, *, account: str | None, as_json: bool) -> int:
    """Print them. 0 = none vetoes, 1 = one does, 2 = no such account, 3 = the bot is not running."""
    try:
        with read_store(settings) as connection:
            state = bot_state(connection, now=now(settings))
            found = described(connection, settings, _labels(connection, account))
    except NoStore as error:
        return cannot_read(error, as_json=as_json, code=exit_codes.NOT_RUNNING, empty=("accounts",))
    except Refused as error:
        return cannot_read(NoStore(str(error)), as_json=as_json, code=exit_codes.WRONG_USE, empty=("accounts",))
    if as_json:
        print_json(state, accounts=found)
    else:
        _print(state, found)
    if not state.running:
        return exit_codes.NOT_RUNNING
    return exit_codes.SOMETHING_WRONG if any_vetoes(found) else exit_codes.OK


def described(connection: Connection, settings: Settings, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Each account's limits as JSON."""
    clock = SystemClock(offset_seconds=settings.test_clock_offset_seconds)
    rules, marks = limit_rules(settings), all_marks(connection)
    return [_described(connection, label, marks.get(label), rules, clock) for label in labels]


def any_vetoes(found: Sequence[dict[str, Any]]) -> bool:
    """Whether one of them would not let out the next entry, however small."""
    return any(limit["vetoes"] for one in found for limit in one["limits"])


def reset(settings: Settings, account: str, *, by: str, reason: str, as_json: bool) -> int:
    """The account's peak is what it has made until now: its drawdown begins anew. 0 = done, 2 = refused."""
    try:
        with write_store(settings) as connection:
            (label,) = _labels(connection, account)
            done = _reset(connection, settings, label, by=by, reason=reason)
    except (Refused, NoStore) as error:
        return cannot_read(NoStore(str(error)), as_json=as_json, code=exit_codes.WRONG_USE, empty={"done": False})
    if as_json:
        print_json(None, said=done, done=True)
    else:
        paper().print(f"{done}.", soft_wrap=True)
    return exit_codes.OK


def _reset(connection: Connection, settings: Settings, label: str, *, by: str, reason: str) -> str:
    mark = find_mark(connection, label)
    if mark is None:
        raise Refused(f"{label} has no mark yet: nothing is held back by its drawdown")
    if mark.profit is None:
        raise Refused(f"what the trades of {label} have made is not known now ({mark.problem}); try again later")
    lost = shown(mark.peak_profit - mark.profit)
    beginning = replace(
        mark,
        peak_profit=mark.profit,
        peak_equity=mark.equity,
        reset_by=by,
        reset_reason=reason,
        reset_at=now(settings),
    )
    save_mark(connection, beginning)
    return f"{label} begins anew after {lost} {mark.quote_currency} below its peak, says {by}: {reason}"


def _labels(connection: Connection, account: str | None) -> Sequence[str]:
    known = [row.account_id for row in states(connection)]
    if account is None:
        return known
    if account not in known:
        near = difflib.get_close_matches(account, known, n=1, cutoff=0.5)
        meant = f" Did you mean {near[0]}?" if near else ""
        raise Refused(f"There is no account {account!r}. Accounts: {', '.join(known) or 'none was ever seen'}.{meant}")
    return [account]


def described_limits(connection: Connection, settings: Settings, label: str) -> dict[str, Any]:
    """How one account stands with its limits."""
    clock = SystemClock(offset_seconds=settings.test_clock_offset_seconds)
    return _described(connection, label, all_marks(connection).get(label), limit_rules(settings), clock)


def _described(
    connection: Connection, label: str, mark: RiskMark | None, rules: LimitRules, clock: Clock
) -> dict[str, Any]:
    case: Case = Limits(rules=rules, clock=clock, listed=lambda _account, _symbol: None).case(connection, anyone(label))
    return {
        "account": label,
        "limits": [_limit(one) for one in standings(case)],
        "mark": None if mark is None else _marked(mark),
    }


def _limit(one: Standing) -> dict[str, Any]:
    return {
        "rule": str(one.rule),
        "setting": one.setting,
        "unit": one.unit,
        "limit": plain(one.limit),
        "now": None if one.now is None else shown(one.now),
        "left": None if one.left is None else shown(one.left),
        "vetoes": one.vetoes,
        "why": one.why,
    }


def _marked(mark: RiskMark) -> dict[str, Any]:
    amounts = ("day_start_profit", "peak_profit", "profit", "day_start_equity", "peak_equity", "equity")
    found: dict[str, Any] = {name: _amount(getattr(mark, name)) for name in amounts}
    return found | {
        "quote_currency": mark.quote_currency,
        "day": mark.day,
        "marked_at": time_text(mark.marked_at),
        "problem": mark.problem,
        "reset_by": mark.reset_by,
        "reset_reason": mark.reset_reason,
        "reset_at": time_text(mark.reset_at),
    }


def _amount(value: Any) -> str | None:
    return None if value is None else shown(value)


def _print(state: BotState, found: Sequence[dict[str, Any]]) -> None:
    console = paper()
    console.print(state.sentence, soft_wrap=True)
    if not found:
        console.print("No account was ever seen.")
        return
    print_limits(found)


def print_limits(found: Sequence[dict[str, Any]]) -> None:
    """The table of `described`."""
    console = paper()
    listed = table(console, "Limits before every entry; exits pass", "account", "limit", "at most", "now", "left", "")
    for one in found:
        for limit in one["limits"]:
            now_text = limit["now"] if limit["now"] is not None else "unknown" if limit["why"] else "-"
            word = "VETOES" if limit["vetoes"] else ""
            said = f"{word}: {limit['why']}" if limit["why"] else word
            most = f"{limit['limit']} {limit['unit']}"
            listed.add_row(one["account"], limit["setting"], most, now_text, limit["left"] or "-", said)
    console.print(listed)
    console.print("A drawdown ends by a person's word: python bot.py limits reset ACCOUNT --by NAME --reason TEXT")
