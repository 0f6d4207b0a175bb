"""What one account has open at its brokerage, opened and closed together: lane, stream, session, place at the gate."""

from collections.abc import Callable, Iterator
from typing import Protocol

from bot.brokers.http_session import VenueSession
from bot.brokers.rest_lane import RestLane
from bot.brokers.stream_news import NO_NEWS, StreamNews
from bot.brokers.venue_gate import VenueGate
from bot.domain.errors import OrderRefused
from bot.domain.order import OrderRequest


class Stream(Protocol):
    """What is told of the account's orders without being asked."""

    def listen(self, wake: Callable[[], None]) -> None: ...

    def tend(self) -> StreamNews: ...

    def close(self) -> None: ...


class OpenWays:
    """Of the account called `label`. Lane and stream are None where the account has none."""

    def __init__(
        self, *, label: str, lane: RestLane | None, stream: Stream | None, session: VenueSession, gate: VenueGate
    ) -> None:
        self.lane = lane
        self._label = label
        self._stream = stream
        self._session = session
        self._gate = gate
        self._closed = False

    def listen(self, wake: Callable[[], None]) -> None:
        """See `BaseBroker.listen`."""
        if self.lane is not None:
            self.lane.open()
        if self._stream is not None:
            self._stream.listen(wake)

    def take_refusals(self) -> Iterator[tuple[OrderRequest, OrderRefused]]:
        """What the venue has refused in the lane since the last time."""
        return iter(()) if self.lane is None else self.lane.take_refusals()

    def tend(self) -> StreamNews:
        """See `BaseBroker.tend_stream`."""
        return NO_NEWS if self._stream is None else self._stream.tend()

    def close(self) -> None:
        """Nothing leaves any more; again is fine."""
        if self._closed:
            return
        self._closed = True
        if self.lane is not None:
            self.lane.close()
        if self._stream is not None:
            self._stream.close()
        self._session.close()
        self._gate.leave(self._label)
