"""The command line of `python bot.py`: its commands, their options, and what each of them runs."""

import argparse

from bot.diagnostics import (
    audit,
    backtest,
    backup,
    capacity,
    config_show,
    controls,
    copies,
    copy_books,
    data,
    debts,
    drift,
    fidelity,
    flatten,
    halts,
    identity,
    limits,
    market,
    min_balance,
    possible_order_shown,
    processes,
    reconcile,
    resolve,
    restore,
    strategy,
    symbols,
    verify,
    vetoes,
    why,
    why_no_trade,
)
from bot.diagnostics.command_line import Commands, add_command, moment, name, number, seconds, venue_id
from bot.diagnostics.commands_of_books import add_commands_of_books
from bot.settings import Settings


def parser() -> argparse.ArgumentParser:
    """Every command sets `run`, a `Command`; without a command it is None, and the bot runs."""
    made = argparse.ArgumentParser(
        prog="bot.py",
        description="NIJA: a master account per brokerage trades, its users copy it, each account in its own thread.",
        epilog="Without a command the bot runs until it is stopped (Ctrl-C or SIGTERM).",
        allow_abbrev=False,
    )
    made.set_defaults(run=None)
    made.add_argument("--for", dest="seconds", type=seconds, metavar="SECONDS", help="stop by itself after this time")
    commands = made.add_subparsers(dest="command", metavar="command")
    _add_config(commands)
    _add_copies(commands)
    _add_debts(commands)
    _add_audit(commands)
    _add_resolve(commands)
    _add_symbols(commands)
    _add_drift(commands)
    _add_kill(commands)
    _add_pause(commands)
    _add_flatten(commands)
    _add_resume(commands)
    _add_halts(commands)
    _add_limits(commands)
    _add_vetoes(commands)
    _add_market(commands)
    _add_accounts(commands)
    why.add(commands)
    capacity.add(commands)
    min_balance.add(commands)
    why_no_trade.add(commands)
    verify.add(commands)
    processes.add(commands)
    controls.add(commands)
    fidelity.add(commands)
    reconcile.add(commands)
    add_commands_of_books(commands)
    backup.add(commands)
    restore.add(commands)
    copy_books.add(commands)
    strategy.add(commands)
    backtest.add(commands)
    data.add(commands)
    return made


# -- the commands, each with its options --------------------------------------------------------------------------
def _add_config(commands: Commands) -> None:
    made = add_command(
        commands,
        "config",
        "the settings in force",
        lambda settings, words: config_show.run(settings, as_json=words.json),
        codes="0 shown, 2 wrong configuration",
        examples=["config show"],
    )
    made.add_argument("action", choices=["show"], help="print each value and where it came from")


def _add_copies(commands: Commands) -> None:
    made = add_command(
        commands,
        "copies",
        "the latest signals, a line per user",
        lambda settings, words: copies.run(settings, as_json=words.json, limit=words.limit),
        codes="0 none failed, 1 one failed, 2 wrong use or configuration, 3 the bot does not run",
        examples=["copies", "copies --limit 5 --json"],
    )
    made.add_argument("--limit", type=number, default=20, metavar="N", help="how many signals (default 20)")


def _add_debts(commands: Commands) -> None:
    made = add_command(
        commands,
        "debts",
        "exits that are owed and not done, with their age and what they wait for",
        lambda settings, words: debts.run(settings, as_json=words.json, old_seconds=words.old),
        codes="0 none older than --old, 1 there are some, 2 wrong use or configuration, 3 the bot does not run",
        examples=["debts", "debts --old 300 --json"],
    )
    made.add_argument(
        "--old",
        type=seconds,
        default=debts.DEFAULT_OLD_SECONDS,
        metavar="SECONDS",
        help=f"an exit owed for longer ends the command with 1 (default {debts.DEFAULT_OLD_SECONDS:g})",
    )


def _add_audit(commands: Commands) -> None:
    made = add_command(
        commands,
        "audit",
        "proof from the store that every user has one answer to every signal, and the books add up",
        lambda settings, words: audit.run(settings, audit.Selection(words.since, words.signals), as_json=words.json),
        codes="0 proven, 1 something is missing or wrong (each is listed), 2 the store cannot be read",
        examples=["audit", "audit --signals 100", "audit --since 2026-01-31T12:00Z --json"],
    )
    which = made.add_mutually_exclusive_group()
    which.add_argument("--since", type=moment, metavar="TIME", help="only what was made since then (UTC if no zone)")
    which.add_argument("--signals", type=number, metavar="N", help="only the newest N signals")


