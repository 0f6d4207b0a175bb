"""Messages that go out unasked, and what faults do to them on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from paper_exchange.exchange import Exchange
from paper_exchange.faults import SOCKET_PUSHES, FaultAction, FaultKind
from paper_exchange.sockets.connection import ABNORMAL
from paper_exchange.sockets.session import SocketSession


class Channel(Protocol):
    """What an update belongs to: a subscription, say."""

    @property
    def channel(self) -> str: ...

    held_back: list[bytes]
    """Messages that a fault puts behind the next one."""


class Pushes:
    """Sends the updates of subscriptions and heartbeats of one brokerage."""

    def __init__(
        self,
        exchange: Exchange,
        brokerage: str,
        farewell: Callable[[SocketSession, int], Sequence[bytes]] | None = None,
    ) -> None:
        """``farewell`` is what the brokerage says before it closes a connection with a code, if anything."""
        self._faults = exchange.faults
        self._brokerage = brokerage
        self._farewell = farewell

    def send(self, session: SocketSession, updates: Sequence[tuple[Channel, bytes]]) -> None:
        """Updates of one session, in order and in one write, unless a fault wants one of them."""
        if not self._faults:
            session.send([payload for _, payload in updates])
            return
        leaving: list[bytes] = []
        for subscription, payload in updates:
            fault = self._fault(session, subscription.channel)
            leaving += self._let_through(subscription, payload, fault)
            if fault is not None:
                session.send(leaving)
                leaving = []
                self._break(session, fault)
        if leaving:
            session.send(leaving)

    def heartbeat(self, session: SocketSession, payload: bytes) -> None:
        fault = self._fault(session, "heartbeat") if self._faults else None
        if fault is None:
            session.send([payload])
        self._break(session, fault)

    def spoils_checksum(self, session: SocketSession, channel: str) -> bool:
        """Whether this session's next message of the channel is to carry a wrong checksum."""
        if not self._faults:
            return False
        wanted = frozenset({FaultKind.BAD_CHECKSUM})
        return self._faults.take(self._brokerage, session.account_name, f"ws/{channel}", wanted) is not None

    def _fault(self, session: SocketSession, channel: str) -> FaultAction | None:
        kinds = SOCKET_PUSHES - {FaultKind.BAD_CHECKSUM}
        return self._faults.take(self._brokerage, session.account_name, f"ws/{channel}", kinds)

    def _let_through(self, subscription: Channel, payload: bytes, fault: FaultAction | None) -> list[bytes]:
        kind = fault.kind if fault is not None else None
        if kind is FaultKind.REORDER:
            subscription.held_back.append(payload)
            return []
        if kind in (FaultKind.GAP, FaultKind.SILENCE, FaultKind.CLOSE):
            return []
        late, subscription.held_back = subscription.held_back, []
        return [payload, *([payload] if kind is FaultKind.DUPLICATE else []), *late]

    def _break(self, session: SocketSession, fault: FaultAction | None) -> None:
        if fault is None:
            return
        if fault.kind is FaultKind.SILENCE:
            session.fall_silent(fault.seconds or 0.0)
        elif fault.kind is FaultKind.CLOSE:
            self.close(session, fault.code or ABNORMAL)

    def close(self, session: SocketSession, code: int) -> None:
        """End a connection as the brokerage does."""
        last_words = self._farewell(session, code) if self._farewell is not None else ()
        if last_words:
            session.send(last_words)
        session.connection.close(code)
