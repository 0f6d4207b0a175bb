"""What one public socket is to listen to, what it has confirmed, and what has to be asked next.

No I/O: frames come out, answers go in. Kraken answers each symbol by itself; what it does not answer is asked again,
what it refuses is asked again much later, and what shows damage is ended and begun anew, ever more rarely while that
does not help.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.brokers.kraken.public_messages import Envelope, UnreadableMessage, read_result
from bot.seams.clock import Clock

SYMBOLS_PER_REQUEST = 100
# An answer that takes longer is taken for lost.
ANSWER_SECONDS = 10.0
REFUSED_SECONDS = 300.0
FIRST_RENEWAL_SECONDS = 0.1
LONGEST_RENEWAL_SECONDS = 60.0
# A subscription that went well for so long has its renewals forgotten.
HEALTHY_SECONDS = 60.0
# Requests in one turn: the venue closes a connection that asks too much at once.
REQUESTS_PER_TURN = 20
# With nothing new to ask for, unanswered requests are looked for this often: the loop has orders to carry too.
LOOK_SECONDS = 1.0
NO_SYMBOL = ""
Key = tuple[str, str]


class State(StrEnum):
    """Where one subscription stands on this connection."""

    WANTED = "to be asked for"
    ASKED = "asked for, not answered"
    LIVE = "confirmed"
    ENDING = "being ended, to begin anew"
    LEAVING = "being ended for good"
    REFUSED = "refused by the venue"


@dataclass
class _Entry:
    state: State = State.WANTED
    since: float = 0.0
    not_before: float = 0.0
    renewals: int = 0


class Subscriptions:
    """Of one socket, on its loop only. `options` are a channel's further parameters."""

    def __init__(self, clock: Clock, *, options: Mapping[str, Mapping[str, object]]) -> None:
        self._clock = clock
        self._options = options
        self._entries: dict[Key, _Entry] = {}
        self._asked: dict[int, tuple[str, list[Key]]] = {}
        self._next_id = 1
        self._next_look = 0.0

    # -- what is wanted -----------------------------------------------------------------------------------------------
    def want(self, channel: str, symbols: Iterable[str] = (NO_SYMBOL,)) -> None:
        """From now on exactly these symbols of the channel."""
        wanted = {(channel, symbol) for symbol in symbols}
        self._next_look = 0.0
        for key in [key for key in self._entries if key[0] == channel and key not in wanted]:
            self._leave(key)
        for key in wanted:
            entry = self._entries.get(key)
            if entry is None:
                self._entries[key] = _Entry()
            elif entry.state is State.LEAVING:
                entry.state = State.ENDING  # whether it was sent already stays as it is

    def _leave(self, key: Key) -> None:
        entry = self._entries[key]
        if entry.state in (State.WANTED, State.REFUSED):
            del self._entries[key]
        elif entry.state is not State.LEAVING:
            self._move(entry, State.LEAVING)
            entry.since = 0.0  # nothing was sent yet

    def is_live(self, channel: str, symbol: str = NO_SYMBOL) -> bool:
        entry = self._entries.get((channel, symbol))
        return entry is not None and entry.state is State.LIVE

    def live_for(self, channel: str, symbol: str) -> float | None:
        """Seconds since it was confirmed; None while it is not."""
        entry = self._entries.get((channel, symbol))
        if entry is None or entry.state is not State.LIVE:
            return None
        return self._clock.monotonic() - entry.since

    def count(self, channel: str, state: State = State.LIVE) -> int:
        # Also asked from other threads: a list of a dict is made in one go.
        return sum(entry.state is state for key, entry in list(self._entries.items()) if key[0] == channel)

    # -- what happens -------------------------------------------------------------------------------------------------
    def connection_began(self) -> None:
        """A new connection: nothing is subscribed there yet."""
        self._asked.clear()
        self._next_look = 0.0
        for key, entry in list(self._entries.items()):
            if entry.state is State.LEAVING:
                del self._entries[key]
            elif entry.state is not State.REFUSED:
                self._move(entry, State.WANTED)

    def damaged(self, channel: str, symbol: str) -> None:
        """What it shows is wrong: end it and begin anew, with a snapshot."""
        entry = self._entries.get((channel, symbol))
        if entry is None or entry.state is not State.LIVE:
            return
        now = self._clock.monotonic()
        if now - entry.since > HEALTHY_SECONDS:
            entry.renewals = 0
        pause = min(FIRST_RENEWAL_SECONDS * 2**entry.renewals, LONGEST_RENEWAL_SECONDS)
        entry.renewals += 1
        self._move(entry, State.ENDING)
        entry.since, entry.not_before = 0.0, now + pause
        self._next_look = min(self._next_look, entry.not_before)

    def answered(self, message: Envelope) -> None:
        """An acknowledgement or refusal of one symbol."""
        method, keys = self._asked.get(message.req_id or 0, ("", []))
        for key in self._meant(message, keys):
            entry = self._entries.get(key)
            if entry is not None:
                self._answer(key, entry, method or message.method, message)

    def due(self) -> list[str]:
        """The requests to be sent now."""
        now = self._clock.monotonic()
        if now < self._next_look:
            return []
        self._ask_again(now)
        frames: list[str] = []
        for channel in dict.fromkeys(key[0] for key in self._entries):
            frames += self._frames("unsubscribe", channel, self._ending(channel, now), REQUESTS_PER_TURN - len(frames))
            frames += self._frames("subscribe", channel, self._wanted(channel, now), REQUESTS_PER_TURN - len(frames))
        self._next_look = now + LOOK_SECONDS if len(frames) < REQUESTS_PER_TURN else now
        return frames

    # -- inside -------------------------------------------------------------------------------------------------------
    def _move(self, entry: _Entry, state: State) -> None:
        entry.state, entry.since = state, self._clock.monotonic()

    def _meant(self, message: Envelope, asked: list[Key]) -> list[Key]:
        try:
            result = read_result(message)
        except UnreadableMessage:
            return asked
        symbol = result.symbol or message.symbol
        if symbol is None:
            return asked  # a channel without symbols, or a request that is refused as a whole
        if asked:
            return [key for key in asked if key[1] == symbol]
        return [key for key in self._entries if key == (result.channel, symbol)]

    def _answer(self, key: Key, entry: _Entry, method: str, message: Envelope) -> None:
        said = message.error.lower()
        if method == "unsubscribe" or not message.success:
            self._next_look = 0.0
        if method == "unsubscribe":
            if entry.state is State.LEAVING:
                del self._entries[key]
            elif entry.state is State.ENDING:
                self._move(entry, State.WANTED)  # also when there was nothing to end
        elif method == "subscribe" and entry.state is State.ASKED:
            if message.success:
                self._move(entry, State.LIVE)
            elif "already subscribed" in said:
                # Of an earlier request, whose snapshot we may have missed: only a new one is sure to bring it.
                self._move(entry, State.ENDING)
                entry.since = 0.0
            else:
                self._move(entry, State.REFUSED)
                entry.not_before = self._clock.monotonic() + REFUSED_SECONDS

    def _ask_again(self, now: float) -> None:
        for entry in self._entries.values():
            unanswered = entry.since and now - entry.since > ANSWER_SECONDS
            if (entry.state is State.ASKED and unanswered) or (
                entry.state is State.REFUSED and now >= entry.not_before
            ):
                self._move(entry, State.WANTED)
            elif entry.state in (State.ENDING, State.LEAVING) and unanswered:
                entry.since = 0.0

    def _wanted(self, channel: str, now: float) -> list[Key]:
        return [
            key
            for key, entry in self._entries.items()
            if key[0] == channel and entry.state is State.WANTED and now >= entry.not_before
        ]

    def _ending(self, channel: str, now: float) -> list[Key]:
        states = (State.ENDING, State.LEAVING)
        return [
            key
            for key, entry in self._entries.items()
            if key[0] == channel and entry.state in states and not entry.since and now >= entry.not_before
        ]

    def _frames(self, method: str, channel: str, keys: list[Key], most: int) -> list[str]:
        chunks = [keys[at : at + SYMBOLS_PER_REQUEST] for at in range(0, len(keys), SYMBOLS_PER_REQUEST)]
        return [self._frame(method, channel, chunk) for chunk in chunks[: max(0, most)]]

    def _frame(self, method: str, channel: str, keys: list[Key]) -> str:
        for key in keys:
            entry = self._entries[key]
            if method == "subscribe":
                self._move(entry, State.ASKED)
            else:
                entry.since = self._clock.monotonic()
        params: dict[str, object] = {"channel": channel, **self._options.get(channel, {})}
        if keys[0][1] != NO_SYMBOL:
            params["symbol"] = [key[1] for key in keys]
        request_id, self._next_id = self._next_id, self._next_id % 1_000_000 + 1
        self._asked[request_id] = (method, keys)
        while len(self._asked) > 1000:
            self._asked.pop(next(iter(self._asked)))
        return json.dumps({"method": method, "params": params, "req_id": request_id})