def _add_resolve(commands: Commands) -> None:
    made = add_command(
        commands,
        "resolve",
        "orders that need a person; with an ORDER, a person's word about it",
        _resolve,
        codes=(
            "without ORDER as for lists (0, 1, 2, 3); with it 0 carried out, 1 written down and not\n"
            "carried out yet, 2 refused, 3 written down and the bot is not running (done at its next start)"
        ),
        examples=[
            "resolve",
            "resolve 3f9c21aa --accepted-as OQCLML-BW3P3-BUCMWZ --by Anna",
            'resolve 3f9c21aa --not-accepted --by Anna --reason "not in the order history" --yes',
        ],
    )
    made.add_argument("order", nargs="?", metavar="ORDER", help="the order's id, or its beginning")
    made.add_argument(
        "--accepted-as", type=venue_id, metavar="VENUE_ORDER_ID", help="the brokerage has it, as this one"
    )
    made.add_argument("--not-accepted", action="store_true", help="the brokerage never took it")
    made.add_argument("--by", type=name, metavar="NAME", help="who says so")
    made.add_argument("--reason", type=name, metavar="TEXT", help="why you are sure")
    made.add_argument("--yes", action="store_true", help="do not ask again")
    made.set_defaults(refuse=made.error)


def _resolve(settings: Settings, words: argparse.Namespace) -> int:
    if words.order is None:
        if words.accepted_as or words.not_accepted or words.by or words.reason or words.yes:
            words.refuse("which order? python bot.py resolve lists those that need a person")
        return resolve.list_orders(settings, as_json=words.json)
    if (words.accepted_as is None) == (not words.not_accepted):
        words.refuse("say one of --accepted-as VENUE_ORDER_ID and --not-accepted")
    if not words.by:
        words.refuse("say who decides: --by NAME")
    word = resolve.Word(
        order=words.order, accepted_as=words.accepted_as, by=words.by, reason=words.reason or "", sure=words.yes
    )
    return resolve.decide(settings, word, as_json=words.json)


def _add_symbols(commands: Commands) -> None:
    made = add_command(
        commands,
        "symbols",
        "markets that a user does not enter any more; pause or resume one",
        _symbols,
        codes="0 done or listed, 2 refused, wrong use or configuration, 3 (list) the bot is not running",
        examples=[
            "symbols",
            "symbols resume daivon_frazier_kraken BTC/USD",
            'symbols pause daivon_frazier_kraken BTC/USD --reason "holds it for the long run"',
        ],
    )
    made.add_argument("action", nargs="?", choices=["pause", "resume"], help="nothing lists the pauses")
    made.add_argument("account", nargs="?", metavar="ACCOUNT", help="a user's account, as daivon_frazier_kraken")
    made.add_argument("symbol", nargs="?", metavar="SYMBOL", help="as BTC/USD")
    made.add_argument("--reason", type=name, metavar="TEXT", help="why it is paused; shown to everybody")
    made.add_argument("--yes", action="store_true", help="pause also what was never traded here")
    made.set_defaults(refuse=made.error)


def _symbols(settings: Settings, words: argparse.Namespace) -> int:
    if words.action is None:
        return symbols.list_pauses(settings, as_json=words.json)
    if words.account is None or words.symbol is None:
        words.refuse(f"say which: python bot.py symbols {words.action} ACCOUNT SYMBOL")
    if words.action == "resume":
        return symbols.resume(settings, words.account, words.symbol, as_json=words.json)
    if not words.reason:
        words.refuse("say why: --reason TEXT")
    return symbols.pause(settings, words.account, words.symbol, reason=words.reason, sure=words.yes, as_json=words.json)


def _add_drift(commands: Commands) -> None:
    made = add_command(
        commands,
        "drift",
        "where a brokerage and our books differ",
        lambda settings, words: drift.run(settings, as_json=words.json, cleared_too=words.all),
        examples=["drift", "drift --all --json"],
    )
    made.add_argument("--all", action="store_true", help="also what is gone again")


