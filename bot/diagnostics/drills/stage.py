"""Where a drill takes place: a directory, an exchange, the operator's configuration in it, and a bot that is started.

All of it is thrown away afterwards; the operator's own bot, keys and state are not touched.
"""

import json
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from bot.diagnostics.accounts import Account
from bot.diagnostics.copies import signals_of
from bot.diagnostics.drills.bot_process import DrillBot, run_command
from bot.diagnostics.drills.exchange import DrillExchange
from bot.diagnostics.drills.finding import CutShort, Finding, NotPossible
from bot.diagnostics.drills.hand import Hand
from bot.diagnostics.drills.surroundings import child_environment, copy_configuration, variable_of
from bot.diagnostics.drills.witness import Witness
from bot.diagnostics.overview import Overview, read_overview
from bot.diagnostics.store_reading import NoStore, read_store
from bot.domain.account import AccountRef, BrokerType
from bot.seams.clock import Clock, SystemClock
from bot.settings import load_settings
from bot.settings.users import UserSettings
from bot.storage.copies import latest_copies

LOOK_SECONDS = 0.1
READY_SECONDS = 90.0
ANSWER_SECONDS = 90.0
# Of what the master's account starts with at the paper exchange, in one trade of the drill.
PART_TRADED = Decimal("0.1")

T = TypeVar("T")


