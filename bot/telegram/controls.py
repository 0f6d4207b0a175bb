"""What a chat may stop and let go on: shown first, with a code; done when the code comes back in time.

It is written as the commands write it, beside the bot's own store and threads, so that a bot that hangs is stopped
too; when the database does not take a kill, the file does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.console.answers import Refusal
from bot.console.control_actions import Wish, apply, preview
from bot.diagnostics.store_reading import NoStore, read_store
from bot.diagnostics.store_writing import write_store
from bot.domain.control import STOPPING, ControlAction, ControlState
from bot.domain.halt import HaltSource
from bot.notifications.telegram import Update
from bot.settings import Settings
from bot.storage import control_requests
from bot.storage.kill_file import read_kill_file, write_kill_file

GOOD_FOR = timedelta(seconds=120)
CODE_DIGITS = 6
# Guessing a code must not be worth the try.
MOST_WRONG_CODES = 5
ACTIONS: Mapping[str, ControlAction] = {
    "kill": ControlAction.KILL,
    "pause": ControlAction.PAUSE,
    "resume": ControlAction.RESUME,
}


# A chat, and who in it.
_Asker = tuple[str, str]


@dataclass(frozen=True)
class _Shown:
    """What was shown to one who asked in a chat, and waits for its code."""

    wish: Wish
    code: str
    until: datetime
    nonce: str


class Controls:
    """Of all chats; each person there has at most one thing waiting for its code. `token` draws codes."""

    def __init__(self, settings: Settings, *, now: Callable[[], datetime], token: Callable[[], str]) -> None:
        self._settings = settings
        self._now = now
        self._token = token
        # By chat and person: in a group nobody confirms, replaces or uses up what another was shown.
        self._shown: dict[_Asker, _Shown] = {}
        self._wrong: dict[_Asker, int] = {}

    def ask(self, command: str, words: Sequence[str], asked: Update) -> str:
        """The first step: what would be done, and the code for doing it."""
        if command == "pause" and not words:
            return "Say what: /pause ACCOUNT, /pause kraken or /pause BTC/USD. /kill stops everything."
        wish = self._wish(ACTIONS[command], words, asked)
        try:
            with read_store(self._settings) as connection:
                lines = preview(connection, wish)
        except Refusal as error:
            return f"Refused: {error}"
        except NoStore as error:
            if command != "kill":
                return str(error)
            lines = [f"{error}. The file that stops everything would be made"]
        shown = _Shown(wish, self._code(), self._now() + GOOD_FOR, f"telegram-{asked.chat}-{asked.id}"[:64])
        self._shown[_asker(asked)], self._wrong[_asker(asked)] = shown, 0
        return "\n".join([*lines, "", f"To do it, within 2 minutes: /confirm {shown.code}"])

    def stops(self, said: Update) -> bool:
        """Whether what waits for a code of whoever said this stops something."""
        shown = self._shown.get(_asker(said))
        return shown is not None and shown.wish.action in STOPPING

    def confirm(self, code: str, said: Update) -> str:
        """The second step. A code is good once, for the one who asked, in the same chat, and for what was shown."""
        asker = _asker(said)
        shown = self._shown.get(asker)
        if shown is None:
            return self._nothing_waits(said.chat)
        if code.strip() != shown.code:
            return self._refuse_code(asker)
        del self._shown[asker]
        if self._now() > shown.until:
            return "That took longer than 2 minutes, and nothing was done. Say it again"
        return self._carry_out(shown)

    def _nothing_waits(self, chat: str) -> str:
        if any(chat == where and shown.until >= self._now() for (where, _), shown in self._shown.items()):
            return "Only the one who asked for something can confirm it. Nothing was done; say it yourself: /help"
        return "Nothing waits for a code. Say first what is to be done: /help"

    def _refuse_code(self, asker: _Asker) -> str:
        self._wrong[asker] += 1
        if self._wrong[asker] >= MOST_WRONG_CODES:
            del self._shown[asker]
            return "Wrong again. Nothing was done, and that code is not good any more. Say it again"
        return "That is not the code. Nothing was done"

    def _carry_out(self, shown: _Shown) -> str:
        wish = replace(shown.wish, at=self._now())
        file = read_kill_file(self._settings.state_dir)
        if wish.action is ControlAction.RESUME and file is not None:
            return (
                f"The file {file.path.name} in the state directory stops everything. Remove it first, then say /resume"
            )
        try:
            return self._write(wish, shown.nonce)
        except Refusal as error:
            return f"Refused: {error}"
        except NoStore as error:
            return self._without_store(wish, error)

    def _write(self, wish: Wish, nonce: str) -> str:
        with write_store(self._settings) as connection:
            known = control_requests.find_by_nonce(connection, nonce)
            if known is not None:
                return f"It was done before, as request #{known.id}"
            effect = apply(connection, wish)
            made = control_requests.add_request(
                connection,
                nonce=nonce,
                at=wish.at,
                action=wish.action,
                target=wish.target,
                details=effect.details,
                reason=wish.reason,
                actor=wish.actor,
                role="control",
                address="telegram",
                lines=effect.lines,
            )
            if made.state is not ControlState.ASKED:
                return f"Request #{made.id} is {made.state}"
        return "\n".join([*effect.lines, f"Written down as request #{made.id}; python bot.py controls shows it"])

    def _without_store(self, wish: Wish, error: NoStore) -> str:
        if wish.action is not ControlAction.KILL:
            return str(error)
        try:
            path = write_kill_file(self._settings.state_dir, reason=f"kill ({wish.actor})", flatten=False)
        except OSError as problem:
            return f"NOTHING IS STOPPED: {error}. And the file that stops everything cannot be made: {problem.strerror}"
        return f"{error}. So the file {path.name} was made: it stops every entry too, until it is removed"

    def _wish(self, action: ControlAction, words: Sequence[str], asked: Update) -> Wish:
        target = "all" if action is ControlAction.KILL or not words else words[0]
        reason = " ".join(words if action is ControlAction.KILL else words[1:])[:200]
        who = f" ({asked.sender})" if asked.sender else ""
        return Wish(
            action=action,
            target=target,
            reason=reason,
            details={},
            actor=f"telegram:{asked.chat}{who}",
            at=self._now(),
            source=HaltSource.TELEGRAM,
        )

    def _code(self) -> str:
        return f"{int(self._token(), 16) % 10**CODE_DIGITS:0{CODE_DIGITS}d}"


def _asker(said: Update) -> _Asker:
    return said.chat, said.sender_id