def _add_accounts(commands: Commands) -> None:
    made = add_command(
        commands,
        "accounts",
        "accept that the key of an account opens another account from now on",
        lambda settings, words: identity.accept(
            settings, identity.Word(words.account, words.by, words.reason), as_json=words.json
        ),
        codes="0 written down, 2 refused, wrong use or configuration",
        examples=['accounts accept-identity daivon_frazier_kraken --by Anna --reason "he moved to a new account"'],
    )
    made.add_argument("action", choices=["accept-identity"], help="check_broker_status.py lists the accounts")
    made.add_argument("account", metavar="ACCOUNT", help="an account's label, as kraken or daivon_frazier_kraken")
    made.add_argument("--by", type=name, required=True, metavar="NAME", help="who says so")
    made.add_argument("--reason", type=name, required=True, metavar="TEXT", help="why it is meant")


# -- the kill switch ----------------------------------------------------------------------------------------------
_SET = "0 so it is, 2 refused, wrong use or configuration"
_SOLD = (
    "0 all of it is done, 1 not done yet or something is left (said of each), 2 refused,\n"
    "3 written down, and the bot is not running (it sells at its next start)"
)
_TARGET = "all, a brokerage, an account's label, or a symbol as BTC/USD (account:kraken is the master alone)"


def _add_kill(commands: Commands) -> None:
    made = add_command(
        commands,
        "kill",
        "stop all entries of all accounts at once; with --flatten also sell what the bot holds",
        _kill,
        codes=f"{_SET}; with --flatten as of flatten",
        examples=["kill", 'kill --reason "the news"', "kill --flatten --yes --wait 60"],
    )
    made.add_argument("--flatten", action="store_true", help="also sell what the bot holds, at the market")
    _add_wish(made)
    _add_sure(made)


def _kill(settings: Settings, words: argparse.Namespace) -> int:
    if words.flatten:
        return _flatten(settings, argparse.Namespace(**vars(words), target="all"))
    return halts.kill(settings, _wish(words), as_json=words.json)


def _add_pause(commands: Commands) -> None:
    made = add_command(
        commands,
        "pause",
        "stop entries of a brokerage, an account or a symbol; exits go on",
        lambda settings, words: halts.pause(settings, words.target, _wish(words), sure=words.yes, as_json=words.json),
        codes=_SET,
        examples=["pause kraken", "pause daivon_frazier_kraken --by Anna", 'pause BTC/USD --reason "the fork"'],
    )
    made.add_argument("target", metavar="TARGET", help=_TARGET)
    _add_wish(made)
    made.add_argument("--yes", action="store_true", help="also a symbol that was never traded here")


def _add_flatten(commands: Commands) -> None:
    made = add_command(
        commands,
        "flatten",
        "stop entries and sell at the market what the bot holds; shows what is sold and what is left",
        _flatten,
        codes=_SOLD,
        examples=["flatten kraken", "flatten all --yes --wait 60", "flatten BTC/USD --yes --json"],
    )
    made.add_argument("target", metavar="TARGET", help=_TARGET)
    _add_wish(made)
    _add_sure(made)


def _flatten(settings: Settings, words: argparse.Namespace) -> int:
    return flatten.flatten(
        settings, words.target, _wish(words), sure=words.yes, wait_seconds=words.wait, as_json=words.json
    )


def _add_resume(commands: Commands) -> None:
    made = add_command(
        commands,
        "resume",
        "lift what was stopped, in two steps: the first shows it and a code, the second takes the code",
        _resume,
        codes="0 lifted, or nothing is halted; 1 shown and not lifted yet, 2 refused (nothing was lifted)",
        examples=["resume", "resume kraken", 'resume kraken --code 3F9C2A --by Anna --reason "all is well"'],
    )
    made.add_argument("target", nargs="?", metavar="TARGET", help=f"{_TARGET}; nothing is all that is halted")
    made.add_argument("--code", type=name, metavar="CODE", help="what the first step has shown")
    _add_wish(made)
    made.set_defaults(refuse=made.error)


def _resume(settings: Settings, words: argparse.Namespace) -> int:
    if words.code is None:
        return halts.resume(settings, words.target, words.by or halts.operator(), as_json=words.json)
    if not words.reason:
        words.refuse("say why it may go on: --reason TEXT")
    return halts.confirm_resume(settings, words.target, words.code, _wish(words), as_json=words.json)


def _add_halts(commands: Commands) -> None:
    made = add_command(
        commands,
        "halts",
        "what is stopped, by whom, when and why; how far a flatten is",
        _halts,
        codes="0 nothing is halted, 1 something is, 2 wrong use, 3 the bot is not running; --flatten as of flatten",
        examples=["halts", "halts --all --json", "halts --flatten 3"],
    )
    made.add_argument("--all", action="store_true", help="also what was lifted")
    made.add_argument("--flatten", type=number, metavar="ID", help="what this flatten has done in each account")