class Stage:
    """`stack` ends what is started here. `changes` are settings by path that this drill has otherwise."""

    def __init__(
        self,
        stack: ExitStack,
        directory: Path,
        finding: Finding,
        *,
        brokerage: BrokerType,
        config_dir: Path,
        variables: Mapping[str, str],
        changes: Mapping[str, str],
    ) -> None:
        self.finding = finding
        self.brokerage = brokerage
        self.directory = directory
        self.clock: Clock = SystemClock()
        self._stack = stack
        self._never = threading.Event()
        self.config_dir, self.state_dir = directory / "config", directory / "state"
        self.state_dir.mkdir(mode=0o700)
        copy_configuration(config_dir, self.config_dir)
        self.environ = self._environment(variables, changes)
        self.settings = load_settings(environ=self.environ)
        self.users = self._users()
        self.exchange: DrillExchange = self._exchange()
        self._hand: Hand | None = None
        self.bot: DrillBot | None = None
        # When the master's owner traded last, on the monotonic clock.
        self.traded_at = 0.0

    def _environment(self, variables: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
        environ = child_environment(variables, config_dir=self.config_dir, state_dir=self.state_dir)
        return environ | {variable_of(path): text for path, text in changes.items()}

    def _exchange(self) -> DrillExchange:
        """Running, with the master's account open; the bot is told where it is."""
        exchange = DrillExchange.start(self.directory, self.clock)
        self._stack.callback(exchange.close)
        endpoint = exchange.venue.endpoint
        self.environ |= {"PAPER_EXCHANGE_CONTROL": endpoint.control_url, "PAPER_EXCHANGE_TOKEN": endpoint.token}
        self.reload()
        exchange.open_master(self.master, self.settings)
        return exchange

    def _users(self) -> Sequence[UserSettings]:
        """Those that copy at this brokerage, richest first. Raises `NotPossible`."""
        master = [one for one in self.settings.masters if one.broker is self.brokerage and one.enabled]
        users = [
            user for user in self.settings.users if user.broker is self.brokerage and user.enabled and not user.shadow
        ]
        if not master or not users:
            missing = "no enabled master" if not master else "no enabled user who copies"
            raise NotPossible(f"{self.brokerage} has {missing} in the configuration; name another with --brokerage")
        return sorted(users, key=lambda user: user.paper_balance, reverse=True)

    def reload(self) -> None:
        """The configuration was changed: commands and readings go by what it says now."""
        self.settings = load_settings(environ=self.environ)

    # -- who takes part ---------------------------------------------------------------------------------------------
    @property
    def master(self) -> AccountRef:
        return AccountRef.master(self.brokerage)

    @property
    def victim(self) -> UserSettings:
        """The user whom a fault is for."""
        return self.users[0]

    @property
    def hand(self) -> Hand:
        """The master's owner; made when first needed, in the drill's only thread."""
        if self._hand is None:
            self._hand = self.hand_of(self.master)
        return self._hand

    def hand_of(self, account: AccountRef, *, ahead_seconds: float = 0.0) -> Hand:
        directory = self.directory / "hands" / f"{account.label}-{ahead_seconds:g}"
        directory.mkdir(parents=True, exist_ok=True)
        settings = self.settings.model_copy(update={"state_dir": directory})
        made = Hand(account, self.exchange.access(account, self.settings), settings, ahead_seconds=ahead_seconds)
        self._stack.callback(made.close)
        made.connect()
        return made

    def symbol(self) -> str:
        """A market in which the victim copies. Raises `NotPossible`."""
        rules = self.victim.copy_rules
        for symbol in self.hand.markets():
            if symbol not in rules.deny_symbols and (not rules.allow_symbols or symbol in rules.allow_symbols):
                return symbol
        raise NotPossible(f"{self.victim.user_id} copies none of the markets that a drill trades in")

    def notional(self) -> Decimal:
        """How much (quote units) the master's owner buys at a time."""
        return PART_TRADED * next(one.paper_balance for one in self.settings.masters if one.broker is self.brokerage)

    # -- the bot ----------------------------------------------------------------------------------------------------
    def start(self, **environ: str) -> DrillBot:
        """A bot whose accounts at this brokerage have all ended a cycle. Raises `CutShort`."""
        self.launch(**environ)
        took = self.until(self.ready, READY_SECONDS, "every account at the brokerage has ended a cycle")
        self.finding.tell(f"{self.finding.name}: the bot runs, after {took:.1f} s")
        assert self.bot is not None
        return self.bot

    def launch(self, **environ: str) -> DrillBot:
        """The same without waiting."""
        self.bot = DrillBot(self.environ | environ, self.directory / "bot.log")
        self._stack.callback(self.bot.kill)
        return self.bot

    def stop(self) -> None:
        assert self.bot is not None
        self.bot.stop()

    def ready(self) -> bool:
        overview = self.overview()
        labels = {self.master.label, *(user.account.label for user in self.users)}
        trading = {one.label for one in overview.accounts if not one.why_not_trading} if overview else set()
        return labels <= trading

    def overview(self) -> Overview | None:
        """What the bot has written down; None before it has."""
        try:
            return read_overview(self.settings)
        except NoStore:
            return None

    def account(self, label: str) -> Account | None:
        overview = self.overview()
        return next((one for one in overview.accounts if one.label == label), None) if overview else None

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """A command beside the bot."""
        return run_command(self.environ, *words)

    def command_json(self, *words: str) -> dict[str, Any]:
        """What a command prints with `--json`. Raises `CutShort`."""
        done = self.command(*words, "--json")
        try:
            answer: dict[str, Any] = json.loads(done.stdout)
        except json.JSONDecodeError as error:
            said = (done.stderr or done.stdout).strip()[-300:]
            raise CutShort(f"python bot.py {' '.join(words)} gave no answer ({done.returncode}): {said}") from error
        return answer

    def signals(self, symbol: str) -> list[dict[str, Any]]:
        """The master's trades in a market as the bot has them, with the users' answers; oldest first."""
        try:
            with read_store(self.settings) as connection:
                found = signals_of(latest_copies(connection, signals=100))
        except NoStore:
            return []
        return [one for one in reversed(found) if one["symbol"] == symbol and one["broker"] == str(self.brokerage)]

    # -- waiting ----------------------------------------------------------------------------------------------------
    def until(self, condition: Callable[[], object], seconds: float, what: str) -> float:
        """Wait for it; returns how long that took. Raises `CutShort`, at once if the bot has ended."""
        took = self.wait(condition, seconds)
        if took is None:
            raise CutShort(f"not within {seconds:g} s: {what}{self._last_words()}")
        return took

    def wait(self, condition: Callable[[], object], seconds: float) -> float | None:
        """The same; None when it did not come, or when the bot has ended meanwhile."""
        began = self.clock.monotonic()
        ran = self._runs()
        while True:
            over = self.clock.monotonic() - began > seconds or (ran and not self._runs())
            if condition():
                return self.clock.monotonic() - began
            if over:
                return None
            self.clock.wait(self._never, LOOK_SECONDS)

    def _runs(self) -> bool:
        return self.bot is not None and self.bot.ended_with is None

    def pause(self, seconds: float) -> None:
        self.clock.wait(self._never, seconds)

    def _last_words(self) -> str:
        if self.bot is None or self.bot.ended_with is None:
            return ""
        lines = (self.directory / "bot.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f"; the bot has ended with {self.bot.ended_with}: {lines[-1][-300:] if lines else 'it said nothing'}"

    # -- the witness ------------------------------------------------------------------------------------------------
    def witness(self, since: int = 0) -> Witness:
        front = self.settings.paper_front_of(self.brokerage)
        return Witness(self.exchange.journal(since), str(front))
