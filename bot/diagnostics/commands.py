"""The command line of `python bot.py`: every command, the question it answers, and the module that declares it.

The module of a command is only imported when it is asked for: all of them together take longer than an answer.
"""

import argparse
import difflib
import gc
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.diagnostics.command_line import seconds
from bot.diagnostics.version import ShowVersion


@dataclass(frozen=True)
class Line:
    """A line of the help: commands that belong together, each with the module whose `add` declares it."""

    text: str
    modules: Mapping[str, str]


# By the questions that people have, in the order in which they have them.
COMMANDS: Mapping[str, Sequence[Line]] = {
    "Does it trade?": (
        Line("the whole on one screen; --watch keeps it up to date", {"status": "status"}),
        Line("each user: how it copies, its health, its last copy", {"users": "users"}),
        Line("why an account does not trade, or why it holds a market", {"why": "why"}),
        Line("what each step of the last scans took away", {"why-no-trade": "why_no_trade"}),
        Line("the latest signals, a line per user", {"copies": "copies"}),
        Line("who could follow an entry now, and who not", {"capacity": "capacity"}),
        Line("prices, spreads and their age", {"market": "market_command"}),
        Line("what a limit or a halt did not let out", {"vetoes": "vetoes"}),
    ),
    "What did it make?": (
        Line("what is in each account and in total", {"money": "money"}),
        Line("what is held, at what profit, how far from its exits", {"positions": "positions"}),
        Line("what each account has made, by days", {"pnl": "pnl"}),
        Line("each user's copies beside the master's trades", {"fidelity": "fidelity"}),
        Line("a user's month; a page with pictures", {"statement": "statement", "report": "report.command"}),
        Line("the books as CSV; the cost of coins", {"export": "export", "cost": "cost_command"}),
    ),
    "Stop it": (
        Line("stop all entries at once; or those of some", {"kill": "stopping", "pause": "stopping"}),
        Line("stop, and sell what the bot holds", {"flatten": "stopping"}),
        Line("let it go on; what is stopped, by whom", {"resume": "stopping", "halts": "stopping"}),
        Line("limits of each account; markets not entered", {"limits": "limits_command", "symbols": "symbols"}),
    ),
    "Find out": (
        Line("orders and their lives; what a person should know", {"orders": "orders", "alerts": "alerts"}),
        Line("one trade, from the decision to every user's books", {"trace": "trace"}),
        Line("the nonces of each Kraken key, without using it", {"nonce": "nonces"}),
        Line("exits that are owed and not done", {"debts": "debts"}),
        Line("orders that need a person's word", {"resolve": "resolve_command"}),
        Line("where a brokerage and the books differ", {"drift": "drift", "reconcile": "reconcile"}),
        Line("proof that every copy was answered; no row changed", {"audit": "audit", "verify": "verify"}),
        Line("what was asked for on the page; who holds which", {"controls": "controls", "processes": "processes"}),
    ),
    "Set up": (
        Line("what is in order, what is not, and how to mend it", {"doctor": "doctor.command"}),
        Line("make something fail on purpose, apart from it all", {"drill": "drills.command"}),
        Line("questions, then a run on paper; add one user", {"init": "setup.command", "init-user": "setup.command"}),
        Line("the settings in force", {"config": "config_show"}),
        Line("the smallest balance that can copy", {"min-balance": "min_balance"}),
        Line("a test message to people; what they were told", {"notify": "notify"}),
        Line("accept that a key opens another account", {"accounts": "identity"}),
        Line("make your shell complete commands with Tab", {"completion": "completion"}),
        Line("strategies, tried on candles", {"strategy": "strategy", "backtest": "backtest", "data": "data"}),
    ),
    "Keep": (
        Line("copy all books into a file; put them back", {"backup": "backup", "restore": "restore"}),
        Line("move to PostgreSQL", {"copy-books": "copy_books"}),
    ),
}

_MODULES = {name: module for lines in COMMANDS.values() for line in lines for name, module in line.modules.items()}
_FIRST_COLUMN = 30


class Program(argparse.ArgumentParser):
    """Its help groups the commands by question, and a command that does not exist is met with the nearest one."""

    def format_help(self) -> str:
        return f"{self.format_usage()}\n{self.description}\n\n{help_by_question()}\n{self.epilog}\n"

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if not isinstance(action, LazyCommands) or value in _MODULES:
            return super()._check_value(action, value)
        near = difflib.get_close_matches(str(value), _MODULES, n=1, cutoff=0.5)
        advice = f"did you mean {near[0]}?" if near else "python bot.py --help lists all"
        raise argparse.ArgumentError(None, f"there is no command {value!r}; {advice}")


class LazyCommands(argparse._SubParsersAction):  # type: ignore[type-arg]
    """Declares a command when it is asked for."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # What argparse checks a word against: it knows a command before it is declared.
        self.choices = dict(_MODULES)
        self._declared: set[str] = set()

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        self.declare(values[0])
        super().__call__(parser, namespace, values, option_string)

    def declare(self, name: str) -> argparse.ArgumentParser:
        """The parser of one command, with its options; a module declares all that it has."""
        module = _MODULES[name]
        if module not in self._declared:
            self._declared.add(module)
            # Nothing of what is loaded is garbage: to look for some costs a fifth of the time.
            gc.disable()
            try:
                importlib.import_module(f"bot.diagnostics.{module}").add(self)
            finally:
                gc.enable()
        parsers: dict[str, argparse.ArgumentParser] = self._name_parser_map
        return parsers[name]


def parser() -> argparse.ArgumentParser:
    """Every command sets `run`, a `Command`; without a command it is None, and the bot runs."""
    made = Program(
        prog="bot.py",
        usage="python bot.py [--for SECONDS | --version] [COMMAND ...]",
        description="NIJA: a master account per brokerage trades, its users copy it, each account in its own thread.\n"
        "Without a command the bot runs until it is stopped (Ctrl-C or SIGTERM; --for ends it by itself).",
        epilog="Each command takes --json, and tells its options, examples and exit codes with --help.",
        allow_abbrev=False,
    )
    made.set_defaults(run=None)
    made.add_argument("--for", dest="seconds", type=seconds, metavar="SECONDS", help="stop by itself after this time")
    made.add_argument("--version", action=ShowVersion)
    made.add_subparsers(
        action=LazyCommands, parser_class=argparse.ArgumentParser, dest="command", metavar="COMMAND", prog="bot.py"
    )
    return made


def help_by_question() -> str:
    """All commands, under the questions that they answer."""
    lines: list[str] = []
    for question, answers in COMMANDS.items():
        lines.append(question)
        lines += [f"  {', '.join(line.modules):{_FIRST_COLUMN}} {line.text}" for line in answers]
    return "\n".join(lines) + "\n"


def every_command() -> Mapping[str, argparse.ArgumentParser]:
    """The parser of each, by its name: for what needs them all, as the shell's completion."""
    commands = next(action for action in parser()._actions if isinstance(action, LazyCommands))
    return {name: commands.declare(name) for name in _MODULES}
