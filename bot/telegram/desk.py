"""Hears what chats say to the bot and answers those that may ask. Nothing that it does waits for trading, or back.

The number of a message is written down before the message is acted on: after a restart none is carried out twice, and
at worst one is not at all. Stopping must not need a database that works: then the number is only kept in mind, and
nothing but lifting waits for it. What stops and was said before this process listened, and what lets go on, is left
alone when it is older than a minute: whoever sent it has long done something else about it. How old it is, is as good
as this machine's clock, so that nothing else that stops may depend on it: its code bounds how late it is.
"""

import logging
import threading
from collections.abc import Callable, Collection
from datetime import timedelta

from bot.domain.errors import NijaError, StoreUnavailable
from bot.notifications.delivery import NotDelivered
from bot.notifications.telegram import POLL_SECONDS, TelegramApi, Update
from bot.seams.clock import Clock
from bot.settings import Settings
from bot.storage import process
from bot.storage.store import Store
from bot.supervision.heart import beat
from bot.supervision.kept_thread import KeptThread
from bot.supervision.watchdog import Watchdog
from bot.telegram.answers import HELP, answer
from bot.telegram.controls import ACTIONS, Controls

log = logging.getLogger(__name__)

OFFSET = "telegram_offset"
OLD = timedelta(seconds=60)
FIRST_STEPS_THAT_STOP = ("kill", "pause")
# As many Telegram returns at once, if it has them.
MOST_UPDATES = 100
CALL_SECONDS = 300.0
PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 300.0
WRITE_SECONDS = 5.0
MOST_STRANGERS = 1000


class TelegramDesk:
    """`start` and `stop` by the process; `turn` asks once for what is new."""

    def __init__(
        self,
        api: TelegramApi,
        *,
        chats: Collection[str],
        settings: Settings,
        store: Store,
        clock: Clock,
        controls: Controls,
        clean: Callable[[str], str] = str,
        leads: Callable[[], bool] = lambda: True,
        watchdog: Watchdog | None = None,
    ) -> None:
        self._api = api
        self._chats = frozenset(chats)
        self._settings = settings
        self._store = store
        self._clock = clock
        self._controls = controls
        self._clean = clean
        self._leads = leads
        self._next = 0
        self._only_in_mind = False
        # Whether all has been read that was said before this process listened. No clock tells that.
        self._caught_up = False
        self._strangers: set[str] = set()
        self._problem = ""
        self._stop = threading.Event()
        self._thread = KeptThread("Telegram", self._run, clock=clock, watchdog=watchdog, cut=lambda _thread: api.cut())

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_seconds: float) -> None:
        self._stop.set()
        self._api.cut()
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        pause = PAUSE_SECONDS
        while not self._stop.is_set():
            problem = self.turn()
            if self._stop.is_set():
                return
            self._say_once(problem)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS) if problem else PAUSE_SECONDS
            until = self._clock.monotonic() + pause
            while not self._stop.is_set() and (left := until - self._clock.monotonic()) > 0:
                beat("waiting for Telegram")
                self._clock.wait(self._stop, min(left, PAUSE_SECONDS))

    def turn(self, *, wait_seconds: int = POLL_SECONDS) -> str:
        """Take what is new; returns what keeps it from that, "" = nothing does."""
        beat("asking Telegram", wait_seconds + CALL_SECONDS)
        try:
            if not self._leads():
                self._caught_up = False
                return ""
            self._next = before = self._offset()
            updates = self._api.updates(before, wait_seconds=wait_seconds if self._caught_up else 0)
            beat("reading what chats say", CALL_SECONDS)  # who was given up meanwhile ends here, and notes nothing
            for update in updates:
                # Not the greatest: after a week without a message, and for another bot, Telegram goes on at any number,
                # and of an offset beyond that it returns again and again all that it has.
                self._next = update.id + 1
                if update.chat in self._chats:
                    self._act(update, kept=self._remember())
                    before = self._next
                else:
                    self._note_stranger(update)
            self._caught_up = self._caught_up or len(updates) < MOST_UPDATES
            if self._next != before:
                self._remember()  # once for all that strangers said: they must not keep the database busy
        except (NotDelivered, NijaError) as error:
            return self._clean(str(error))
        return ""

    def _offset(self) -> int:
        if self._only_in_mind:
            return self._next
        try:
            with self._store.read() as connection:
                return int(process.get_meta(connection, OFFSET) or 0)
        except StoreUnavailable:
            return self._next

    def _remember(self) -> bool:
        """False when it is only kept in mind."""
        offset = str(self._next)
        try:
            self._store.write(
                lambda connection: process.set_meta(connection, OFFSET, offset), timeout_seconds=WRITE_SECONDS
            )
        except StoreUnavailable as error:
            log.warning("that a message of Telegram was read cannot be written down: %s", error)
            self._only_in_mind = True
            return False
        self._only_in_mind = False
        return True

    def _act(self, update: Update, *, kept: bool) -> None:
        if not update.text.startswith("/"):
            return
        beat("answering a chat", CALL_SECONDS)
        self._api.send(update.chat, self._clean(self._answer(update, kept=kept)))

    def _answer(self, update: Update, *, kept: bool) -> str:
        # In groups a command carries the bot's name: /status@nija_bot.
        first, *words = update.text[1:].split()[:40] or [""]
        command = first.partition("@")[0].lower()
        try:
            if command == "confirm" or command in ACTIONS:
                return self._control(command, words, update, kept=kept)
            return answer(self._settings, command, words) or f"There is no /{command[:30]}.\n{HELP}"
        except Exception:
            # One question that cannot be answered must not end the hearing of the next.
            log.exception("a question of a chat cannot be answered")
            return "That cannot be answered now; the log says why"

    def _control(self, command: str, words: list[str], update: Update, *, kept: bool) -> str:
        stops = command in FIRST_STEPS_THAT_STOP or (command == "confirm" and self._controls.stops(update))
        if self._clock.now() - update.at > OLD and not (stops and self._caught_up):
            return self._too_late(command, update)
        if not kept and not stops:
            return "The database takes nothing now, so nothing can be lifted"
        if command == "confirm":
            said = self._controls.confirm(words[0] if words else "", update)
        else:
            said = self._controls.ask(command, words, update)
        log.warning("Telegram chat %s: /%s: %s", update.chat, command, said.splitlines()[0])
        return said

    def _too_late(self, command: str, update: Update) -> str:
        return (
            f"/{command} came more than a minute late, and nothing was done. Say it again if it is still meant. It was "
            f"said at {update.at:%H:%M:%S} UTC by Telegram, and this machine's clock shows "
            f"{self._clock.now():%H:%M:%S}: if that is wrong, set it right"
        )

    def _note_stranger(self, update: Update) -> None:
        """They get no answer; the log has them once, so that the operator can find their own chat's number there."""
        if update.chat and update.chat not in self._strangers and len(self._strangers) < MOST_STRANGERS:
            self._strangers.add(update.chat)
            log.warning("Telegram chat %s is not in notifications.telegram_chats and gets no answer", update.chat)

    def _say_once(self, problem: str) -> None:
        if problem and problem != self._problem:
            log.warning("Telegram cannot be heard now; it is tried again: %s", problem)
        elif self._problem and not problem:
            log.info("Telegram is heard again")
        self._problem = problem