def _halts(settings: Settings, words: argparse.Namespace) -> int:
    if words.flatten is not None:
        return flatten.show_progress(settings, words.flatten, wait_seconds=0.0, as_json=words.json)
    return halts.list_halts(settings, as_json=words.json, lifted_too=words.all)


def _add_wish(made: argparse.ArgumentParser) -> None:
    made.add_argument("--by", type=name, metavar="NAME", help="who says so (default: the system's user)")
    made.add_argument("--reason", type=name, metavar="TEXT", help="why; shown to everybody")


def _add_sure(made: argparse.ArgumentParser) -> None:
    made.add_argument("--yes", action="store_true", help="do not ask again")
    made.add_argument("--wait", type=seconds, default=0.0, metavar="SECONDS", help="wait so long for all to be done")


def _wish(words: argparse.Namespace) -> halts.Wish:
    return halts.Wish(by=words.by or halts.operator(), reason=words.reason or "")


def _add_limits(commands: Commands) -> None:
    made = add_command(
        commands,
        "limits",
        "each account's limits; of one the largest and smallest order it could make now; reset ends a drawdown",
        _limits,
        codes=(
            "0 none vetoes or done, 1 one vetoes or no order is possible, 2 refused, wrong use or configuration,\n"
            "3 the bot is not running"
        ),
        examples=[
            "limits",
            "limits kraken",
            "limits daivon_frazier_kraken BTC/USD --json",
            'limits reset kraken --by Anna --reason "reviewed the week, goes on"',
        ],
    )
    made.add_argument(
        "action", nargs="?", metavar="ACCOUNT", help="as kraken or daivon_frazier_kraken; or the word reset"
    )
    made.add_argument(
        "account", nargs="?", metavar="SYMBOL", help="one market, as BTC/USD; after reset whose drawdown begins anew"
    )
    made.add_argument("--account", dest="only", metavar="ACCOUNT", help="list the limits of this one only")
    made.add_argument("--by", type=name, metavar="NAME", help="who says so")
    made.add_argument("--reason", type=name, metavar="TEXT", help="why the account may go on")
    made.set_defaults(refuse=made.error)


def _limits(settings: Settings, words: argparse.Namespace) -> int:
    if words.action is None:
        return limits.show(settings, account=words.only, as_json=words.json)
    if words.action != "reset":
        return possible_order_shown.show(settings, words.action, words.account, as_json=words.json)
    if words.account is None:
        words.refuse("say which: python bot.py limits reset ACCOUNT")
    if not words.by or not words.reason:
        words.refuse("say who and why: --by NAME --reason TEXT")
    return limits.reset(settings, words.account, by=words.by, reason=words.reason, as_json=words.json)


def _add_vetoes(commands: Commands) -> None:
    made = add_command(
        commands,
        "vetoes",
        "entries that a limit or a halt did not let out, with the numbers that were compared",
        lambda settings, words: vetoes.run(
            settings, as_json=words.json, from_moment=words.since, account=words.account, limit=words.limit
        ),
        codes="0 none, 1 there are some, 2 wrong use or configuration, 3 the bot is not running (then: as last seen)",
        examples=["vetoes", "vetoes --account kraken --since 2026-01-31T12:00Z --json"],
    )
    made.add_argument("--since", type=moment, metavar="TIME", help="default: the last 24 hours (UTC if no zone)")
    made.add_argument("--account", metavar="ACCOUNT", help="of this one only")
    made.add_argument("--limit", type=number, default=50, metavar="N", help="how many (default 50)")


def _add_market(commands: Commands) -> None:
    made = add_command(
        commands,
        "market",
        "prices, spreads and their age: the markets looked at closely, and those that move",
        lambda settings, words: market.run(
            settings, as_json=words.json, focus=words.focus, movers=words.movers, symbol=words.symbol
        ),
        codes="0 prices are fresh, 1 some that matter are old, 2 wrong use or no such market, 3 the bot is not running",
        examples=["market", "market --movers", "market --symbol BTC/USD --json"],
    )
    made.add_argument("--focus", action="store_true", help="the markets looked at closely, and why")
    made.add_argument("--movers", action="store_true", help="the markets that move more than the others")
    made.add_argument("--symbol", metavar="SYMBOL", help="one market, with its status and minimums")
