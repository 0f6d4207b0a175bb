"""The whole examination, in the order in which one thing rests on another."""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot import exit_codes
from bot.brokers.credentials import Credentials
from bot.brokers.paper_venue import PaperVenue
from bot.diagnostics.doctor.asking import Asking, Question, remarks
from bot.diagnostics.doctor.board import Board
from bot.diagnostics.doctor.configuration import accounts_of, examine_configuration, settings_for
from bot.diagnostics.doctor.finding import Finding, bad, note, ok, warn
from bot.diagnostics.doctor.program import examine_program
from bot.diagnostics.doctor.report import Report, as_json, print_report
from bot.diagnostics.doctor.running import Running, examine_running, heard_of, last_seen
from bot.diagnostics.doctor.state_directory import examine_state
from bot.diagnostics.doctor.variables import Keys, all_names, examine_variables
from bot.diagnostics.doctor.venue_look import VenuePlace, proxies
from bot.diagnostics.doctor.ways_in import live_keys, live_places, paper_keys, paper_places, with_deadlines
from bot.diagnostics.store_reading import NoStore, now, read_store
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import ConfigurationError
from bot.observability.redactor import Redactor
from bot.observability.visible import visible
from bot.seams.clock import Clock, SystemClock
from bot.settings import Settings, load_settings, process_environment
from bot.settings.loading import PROJECT_DIR, config_directory
from bot.storage.identities import Pin, is_known, pin_of
from bot.supervision.instance_lock import AlreadyRunning, InstanceLock
from bot.supervision.key_locks import KeyLocks

# Nonces of live keys that are tried in paper mode: its state directory has those of the paper exchange.
TRIED_KEYS = "live-keys-tried"


def run(words: argparse.Namespace) -> int:
    """Look and print; returns 0 = nothing to put right, 1 = something, 2 = wrong use or no readable settings."""
    clock = SystemClock()
    begun = clock.monotonic()
    board = Board()
    redactor = Redactor()
    board.add("program", examine_program(PROJECT_DIR / "requirements.txt"))
    settings, problems = settings_for(live=words.live)
    board.add("configuration", problems)
    if settings is not None:
        wrong = _wrong_name(words.broker, settings)
        if wrong:
            print(wrong, file=sys.stderr)
            return exit_codes.WRONG_USE
        _Examination(settings, words, board, redactor).run()
    took = clock.monotonic() - begun
    board.stop(took)
    report = Report(
        sections=board.sections(),
        mode="unknown" if settings is None else settings.trading_mode,
        seconds=took,
        unusable=settings is None,
    )

    def clean(text: str) -> str:
        return visible(redactor.clean(text))

    if words.json:
        print(as_json(report, clean))
    else:
        print_report(report, clean)
    return report.exit_code


def _wrong_name(name: str | None, settings: Settings) -> str:
    named = {str(account.broker) for account in accounts_of(settings)}
    if name is None or name in named:
        return ""
    return f"There is nobody at {name!r} in the configuration; there are {', '.join(sorted(named)) or 'none'}."


