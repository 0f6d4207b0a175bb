"""A way to people outside, what goes along it, and what can come of that."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class NotDelivered(Exception):
    """The message did not get through, as far as is known. The text names no secret.

    `retry_after_seconds` is what the other side asked for; None = it said nothing.
    """

    def __init__(self, problem: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(problem)
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing that a message tells; `id` is the same when it is told again."""

    id: int
    cause: str
    subject: str
    severity: str
    text: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Message:
    """`id` is the same when the same message is sent again, so that a receiver can tell."""

    id: str
    title: str
    text: str
    severity: str
    at: datetime
    items: Sequence[Item] = ()


class Channel(Protocol):
    """One way to one receiver. `name` is kept in rows: `telegram:42`, `webhook`, `email`, `apprise`."""

    @property
    def name(self) -> str: ...

    def send(self, message: Message) -> str:
        """Deliver it, within a bounded time. Raises `NotDelivered` when nobody has it.

        Returns who of several did not get it, in words that name no secret; "" = everybody has it. It is not sent again
        for those: everybody else would have it again and again, and what is new would wait.
        """

    def cut(self) -> None:
        """End what hangs; called by another thread."""


def kind_of(channel: str) -> str:
    """`telegram` of `telegram:42`: what metrics are counted by."""
    return channel.partition(":")[0]
