"""The private stream of one account: its orders, trades and balances, in sequence, into its view.

A token is fetched by the account's own thread, over REST and under the lock; the loop only asks for one. Every channel
counts its messages. One that is missing or out of turn means that something may have happened unseen: the channel is
subscribed to anew with a snapshot, and the account is told to read its history.
"""

import itertools
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from bot.brokers.account_view import AccountView
from bot.brokers.connect_budget import Rank
from bot.brokers.feed_loop import pause
from bot.brokers.kraken.socket import KrakenSocket, SocketWire
from bot.brokers.kraken.stream_messages import (
    HEARTBEAT,
    SNAPSHOT,
    Message,
    balance_changes,
    message_of,
    order_events,
    totals_of,
)
from bot.brokers.replies import iso_time
from bot.brokers.stream_news import StreamNews
from bot.domain.errors import CredentialsRejected, NijaError, UnreadableReply

log = logging.getLogger(__name__)

EXECUTIONS, BALANCES = "executions", "balances"
CHANNELS = (EXECUTIONS, BALANCES)
# A token that could not be had is asked for again after so long, and after longer when the key has no right to one.
TOKEN_AGAIN_SECONDS = 5.0
NO_RIGHT_AGAIN_SECONDS = 900.0
# So often in a row a channel is begun anew on one connection; then the connection is.
MOST_RENEWALS = 5
CALM_SECONDS = 60.0
# What one channel has told the other must have told too after so long.
OTHER_CHANNEL_SECONDS = 2.0
# The answers to our own requests; those of orders count on from there.
FIRST_REQUEST = 1_000_000


@dataclass
class _Channel:
    """One subscription. `last` is the number of the last message that was taken; None = a snapshot is awaited."""

    name: str
    last: int | None = None
    asked_at: float = math.inf
    renewals: int = 0
    renewed_at: float = -math.inf
    leaving: set[int] = field(default_factory=set)


