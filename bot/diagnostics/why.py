"""`python bot.py why`: why an account does not trade, and why it holds, or does not hold, a market."""

from sqlalchemy import Connection

from bot import exit_codes
from bot.diagnostics.command_line import Commands, add_command, number
from bot.diagnostics.listing import cannot_read, print_json, since
from bot.diagnostics.store_reading import NoStore, read_store
from bot.diagnostics.why_answer import Answer
from bot.diagnostics.why_held import position_listing
from bot.diagnostics.why_market import explain_market
from bot.diagnostics.why_no_trade_copies import copies_of, copy_funnel, copy_obstacle
from bot.diagnostics.why_orders import copy_listing, wish_listing
from bot.diagnostics.why_subject import Subject, Unknown, find_subject, find_symbol
from bot.diagnostics.why_waiting import dust_listing, say_waiting_copies
from bot.domain.decision import ExitStatus
from bot.market.funnel import Tally
from bot.settings import Settings
from bot.storage.entry_decisions import decisions_of
from bot.storage.exit_states import exit_states_of
from bot.storage.halts import in_force
from bot.storage.positions import positions_of
from bot.storage.scan_cycles import scans_of
from bot.storage.symbol_pauses import pauses

DEFAULT_LIMIT = 10
# The newest scan is among so many rows, or it has waited for long.
_LOOKED_BACK = 50


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "why",
        "why an account does not trade, or why it holds or does not hold a market",
        lambda settings, words: run(settings, words.account, words.symbol, limit=words.limit, as_json=words.json),
        codes=(
            "0 answered, 1 answered and something is not as it should be (a position that nothing guards),\n"
            "2 no such account or market, 3 the bot is not running (then: as last seen)"
        ),
        examples=["why kraken", "why kraken BTC/USD", "why daivon_frazier_kraken BTC/USD --limit 20 --json"],
    )
    made.add_argument("account", metavar="ACCOUNT", help="as kraken or daivon_frazier_kraken")
    made.add_argument("symbol", nargs="?", metavar="SYMBOL", help="one market, as BTC/USD; nothing is the account")
    made.add_argument(
        "--limit", type=number, default=DEFAULT_LIMIT, metavar="N", help=f"how many of each (default {DEFAULT_LIMIT})"
    )


def run(settings: Settings, account: str, symbol: str | None, *, limit: int, as_json: bool) -> int:
    """Print the answer. 0 = answered, 1 = something is wrong, 2 = unknown name, 3 = the bot is not running."""
    try:
        with read_store(settings) as connection:
            subject = find_subject(connection, settings, account)
            market = None if symbol is None else find_symbol(connection, subject, symbol)
            answer = explain(connection, settings, subject, market, limit=limit)
    except NoStore as error:
        code = exit_codes.WRONG_USE if isinstance(error, Unknown) else exit_codes.NOT_RUNNING
        return cannot_read(error, as_json=as_json, code=code, empty={"account": account, "answer": []})
    if as_json:
        print_json(subject.state, account=subject.label, **answer.json())
    else:
        answer.print(subject.account.reader.seen_at)
    if not subject.state.running:
        return exit_codes.NOT_RUNNING
    return exit_codes.SOMETHING_WRONG if answer.wrong else exit_codes.OK


def explain(connection: Connection, settings: Settings, subject: Subject, symbol: str | None, *, limit: int) -> Answer:
    """All that the store knows about it."""
    answer = Answer()
    answer.say(subject.state.sentence)
    gate = first_gate(connection, settings, subject)
    answer.facts |= {"kind": "master" if subject.is_master else "user", "closed_gate": gate}
    if symbol is not None:
        explain_market(connection, subject, symbol, answer, limit=limit)
        say_waiting_copies(connection, subject, symbol, answer)
        answer.say(f"As for {subject.label} itself: {gate}" if gate else "")
        return answer
    answer.say(gate or f"{subject.label} trades, and no gate is closed to its entries")
    if subject.is_master:
        _last_scan(connection, subject, answer)
        answer.show(wish_listing(decisions_of(connection, subject.label, limit=limit)))
    else:
        answer.say(copy_obstacle(copy_funnel(copies_of(connection, subject.label, limit=_LOOKED_BACK))))
        _pauses(connection, subject, answer)
        say_waiting_copies(connection, subject, None, answer)
        answer.show(copy_listing(connection, subject.label, symbol=None, limit=limit))
    _positions(connection, subject, answer)
    return answer


def first_gate(connection: Connection, settings: Settings, subject: Subject) -> str:
    """The first thing that keeps the account from entering, in words; empty = nothing does."""
    label, account = subject.label, subject.account
    off = next((user for user in settings.users if user.account.label == label and not user.enabled), None)
    if off is not None:
        return f"{label} is switched off in its file (when_disabled: {off.when_disabled})"
    halt = in_force(connection, label)
    if halt is not None:
        return f"HALTED: {halt.sentence}: python bot.py halts"
    if account.why_not_trading:
        return f"{label} does not trade: {account.why_not_trading}"
    if account.row.waiting_for:
        return f"{label} makes no entries now: {account.row.waiting_for}"
    return ""


def _last_scan(connection: Connection, subject: Subject, answer: Answer) -> None:
    rows = scans_of(connection, subject.label, limit=_LOOKED_BACK)
    looked = next((row for row in rows if not row.waiting), None)
    if looked is None:
        answer.say("No scan was written down yet" if not rows else "It has not looked at the markets of late")
        return
    when = since(looked.at, subject.account.reader.seen_at)
    answer.say(f"Its last noted look, at {when}: {Tally(looked.counts)} (python bot.py why-no-trade {subject.label})")
    if looked.mismatch:
        answer.wrong = True
        answer.say(f"ERROR: the sums of that look do not match: {looked.mismatch}")


def _pauses(connection: Connection, subject: Subject, answer: Answer) -> None:
    for row in pauses(connection):
        if row.account_id == subject.label:
            answer.say(f"It does not enter {row.symbol} any more: {row.reason} (python bot.py symbols)")


def _positions(connection: Connection, subject: Subject, answer: Answer) -> None:
    held, states = positions_of(connection, subject.label), exit_states_of(connection, subject.label)
    number = len(held)
    answer.say("It holds nothing" if not held else f"It holds {number} {'market' if number == 1 else 'markets'}")
    for position in held:
        state = states.get(position.symbol)
        if state is not None and state.status is ExitStatus.UNGUARDED:
            answer.wrong = True
            answer.say(f"NOTHING GUARDS {position.symbol}: {state.reason}")
    answer.show(position_listing(held, states, subject.account.reader.seen_at))
    answer.show(dust_listing(connection, subject.label))
