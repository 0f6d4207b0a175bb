"""How a venue's private stream is spoken: what is sent to be let in, and what its messages mean."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from bot.brokers.account_view import OrderEvent


@dataclass(frozen=True)
class Say:
    """This has to be sent next."""

    message: bytes


@dataclass(frozen=True)
class Live:
    """From here on every order is told. Said again: something has happened that only the history tells."""


@dataclass(frozen=True)
class LetDown:
    """The venue will tell nothing on this connection. `by_key` = it refuses the key, and would again."""

    why: str
    by_key: bool = False


Told = Say | Live | LetDown | OrderEvent


class StreamSpeech(ABC):
    """One account's. Used on the loop: nothing here may block."""

    path: ClassVar[str]

    @abstractmethod
    def ping(self) -> bytes:
        """A message that the venue answers in any case."""

    @abstractmethod
    def hello(self) -> bytes:
        """The first message of a connection. Raises `CredentialsRejected` when the secret cannot sign."""

    @abstractmethod
    def understand(self, text: bytes) -> Sequence[Told]:
        """What a message says; nothing for what is none of our business. Raises `UnreadableReply`."""