@dataclass
class _Examination:
    settings: Settings
    words: argparse.Namespace
    board: Board
    redactor: Redactor

    def run(self) -> None:
        settings, environ = self.settings, process_environment()
        self.board.add("configuration", self._configuration())
        keys = self._keys(environ)
        running = examine_running(settings)
        self.board.add("state", examine_state(settings, environ, now(settings), trying_live=self._trying_live))
        self.board.add("state", running.findings)
        self.board.add("network", proxies(name for name, value in environ.items() if value))
        if self.words.offline:
            self.board.add("network", [note("ACC-12", "--offline: no venue was asked, and no key was tried")])
            return
        with ExitStack() as stack:
            stack.enter_context(remarks(self.board))
            question = self._question(keys, running, stack)
            if question is not None:
                asking = Asking(question, self.board, self._clock())
                stack.callback(asking.close)
                asking.run(_progress())

    # -- what is asked of nobody ------------------------------------------------------------------------------------
    @property
    def _trying_live(self) -> bool:
        """Whether the keys for live are tried while the mode in force is paper."""
        if not self.words.live:
            return False
        try:
            return load_settings().trading_mode != "live"
        except ConfigurationError:
            return True

    def _configuration(self) -> Iterator[Finding]:
        dotenv = config_directory().parent / ".env"
        yield from examine_configuration(self.settings, dotenv, asked_for_live=self._trying_live)

    def _keys(self, environ: Mapping[str, str]) -> Keys:
        live, settings = self.settings.trading_mode == "live", self.settings
        user_ids = {user.user_id for user in settings.users}
        keys = examine_variables(self._accounts(), user_ids, environ, settings.brokers(), live=live)
        # Also what is malformed: it may be half of a secret.
        written = [environ[name] for name in all_names(self._accounts(), user_ids) if environ.get(name)]
        for secret in (*keys.secrets, *written):
            self.redactor.add(secret)
        self.board.add("keys", keys.findings)
        return keys

    def _accounts(self) -> list[AccountRef]:
        """Of the brokerage that was named, or all."""
        return [one for one in accounts_of(self.settings) if self.words.broker in (None, str(one.broker))]

    def _brokers(self) -> list[BrokerType]:
        return list(dict.fromkeys(account.broker for account in self._accounts()))

    def _clock(self) -> Clock:
        return SystemClock(offset_seconds=self.settings.test_clock_offset_seconds)

    # -- whom to ask, and with which keys -----------------------------------------------------------------------------
    def _question(self, keys: Keys, running: Running, stack: ExitStack) -> Question | None:
        if running.owns_keys(self.settings.trading_mode):
            return self._beside_the_bot(running)
        if self.settings.trading_mode == "paper":
            return self._at_the_paper_exchange(stack)
        if not self._keys_to_ourselves(stack):
            return self._of_venues_alone(live_places(self.settings, self._brokers()))
        return self._live(keys.found, stack)

    def _beside_the_bot(self, running: Running) -> Question | None:
        """Its keys are its own; what it saw last stands for trying them."""
        ago = heard_of(running.state, self.settings)
        text = f"the bot runs and uses the keys (heard of {ago}): doctor tries none; below is what the bot saw last"
        self.board.add("accounts", [note("ACC-12", text)])
        labels = {account.label for account in self._accounts()}
        for account in running.accounts:
            if account.label in labels:
                self.board.add("accounts", last_seen(account))
        if self.settings.trading_mode == "live":
            return self._of_venues_alone(live_places(self.settings, self._brokers()))
        paper = self._paper()
        return None if paper is None else self._of_venues_alone(paper_places(self.settings, self._brokers(), paper))

    def _at_the_paper_exchange(self, stack: ExitStack) -> Question | None:
        if self.settings.paper.exchange_control_url is None:
            text = (
                "paper mode: no venue is asked, and the paper exchange starts with the bot; --live tries the real keys"
            )
            self.board.add("accounts", [note("ACC-12", text)])
            return None
        paper = self._paper()
        if paper is None or not self._keys_to_ourselves(stack):
            return None
        stack.callback(paper.close)
        settings = with_deadlines(self.settings)
        return Question(
            settings=settings,
            places=paper_places(settings, self._brokers(), paper),
            accounts=self._accounts(),
            access=paper_keys(settings, paper),
            pins=self._pins(),
        )

    def _live(self, found: Mapping[AccountRef, Credentials], stack: ExitStack) -> Question:
        settings = with_deadlines(self.settings)
        if self._trying_live:
            directory = settings.state_dir / TRIED_KEYS
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            settings = settings.model_copy(update={"state_dir": directory})
        locks = KeyLocks()
        stack.callback(locks.release)
        return Question(
            settings=settings,
            places=live_places(settings, self._brokers()),
            accounts=list(found),
            access=live_keys(settings, found, locks),
            pins={} if self._trying_live else self._pins(),
        )

    def _of_venues_alone(self, places: Sequence[VenuePlace]) -> Question:
        return Question(settings=with_deadlines(self.settings), places=places, accounts=[], access=None)

    def _paper(self) -> PaperVenue | None:
        paper, clock = self.settings.paper, self._clock()
        if paper.exchange_control_url is None:
            return PaperVenue.attach_to_running(self.settings.state_dir, clock)
        token = paper.exchange_token
        try:
            return PaperVenue.attach(
                str(paper.exchange_control_url), "" if token is None else token.get_secret_value(), clock
            )
        except ConfigurationError as error:
            fix = "start it (python -m paper_exchange), or remove PAPER_EXCHANGE_CONTROL to let the bot start its own"
            self.board.add("accounts", [bad("VEN-01", str(error), fix)])
            return None

    def _keys_to_ourselves(self, stack: ExitStack) -> bool:
        """Whether no bot can begin to use the keys while they are tried here."""
        if self._trying_live:
            return True  # the lock of the paper bot's directory says nothing of these keys; each has a lock of its own
        try:
            stack.enter_context(_instance_lock(self.settings.state_dir))
        except AlreadyRunning as error:
            fix = "if that is your bot, all is well: run doctor again when it has started, or stop it to try the keys"
            self.board.add("state", [warn("RUN-02", f"{error} No key was tried", fix)])
            return False
        except OSError as error:
            fix = "give it a directory that can be written to: STATE_DIR"
            text = f"{self.settings.state_dir} takes no lock ({error.strerror}): no key was tried"
            self.board.add("state", [bad("RUN-02", text, fix)])
            return False
        self.board.add("state", [ok("RUN-02", "nobody else works with this state directory")])
        return True

    def _pins(self) -> Mapping[str, Pin]:
        """Which account each key opened when the bot first used it."""
        found: dict[str, Pin] = {}
        try:
            with read_store(self.settings) as connection:
                for account in self._accounts():
                    pin = pin_of(connection, account.label) if is_known(connection, account.label) else None
                    if pin is not None:
                        found[account.label] = pin
        except (NoStore, ConfigurationError):
            pass
        return found


@contextmanager
def _instance_lock(state_dir: Path) -> Iterator[None]:
    """Raises `AlreadyRunning`, or OSError when there can be no lock."""
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = InstanceLock(state_dir)
    lock.acquire()  # lint: refuses at once instead of waiting
    try:
        yield
    finally:
        lock.release()


def _progress() -> Callable[[Sequence[str]], None]:
    """On a terminal one line that says what is being asked; nothing elsewhere."""
    if not sys.stderr.isatty():
        return lambda _doing: None

    def show(doing: Sequence[str]) -> None:
        text = f"asking {', '.join(doing)}"[:96] if doing else ""
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    return show