class PrivateStream:
    """`listen` and `tend` are for the account's thread, `close` for any; the rest happens on the loop.

    `on_answer` gets the answers to requests that are not the stream's own, `on_lost` the reason when the connection is
    over; both come on the loop. `on_time` gets the venue's time when it is told.
    """

    def __init__(
        self,
        *,
        wire: SocketWire,
        url: str,
        label: str,
        is_master: bool,
        gather_seconds: float,
        on_answer: Callable[[Message], None],
        on_lost: Callable[[str], None],
        on_time: Callable[[datetime], None],
    ) -> None:
        self._wire = wire
        self._label = label
        self._on_answer = on_answer
        self._on_lost = on_lost
        self._on_time = on_time
        self.socket = KrakenSocket(
            wire=wire,
            url=f"{url}/v2",
            name=f"{label}: private WebSocket",
            kind="master" if is_master else "user",
            rank=Rank.FIRST if is_master else Rank.USER,
            on_up=self._up,
            on_text=self._text,
            on_down=self._down,
        )
        self.view = AccountView(wire.clock, heard=lambda: self.socket.is_heard, gather_seconds=gather_seconds)
        self._wake: Callable[[], None] | None = None
        self._channels: dict[str, _Channel] = {}
        self._requests = itertools.count(FIRST_REQUEST)
        self._connection = 0
        self.token = ""
        self._token_wanted = False
        self._token_at = -math.inf
        self._resting = False
        self._problem = ""
        # How often something may have happened unseen, and how often the account was told so.
        self._breaks = self._breaks_told = 0
        self._closed = False
        self._waking = False

    # -- the account's thread ---------------------------------------------------------------------------------------
    def listen(self, wake: Callable[[], None]) -> None:
        """Begin; `wake` means: call `tend`."""
        self._wake = wake
        if not self._closed:
            self.socket.open()

    def tend(self, fetch_token: Callable[[], str]) -> StreamNews:
        """Bring a token if one is wanted, and take what has happened."""
        if self._resting and self._wire.clock.monotonic() >= self._token_at and not self._closed:
            self._resting = False
            self.socket.open()
        if self._token_wanted and self._wire.clock.monotonic() >= self._token_at and not self._closed:
            self._bring_token(fetch_token)
        live, breaks = self.view.live, self._breaks
        # Only with the snapshots there: what the history does not have then, the stream has.
        missed = live and breaks != self._breaks_told
        if missed:
            self._breaks_told = breaks
        return StreamNews(fills=self.view.take_fills(), missed=missed, up=live)

    def close(self) -> None:
        """Nothing is sent or told any more once this has returned."""
        self._closed = True
        self.socket.close()
        self.token = ""
        self.view.orders_lost()
        self.view.balances_lost()

    @property
    def problem(self) -> str:
        """Why the stream is not live, as far as it is known."""
        return self._problem

    def _bring_token(self, fetch_token: Callable[[], str]) -> None:
        connection = self._connection
        self._token_wanted = False
        try:
            token = fetch_token()
        except NijaError as error:
            self._no_token(error)
            return
        self._wire.feed.call(lambda: self._subscribe_with(token, connection))

    def _no_token(self, error: NijaError) -> None:
        again = NO_RIGHT_AGAIN_SECONDS if isinstance(error, CredentialsRejected) else TOKEN_AGAIN_SECONDS
        self._trouble(f"no token for it: {error}")
        self._token_at = self._wire.clock.monotonic() + again
        if isinstance(error, CredentialsRejected):
            self._resting = True  # an idle connection would be closed and made again all the time
            self.socket.close()
        else:
            self._token_wanted = True
        self._wire.feed.spawn(lambda: self._wake_in(again))

    # -- the loop: the connection -----------------------------------------------------------------------------------
    def _up(self) -> None:
        self._connection += 1
        self._waking = False  # of a loop that may never wake up
        self._token_wanted, self._token_at = True, -math.inf
        self._tell()

    def _down(self, why: str) -> None:
        self._forget()
        self._trouble(why)
        self._on_lost(why)

    def _forget(self) -> None:
        self.token = ""
        self._channels.clear()
        self.view.orders_lost()
        self.view.balances_lost()

    def _subscribe_with(self, token: str, connection: int) -> None:
        if connection != self._connection or not self.socket.is_up or self._closed:
            return  # a new connection asks for a token of its own
        self.token = token
        for name in CHANNELS:
            self._channels[name] = _Channel(name)
            self._subscribe(self._channels[name])

    def _subscribe(self, channel: _Channel) -> None:
        params: dict[str, object] = {"channel": channel.name, "token": self.token}
        params |= {"snap_orders": True, "snap_trades": True} if channel.name == EXECUTIONS else {"snapshot": True}
        channel.last, channel.asked_at = None, self._wire.clock.monotonic()
        self._request("subscribe", params)
        self._wire.feed.spawn(lambda: self._expect_snapshot(channel, self._connection))

    def _request(self, method: str, params: dict[str, object]) -> int:
        number = next(self._requests)
        self.socket.send(msgspec.json.encode({"method": method, "params": params, "req_id": number}))
        return number

    async def _expect_snapshot(self, channel: _Channel, connection: int) -> None:
        """A subscription that brings nothing is no better than a connection that is lost."""
        asked_at = channel.asked_at
        await pause(self._wire.silence_seconds)
        is_asked = self._channels.get(channel.name) is channel and channel.asked_at == asked_at
        if connection == self._connection and is_asked and channel.last is None:
            self.socket.drop(f"no snapshot of {channel.name} came")

    def token_refused(self, why: str) -> None:
        """The venue does not know the token any more: begin again with a new one."""
        self._forget()
        self._trouble(f"Kraken: {why[:200]}")
        self.socket.drop("its token is not good any more")

    # -- the loop: messages -----------------------------------------------------------------------------------------
    def _text(self, text: bytes) -> None:
        if text == HEARTBEAT or self._closed:
            return
        try:
            message = message_of(text)
            if message.time_out:
                self._on_time(iso_time(message.time_out, where="Kraken's socket"))
            if message.channel in self._channels and message.sequence is not None:
                self._in_turn(self._channels[message.channel], message)
            elif message.method in ("subscribe", "unsubscribe"):
                self._answered(message)
            elif message.method not in ("", "pong"):
                self._on_answer(message)
        except UnreadableReply as error:
            self._breaks += 1
            self.socket.drop(str(error))

    def _in_turn(self, channel: _Channel, message: Message) -> None:
        number = message.sequence
        assert number is not None
        if message.type == SNAPSHOT and number == 1:
            channel.last = number
            self._take_snapshot(channel, message)
        elif channel.last is None:
            return  # of the subscription that was given up
        elif number == channel.last + 1:
            channel.last = number
            self._take(channel, message)
        elif number != channel.last:
            self._renew(channel, f"message {number} came after {channel.last}")

    def _take_snapshot(self, channel: _Channel, message: Message) -> None:
        if channel.name == EXECUTIONS:
            self.view.show_orders(order_events(message))
            self._breaks += 1
        else:
            self.view.show_balances(totals_of(message))
        if self.view.live:
            if self._problem:
                log.info("%s: the private WebSocket is live again", self._label)
            self._problem = ""
            self._tell()

    def _take(self, channel: _Channel, message: Message) -> None:
        if channel.name == BALANCES:
            for change in balance_changes(message):
                self.view.balance_is(change.asset, change.total, change.trade_id)
                if change.trade_id and not self.view.knows_trade(change.trade_id):
                    self._expect_trade(change.trade_id)
            return
        for event in order_events(message):
            if not self.view.happened(event):
                self._breaks += 1
            if event.fill is not None:
                self._wire.feed.after(OTHER_CHANNEL_SECONDS, self._look_for_money)
        self._tell_when_ripe()

    def _expect_trade(self, trade_id: str) -> None:
        """Money has moved for a trade. The last message of a channel can be lost without a gap: the other one tells."""

        def look() -> None:
            if self.view.live and not self.view.knows_trade(trade_id):
                log.warning("%s: the private WebSocket has not told of trade %s", self._label, trade_id)
                self._breaks += 1
                self._tell()

        self._wire.feed.after(OTHER_CHANNEL_SECONDS, look)

    def _look_for_money(self) -> None:
        """The other way round: balances that lack a trade's money are shown anew, if they were not just now."""
        channel = self._channels.get(BALANCES)
        overdue = self.view.live and self.view.awaits_money(OTHER_CHANNEL_SECONDS)
        if channel is not None and overdue and self._wire.clock.monotonic() - channel.renewed_at > CALM_SECONDS:
            self._renew(channel, "a trade's money was not shown")

    def _renew(self, channel: _Channel, why: str) -> None:
        """Subscribe anew on the same connection; a connection that needs it again and again is made anew."""
        log.warning("%s: %s of the private WebSocket: %s; it is subscribed to anew", self._label, channel.name, why)
        self._wire.observer.gap(channel.name)
        self._breaks += 1
        (self.view.orders_lost if channel.name == EXECUTIONS else self.view.balances_lost)()
        now = self._wire.clock.monotonic()
        channel.renewals = 1 if now - channel.renewed_at > CALM_SECONDS else channel.renewals + 1
        channel.renewed_at = now
        if channel.renewals > MOST_RENEWALS:
            self.socket.drop(f"{channel.name} was out of turn {channel.renewals} times")
            return
        channel.leaving.add(self._request("unsubscribe", {"channel": channel.name, "token": self.token}))
        self._subscribe(channel)

    def _answered(self, message: Message) -> None:
        """An unsubscription may fail: what counts is the snapshot after it."""
        if message.success is not False or any(message.req_id in each.leaving for each in self._channels.values()):
            return
        self._trouble(f"Kraken {message.method}: {message.error[:200]}")
        self._token_wanted, self._token_at = True, self._wire.clock.monotonic() + TOKEN_AGAIN_SECONDS
        self._forget()
        self._wire.feed.spawn(lambda: self._wake_in(TOKEN_AGAIN_SECONDS))

    # -- telling ----------------------------------------------------------------------------------------------------
    def _trouble(self, why: str) -> None:
        if not self._problem and not self._closed:
            log.warning("%s: the private WebSocket is not live: %s", self._label, why)
        self._problem = why

    def _tell(self) -> None:
        if self._wake is not None and not self._closed:
            self._wake()

    def _tell_when_ripe(self) -> None:
        wait = self.view.ripe_in()
        if wait is None:
            return
        if wait <= 0:
            self._tell()
        elif not self._waking:
            self._waking = True
            self._wire.feed.spawn(lambda: self._ripen(wait))

    async def _ripen(self, seconds: float) -> None:
        try:
            await pause(seconds)
        finally:
            self._waking = False
        self._tell_when_ripe()

    async def _wake_in(self, seconds: float) -> None:
        await pause(seconds)
        self._tell()
